"""How long the runs of a plan will take on this machine, said before they begin."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cores import n_cores
from ..cost import Cost, Speed, measure
from ..results.record import ResultRecord
from . import pool
from .environment import processor
from .plan import PlannedRun
from .settings import build
from .sharing import Item, batches

#: Seconds from which a run is long enough for advice.
LONG = 600.0
#: Seconds that a run's scores and their intervals take.
_SCORING = 0.1


@dataclass(frozen=True)
class MethodTime:
    """Fits of a method, and the seconds of all of them together; None where nobody knows.

    Fits that go side by side count as the share of the time that is theirs.
    """

    name: str
    fits: int
    seconds: float | None


@dataclass(frozen=True)
class Forecast:
    """What is to be computed and about how long it takes.

    methods: by method, in the order of the plan. cores: of this machine. gpu: the fits go to a
    GPU, for which no time is predicted.
    """

    methods: tuple[MethodTime, ...]
    cores: int
    gpu: bool

    @property
    def fits(self) -> int:
        """Fits in all; runs that share one count once."""
        return sum(method.fits for method in self.methods)

    @property
    def seconds(self) -> float | None:
        """Seconds of all fits that can be predicted; None where none can."""
        known = [m.seconds for m in self.methods if m.seconds is not None]
        return sum(known) if known else None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Methods that do not state their cost."""
        return tuple(m.name for m in self.methods if m.seconds is None)

    @property
    def long(self) -> bool:
        """Whether it takes so long that one would like to know what to do about it."""
        return (self.seconds or 0.0) > LONG

    def __str__(self) -> str:
        fits = f"{self.fits} fit{'s' if self.fits != 1 else ''}"
        if self.gpu:
            return f"{fits} on a GPU, whose time is not predicted"
        machine = f"on this machine ({self.cores} core{'s' if self.cores != 1 else ''})"
        if self.seconds is None:
            return f"{fits}, whose time is unknown ({', '.join(self.unknown)})"
        text = f"{fits}, {about(self.seconds)} {machine}"
        if len(self.methods) > 1:
            text += ": " + ", ".join(
                f"{m.name} {'unknown' if m.seconds is None else about(m.seconds, short=True)}"
                for m in self.methods
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """JSON form: fits and seconds, in all and by method; null where unknown."""
        return {
            "fits": self.fits,
            "seconds": _rounded(self.seconds),
            "cores": self.cores,
            "gpu": self.gpu,
            "methods": {
                m.name: {"fits": m.fits, "seconds": _rounded(m.seconds)} for m in self.methods
            },
        }


def forecast(
    runs: Sequence[PlannedRun],
    device: str,
    known: Iterable[tuple[PlannedRun, ResultRecord]] = (),
    speed: Speed | None = None,
) -> Forecast:
    """The time that runs will take.

    Args:
        runs: to be computed.
        device: as a user names it.
        known: runs of the same plan with their records. The times in those of this kind of
            machine say more than any measurement, and correct what is predicted for their method.
        speed: of one thread; None measures it.
    """
    grouped = batches(runs)
    gpu = _on_gpu(device)
    fits: dict[str, int] = {}
    seconds: dict[str, float | None] = {}
    speed = None if gpu else speed or measure()
    factors = {} if speed is None else _factors(known, speed)
    for batch in grouped:
        for fit in batch.fits:
            run = fit[0][1]
            name = run.method.name
            fits[name] = fits.get(name, 0) + 1
            taken = None if speed is None else _fit_seconds(fit, speed, factors)
            before = seconds.get(name, 0.0)
            seconds[name] = None if taken is None or before is None else before + taken
    times = tuple(MethodTime(name, count, seconds[name]) for name, count in fits.items())
    return Forecast(times, n_cores(), gpu)


def about(seconds: float, short: bool = False) -> str:
    """`about 3 min`, or `3 min`: no more digits than a prediction is good for."""
    if seconds < 5:
        return "< 5 s" if short else "a few seconds"
    if seconds < 90:
        text = f"{5 * round(seconds / 5)} s"
    elif seconds < 5400:
        text = f"{seconds / 60:.0f} min"
    elif seconds < 48 * 3600:
        text = f"{seconds / 3600:.1f} h"
    else:
        text = f"{seconds / 86400:,.0f} days"
    return text if short else f"about {text}"


def _fit_seconds(items: Sequence[Item], speed: Speed, factors: Mapping[str, float]) -> float | None:
    """The share of the time that is a fit's, with the predictions and scores of its runs."""
    run = items[0][1]
    cost = _cost(run, sum(len(item.scored_rows) for _, item in items))
    if cost is None:
        return None
    cores = n_cores()
    factor = factors.get(run.method.name, 1.0)
    scoring = _SCORING * len(items)
    if _side_by_side(run):
        return (factor * cost.seconds(speed) + scoring) / cores
    return factor * cost.seconds(speed.of_threads(cores)) + scoring


def _side_by_side(run: PlannedRun) -> bool:
    return pool.one_core_each("cpu", 4 * len(run.task.train_rows) * run.features.dim)


def _cost(run: PlannedRun, n_eval: int) -> Cost | None:
    try:
        method = build(run.method, k=run.k, seed=run.seed, device="cpu")
        return method.cost(len(run.task.train_rows), n_eval, run.features.dim)
    except Exception:  # of another package: what cannot be told is unknown, and stops no run
        return None


def _factors(known: Iterable[tuple[PlannedRun, ResultRecord]], speed: Speed) -> dict[str, float]:
    """Method -> measured over predicted time, the median over its results on a CPU like this."""
    found: dict[str, list[float]] = {}
    for run, record in known:
        if record.timings.fit is None or record.environment.device != "cpu":
            continue
        threads = 1 if _side_by_side(run) else n_cores()
        if (record.environment.device_name, record.environment.threads) != (processor(), threads):
            continue
        cost = _cost(run, 0)
        if cost is not None and (predicted := cost.seconds(speed.of_threads(threads))) > 0:
            found.setdefault(run.method.name, []).append(record.timings.fit / predicted)
    return {name: statistics.median(ratios) for name, ratios in found.items()}


def _on_gpu(device: str) -> bool:
    if device != "auto":
        return device != "cpu"
    if "torch" in sys.modules:
        return bool(sys.modules["torch"].cuda.is_available())
    return Path("/proc/driver/nvidia/version").exists()  # without loading torch for it


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
