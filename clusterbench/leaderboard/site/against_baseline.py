"""Every entrant against k-means on the same features, task by task: the study's question."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..ranking.model import BoardRow, Ranking
from .contents import SiteContents, TaskKey, scores_on
from .entrant_views import EntrantView


@dataclass(frozen=True)
class Versus:
    """An entrant against k-means on one task, both on the same features.

    features: their identity. difference: mean AMI over seeds, less that of k-means. apart: whether
    the ranking of the task tells them apart; None where it does not say.
    """

    where: TaskKey
    entrant: EntrantView
    encoder: str
    features: str
    difference: float
    apart: bool | None


@dataclass(frozen=True)
class VersusAll:
    """An entrant against k-means over the tasks that both have.

    mean: of the differences; each benchmark on a data set weighs the same. better: tasks with a
    higher mean AMI; clearly_better, clearly_worse: those where they are told apart, None where no
    task's ranking says, as of a reference.
    """

    n_tasks: int
    mean: float
    better: int
    clearly_better: int | None
    clearly_worse: int | None


def against_baseline(contents: SiteContents) -> list[Versus]:
    """All comparisons, in the order of the tasks; none of k-means with itself."""
    order = baseline_settings(contents)
    found: list[Versus] = []
    for where, ranking in contents.tasks.items():
        bases = baselines_on(contents, ranking, order)
        for row in ranking.rows:
            base = bases.get(row.features)
            scores = scores_on(row, ranking)
            if base is None or row is base or "ami" not in scores:
                continue
            if any(not entry.verified for entry in row.entries):
                continue
            difference = scores["ami"] - scores_on(base, ranking)["ami"]
            apart = _apart(ranking, row, base)
            found.append(
                Versus(where, contents.view(row), row.encoder, row.features, difference, apart)
            )
    return found


def baseline_settings(contents: SiteContents) -> list[str]:
    """Idents of the k-means that others are held against, the one that comes first in front.

    That is this package's own with as many clusters as classes: the settings with the most
    entries; where those did not run, the next. Never the best: it would be chosen by its scores.
    """
    counts = {
        view.ident: [
            entry.label_free is True  # which a run says, and a board of old may not
            for entry in contents.entries[view.ident]
        ]
        for view in contents.entrants.values()
        if view.family == "k-means" and view.k is None
    }
    return sorted(counts, key=lambda i: (-sum(counts[i]), -len(counts[i]), i))


def baselines_on(
    contents: SiteContents, ranking: Ranking, order: Sequence[str]
) -> dict[str, BoardRow]:
    """The row of k-means by the identity of its features, on the ranking of one task."""
    found: dict[str, BoardRow] = {}
    for row in sorted(
        (row for row in ranking.rows if _is_own(contents, row, order)),
        key=lambda row: order.index(contents.view(row).ident),
    ):
        if "ami" in scores_on(row, ranking):
            found.setdefault(row.features, row)
    return found


def _is_own(contents: SiteContents, row: BoardRow, order: Sequence[str]) -> bool:
    """Whether all entries of a row are of a k-means that may be the baseline."""
    return all(contents.of_entry[entry.key] in order for entry in row.entries)


def summarised(versus: Iterable[Versus]) -> dict[str, VersusAll]:
    """By `ident` of the entrant; on several encoders, the mean of a task is over them."""
    grouped: dict[str, dict[TaskKey, list[Versus]]] = defaultdict(lambda: defaultdict(list))
    for item in versus:
        grouped[item.entrant.ident][item.where].append(item)
    return {ident: _summary(by_task) for ident, by_task in grouped.items()}


def _summary(by_task: dict[TaskKey, list[Versus]]) -> VersusAll:
    means = {key: statistics.fmean(v.difference for v in found) for key, found in by_task.items()}
    families: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for (benchmark, dataset, _, protocol), mean in means.items():
        families[benchmark, dataset, protocol].append(mean)
    clear = {key: all(v.apart for v in found) for key, found in by_task.items()}
    asked = any(v.apart is not None for found in by_task.values() for v in found)
    return VersusAll(
        n_tasks=len(means),
        mean=statistics.fmean(statistics.fmean(values) for values in families.values()),
        better=sum(mean > 0 for mean in means.values()),
        clearly_better=sum(m > 0 and clear[key] for key, m in means.items()) if asked else None,
        clearly_worse=sum(m < 0 and clear[key] for key, m in means.items()) if asked else None,
    )


def _apart(ranking: Ranking, row: BoardRow, base: BoardRow) -> bool | None:
    if ranking.pairs is None:
        return None
    places = {entrant: place for place, entrant in enumerate(ranking.pairs.entrants)}
    if row.entrant not in places or base.entrant not in places:
        return None
    return bool(ranking.pairs.apart[places[row.entrant], places[base.entrant]])
