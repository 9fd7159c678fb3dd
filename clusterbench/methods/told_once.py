"""Warnings that are left out while a method tries settings on parts of its rows.

What a fit inside a fit says is of rows that nobody gave: halves, or rows that were prepared.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inside: ContextVar[bool] = ContextVar("inside", default=False)


@contextmanager
def inside() -> Iterator[None]:
    """Fits within, in this thread, warn of nothing through `warn`."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def warn(message: str, stacklevel: int) -> None:
    """`warnings.warn`, seen from the caller, unless this is a fit inside another."""
    if not _inside.get():
        warnings.warn(message, stacklevel=stacklevel + 1)
