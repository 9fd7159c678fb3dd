"""The published JSON Schemas say what the models say (scripts/pages/write_schemas.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterbench.leaderboard.board.models import Leaderboard
from clusterbench.leaderboard.board.version_1 import LeaderboardVersion1
from clusterbench.leaderboard.submissions.submission import SubmissionRecord
from clusterbench.results.record import ResultRecord
from clusterbench.results.schema import StrictModel

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def outline(schema: dict[str, Any]) -> dict[str, Any]:
    """Names of the properties, of the required ones, and of the definitions' likewise."""
    own = {
        "properties": sorted(schema.get("properties", {})),
        "required": sorted(schema.get("required", [])),
        "closed": schema.get("additionalProperties") is False,
    }
    defined = schema.get("$defs", {}).items()
    return {**own, **{name.removesuffix("Version1"): outline(part) for name, part in defined}}


MODELS: dict[str, type[StrictModel]] = {
    "result-1.json": ResultRecord,
    "submission-1.json": SubmissionRecord,
    "leaderboard-1.json": LeaderboardVersion1,
    "leaderboard-2.json": Leaderboard,
}


@pytest.mark.parametrize("name", MODELS)
def test_published_schema(name: str) -> None:
    model = MODELS[name]
    published = json.loads((FOLDER / name).read_text())
    assert outline(published) == outline(model.model_json_schema())
    assert outline(published)["closed"]
