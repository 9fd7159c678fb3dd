"""Entrants put in order: places, intervals, stability, and everyone against everyone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...metrics import Interval
from ...metrics.uncertainty.subsets import N_SUBSETS
from ..board.models import AGGREGATED as METRICS
from .differences import Differences, Estimates, differences, own_errors
from .entrants import Entrant
from .model import BoardRow, Pairs, RankedTask
from .stability import stability
from .ties import groups, place_ranges
from .wins import mean_ranks, win_rates

#: Entrants of a ranking that are tested against each other; those below have the place of their
#: mean, and no range.
TESTED = 2000


def placed(
    found: Sequence[Entrant], tasks: Sequence[RankedTask]
) -> tuple[tuple[BoardRow, ...], Pairs | None]:
    """All rows in the order of a ranking, and the first ones against each other.

    Complete, verified methods by mean AMI come first; of the others none has a place.
    """
    weights = np.array([task.weight for task in tasks])
    ranked = sorted(
        (e for e in found if e.row.complete),
        key=lambda e: (-e.row.means[METRICS[0]], e.row.entrant),
    )
    others = sorted(
        (e for e in found if not e.row.complete),
        key=lambda e: (
            e.row.reference,
            e.row.status != "verified",
            -e.row.n_tasks,
            e.row.method,
            e.row.encoder,
            e.row.entrant,
        ),
    )
    rows, pairs = _ranked(ranked, weights)
    return (*rows, *(_with_errors([entrant], weights)[0] for entrant in others)), pairs


def _ranked(found: list[Entrant], weights: np.ndarray) -> tuple[list[BoardRow], Pairs | None]:
    rows = _numbered(_with_errors(found, weights))
    if not rows:
        return rows, None
    tested = found[:TESTED]
    n = len(tested)
    estimates = _estimates(tested, weights)
    tests = differences(estimates)
    runs = groups(tests.apart)
    sizes = {position: run for run in runs for position in range(*run)}
    ranges = place_ranges(tests.difference, tests.apart)
    steady = stability(estimates, runs)
    by_task = np.array([entrant.scores.mean(axis=1) for entrant in found])  # type: ignore[union-attr]
    ranks = mean_ranks(by_task, weights)
    for position, row in enumerate(rows):
        changes: dict[str, object] = {"mean_rank": float(ranks[position])}
        if position < n:
            start, stop = sizes[position]
            changes |= {
                "place": start + 1,
                "n_sharing": stop - start,
                "places": (ranges[position][0], ranges[position][1] + len(rows) - n),
                "stability": steady[position] if len(rows) > 1 else None,
            }
        else:
            changes |= {"place": row.rank, "n_sharing": 1}
        rows[position] = replace(row, **changes)  # type: ignore[arg-type]
    return rows, _pairs(tested, tests, by_task, weights)


def _numbered(rows: list[BoardRow]) -> list[BoardRow]:
    numbered: list[BoardRow] = []
    for position, row in enumerate(rows, start=1):
        tied = numbered and numbered[-1].means[METRICS[0]] == row.means[METRICS[0]]
        numbered.append(replace(row, rank=numbered[-1].rank if tied else position))
    return numbered


def _estimates(found: Sequence[Entrant], weights: np.ndarray) -> Estimates:
    scores = [entrant.scores for entrant in found if entrant.scores is not None]
    return Estimates.of(scores, [entrant.deviations for entrant in found], weights, N_SUBSETS)


def _with_errors(found: Sequence[Entrant], weights: np.ndarray) -> list[BoardRow]:
    """Rows with the interval of their mean AMI; those without scores as they are."""
    if not found or found[0].scores is None:
        return [entrant.row for entrant in found]
    estimates = _estimates(found, weights)
    errors = own_errors(estimates)
    rows = []
    for position, entrant in enumerate(found):
        mean, reach = entrant.row.means[METRICS[0]], float(errors.reach[position])
        image, seed = _number(errors.image[position]), _number(errors.seed[position])
        known = image is not None or seed is not None
        total = math.hypot(image or 0.0, seed or 0.0)
        interval = Interval(max(-1.0, mean - reach), min(1.0, mean + reach), total)
        bare = entrant.deviations is None
        rows.append(
            replace(
                entrant.row,
                interval=interval if known else None,
                image_error=image,
                seed_error=seed,
                deviations=None if bare else np.array(estimates.deviations[position]),
            )
        )
    return rows


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _pairs(
    found: list[Entrant], tests: Differences, by_task: np.ndarray, weights: np.ndarray
) -> Pairs | None:
    if len(found) < 2:
        return None
    n = min(len(found), Pairs.MOST)
    clear = np.zeros((n, n))
    for task, weight in enumerate(weights):
        of_task = tests if len(weights) == 1 else differences(_of_task(found, task))
        clear += weight * (of_task.apart & (of_task.difference > 0))[:n, :n]
    return Pairs(
        entrants=tuple(entrant.row.entrant for entrant in found[:n]),
        difference=tests.difference[:n, :n],
        image_error=tests.image_error[:n, :n],
        seed_error=tests.seed_error[:n, :n],
        p_value=tests.p_value[:n, :n],
        apart=tests.apart[:n, :n],
        wins=win_rates(by_task[:n], weights),
        clear_wins=clear,
    )


def _of_task(found: list[Entrant], task: int) -> Estimates:
    scores = [e.scores[task : task + 1] for e in found if e.scores is not None]
    deviations = [None if e.deviations is None else e.deviations[task : task + 1] for e in found]
    return Estimates.of(scores, deviations, np.ones(1), N_SUBSETS)
