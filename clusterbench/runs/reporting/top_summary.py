"""Numbers of a report on ranked clusters: what each rank finds, over seeds, beside chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .summary import Figure

if TYPE_CHECKING:
    from ...results.record import TopRecord
    from .outcome import Outcome


@dataclass(frozen=True)
class RankRow:
    """What the r-th clusters of a method find, as figures by name.

    top_n_acc:     share of images whose class is among the first r clusters
    chain:         share of the chain, from the image's class to its root, that the r-th cluster's
                   class shares, and `chain_chance`, where the rankings are dealt out at random
    other:         `chain` over the images whose r-th cluster does not stand for their own class,
                   and `other_chance`: the coarser classes alone
    other_gain:    `other` - `other_chance`
    hits:          share of images whose r-th cluster stands for one of their labels, and
                   `hits_chance`; any_hit, coverage: as in `metrics.LabelSetScores`

    Chains are there for a task with a class tree. Labels are those that the task names, without
    such the nodes of the chain. A figure that a seed cannot have is left out.
    """

    rank: int
    figures: dict[str, Figure]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"rank": self.rank, **{n: figure.to_dict() for n, figure in self.figures.items()}}


@dataclass(frozen=True)
class TopRow:
    """A method on a task with ranked clusters; without figures unless every seed has a result.

    figures: acc, top_n_acc, any_label_acc and, on a class tree, lca_acc and semantic_acc.
    """

    method: str
    figures: dict[str, Figure]
    ranks: tuple[RankRow, ...]

    @property
    def complete(self) -> bool:
        """Whether every planned seed has ranked scores."""
        return bool(self.figures)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `scores` and `ranks` are null for an incomplete row."""
        return {
            "method": self.method,
            "complete": self.complete,
            "scores": {name: figure.to_dict() for name, figure in self.figures.items()} or None,
            "ranks": [row.to_dict() for row in self.ranks] or None,
        }


@dataclass(frozen=True)
class TopSummary:
    """A task with ranked clusters: a row per method."""

    task: str
    n_classes: int
    n_ranks: int
    rows: tuple[TopRow, ...]

    @property
    def on_tree(self) -> bool:
        """Whether the task has chains."""
        return any("semantic_acc" in row.figures for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"n_ranks": self.n_ranks, "methods": [row.to_dict() for row in self.rows]}


def summarise_top(outcomes: Iterable[Outcome]) -> dict[str, TopSummary]:
    """A summary by task name, of tasks and methods that rank clusters, in the order of the plan."""
    by_task: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        if outcome.run.task.n_ranks > 1 and not outcome.run.method.reference:
            rows = by_task.setdefault(outcome.run.task.name, {})
            rows.setdefault(outcome.run.method.name, []).append(outcome)
    return {name: _task(name, rows) for name, rows in by_task.items()}


def other_share(found: Sequence[float], top_n: Sequence[float], rank: int) -> float | None:
    """Mean share of the chain over the images whose cluster at this rank is not their own class.

    found: `ChainsRecord.chain_share` or its `chance`; top_n: `TopRecord.top_n_acc` or
    `top_n_chance`, whose steps are the shares of images that meet their own class at a rank (and so
    find the whole chain there). None where all images do.
    """
    own = top_n[rank - 1] - (top_n[rank - 2] if rank > 1 else 0.0)
    return (found[rank - 1] - own) / (1 - own) if own < 1 else None


def _task(name: str, rows: dict[str, list[Outcome]]) -> TopSummary:
    run = next(iter(rows.values()))[0].run
    return TopSummary(
        task=name,
        n_classes=run.task.n_classes,
        n_ranks=min(run.task.n_ranks, run.k),
        rows=tuple(_row(method, outcomes) for method, outcomes in rows.items()),
    )


def _row(method: str, outcomes: list[Outcome]) -> TopRow:
    records = [o.record.ranked for o in outcomes if o.record is not None and o.record.ranked]
    if len(records) < len(outcomes):
        return TopRow(method, {}, ())
    ranks = range(1, records[0].n_ranks + 1)
    return TopRow(
        method,
        _figures(records, _scores),
        tuple(RankRow(rank, _figures(records, partial(_at, rank=rank))) for rank in ranks),
    )


def _figures(
    records: list[TopRecord], values: Callable[[TopRecord], dict[str, float | None]]
) -> dict[str, Figure]:
    seeds = [values(record) for record in records]
    figures = {}
    for name in seeds[0]:
        known = [value for seed in seeds if (value := seed[name]) is not None]
        if len(known) == len(seeds):
            figures[name] = Figure.of(known)
    return figures


def _scores(record: TopRecord) -> dict[str, float | None]:
    labels = record.label_sets or record.chains
    tree = record.hierarchy
    return {
        "acc": record.top_n_acc[0],
        "top_n_acc": record.top_n_acc[-1],
        "any_label_acc": labels.any_label_acc if labels else None,
        "lca_acc": tree.lca_acc if tree else None,
        "semantic_acc": tree.semantic_acc if tree else None,
    }


def _at(record: TopRecord, rank: int) -> dict[str, float | None]:
    values: dict[str, float | None] = {
        "top_n_acc": record.top_n_acc[rank - 1],
        "top_n_chance": record.top_n_chance[rank - 1],
    }
    if record.hierarchy is not None:
        chains = record.hierarchy.chains
        other = other_share(chains.chain_share, record.top_n_acc, rank)
        chance = other_share(chains.chance, record.top_n_chance, rank)
        values |= {
            "chain": chains.chain_share[rank - 1],
            "chain_chance": chains.chance[rank - 1],
            "other": other,
            "other_chance": chance,
            "other_gain": None if other is None or chance is None else other - chance,
        }
    labels = record.label_sets or record.chains
    if labels is not None:
        values |= {
            "hits": labels.hits[rank - 1],
            "hits_chance": labels.chance[rank - 1],
            "any_hit": labels.any_hit[rank - 1],
            "coverage": labels.coverage[rank - 1],
        }
    return values
