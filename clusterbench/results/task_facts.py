"""What a task and its features fix of a result, compared with what the result says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .protocol import scored_rows
from .record import ResultRecord, SplitScores
from .top_predictions import ranks

if TYPE_CHECKING:
    from ..benchmarks.task import Task

#: Relative difference of a factor: the last digits of a logarithm depend on the machine.
FACTOR_TOLERANCE = 1e-6

#: (field, what the result says, what the task fixes)
Difference = tuple[str, Any, Any]


def first_difference(record: ResultRecord, task: Task) -> str:
    """The first fixed field that a result has otherwise, as a sentence; "" if there is none.

    Looks at the sizes of the task, those that the scores were made of, and K; at nothing that only
    describes the task (`factor_difference`).
    """
    for field, found, wanted in _sizes(record, task):
        if found != wanted:
            return f"{field} is {found}; wanted {wanted}, as in task {task.name!r}"
    if record.k > len(task.train_rows):
        return f"k is {record.k}; task {task.name!r} has {len(task.train_rows)} training samples"
    return ""


def has_ranks(record: ResultRecord, task: Task) -> bool:
    """Whether a success has scores of as many ranks as its task wants; none where that is none."""
    found = record.ranked.n_ranks if record.ranked is not None else None
    return found == ranks(task, record.k, record.method.reference)


def factor_difference(record: ResultRecord, task: Task) -> str:
    """The first factor that the task does not have or has otherwise, as a sentence; "" if none.

    A result from before a factor was measured lacks it.
    """
    for name, found in record.task.factors.items():
        if name not in task.factors:
            return f"task.factors has {name!r}, which task {task.name!r} does not have"
        wanted = float(task.factors[name])
        if not math.isclose(found, wanted, rel_tol=FACTOR_TOLERANCE, abs_tol=FACTOR_TOLERANCE):
            return f"task.factors.{name} is {found}; task {task.name!r} has {wanted:.12g}"
    return ""


def _sizes(record: ResultRecord, task: Task) -> Iterator[Difference]:
    yield "task.name", record.task.name, task.name
    yield "task.n_classes", record.task.n_classes, task.n_classes
    yield "task.n_train", record.task.n_train, len(task.train_rows)
    yield "task.n_eval", record.task.n_eval, len(task.eval_rows)
    if record.scores is not None:
        n = len(scored_rows(task, record.protocol))
        yield from _split("scores", record.scores, n, record, task)
    if record.train_scores is not None:
        yield from _split("train_scores", record.train_scores, len(task.train_rows), record, task)


def _split(
    name: str, scores: SplitScores, n: int, record: ResultRecord, task: Task
) -> Iterator[Difference]:
    yield f"{name}.n", scores.n, n
    yield f"{name}.n_classes", scores.n_classes, task.n_classes
    yield f"{name}.n_clusters", scores.n_clusters, record.k
