"""The published JSON Schemas say what the models say (scripts/pages/write_schemas.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterbench.leaderboard.board.models import Leaderboard
from clusterbench.results.record import ResultRecord

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def outline(schema: dict[str, Any]) -> dict[str, Any]:
    """Names of the properties, of the required ones, and of the definitions' likewise."""
    own = {
        "properties": sorted(schema.get("properties", {})),
        "required": sorted(schema.get("required", [])),
        "closed": schema.get("additionalProperties") is False,
    }
    return {**own, **{name: outline(part) for name, part in schema.get("$defs", {}).items()}}


@pytest.mark.parametrize(
    ("name", "model"), [("result-1.json", ResultRecord), ("leaderboard-1.json", Leaderboard)]
)
def test_published_schema(name: str, model: type[ResultRecord] | type[Leaderboard]) -> None:
    published = json.loads((FOLDER / name).read_text())
    assert outline(published) == outline(model.model_json_schema())
    assert outline(published)["closed"]
