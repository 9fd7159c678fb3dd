"""Runs that once took their process with them, each repeated in a process of its own.

Whether it was the method that aborted or the machine that went down cannot be seen afterwards. So
the run is tried again where it can do no harm: it ends with its result, or with a failure that
says how the process died.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..devices import environment_alone
from ..errors import ClusterbenchError
from ..printable import shown
from ..results.record import Environment, ResultRecord
from ..results.scoring import floor
from .events import Listener, RunEvent
from .fitting import StageError
from .marks import Marks, died
from .one_run import compute_run
from .plan import PlannedRun
from .survey import survey

#: True within a process of one run, which computes it as any other.
inside = False

_CHILD = """
import json, sys
order = json.load(sys.stdin)
sys.path[:] = order["path"]
from clusterbench.runs import apart, runner
apart.inside = True
runner.run(**order["request"])
"""


class ProcessDiedError(ClusterbenchError):
    """The method ended the process it ran in."""


def needed(run: PlannedRun, record: ResultRecord | None) -> bool:
    """Whether a run took its process with it the last time it was computed."""
    if inside:
        return False
    by_record = record is not None and record.error is not None
    return died(run) or (by_record and record.error.type == ProcessDiedError.__name__)  # type: ignore[union-attr]


def compute(
    runs: Sequence[PlannedRun],
    request: Mapping[str, Any],
    environment: Environment,
    listen: Listener,
    first: int,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    """Compute runs one after another and yield each with its record, already on disk.

    Args:
        runs: that died before.
        request: arguments of `clusterbench.run` that all of them share; JSON.
        environment: for the record of one that dies again.
        listen: told when each starts and ends.
        first: number of the first of them among all that are computed.
    """
    total = first + len(runs) - 1
    for position, run in enumerate(runs, start=first):
        listen(RunEvent("start", run, position, total))
        start = time.perf_counter()
        with Marks() as marks:  # whose lock says that it is under way
            marks.start([run])
            record = _compute(run, request, environment)
        error = record.error
        listen(
            RunEvent(
                "end",
                run,
                position,
                total,
                status=record.status,
                seconds=time.perf_counter() - start,
                message=f"{error.type}: {error.message}" if error else "",
            )
        )
        yield run, record


def _compute(run: PlannedRun, request: Mapping[str, Any], environment: Environment) -> ResultRecord:
    name = run.method.name
    own = {
        "tasks": [run.task.name],
        "methods": [name],
        "params": {name: dict(run.method.params)},
        "k": run.k,
        "seeds": [run.seed],
        "overwrite_strategy": "always",
    }
    order = json.dumps({"path": sys.path, "request": {**request, **own}})
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            input=order.encode(),
            env=environment_alone(),
            stdout=subprocess.DEVNULL,
            stderr=said,
            check=False,
        )
        said.seek(max(0, said.tell() - 4096))
        words = said.read().decode(errors="replace").split("\n")
    if done.returncode == 0:
        _, record = survey(run)
        if record is not None:
            return record
    how = _how(done.returncode, [line.strip() for line in words if line.strip()])
    failure = StageError("fit", ProcessDiedError(f"the process died while fitting: {how}"))
    chance = floor(run.scored_targets, run.k)
    return compute_run(run, failure, np.empty((0, run.features.dim)), chance, environment)


def _how(code: int, words: Sequence[str]) -> str:
    text = f"it ended with exit code {code}"
    if code < 0:
        try:
            text = signal.Signals(-code).name
        except ValueError:
            text = f"signal {-code}"
        if text == "SIGKILL":
            text += " (perhaps out of memory)"
    return f"{text}; its last words: {shown(words[-1])}" if words else text
