"""Presets: settings of the methods for one size of data and machine, as data.

A preset is `benchmarks/presets/<name>.toml` with one table per method; a setting that it does not
name keeps the method's own default. The user's folder comes before the shipped one.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..catalog import folders, read_toml, unknown_name
from ..declared import check_keys
from ..errors import InputError
from ..estimator import RESERVED
from ..methods import METHODS


def names() -> list[str]:
    """Names of the presets that can be loaded."""
    found = {
        path.stem for folder in folders("benchmarks") for path in folder.glob("presets/*.toml")
    }
    return sorted(found)


def load(name: str) -> dict[str, dict[str, Any]]:
    """Settings by method of a preset.

    Raises:
        InputError: no such preset, an unknown method, or a setting the method does not have; the
            message names the file and the key.
    """
    known = names()
    if name not in known:  # before it becomes a part of a path
        raise unknown_name("preset", name, known)
    paths = [folder / "presets" / f"{name}.toml" for folder in folders("benchmarks")]
    path = next(path for path in paths if path.exists() or path.is_symlink())
    content = read_toml(path)
    content.pop("description", None)
    for method, settings in content.items():
        if method not in METHODS:
            raise InputError(f"{path}: {unknown_name('method', method, METHODS.names())}")
        if not isinstance(settings, dict):
            raise InputError(f"{path}: {method} = {settings!r} should be a table")
        known = [k for k in inspect.signature(METHODS.get(method)).parameters if k not in RESERVED]
        check_keys(settings, known, f"{path}: {method}")
    return content
