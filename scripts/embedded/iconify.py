"""Icon sets of the Iconify collection: which may be used, and their icons as SVG documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Licences that allow redistribution of derived features with attribution at most.
PERMISSIVE = frozenset(
    ("MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-3.0", "CC0-1.0", "ISC", "BSD-3-Clause", "Unlicense")
)

# Names of these are brands or emoji, not things; EMOJI-OPEN uses the emoji sets.
_CATEGORIES_OUT = frozenset(("Logos", "Emoji"))

# Sets of logos, file types or flags that the categories do not tell apart.
_SETS_OUT = frozenset(
    (
        "catppuccin", "cif", "circle-flags", "devicon", "devicon-plain", "fa-brands",
        "fa6-brands", "file-icons", "flag", "flagpack", "gcp", "k8s", "material-icon-theme",
        "skill-icons", "unjs", "vscode-icons",
    )
)  # fmt: skip

_SIZE = 16  # Iconify's default width and height


@dataclass(frozen=True)
class SetInfo:
    """An icon set as `collections.json` or a package's `info.json` describes it."""

    prefix: str
    name: str
    author: str
    url: str
    licence: str
    category: str
    hidden: bool

    @classmethod
    def read(cls, prefix: str, info: dict[str, Any]) -> SetInfo:
        """What a set's entry in its package says."""
        return cls(
            prefix=prefix,
            name=info["name"],
            author=info["author"]["name"],
            url=info["author"].get("url", ""),
            licence=info["license"].get("spdx", ""),
            category=info.get("category", ""),
            hidden=bool(info.get("hidden", False)),
        )


@dataclass(frozen=True)
class Icon:
    """One drawing of a set: the body of an SVG document and its view box."""

    prefix: str
    name: str
    body: str
    view_box: tuple[float, float, float, float]

    def svg(self, size: int) -> str:
        """A document of `size` x `size` pixels, drawn as large as fits, `currentColor` black."""
        left, top, width, height = (f"{value:g}" for value in self.view_box)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{size}" height="{size}" viewBox="{left} {top} {width} {height}" '
            f'color="black">{self.body}</svg>'
        )


def is_usable(info: SetInfo) -> bool:
    """Whether a set may be used: permissive licence, not withdrawn, no logos, flags or emoji."""
    return (
        info.licence in PERMISSIVE
        and not info.hidden
        and info.category not in _CATEGORIES_OUT
        and info.prefix not in _SETS_OUT
    )


def infos(collections: dict[str, Any]) -> list[SetInfo]:
    """The sets of `collections.json` that may be used, by prefix."""
    found = (SetInfo.read(prefix, collections[prefix]) for prefix in sorted(collections))
    return [info for info in found if is_usable(info)]


def icons(data: dict[str, Any]) -> Iterator[Icon]:
    """The icons of a set's JSON in the order of their names.

    Left out: aliases (they repeat a drawing), icons marked hidden (withdrawn by their author),
    animated ones (they start empty) and ones with text (it would need a font).
    """
    for name in sorted(data["icons"]):
        icon = data["icons"][name]
        body = icon["body"]
        if icon.get("hidden") or "<animate" in body or "<set" in body or "<text" in body:
            continue
        box = (
            float(icon.get("left", data.get("left", 0))),
            float(icon.get("top", data.get("top", 0))),
            float(icon.get("width", data.get("width", _SIZE))),
            float(icon.get("height", data.get("height", _SIZE))),
        )
        yield Icon(data["prefix"], name, body, box)
