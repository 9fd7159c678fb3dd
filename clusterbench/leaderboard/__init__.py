"""The leaderboard: verified submissions in one JSON file, and their ranking."""

from .board.file import read_leaderboard
from .board.models import Entry, Leaderboard, PublishedRow
from .ranking.entrants import Ranking, rank
from .submissions.recheck import Recheck, recheck
from .submissions.submit import Submission, submit

__all__ = [
    "Entry",
    "Leaderboard",
    "PublishedRow",
    "Ranking",
    "Recheck",
    "Submission",
    "rank",
    "read_leaderboard",
    "recheck",
    "submit",
]
