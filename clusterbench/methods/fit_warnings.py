"""Warnings of fits, left out where a fit is part of another one.

A method that tries settings fits others to halves of its rows, or to rows that it has prepared;
what these would say is of rows that nobody gave.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inside: ContextVar[bool] = ContextVar("inside_another_fit", default=False)


@contextmanager
def inside_another_fit() -> Iterator[None]:
    """Fits within, in this thread, say nothing through `warn`."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def warn(message: str, stacklevel: int) -> None:
    """`warnings.warn`, seen from the caller, unless this is a fit inside another."""
    if not _inside.get():
        warnings.warn(message, stacklevel=stacklevel + 1)
