"""What a task's manifest may say: each field's type and range, and how the fields agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..doors import check_fields
from ..errors import InputError
from ..limits import (
    CLASS_NAME,
    CLUSTERS,
    FREE_DEPTH,
    FREE_VALUES,
    RANKS,
    ROWS,
    SEEDS,
    check_name,
    check_value,
    name_fault,
)
from ..printable import shown

_HASH = re.compile("[0-9a-f]{64}")
_TYPES: dict[str, type] = {
    **dict.fromkeys(("benchmark", "name", "dataset", "index_hash", "manifest_hash"), str),
    **dict.fromkeys(("n_classes", "seed"), int),
    **dict.fromkeys(("train", "eval", "recipe", "factors"), dict),
    **dict.fromkeys(("class_names", "train_counts", "eval_counts"), list),
}


def check_content(content: Mapping[str, Any]) -> None:
    """InputError, naming the field, for a manifest that no task has.

    content: JSON with all the keys of a manifest, each a JSON value.
    """
    check_fields(content, _TYPES, "the manifest")
    for key in ("benchmark", "name", "dataset"):
        check_name(content[key], key)
    for key in ("index_hash", "manifest_hash"):
        _check_hash(content[key], key)
    n_classes = _whole(content["n_classes"], "n_classes", 2, CLUSTERS)
    _whole(content["seed"], "seed", 0, SEEDS - 1)
    _check_names(content["class_names"], n_classes)
    for part in ("train", "eval"):
        _check_keys(content[part], ("n", "rows", "targets"), part)
        n = _whole(content[part]["n"], f"{part}: n", 1, ROWS)
        for key in ("rows", "targets"):
            _check_hash(content[part][key], f"{part}: {key}")
        _check_counts(content[f"{part}_counts"], f"{part}_counts", n_classes, n)
    _check_factors(content["factors"])
    _check_recipe(content["recipe"])
    if "n_ranks" in content:
        _whole(content["n_ranks"], "n_ranks", 2, RANKS)
    if "hierarchy" in content:
        _check_hash(content["hierarchy"], "hierarchy")
    if "label_sets" in content:
        _check_label_sets(content["label_sets"])


def _check_names(names: list[Any], n_classes: int) -> None:
    if len(names) != n_classes:
        raise InputError(f"{len(names):,} class names for n_classes={n_classes:,}")
    for name in names:
        fault = name_fault(name, CLASS_NAME) if isinstance(name, str) else "is no text"
        if fault:
            raise InputError(f"the class name {shown(repr(name))} {fault}")
    if len(set(names)) < len(names):
        raise InputError("a class name occurs twice")


def _check_counts(counts: list[Any], key: str, n_classes: int, n: int) -> None:
    if len(counts) != n_classes:
        raise InputError(f"{key} has {len(counts):,} entries; wanted {n_classes:,}, one per class")
    total = sum(_whole(count, key, 0, ROWS) for count in counts)
    if total != n:
        raise InputError(f"{key} sum to {total:,}; wanted {n:,}, the number of rows")


def _check_factors(factors: dict[str, Any]) -> None:
    if not factors:
        raise InputError("factors are none")
    for name, value in factors.items():
        check_name(name, "factors: a name")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise InputError(f"factors: {name} is {shown(repr(value))}; wanted a number")


def _check_recipe(recipe: dict[str, Any]) -> None:
    check_value(recipe, "recipe", depth=FREE_DEPTH, values=FREE_VALUES)
    check_name(recipe.get("builder"), "recipe: builder")
    if not isinstance(recipe.get("notes", {}), dict):
        raise InputError(f"recipe: notes are {shown(repr(recipe['notes']))}; wanted an object")
    for name in recipe:
        check_name(name, "recipe: a name")


def _check_label_sets(sets: Any) -> None:
    if not isinstance(sets, dict):
        raise InputError(f"label_sets is {shown(repr(sets))}; wanted an object")
    _check_keys(sets, ("n", "n_labels", "labels", "offsets"), "label_sets")
    _whole(sets["n"], "label_sets: n", 1, ROWS)
    _whole(sets["n_labels"], "label_sets: n_labels", 1, CLUSTERS)
    for key in ("labels", "offsets"):
        _check_hash(sets[key], f"label_sets: {key}")


def _check_keys(table: dict[str, Any], known: Collection[str], where: str) -> None:
    if table.keys() != set(known):
        listed = ", ".join(shown(key) for key in list(table)[:5])
        raise InputError(f"{where} has the keys {listed or 'none'}; wanted {', '.join(known)}")


def _whole(value: Any, where: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        found = shown(repr(value))
        raise InputError(f"{where} is {found}; wanted a whole number, {low:,} to {high:,}")
    return value


def _check_hash(value: Any, where: str) -> None:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise InputError(f"{where} is {shown(repr(value))}; wanted a SHA-256, 64 digits of 0-9a-f")
