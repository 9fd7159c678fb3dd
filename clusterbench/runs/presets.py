"""Presets: settings of the methods for one size of data and machine, as data.

A preset is `benchmarks/presets/<name>.toml` with one table per method; a setting that it does not
name keeps the method's own default. The user's folder comes before the shipped one.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..catalog import folders, read_toml, unknown_name
from ..errors import InputError
from ..estimator import RESERVED
from ..methods import get
from ..methods import names as method_names


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
    for folder in folders("benchmarks"):
        path = folder / "presets" / f"{name}.toml"
        if path.is_file():
            break
    else:
        raise unknown_name("preset", name, names())
    content = read_toml(path)
    content.pop("description", None)
    for method, settings in content.items():
        if method not in method_names():
            raise InputError(f"{path}: {unknown_name('method', method, method_names())}")
        if not isinstance(settings, dict):
            raise InputError(f"{path}: {method} should be a table of settings")
        known = [k for k in inspect.signature(get(method)).parameters if k not in RESERVED]
        for key in settings:
            if key not in known:
                raise InputError(f"{path}: [{method}]: {unknown_name('setting', key, known)}")
    return content
