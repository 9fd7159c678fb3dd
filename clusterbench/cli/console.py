"""The Rich console for tables on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 80


def stdout_console() -> Console:
    """A console at least 80 columns wide: a wrapped line reads better than a cut figure."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal or console.width < _WIDTH:
        console.width = _WIDTH
    return console
