"""Radicals of CJK ideographs, from the Unicode Character Database and its Unihan files."""

from __future__ import annotations

from clusterbench.errors import InputError

from .declaring import Node

N_RADICALS = 214
_FIRST_RADICAL = 0x2F00  # U+2F00..2FD5 are the radicals of the KangXi dictionary, in its order
_NAME = "KANGXI RADICAL "


def parse_radicals(text: str) -> dict[int, int]:
    """Code point -> number of its radical, 1 to 214, from the lines of `kRSUnicode`.

    A value is `radical.strokes`; apostrophes after the radical say that it stands in a simplified
    form. Of several values the first is the preferred one (UAX #38). Raises InputError for a value
    that is no such number, naming the line.
    """
    radicals = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 3 or fields[1] != "kRSUnicode":
            continue
        number = fields[2].split(" ")[0].partition(".")[0].rstrip("'")
        if not (number.isdecimal() and 1 <= int(number) <= N_RADICALS):
            raise InputError(f"Unihan: {line!r}; wanted a radical from 1 to {N_RADICALS}")
        radicals[int(fields[0].removeprefix("U+"), 16)] = int(number)
    return radicals


def radical_names(character_data: str) -> dict[int, str]:
    """Number of a radical -> its English name, such as "water", from `UnicodeData.txt`."""
    names = {}
    for line in character_data.splitlines():
        code, name, _ = line.split(";", 2)
        if name.startswith(_NAME):
            names[int(code, 16) - _FIRST_RADICAL + 1] = name.removeprefix(_NAME).lower()
    return names


def class_name(code: int) -> str:
    """The class of a character: U+4E00 is `u4e00`."""
    return f"u{code:04x}"


def tree(codes: list[int], radicals: dict[int, int], names: dict[int, str]) -> list[Node]:
    """The radicals of some characters as roots `r001` to `r214`, the characters below them."""
    nodes = {}
    for code in codes:
        if code not in radicals:
            raise InputError(f"Unihan: no radical for U+{code:04X}; wanted a kRSUnicode line")
        number = radicals[code]
        root = f"r{number:03d}"
        nodes[root] = Node(root, None, f"{chr(_FIRST_RADICAL + number - 1)} {names[number]}")
        nodes[class_name(code)] = Node(class_name(code), root, chr(code))
    return list(nodes.values())
