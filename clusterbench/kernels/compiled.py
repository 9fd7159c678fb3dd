"""How kernels are compiled: machine code on first use, kept on disk where a folder allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], fastmath: set[str] | bool = False) -> Callable[..., Any]:
    """`numba.njit` without fast-math, releasing the GIL, cached on disk.

    Numba looks for a writable folder beside the module, then `NUMBA_CACHE_DIR`, then the user's
    cache folder. Where none exists (read-only container) the function is compiled per process.

    Args:
        function: of arrays and numbers.
        fastmath: LLVM's flags for the function's own operations, where their freedom is harmless.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    result: Callable[..., Any]
    try:
        result = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        result = numba.njit(**options)(function)
    return result
