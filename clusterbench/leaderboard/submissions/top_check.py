"""Ranked scores of a submission, computed again from its ranked clusters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...results.protocol import scored_label_sets
from ...results.record import TopRecord
from ...results.top_scoring import top_scores

if TYPE_CHECKING:
    from ...results.evidence import Evidence


def top_again(evidence: Evidence, tolerance: float) -> TopRecord | None:
    """The ranked scores that the predictions give; None where none are ranked.

    Raises InputError, naming the file and the score, where a recorded one is missing, surplus or
    further away than `tolerance`.
    """
    recorded, task = evidence.record.ranked, evidence.task
    if evidence.ranked is None or recorded is None:
        return None
    again = top_scores(
        evidence.targets,
        evidence.ranked,
        evidence.record.k,
        hierarchy=task.hierarchy,
        label_sets=scored_label_sets(task, evidence.record.protocol),
    )
    for name, found, wanted in differences(recorded.to_dict(), again.to_dict(), tolerance):
        raise InputError(
            f"{evidence.path}: ranked.{name} is recorded as {found}, its predictions give {wanted}"
        )
    return again


def differences(found: Any, wanted: Any, tolerance: float) -> Iterator[tuple[str, str, str]]:
    """(place, found, wanted) of each leaf of two JSON values that differs by more than that."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in wanted:  # both are of one strict model, so that the keys are the same
            for place, *values in differences(found[key], wanted[key], tolerance):
                yield f"{key}.{place}".rstrip("."), values[0], values[1]
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for position, pair in enumerate(zip(found, wanted, strict=True)):
            for place, *values in differences(*pair, tolerance):
                yield f"{position}.{place}".rstrip("."), values[0], values[1]
    elif isinstance(wanted, int | float) and isinstance(found, int | float):
        if abs(found - wanted) > tolerance:
            yield "", str(found), f"{wanted:.12g}"
    elif found != wanted:
        yield "", _short(found), _short(wanted)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} values"
    return "scores" if isinstance(value, dict) else str(value)
