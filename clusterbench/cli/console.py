"""Tables on stdout: coloured on a terminal, plain text in a file or a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..printable import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDTH = 80


class ToldError(Exception):
    """The user has been told what happened; all that is left is to exit with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def print_table(table: RenderableType) -> None:
    """Print at least 80 columns wide: a wrapped line reads better than a cut figure."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal or console.width < _WIDTH:
        console.width = _WIDTH
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    if not console.is_terminal:
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    sys.stdout.write(text)


def warn(text: str) -> None:
    """A line on stderr, printable whatever it names."""
    sys.stderr.write(f"{one_line(text)}\n")
