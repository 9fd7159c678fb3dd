"""Images that could not be used: which, why, and how many are too many."""

from __future__ import annotations

from ...errors import ClusterbenchError
from ...sources.source import ImageSource
from ..store.shard_file import open_hdf5
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
        with open_hdf5(self.plan.path(shard)) as file:
            found = zip(file["broken"][:], file["reasons"].asstr()[:], strict=True)
            self.reasons.update((int(row), str(reason)) for row, reason in found)

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
