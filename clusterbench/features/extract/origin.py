"""Where a store's images, encoder and weights came from, kept in it so that it can be repaired."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...declared import check_keys
from ...doors import check_fields, read_json
from ...errors import InputError
from ...limits import PATH, STORE_RECORD
from ...printable import shown
from ..store.layout import ORIGIN

_FORMAT = "clusterbench-origin/1"
_PATHS = ("class_names", "root")
_LARGEST_BATCH = 1 << 20


_TEXT = (str, type(None))
_FIELDS: dict[str, Any] = {
    "format": str,
    "source": dict,
    "encoder": str,
    "weights": _TEXT,
    "options": dict,
    "batch_size": int,
}
_SOURCE: dict[str, Any] = {
    "location": str,
    "format": str,
    "class_names": _TEXT,
    "root": _TEXT,
    "allow_damaged": bool,
    "val_fraction": (float, int),
    "val_per_class": int,
    "val_first": int,
    "min_per_class": int,
    "imagenet21k_p": bool,
}
_OPTIONS: dict[str, Any] = {
    "precision": str,
    "dtype": str,
    "shard_rows": int,
    "draft": bool,
    "channels_last": bool,
    "compile": bool,
    "deterministic": bool,
}
#: Keys that every origin has; the others of `source` and `options` have defaults.
_NEEDED = (*_FIELDS, "location", "class_names", "root", "allow_damaged")


@dataclass(frozen=True)
class Origin:
    """What an extraction was asked for, as JSON values; paths are absolute.

    source: options of `clusterbench extract` that say which images; options: those that change
    the features. It says where to look, not what is true: identities and hashes do.
    """

    source: dict[str, Any]
    encoder: str
    weights: str | None
    options: dict[str, Any]
    batch_size: int

    @classmethod
    def of(
        cls,
        source: Mapping[str, Any],
        encoder: str,
        weights: Path | None,
        options: Mapping[str, Any],
        batch_size: int,
    ) -> Origin:
        """An origin from a command's options, relative paths made absolute."""
        where = {key: _absolute(value) for key, value in source.items()}
        location = str(source["location"])
        where["location"] = _absolute(Path(location)) if Path(location).exists() else location
        recipe = str(_absolute(Path(encoder))) if Path(encoder).is_file() else encoder
        return cls(where, recipe, _absolute(weights), dict(options), batch_size)

    @classmethod
    def read(cls, store: Path) -> Origin:
        """The origin of a store; InputError when it has none that can be read."""
        path = store / ORIGIN
        if not os.path.lexists(path):
            raise InputError(
                f"{store} does not say where its images are (no {ORIGIN}); extract them again "
                "with the command it was made with: only what is damaged is redone"
            )
        try:
            return cls._of_json(read_json(path, STORE_RECORD), str(path))
        except InputError as error:
            fault = str(error).removeprefix(f"{path}: ")
            raise InputError(f"{path}: damaged ({fault}); delete it and extract again") from error

    @classmethod
    def _of_json(cls, content: Any, where: str) -> Origin:
        check_fields(content, {"format": str}, where)
        if content["format"] != _FORMAT:
            raise InputError(
                f"{where}: format is {shown(repr(content['format']))}; wanted {_FORMAT!r}"
            )
        for table, kinds, place in (
            (content, _FIELDS, where),
            (content.get("source"), _SOURCE, f"{where}: source"),
            (content.get("options"), _OPTIONS, f"{where}: options"),
        ):
            given = table if isinstance(table, dict) else {}
            check_fields(
                table, {k: v for k, v in kinds.items() if k in given or k in _NEEDED}, place
            )
            check_keys(given, kinds, place)
        found = cls(**{key: value for key, value in content.items() if key != "format"})
        for path in (found.encoder, found.weights, *map(found.source.get, ("location", *_PATHS))):
            if path and ("\0" in path or len(path) > PATH):
                raise InputError(f"{where}: {shown(repr(path))} is no path")
        if not 1 <= found.batch_size <= _LARGEST_BATCH:
            raise InputError(f"{where}: batch_size = {found.batch_size} should be 1 or more")
        return found

    def moved(self, source: str | None, weights: Path | None) -> Origin:
        """The same with the images or the weights in another place."""
        found = self
        if source is not None:
            location = str(Path(source).absolute()) if Path(source).exists() else source
            found = replace(found, source={**self.source, "location": location})
        return found if weights is None else replace(found, weights=_absolute(weights))

    def code(self) -> str:
        """What a repair would run of it, of Python named by others: "" for nothing.

        A module (`python:`, `torch:`), a recipe in a file, which may name one, and a saved index,
        which may be of a torch data set. A recipe by its name is one's own or shipped.
        """
        location = self.source["location"]
        if self.encoder.startswith("python:") or self.encoder.endswith(".toml"):
            return self.encoder
        if location.startswith("torch:") or Path(location).suffix in (".h5", ".hdf5"):
            return str(location)
        return ""

    def source_options(self) -> dict[str, Any]:
        """Arguments that open the source."""
        paths = {key: self.source.get(key) for key in _PATHS}
        return self.source | {key: value and Path(value) for key, value in paths.items()}

    def as_json(self) -> dict[str, Any]:
        """As it is kept in a store."""
        return {"format": _FORMAT, **asdict(self)}


def _absolute(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value
