"""What an icon's name says it shows: its style words taken off, the rest looked up in WordNet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .wordnet import Nouns

# Never part of the name of a thing.
_STYLES = frozenset(
    (
        "alt", "baseline", "duotone", "fill", "filled", "ltr", "negative", "o", "outline",
        "outlined", "px", "regular", "rtl", "twotone", "variant",
    )
)  # fmt: skip

# A style in some sets, part of a name in others ("traffic-light", "text-bold"): taken off only
# where a set ends many names so.
_MAYBE_STYLES = frozenset(
    (
        "bold", "broken", "duo", "expressive", "f", "five", "flat", "four", "icon", "l", "light",
        "line", "linear", "mono", "one", "r", "remix", "round", "rounded", "s", "sharp", "solid",
        "stroke", "thin", "three", "two",
    )
)  # fmt: skip

_PREFIXES = frozenset(("baseline", "bxs", "ios", "md", "outline", "round", "sharp", "twotone"))

_COMMON = 0.02  # share of a set's names from which a word counts as one of its styles
_NUMBER = re.compile(r"\d+(px)?")
_GLUED_NUMBER = re.compile(r"(?<=[a-z]{3})\d+$")

# Most one- and two-letter names are letters, units or abbreviations; these are things.
_SHORT_NAMES = frozenset(("cd", "dj", "ox", "pc", "pi", "tv", "om", "wc"))


def set_styles(names: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The style words that a set puts in front of and behind its names: (prefixes, suffixes)."""
    words = [name.split("-") for name in names]
    first = Counter(parts[0] for parts in words if len(parts) > 1)
    last = Counter(parts[-1] for parts in words if len(parts) > 1)
    least = max(2.0, _COMMON * len(words))
    return (
        frozenset(word for word in _PREFIXES if first[word] >= least),
        frozenset(word for word in _MAYBE_STYLES if last[word] >= least),
    )


def read(
    name: str, prefixes: frozenset[str] = frozenset(), suffixes: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """An icon's name as words, without sizes, numbers and the style words behind and before it.

    Sure style words always go, the set's `prefixes` and `suffixes` too: `dog-24-filled` is (dog,),
    `traffic-light` is (traffic, light), and in a set of light icons (traffic,). Words of the middle
    never go: `dog-off` and `dog-house` are (dog, off) and (dog, house), which are no nouns.
    """
    words = [word for word in name.split("-") if word]
    while len(words) > 1 and words[0] in prefixes:
        words = words[1:]
    sure = _STYLES | suffixes
    while len(words) > 1:
        if words[-1] in sure or _NUMBER.fullmatch(words[-1]):
            words = words[:-1]
        elif words[-1] == "tone" and words[-2] in ("two", "duo"):
            words = words[:-2]
        else:
            break
    return (*words[:-1], _GLUED_NUMBER.sub("", words[-1])) if words else ()


def is_named_thing(words: tuple[str, ...]) -> bool:
    """Whether a reading can name a thing: no single letters, no abbreviations, no numbers."""
    joined = "".join(words)
    return joined.isalpha() and (len(joined) > 2 or joined in _SHORT_NAMES)


# Style families of a name's drawings in one set, in the order in which two of them are kept.
_FAMILIES = ("plain", "fill", "outline", "bold", "tone")
_FILL = frozenset(("baseline", "fill", "filled", "solid"))
_OUTLINE = frozenset(("line", "linear", "o", "outline", "outlined", "regular", "stroke"))
_WEIGHTS = frozenset(("light", "thin"))
_TONES = frozenset(("broken", "duo", "duotone", "negative", "tone", "twotone"))
_CORNERS = frozenset(("remix", "round", "rounded", "sharp"))
_ALL_STYLES = (
    _STYLES | _MAYBE_STYLES | _FILL | _OUTLINE | _WEIGHTS | _TONES | _CORNERS | frozenset(("bold",))
)
# Numbers in names that are sizes in pixels, not counts or variants.
_SIZES = frozenset(("10", "11", "12", "14", "15", "16", "20", "24", "26", "28", "32", "48", "24px"))


def style(name: str) -> tuple[str, int]:
    """The style family of an icon's name and how far it is from that family's usual drawing."""
    words = set(name.split("-"))
    if words & _TONES:
        family = "tone"
    elif words & _FILL:
        family = "fill"
    elif words & _OUTLINE:
        family = "outline"
    elif "bold" in words:
        family = "bold"
    else:
        family = "outline" if words & _WEIGHTS else "plain"
    return family, len(words & (_WEIGHTS | _CORNERS | {"bold"}))


def pick_styles(names: Iterable[str]) -> list[str]:
    """Of the names of one set that show one thing, at most two drawings of each, sorted.

    Names that differ in style words and pixel sizes only (`bell`, `bell-fill`, `bell-thin-24`) are
    one drawing in several styles; two of them are kept, of different style families. Other
    numbers count: `bell-2` is another drawing.
    """
    drawings: dict[tuple[str, ...], dict[str, list[tuple[int, int, str]]]] = {}
    for name in names:
        words = tuple(w for w in name.split("-") if w not in _ALL_STYLES and w not in _SIZES)
        family, distance = style(name)
        families = drawings.setdefault(words, {})
        families.setdefault(family, []).append((distance, len(name), name))
    kept = []
    for families in drawings.values():
        present = [family for family in _FAMILIES if family in families]
        kept += [min(families[family])[2] for family in present[:2]]
    return sorted(kept)


def load_choices(path: Path) -> dict[str, int | None]:
    """Read `icon_senses.tsv`: lemma -> number of the sense drawn, None for "no class"."""
    choices: dict[str, int | None] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        lemma, number, _ = line.split("\t")
        choices[lemma] = None if number == "-" else int(number)
    return choices


def label(
    name: str,
    nouns: Nouns,
    choices: dict[str, int | None],
    styles: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset()),
) -> str | None:
    """The synset that an icon's name means, None where it names no thing.

    Its first sense counts unless `choices` names another.
    """
    words = read(name, *styles)
    lemma = nouns.lemma(words) if is_named_thing(words) else None
    if lemma is None:
        return None
    number = choices.get(lemma, 1)
    return None if number is None else nouns.senses[lemma][number - 1]
