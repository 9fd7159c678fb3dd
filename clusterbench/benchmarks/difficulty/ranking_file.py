"""Rankings as JSON files, `clusterbench-ranking/1`: one line per class, and a hash over all.

    {
      "format": "clusterbench-ranking/1",
      "index_hash": "...", "seed": 0, "images_per_class": 10, "folds": 3, "n_neighbors": 9,
      "probe": {"steps": 80, "l2": 1e-05},
      "columns": [{"encoder": "...", "identity": "...", "measure": "knn"}, ...],
      "classes": {"<name>": [[<correct, per column>], [<same-class neighbours, per kNN column>]]},
      "sha256": "..."
    }

`sha256` is that of everything else in canonical JSON.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...catalog import unknown_name
from ...doors import read_json
from ...errors import InputError
from ...files import sha256_json, write_bytes
from ...limits import CLASS_NAME, RANKING, ROWS, SEEDS, check_name, name_fault
from ...printable import shown
from .class_ranking import ClassRanking, ProbeSettings, RankingColumn, RankingSettings

FORMAT = "clusterbench-ranking/1"
_NUMBERS = ("seed", "images_per_class", "folds", "n_neighbors")
_TYPES: dict[str, type] = {
    "format": str,
    "index_hash": str,
    **dict.fromkeys(_NUMBERS, int),
    "probe": dict,
    "columns": list,
    "classes": dict,
    "sha256": str,
}
_COLUMN_TYPES: dict[str, type] = {"encoder": str, "identity": str, "measure": str}
_PROBE_TYPES: dict[str, type] = {"steps": int, "l2": float}
_HASH = re.compile("[0-9a-f]{64}")
_MAX_COUNT = 1 << 53
_MAX_STEPS = 1 << 31


def ranking_sha256(ranking: ClassRanking) -> str:
    """Hex SHA-256 of a ranking: the field `sha256` of its file."""
    return sha256_json(_content(ranking))


def write_ranking(ranking: ClassRanking, path: Path) -> None:
    """Write the file, whole or not at all (see `files.atomic_path`); StorageError if it cannot."""
    content = _content(ranking)
    classes = content.pop("classes")
    lines = [f'  "{key}": {_compact(value)}' for key, value in content.items()]
    entries = ",\n".join(f"    {_compact(name)}: {_compact(v)}" for name, v in classes.items())
    lines.append(f'  "classes": {{\n{entries}\n  }}')
    lines.append(f'  "sha256": "{ranking_sha256(ranking)}"')
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_ranking(path: Path) -> ClassRanking:
    """Read the file; InputError, naming it and the fault, unless it is whole and unchanged."""
    table = read_json(Path(path), RANKING)
    try:
        return _parse(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _content(ranking: ClassRanking) -> dict[str, Any]:
    correct = np.stack([column.correct for column in ranking.columns], axis=1).tolist()
    knn = [column.same for column in ranking.columns if column.same is not None]
    same = np.stack(knn, axis=1).tolist() if knn else [[] for _ in ranking.classes]
    settings = dataclasses.asdict(ranking.settings)
    return {
        "format": FORMAT,
        "index_hash": ranking.index_hash,
        **{key: settings[key] for key in _NUMBERS},
        "probe": settings["probe"],
        "columns": [{key: getattr(c, key) for key in _COLUMN_TYPES} for c in ranking.columns],
        "classes": {n: [c, s] for n, c, s in zip(ranking.classes, correct, same, strict=True)},
    }


def _parse(table: Any) -> ClassRanking:
    if isinstance(table, dict) and table.get("format", FORMAT) != FORMAT:
        raise InputError(f"format {shown(repr(table['format']))}; wanted {FORMAT!r}")
    _check_keys(table, _TYPES, "the file")
    for key in ("index_hash", "sha256"):
        if not _HASH.fullmatch(table[key]):
            raise InputError(f"{key} = {_word(table[key])} should be 64 hexadecimal digits")
    content = {key: value for key, value in table.items() if key != "sha256"}
    found = _canonical_hash(content)
    if found != table["sha256"]:
        raise InputError(
            f"its content has SHA-256 {found[:12]}, and its field says {table['sha256'][:12]}: "
            "the file was edited or damaged; make it again with `clusterbench rank --force`"
        )
    _check_keys(table["probe"], _PROBE_TYPES, "probe")
    for number, column in enumerate(table["columns"]):
        _check_keys(column, _COLUMN_TYPES, f"columns[{number}]")
        check_name(column["encoder"], f"columns[{number}]: encoder")
        if not _HASH.fullmatch(column["identity"]):
            raise InputError(f"columns[{number}]: identity should be 64 hexadecimal digits")
    for key, most in (("seed", SEEDS - 1), *((key, ROWS) for key in _NUMBERS[1:])):
        if not 0 <= table[key] <= most:
            raise InputError(f"{key}={table[key]} should be in 0..{most}")
    if not 1 <= table["probe"]["steps"] <= _MAX_STEPS:
        raise InputError(f"steps={table['probe']['steps']} should be in 1..{_MAX_STEPS}")
    settings = RankingSettings(
        **{key: table[key] for key in _NUMBERS}, probe=ProbeSettings(**table["probe"])
    )
    n_columns = len(table["columns"])
    knn = [at for at, column in enumerate(table["columns"]) if column["measure"] == "knn"]
    correct, same = _counts(table["classes"], n_columns, len(knn))
    columns = tuple(
        RankingColumn(
            **column,
            correct=correct[:, at],
            same=same[:, knn.index(at)] if at in knn else None,
        )
        for at, column in enumerate(table["columns"])
    )
    return ClassRanking(table["index_hash"], settings, tuple(table["classes"]), columns)


def _counts(classes: dict[str, Any], n_columns: int, n_knn: int) -> tuple[np.ndarray, np.ndarray]:
    """((n, n_columns), (n, n_knn)) int64."""
    wanted = [n_columns, n_knn]
    for name, entry in classes.items():
        lists = isinstance(entry, list) and all(isinstance(part, list) for part in entry)
        if not lists or [len(part) for part in entry] != wanted:
            raise InputError(
                f"class {_word(name)}: {_word(entry)} should be two lists, of {n_columns} "
                f"and {n_knn} counts"
            )
        if not all(type(c) is int and 0 <= c < _MAX_COUNT for part in entry for c in part):
            raise InputError(f"class {_word(name)}: {_word(entry)} should hold whole numbers >= 0")
        if fault := name_fault(name, CLASS_NAME):
            raise InputError(f"class {_word(name)}: its name {fault}")
    shape = len(classes)
    correct = np.array([entry[0] for entry in classes.values()], dtype=np.int64)
    same = np.array([entry[1] for entry in classes.values()], dtype=np.int64)
    return correct.reshape(shape, n_columns), same.reshape(shape, n_knn)


def _word(value: Any) -> str:
    return shown(repr(value))


def _check_keys(table: Any, types: dict[str, type], where: str) -> None:
    if not isinstance(table, dict):
        raise InputError(f"{where} is no JSON object")
    for key in table:
        if key not in types:
            raise InputError(f"{where}: {unknown_name('key', key, types)}")
    for key, kind in types.items():
        if key not in table:
            raise InputError(f"{where}: the key {key!r} is missing")
        if type(table[key]) is not kind:
            found = type(table[key]).__name__
            raise InputError(f"{where}: {key} is of type {found}; wanted {kind.__name__}")


def _canonical_hash(content: dict[str, Any]) -> str:
    try:
        return sha256_json(content)
    except ValueError as error:  # NaN, which JSON does not have
        raise InputError(f"not valid JSON: {error}") from error


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
