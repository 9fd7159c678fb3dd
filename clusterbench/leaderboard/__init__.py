"""The leaderboard: verified submissions in one JSON file, their ranking, and its site."""

from .board.models import Entry, Leaderboard, PublishedRow, read_leaderboard
from .ranking.model import BoardRow, Ranking
from .ranking.ranking import rank, rank_overall, rank_tasks
from .site.whole_site import Site, build_site
from .submissions.recheck import Recheck, recheck
from .submissions.submit import Submission, submit

__all__ = [
    "BoardRow",
    "Entry",
    "Leaderboard",
    "PublishedRow",
    "Ranking",
    "Recheck",
    "Site",
    "Submission",
    "build_site",
    "rank",
    "rank_overall",
    "rank_tasks",
    "read_leaderboard",
    "recheck",
    "submit",
]
