"""`clusterbench leaderboard check`: entries scored again and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....printable import escaped, one_line
from ...option import json_option, option

if TYPE_CHECKING:
    from ....leaderboard import Recheck

LINES = 100


def check(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RESULT",
            help="Results and submissions; else the predictions kept beside the leaderboard.",
        ),
    ] = None,
    path: Annotated[
        Path, option("leaderboard", "--leaderboard", "-l", metavar="FILE", help="Leaderboard file.")
    ] = Path("leaderboard.json"),
    json_output: Annotated[bool, json_option("leaderboard")] = False,
) -> None:
    """Score the entries of a leaderboard again and compare.

    From the predictions that are kept beside it, or from the results named. Exits 1 if an entry is
    otherwise than its predictions say, and if none could be scored again.
    """
    from ....leaderboard import read_leaderboard, recheck

    board = read_leaderboard(path)
    found = recheck(board, results) if results else recheck(board, kept_beside=path)
    tell_check(path, found, json_output, kept=not results)


def tell_check(path: Path, found: Recheck, json_output: bool, kept: bool = False) -> None:
    """Say what came of it; exit 1 if an entry differs, or nothing was there to compare with."""
    import json

    counts = {
        "entries": found.n_entries,
        "same": found.n_same,
        "different": len(found.faults),
        "without_result": found.n_without,
        "results_refused": found.n_refused,
    }
    if json_output:
        lists = {"faults": list(found.faults), "reasons": list(found.reasons)}
        typer.echo(json.dumps({"leaderboard": path.as_posix(), **counts, **lists}, indent=2))
    else:
        listed = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in counts.items())
        typer.echo(f"{escaped(path.as_posix())}: {listed}")
    for fault in found.faults[:LINES]:
        typer.echo(one_line(f"different: {fault}"), err=True)
    for reason in found.reasons[:LINES]:
        typer.echo(one_line(f"refused: {reason}"), err=True)
    if found.in_vain:
        what = "the predictions kept beside it" if kept else "the results named"
        typer.echo(f"nothing checked: no entry could be scored again from {what}", err=True)
    if found.faults or found.in_vain:
        raise typer.Exit(1)
