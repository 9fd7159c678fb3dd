"""Unicode's emoji list, and which emoji an icon of an emoji set shows.

An emoji is named by its code points in lower-case hexadecimal, joined by hyphens and without the
variation selector fe0f, which only asks for the coloured form: `1f636-200d-1f32b`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SELECTOR = "fe0f"
_SKIN_TONES = frozenset(("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"))
_NAME_VERSION = re.compile(r"\S+ E\d+\.\d+ (.*)")

# Names of older sets that no list gives, by the words they start with.
_RENAMED = (("flag-for-flag-", "flag-"), ("flag-for-", "flag-"), ("digit-", "keycap-"))


@dataclass(frozen=True)
class Emoji:
    """An emoji of Unicode's list. `has_tone`: it is a skin-tone variant of another one."""

    code: str
    group: str
    subgroup: str
    name: str

    @property
    def has_tone(self) -> bool:
        """Whether a skin tone is in its sequence."""
        return not _SKIN_TONES.isdisjoint(self.code.split("-"))

    @property
    def group_node(self) -> str:
        """Node of its group in the class tree."""
        return f"g/{self.group}"

    @property
    def subgroup_node(self) -> str:
        """Node of its subgroup in the class tree."""
        return f"s/{self.group}/{self.subgroup}"


def code_points(text: str) -> str:
    """`1F636 200D 1F32B FE0F` or `1f636-200d-1f32b-fe0f` as a class name: `1f636-200d-1f32b`."""
    points = re.split(r"[ -]+", text.strip().lower())
    return "-".join(point for point in points if point != _SELECTOR)


def parse_list(text: str) -> dict[str, Emoji]:
    """The emoji of `emoji-test.txt` by code points; components (bare skin tones, hair) left out."""
    emoji: dict[str, Emoji] = {}
    group = subgroup = ""
    for line in text.splitlines():
        if line.startswith("# group:"):
            group = line.partition(":")[2].strip()
        elif line.startswith("# subgroup:"):
            subgroup = line.partition(":")[2].strip()
        elif ";" in line and not line.startswith("#"):
            points, _, rest = line.partition(";")
            status, _, comment = rest.partition("#")
            named = _NAME_VERSION.fullmatch(comment.strip())
            if status.strip() != "component" and named:
                code = code_points(points)
                emoji.setdefault(code, Emoji(code, group, subgroup, named.group(1)))
    return emoji


def squeeze(name: str) -> str:
    """A name as bare letters and digits, the way in which lists that differ in spelling agree."""
    for sign, word in (("&", "and"), ("#", "hash"), ("*", "asterisk")):
        name = name.replace(sign, word)
    ascii_name = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", ascii_name)


@dataclass(frozen=True)
class EmojiSet:
    """What an emoji set says about its names: its table of code points and its aliases."""

    prefix: str
    chars: dict[str, str]  # code points -> icon name; empty for sets without a table
    aliases: dict[str, Any]


class Lookup:
    """From an icon of a set to the emoji it shows.

    A set's own table of code points comes first. Sets without one are matched by name, in this
    order: the names of Unicode's emoji list, the names that sets with a table use, their aliases,
    the names of the characters in `UnicodeData.txt`, old ones included.
    """

    def __init__(
        self, emoji: dict[str, Emoji], sets: Iterable[EmojiSet], character_data: str
    ) -> None:
        self._emoji = emoji
        self._codes: dict[str, dict[str, str]] = {}
        self._by_name: dict[str, str] = {}
        sets = list(sets)
        for code, entry in emoji.items():
            self._learn(entry.name, code)
        for one in sets:
            codes = self._codes[one.prefix] = {}
            for points in sorted(one.chars):
                codes.setdefault(one.chars[points], code_points(points))
            for name, code in codes.items():
                self._learn(name, code)
        for one in sets:
            for name in sorted(one.aliases):
                if one.aliases[name].keys() == {"parent"}:  # neither turned nor mirrored
                    self._learn(name, self._by_name.get(squeeze(one.aliases[name]["parent"])))
        for line in character_data.splitlines():
            fields = line.split(";")
            for name in (fields[1], fields[10]):
                if name:
                    self._learn(name, fields[0].lower())

    def find(self, prefix: str, name: str) -> Emoji | None:
        """The emoji an icon shows; None for letters, components and what no list knows."""
        code = self._codes.get(prefix, {}).get(name)
        if code is None:
            renamed = (new + name[len(old) :] for old, new in _RENAMED if name.startswith(old))
            variants = [name, *renamed]
            found = (self._by_name.get(squeeze(variant)) for variant in variants)
            code = next((c for c in found if c is not None), None)
        return self._emoji.get(code) if code is not None else None

    def _learn(self, name: str, code: str | None) -> None:
        if code is not None and code in self._emoji:
            self._by_name.setdefault(squeeze(name), code)
