"""What a run on a leaderboard is called in a message."""

from __future__ import annotations

from ...printable import shown
from ..board.models import RunFields


def run_name(entry: RunFields) -> str:
    """Benchmark, data set, task, method, encoder, seed and the begin of the run key."""
    place = "/".join(map(shown, (entry.benchmark, entry.dataset, entry.task)))
    what = f"{shown(entry.method)} on {shown(entry.encoder)}"
    return f"{place}, {what}, seed {entry.seed} (run {entry.key[:12]})"
