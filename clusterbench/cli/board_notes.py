"""What stands below the table of a ranking: what its figures mean, and what deserves a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from ..limits import ONE_LINE
from ..printable import escaped, shown

if TYPE_CHECKING:
    from ..leaderboard.board.models import PublishedRow
    from ..leaderboard.ranking.model import BoardRow, Ranking

#: Names that a note lists; the others are counted.
_LISTED = 6

_FLAGS = {
    "equals targets": "Its clusters are the classes in every row",
    "same as other entrant": "Predictions that another entrant has too",
    "same as other seed": "The same predictions from several seeds",
}


def notes(ranking: Ranking, labels: Mapping[str, str]) -> Iterator[Text]:
    """Lines of text, dim.

    Args:
        ranking: what the table shows.
        labels: the name of each entrant in it.
    """
    for line in _lines(ranking, labels):
        yield Text(line, "dim")


def _lines(ranking: Ranking, labels: Mapping[str, str]) -> Iterator[str]:
    ranked = [row for row in ranking.rows if row.complete]
    if not ranking.tasks:
        yield "No benchmark has two complete methods yet, so there is nothing to rank."
    elif ranking.rows:
        yield from _meaning(ranking, ranked)
    else:
        yield "No entries."
    if ranking.features:
        listed = ", ".join(f"{shown(d)}: {shown(e)}" for d, e in ranking.features.items())
        yield f"On the features that most methods were run on: {listed}."
    if ranking.left_out:
        yield (
            "Left out, since fewer than two methods are complete there: "
            f"{_listed(list(map(shown, ranking.left_out)))}."
        )
    if ranking.protocol == "transductive":
        yield "Transductive: fitted and scored on the same training images."
    yield from _marks(ranking, labels)
    for row in ranking.rows:
        if row.missing:
            what = "No mean" if row.reference else "Incomplete, not ranked"
            yield f"{what}: {labels[row.entrant]} lacks {escaped(row.missing)}."
    for published in ranking.published:
        yield _published(published)


def _meaning(ranking: Ranking, ranked: list[BoardRow]) -> Iterator[str]:
    over = {
        "task": "the mean over seeds",
        "benchmark": "mean over tasks of the mean over seeds",
        "dataset": "mean over benchmarks, each of its tasks, each over seeds",
        "overall": "mean over benchmarks and data sets, each of its tasks, over seeds",
    }[ranking.scope]
    moves = "images and seeds" if ranking.basis == "images and seeds" else "seeds"
    yield f"Percent; {over}, ± 95% over {moves}."
    if ranking.scope in ("dataset", "overall") and ranked:
        yield "rank: the mean over tasks of its rank by AMI, weighed alike."
    if len(ranked) > 1:
        yield "=: those with one place cannot be told apart. places: all that the tests leave"
        yield "open. first: share of draws of images and seeds in which it is the first."
    if ranking.basis == "seeds" and ranked:
        yield (
            "Entries without scores on subsets of the images (submitted to an older version): "
            "their differences are over seeds alone."
        )
    if all(row.status == "verified" for row in ranking.rows):
        yield "Every row is verified: scored from its predictions when it was submitted;"
        yield "clusterbench leaderboard check scores it again."


def _marks(ranking: Ranking, labels: Mapping[str, str]) -> Iterator[str]:
    if any(row.reference for row in ranking.rows):
        yield "* reference, not ranked: fitted with the training labels, a ceiling."
    told = [labels[row.entrant] for row in ranking.rows if row.status != "verified"]
    if told:
        yield f"Self-reported, not scored here, so not ranked: {_listed(told)}."
    taught = [
        labels[row.entrant] for row in ranking.rows if row.label_free is False and not row.reference
    ]
    if taught:
        yield f"Not label-free, as submitted: {_listed(taught)}."
    for kind, meaning in _FLAGS.items():
        whose = [
            labels[row.entrant]
            for row in ranking.rows
            if any(flag.kind == kind for flag in row.flags)
        ]
        if whose:
            yield f"{meaning}: {_listed(whose)}."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _published(row: PublishedRow) -> str:
    figures = ", ".join(
        f"{shown(name).upper()} {100 * value:.1f}" for name, value in row.metrics.items()
    )
    what = f"{shown(row.method)} ({shown(row.backbone)})"
    return f"Published, not verified: {what} {figures}; {shown(row.source, ONE_LINE)}"
