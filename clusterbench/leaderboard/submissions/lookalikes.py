"""Names that a reader takes for one another: what is left of a name when that is taken away."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

#: Letters of other alphabets by the Latin one that they look like. Written before case is folded,
#: since some look like one letter when large and like another when small.
_LETTERS = {
    # Cyrillic, large and small.
    "\u0410\u0430": "a",
    "\u0412\u0432": "b",
    "\u0421\u0441": "c",
    "\u0500\u0501": "d",
    "\u0415\u0435\u0401\u0451\u0404\u0454": "e",
    "\u050c\u050d": "g",
    "\u041d\u043d\u04ba\u04bb": "h",
    "\u0406\u0456\u0407\u0457\u04c0\u04cf": "i",
    "\u0408\u0458": "j",
    "\u041a\u043a\u049a\u049b": "k",
    "\u041c\u043c": "m",
    "\u041f\u043f": "n",
    "\u041e\u043e": "o",
    "\u0420\u0440": "p",
    "\u051a\u051b": "q",
    "\u0413\u0433": "r",
    "\u0405\u0455": "s",
    "\u0422\u0442": "t",
    "\u0423\u0443\u04ae\u04af": "y",
    "\u0474\u0475": "v",
    "\u051c\u051d": "w",
    "\u0425\u0445": "x",
    # Greek: large ones, then small ones.
    "\u0391\u03b1": "a",
    "\u0392\u03b2": "b",
    "\u03f9\u03f2": "c",
    "\u0395\u03b5": "e",
    "\u0397": "h",
    "\u0399\u03b9": "i",
    "\u03f3\u037f": "j",
    "\u039a\u03ba": "k",
    "\u039c": "m",
    "\u039d\u03b7": "n",
    "\u039f\u03bf\u03c3": "o",
    "\u03a1\u03c1": "p",
    "\u03a4\u03c4": "t",
    "\u03c5": "u",
    "\u03bd": "v",
    "\u03c9": "w",
    "\u03a7\u03c7": "x",
    "\u03a5\u03b3": "y",
    "\u0396": "z",
    # Latin letters of other forms: small capitals, script, without a dot.
    "\u1d00\u0251": "a",
    "\u0299": "b",
    "\u1d04": "c",
    "\u1d05": "d",
    "\u1d07": "e",
    "\ua730": "f",
    "\u0262\u0261": "g",
    "\u029c": "h",
    "\u026a\u0131\u0130\u0269": "i",
    "\u1d0a\u0237": "j",
    "\u1d0b": "k",
    "\u029f": "i",
    "\u1d0d": "m",
    "\u0274": "n",
    "\u1d0f": "o",
    "\u1d18": "p",
    "\u0280": "r",
    "\ua731": "s",
    "\u1d1b": "t",
    "\u1d1c": "u",
    "\u1d20": "v",
    "\u1d21": "w",
    "\u028f": "y",
    "\u1d22": "z",
}
_LIKE = {ord(letter): latin for letters, latin in _LETTERS.items() for letter in letters}
#: After case is folded: an l, a one and an upright bar are one, and so are an o and a nought.
_STROKES = str.maketrans("l1|0", "iiio")
_MARKS = re.compile(r"""[!"#%&'*,./:;?@\\()\[\]{}]+""")


@functools.lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """What names that look alike have in common.

    Compatible forms (NFKD: wide, mathematical), case, accents, letters of Cyrillic and Greek that
    look like Latin ones, and what only separates or marks (blanks, dashes, underscores, joiners,
    stars, dots but between digits) make no difference: "kmeans++" is another name than "kmeans".
    A name of nothing else is its own skeleton. It is compared, never shown.
    """
    # Before, between and after: some letters decompose into others, or fold into others.
    text = unicodedata.normalize("NFKD", name.translate(_LIKE)).translate(_LIKE)
    folded = unicodedata.normalize("NFKD", text.casefold()).translate(_LIKE)
    kept = "".join(c for c in folded if not _is_passed_over(c))
    return _MARKS.sub(_digits_apart, kept).translate(_STROKES) or name


def _digits_apart(found: re.Match[str]) -> str:
    """Marks of punctuation, of which only one between digits tells names apart: 1.5 is not 15."""
    text, (start, end) = found.string, found.span()
    between = start > 0 and end < len(text) and text[start - 1].isdigit() and text[end].isdigit()
    return found.group() if between else ""


def _is_passed_over(character: str) -> bool:
    if unicodedata.category(character) in ("Pd", "Pc", "Zs", "Zl", "Zp", "Cf", "Cc"):
        return True
    # Accents and strokes over and under a letter; not the marks that are part of the letter.
    place = unicodedata.combining(character)
    return place == 1 or place >= 200


def looks_like(name: str, known: Iterable[str]) -> str | None:
    """The first of the known names that another name looks like; None if it is one of them."""
    names = list(known)
    if name in names:
        return None
    mine = skeleton(name)
    return next((other for other in names if skeleton(other) == mine), None)
