"""Results and boards that were edited and signed again: hashes and keys follow from the contents.

Only a check of the contents can refuse them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from clusterbench.files import sha256_json

NO_KEY = (ValueError, TypeError, KeyError)  # NaN has no key, and neither has half a result


def sign_result(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A result's content with the hash of its predictions file and the run key that it gives."""
    predictions = content.get("predictions")
    if isinstance(predictions, dict) and isinstance(predictions.get("file"), str):
        try:
            whole = (folder / predictions["file"]).read_bytes()
        except (OSError, ValueError):
            pass
        else:
            predictions["sha256"] = hashlib.sha256(whole).hexdigest()
    with contextlib.suppress(*NO_KEY):
        content["key"] = _key(
            content["task"]["manifest_hash"],
            content["features"]["identity"],
            content["method"],
            content,
            content["method"]["name"],
        )
    return content


def sign_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """A board's entry with the run key that its fields give."""
    with contextlib.suppress(*NO_KEY):
        entry["key"] = _key(
            entry["manifest_hash"], entry["feature_identity"], entry, entry, entry["method"]
        )
    return entry


def _key(
    task: Any, features: Any, settings: dict[str, Any], run: dict[str, Any], method: Any
) -> str:
    fields = {
        "task": task,
        "features": features,
        "method": method,
        "version": settings["version"],
        "params": settings["params"],
        "seed": run["seed"],
        "k": run["k"],
    }
    if run.get("protocol", "train->val") != "train->val":
        fields["protocol"] = run["protocol"]
    return sha256_json(fields)


def put(content: Any, place: str, value: Any) -> None:
    """Set `a.b.0.c` of a JSON value."""
    *parents, last = place.split(".")
    for parent in parents:
        content = content[int(parent) if isinstance(content, list) else parent]
    content[int(last) if isinstance(content, list) else last] = value


def nested(depth: int, value: Any = 1) -> Any:
    """Lists within each other."""
    for _ in range(depth):
        value = [value]
    return value


def write_signed(path: Path, content: dict[str, Any]) -> None:
    """Write a result signed again."""
    path.write_text(json.dumps(sign_result(content, path.parent)))
