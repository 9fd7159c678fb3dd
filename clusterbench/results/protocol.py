"""Which rows of a task a method is fitted on, and which of them are scored."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING

from ..catalog import unknown_name
from .record import Protocol

if TYPE_CHECKING:
    import numpy as np

    from ..benchmarks.targets import LabelSets
    from ..benchmarks.task import Task

PROTOCOLS: tuple[Protocol, ...] = typing.get_args(Protocol)


def known_protocol(name: str) -> Protocol:
    """`name` if it is a protocol; InputError with near names for any other."""
    for protocol in PROTOCOLS:
        if name == protocol:
            return protocol
    raise unknown_name("protocol", str(name), PROTOCOLS)


def scored_rows(task: Task, protocol: Protocol) -> np.ndarray:
    """(n,) int64: the rows whose clusters are scored and kept in the predictions file."""
    return task.train_rows if protocol == "transductive" else task.eval_rows


def scored_targets(task: Task, protocol: Protocol) -> np.ndarray:
    """(n,) int32: the classes of `scored_rows`."""
    return task.train_targets if protocol == "transductive" else task.eval_targets


def scored_label_sets(task: Task, protocol: Protocol) -> LabelSets | None:
    """The label sets of `scored_rows`: only evaluation rows have some."""
    return None if protocol == "transductive" else task.label_sets


def scored_split(protocol: Protocol) -> str:
    """What a reader calls the scored rows: "train" or "val"."""
    return "train" if protocol == "transductive" else "val"
