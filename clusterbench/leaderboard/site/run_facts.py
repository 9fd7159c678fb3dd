"""What results say of the runs on a board beyond their scores: time, machine, bands, clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ...results.record import Environment, ResultRecord, read_result
from ..board.models import Entry
from ..submissions.result_files import result_files


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


def run_facts(entries: Iterable[Entry], results: Iterable[Path | str]) -> dict[str, RunFacts]:
    """Facts by run key, from those results that are the runs of the entries.

    A result whose key or predictions are not an entry's is passed over; so is a file that is no
    result. Raises InputError for a path that is not there.
    """
    wanted = {entry.key: entry for entry in entries}
    paths = [Path(path) for path in results]
    found: dict[str, RunFacts] = {}
    for path in result_files(paths) if paths else ():
        try:
            record = read_result(path)
        except InputError:
            continue
        entry = wanted.get(record.key)
        if entry is not None and _same(entry, record):
            found[record.key] = _facts(record)
    return found


def _same(entry: Entry, record: ResultRecord) -> bool:
    hashed = None if record.predictions is None else record.predictions.sha256
    return hashed is not None and hashed == entry.predictions_sha256


def _facts(record: ResultRecord) -> RunFacts:
    scores = record.scores
    bands = {} if scores is None or scores.bands is None else scores.bands
    return RunFacts(
        fit_seconds=record.timings.fit,
        environment=record.environment,
        bands={name: band.acc for name, band in bands.items() if band.acc is not None},
        clusters={} if scores is None else dict(scores.clusters),
    )
