"""What a feature store is: the fields that change its numbers, and how two of them differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import sha256_json


def identity_hash(fields: dict[str, Any]) -> str:
    """Hex SHA-256 of identity fields in canonical JSON."""
    return sha256_json(fields)


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """One line per field that differs: `preprocessing.size: found 112, wanted 224`."""
    left, right = _flat(found), _flat(wanted)
    lines = []
    for key in sorted(left.keys() | right.keys()):
        if key not in left:
            lines.append(f"{key}: found nothing, wanted {_short(right[key])}")
        elif key not in right:
            lines.append(f"{key}: found {_short(left[key])}, wanted nothing")
        elif left[key] != right[key]:
            lines.append(f"{key}: found {_short(left[key])}, wanted {_short(right[key])}")
    return lines


def require_identity(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """InputError that lists, field by field, how the store at a path is not what is wanted."""
    lines = differences(found, wanted)
    if lines:
        raise InputError(
            f"{path} holds other features: {'; '.join(lines)}; "
            "use another folder, or delete this one"
        )


def _flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:  # a SHA-256
        return value[:12]
    return str(value)
