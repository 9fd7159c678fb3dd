"""Write docs/schemas/*.json, the JSON Schemas of results, submissions and leaderboards.

Those of earlier versions, leaderboard-1.json, stay as they were published.

Run from the repository: python scripts/pages/write_schemas.py
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from clusterbench.files import write_json
from clusterbench.leaderboard.board.models import Leaderboard
from clusterbench.leaderboard.submissions.submission import SubmissionRecord
from clusterbench.results.record import ResultRecord

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "result-1.json": ResultRecord,
    "submission-1.json": SubmissionRecord,
    "leaderboard-2.json": Leaderboard,
}


def main() -> None:
    """Write one file per model."""
    for name, model in MODELS.items():
        write_json(FOLDER / name, model.model_json_schema())


if __name__ == "__main__":
    main()
