"""Numbers of things in messages."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 image`, `2,000 images`; `things` is the plural where it is not made with an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
