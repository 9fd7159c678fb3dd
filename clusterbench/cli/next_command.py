"""The command to run on a data set that was just declared: one that this machine can finish."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runs.forecast import Forecast

#: Seconds that a first table may take.
PATIENCE = 1800.0
#: Less and less to do, as keywords of `clusterbench.run`, where all of it takes too long.
_CHOICES: tuple[Mapping[str, Any], ...] = (
    {"preset": "laptop"},
    {"preset": "laptop", "seeds": 1},
    {"preset": "laptop", "seeds": 1, "methods": "kmeans"},
)
_OPTIONS = {"preset": "--preset", "seeds": "--seeds", "methods": "--method"}


def next_command(benchmark: str, dataset: str, encoder: str | None, preset: str) -> dict[str, Any]:
    """The command with the most to do that is predicted to end within `PATIENCE`.

    All of it where no time is predicted, as on a GPU. All of it also where nothing is short
    enough: then this machine is the wrong one, and on the right one all of it is wanted.

    Args:
        benchmark: one that can be built for the data set.
        dataset: its name.
        encoder: whose features; None for the data set's own.
        preset: the data set's own, which a choice need not name.

    Returns:
        command, as it is typed; options, those of it that leave something out; time and in_full,
        how long it takes and how long it would take without the options, as in the JSON of
        `clusterbench run`, or null where there is nothing to do.
    """
    in_full = time = _foretold(benchmark, dataset, encoder, {})
    chosen: Mapping[str, Any] = {}
    if too_long(in_full):
        for choice in _choices(preset):
            shorter = _foretold(benchmark, dataset, encoder, choice)
            if not too_long(shorter):
                chosen, time = choice, shorter
                break
    options = [word for key, value in chosen.items() for word in (_OPTIONS[key], str(value))]
    words = ["clusterbench", "run", "--benchmark", benchmark, "--dataset", dataset]
    words += [] if encoder is None else ["--encoder", encoder]
    return {
        "command": shlex.join([*words, *options]),
        "options": shlex.join(options),
        "time": None if time is None else time.to_dict(),
        "in_full": None if in_full is None else in_full.to_dict(),
    }


def time_text(command: Mapping[str, Any]) -> str:
    """How long a command of `next_command` takes, in one line; "" where there is nothing to do."""
    from ..runs.forecast import about

    time, in_full = command["time"], command["in_full"]
    if time is None:
        return ""
    fits = f"{time['fits']:,} fit{'' if time['fits'] == 1 else 's'}"
    if time["gpu"]:
        return f"{fits} on a GPU, whose time is not predicted:\n"
    if time["seconds"] is None:
        return f"{fits}, whose time is unknown:\n"
    cores = f"{time['cores']} core{'' if time['cores'] == 1 else 's'}"
    text = f"{fits}, {about(time['seconds'])} on this machine ({cores})"
    if command["options"]:
        text += f"; without {command['options']}, {about(in_full['seconds'])}"
    elif time["seconds"] > PATIENCE:
        text += ", where one seed of k-means alone takes over half an hour: for one with a GPU"
    return f"{text}:\n"


def too_long(forecast: Forecast | None) -> bool:
    """Whether it is known to take more than a first table may."""
    return forecast is not None and (forecast.seconds or 0.0) > PATIENCE


def _choices(preset: str) -> Iterator[Mapping[str, Any]]:
    """What takes less than all of it, without the preset where it is the data set's own."""
    for choice in _CHOICES:
        own = {key: value for key, value in choice.items() if (key, value) != ("preset", preset)}
        if own:
            yield own


def _foretold(
    benchmark: str, dataset: str, encoder: str | None, choice: Mapping[str, Any]
) -> Forecast | None:
    """What `run` would say; None where there is nothing to do, or what is wrong is for it to say.

    Results in the working directory are taken into account as they are there.
    """
    from .. import runs
    from ..errors import ClusterbenchError

    try:
        return runs.run(benchmark, dataset, encoder, dry_run=True, **choice).forecast
    except ClusterbenchError:
        return None
