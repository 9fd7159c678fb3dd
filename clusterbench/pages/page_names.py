"""Names of files and ids of elements: made here, never a text from a file."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_SLUG = 40  # characters of a name that stay readable
_DIGEST = 10  # hexadecimal digits that keep names apart whose readable parts are the same


def page_id(*parts: str) -> str:
    """A name for a file, an id or an anchor: lower-case letters, digits and "-", from a letter on.

    Readable parts of the texts, then a hash of the texts themselves, so that other texts have
    another name on file systems that take upper for lower case too. At most 64 characters.
    """
    words = "-".join(_slug(part) for part in parts).strip("-")[:_SLUG].strip("-")
    lengths = "".join(f"{len(part)}:{part}" for part in parts)
    digest = hashlib.sha256(lengths.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    if not words or not words[0].isalpha():
        words = f"x-{words}".rstrip("-")
    return f"{words}-{digest}"


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text[:500]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
