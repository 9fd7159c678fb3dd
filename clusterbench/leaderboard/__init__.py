"""The leaderboard: verified submissions in one JSON file, and their ranking."""

from .models import Entry, Leaderboard, PublishedRow, read_leaderboard
from .ranking import Ranking, rank
from .recheck import Recheck, recheck
from .submit import Submission, submit

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
