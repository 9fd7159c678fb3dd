"""Recipes by name: shipped ones, the user's, recipe files, and models of a library."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ... import catalog
from ...declared import from_table
from ...errors import InputError
from .libraries import LIBRARIES
from .recipe import Recipe


def load(name: str) -> Recipe:
    """The recipe of an encoder: a shipped or own recipe's name, or where to find the model.

    `PATH/mine.toml` is a recipe file; `timm:MODEL`, `open_clip:MODEL/PRETRAINED`,
    `python:package.module:function` and `onnx:FILE` need none. Raises InputError for a name that
    is not there, with the nearest names, and for a file with an unknown key, a missing one or a
    wrong value, naming file and key.
    """
    if name.endswith(".toml"):
        if not os.path.lexists(name):
            raise InputError(f"--encoder {name}: no such recipe file")
        return parse(Path(name))
    library, colon, model = name.partition(":")
    if colon and library in LIBRARIES and (row := LIBRARIES.get(library)).spelled:
        model, weights = row.model_and_weights(model)
        return Recipe(name, library, model, weights=weights)
    files = _files()
    if name not in files and colon and library.isidentifier():
        raise catalog.unknown_name("library of encoders", library, LIBRARIES.names())
    if name not in files:
        raise catalog.unknown_name("encoder", name, files)
    return parse(files[name])


def names() -> list[str]:
    """Names of all recipes, the user's and the shipped ones."""
    return sorted(_files())


def parse(path: Path) -> Recipe:
    """Read one recipe file; its name is the file's name without `.toml`."""
    table = catalog.read_toml(path)
    found = from_table(Recipe, table, str(path), given={"name": catalog.check_stem(path)})
    if found.library not in LIBRARIES:
        wanted = ", ".join(LIBRARIES.names())
        raise InputError(f"{path}: library = {found.library!r}; wanted one of {wanted}")
    if found.library == "onnx" and found.model:
        return replace(found, model=str(path.parent / found.model))
    return found


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in catalog.folders("features"):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found
