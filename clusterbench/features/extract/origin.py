"""Where a store's images, encoder and weights came from, kept in it so that it can be repaired."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..store.layout import ORIGIN

_FORMAT = "clusterbench-origin/1"
_PATHS = ("class_names", "root")


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
        if not path.is_file():
            raise InputError(
                f"{store} does not say where its images are (no {ORIGIN}); extract them again "
                "with the command it was made with: only what is damaged is redone"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError("another format")
            found = cls(**content)
            kinds: tuple[Any, ...] = (dict, str, (str, type(None)), dict, int)
            for field, kind in zip(fields(cls), kinds, strict=True):
                if not isinstance(getattr(found, field.name), kind):
                    raise TypeError(f"{field.name} is {getattr(found, field.name)!r}")
            if not isinstance(found.source["location"], str):
                raise TypeError(f"location is {found.source['location']!r}")
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}); delete it and extract again") from error

    def moved(self, source: str | None, weights: Path | None) -> Origin:
        """The same with the images or the weights in another place."""
        found = self
        if source is not None:
            location = str(Path(source).absolute()) if Path(source).exists() else source
            found = replace(found, source={**self.source, "location": location})
        return found if weights is None else replace(found, weights=_absolute(weights))

    def source_options(self) -> dict[str, Any]:
        """Arguments that open the source."""
        paths = {key: self.source.get(key) for key in _PATHS}
        return self.source | {key: value and Path(value) for key, value in paths.items()}

    def as_json(self) -> dict[str, Any]:
        """As it is kept in a store."""
        return {"format": _FORMAT, **asdict(self)}


def _absolute(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value
