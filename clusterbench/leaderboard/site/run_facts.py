"""What results say of the runs on a board beyond their scores: time, machine, bands, clusters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError, StorageError
from ...printable import shown
from ...results.record import Environment, ResultRecord
from ..board.models import Entry
from ..submissions.submission import read_submitted
from ..submissions.submitted_files import submitted_files


@dataclass(frozen=True)
class RunFacts:
    """What is known of one run.

    fit_seconds: wall-clock, on its machine. bands: mean per-class ACC by frequency band. clusters:
    statistics of the sizes of its clusters.
    """

    fit_seconds: float | None
    environment: Environment
    bands: Mapping[str, float] = field(default_factory=dict)
    clusters: Mapping[str, float] = field(default_factory=dict)


def run_facts(
    entries: Iterable[Entry], results: Iterable[Path | str]
) -> tuple[dict[str, RunFacts], tuple[str, ...]]:
    """Facts by run key, from those results that are the runs of the entries; what is left out.

    Left out, a line for each with the reason, is a file that cannot be read as a result, and a
    result whose predictions or scores are not those of the entry with its key. Results of runs that
    are not on the board are counted in one line; submissions know nothing more, and are passed
    over. Raises InputError for a path that is not there.
    """
    wanted = {entry.key: entry for entry in entries}
    paths = [Path(path) for path in results]
    found: dict[str, RunFacts] = {}
    notes: list[str] = []
    absent = 0
    for path in submitted_files(paths) if paths else ():
        try:
            record = read_submitted(path)
        except (InputError, StorageError) as error:
            notes.append(f"not read: {error}")
            continue
        if not isinstance(record, ResultRecord):
            continue
        entry = wanted.get(record.key)
        if entry is None:
            absent += 1
        elif fault := _fault(entry, record):
            notes.append(f"left out: {shown(str(path))}: {fault}")
        else:
            found[record.key] = _facts(record)
    if absent:
        notes.append(
            f"{absent:,} result{'s' if absent > 1 else ''} of runs that are not on the board"
        )
    return found, tuple(notes)


def _fault(entry: Entry, record: ResultRecord) -> str:
    """Why a result is not the run of an entry; "" if it is."""
    hashed = None if record.predictions is None else record.predictions.sha256
    if hashed is None or hashed != entry.predictions_sha256:
        return "its predictions are not those of the board's entry"
    metrics = {} if record.scores is None else record.scores.metrics
    other = [n for n, value in entry.metrics.items() if not _close(metrics.get(n), value)]
    return f"its {', '.join(other)} is not that of the board's entry" if other else ""


def _close(found: float | None, wanted: float) -> bool:
    """A score that one of both does not have says nothing."""
    return found is None or math.isclose(found, wanted, rel_tol=0, abs_tol=1e-6)


def _facts(record: ResultRecord) -> RunFacts:
    scores = record.scores
    bands = {} if scores is None or scores.bands is None else scores.bands
    return RunFacts(
        fit_seconds=record.timings.fit,
        environment=record.environment,
        bands={name: band.acc for name, band in bands.items() if band.acc is not None},
        clusters={} if scores is None else dict(scores.clusters),
    )
