"""The leaderboard: verified submissions in one JSON file, their ranking, and its site."""

from .board.file import read_leaderboard
from .board.models import Entry, Leaderboard, PublishedRow
from .ranking.model import BoardRow, Ranking
from .ranking.ranking import rank, rank_overall, rank_tasks
from .repository.starting import start_repository
from .site.whole_site import Site, build_site
from .submissions.from_predictions import RunElsewhere, write_submission
from .submissions.published import publish, read_published
from .submissions.recheck import Recheck, recheck
from .submissions.submit import Submission, submit
from .submissions.union import Merged, merge
from .submissions.validation import validate

__all__ = [
    "BoardRow",
    "Entry",
    "Leaderboard",
    "Merged",
    "PublishedRow",
    "Ranking",
    "Recheck",
    "RunElsewhere",
    "Site",
    "Submission",
    "build_site",
    "merge",
    "publish",
    "rank",
    "rank_overall",
    "rank_tasks",
    "read_leaderboard",
    "read_published",
    "recheck",
    "start_repository",
    "submit",
    "validate",
    "write_submission",
]
