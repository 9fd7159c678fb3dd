"""Text from files and other people, made fit for one line of a terminal or of a log."""

from __future__ import annotations

import unicodedata

#: Longest error message; what is beyond it is counted, not shown.
MESSAGE_LENGTH = 2_000
#: Longest name or value shown in a table or a message.
SHOWN_LENGTH = 200

_JOINERS = "\u200c\u200d"  # parts of words in some scripts, and of emoji


def is_control(character: str) -> bool:
    """Whether a character steers a terminal or the layout of text instead of being shown.

    Control codes (C0, C1), line and paragraph separators, the marks that turn the direction of
    writing or have no width, and halves of surrogate pairs. Joiners, which some scripts need, and
    wide or no-break spaces are text.
    """
    if character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def escaped(text: str) -> str:
    r"""`text` with every control character as Python writes it: `\x1b`, `\u202e`, `\n`."""
    if text.isprintable():  # the usual case, decided in C
        return text
    return "".join(
        c.encode("unicode_escape", "surrogatepass").decode() if is_control(c) else c for c in text
    )


def shown(value: object, length: int = SHOWN_LENGTH) -> str:
    """A name or value for a table or a message: one line, escaped, cut in the middle."""
    text = value if isinstance(value, str) else str(value)
    return _cut(escaped(_roughly(text, length)), length, len(text))


def one_line(message: str, length: int = MESSAGE_LENGTH) -> str:
    """A message on one line, escaped, the middle of a long one cut out.

    Runs of white space become one blank. A second call changes nothing.
    """
    text = " ".join(_roughly(message, 4 * length).split())
    return _cut(escaped(text), length, len(message))


def _roughly(text: str, length: int) -> str:
    """The ends of a text that will be cut anyway: looking at all of it takes time."""
    return text if len(text) <= 2 * length else text[:length] + text[-length:]


def _cut(text: str, length: int, characters: int) -> str:
    if len(text) <= length:
        return text
    note = f" ... ({characters:,} characters) ... "
    kept = max(2, length - len(note))
    return text[: kept - kept // 3] + note + text[len(text) - kept // 3 :]
