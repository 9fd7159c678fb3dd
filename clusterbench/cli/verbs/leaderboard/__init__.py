"""`clusterbench leaderboard`: show the ranking of a leaderboard file, and what is made of one.

Without a subcommand it shows (`show`). A subcommand is a file here and a line below.
"""

from __future__ import annotations

import typer

from ...option import environment_note
from .build import build
from .show import show

leaderboard = typer.Typer(epilog=environment_note("leaderboard"))
leaderboard.callback(invoke_without_command=True)(show)
leaderboard.command("build")(build)

__all__ = ["leaderboard"]
