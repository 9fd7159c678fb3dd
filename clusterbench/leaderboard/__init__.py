"""The leaderboard: verified submissions in one JSON file, and their ranking."""

from .board.models import Entry, Leaderboard, PublishedRow, read_leaderboard
from .ranking.model import BoardRow, Ranking
from .ranking.ranking import rank, rank_overall, rank_tasks
from .submissions.recheck import Recheck, recheck
from .submissions.submit import Submission, submit

__all__ = [
    "BoardRow",
    "Entry",
    "Leaderboard",
    "PublishedRow",
    "Ranking",
    "Recheck",
    "Submission",
    "rank",
    "rank_overall",
    "rank_tasks",
    "read_leaderboard",
    "recheck",
    "submit",
]
