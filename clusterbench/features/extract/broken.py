"""Images that could not be used: which, why, and how many are too many."""

from __future__ import annotations

from ...errors import ClusterbenchError, InputError
from ...hdf5_files import DAMAGED_ERRORS
from ...printable import shown
from ...sources.source import ImageSource
from ..store.shard_file import open_hdf5, shard_columns
from .extraction_plan import Plan


class BrokenImages:
    """Broken images of an extraction, those of finished shards included.

    reasons: row of the source index -> why. limit: the fraction of all images at which the run
    fails.
    """

    def __init__(self, source: ImageSource, plan: Plan, limit: float) -> None:
        self.source, self.plan, self.limit = source, plan, limit
        self.reasons: dict[int, str] = {}
        for shard in range(plan.n_shards):
            if shard not in plan.pending:
                self.add_shard(shard)
        self.check()

    def add(self, start: int, reasons: dict[int, str]) -> None:
        """Those of a batch that begins at row `start`: position in it -> why."""
        if reasons:
            self.reasons.update((start + position, why) for position, why in reasons.items())
            self.check()

    def add_shard(self, shard: int) -> None:
        """Those that a finished shard records."""
        path, span = self.plan.path(shard), self.plan.span(shard)
        try:
            with open_hdf5(path) as file:
                found = shard_columns(file, path)
            pairs = list(zip(found["broken"].tolist(), found["reasons"].tolist(), strict=True))
            if not all(span.start <= row < span.stop for row, _ in pairs):
                raise ValueError("a broken image is none of the shard's")
            texts = {row: shown(reason.decode()) for row, reason in pairs}
        except DAMAGED_ERRORS as error:
            raise InputError(
                f"{path}: {error}; delete this shard, and the same command makes it again"
            ) from error
        self.reasons.update(texts)

    def check(self) -> None:
        """ClusterbenchError when there are too many."""
        count, n = len(self.reasons), self.plan.n
        if count > self.limit * n:
            row = min(self.reasons)
            raise ClusterbenchError(
                f"{count:,} of {n:,} images cannot be read ({count / n:.2%}), more than "
                f"--max-broken {self.limit:g}; first: {self.source.index.id(row)!r}: "
                f"{self.reasons[row]}; mend the images or raise --max-broken (finished shards "
                "are kept)"
            )
        if count == n:
            raise ClusterbenchError(f"none of the {n:,} images can be read")

    def sorted(self) -> list[tuple[int, str]]:
        """(row, reason), by row."""
        return sorted(self.reasons.items())
