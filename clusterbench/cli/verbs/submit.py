"""`clusterbench submit`: verify results and add them to a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...printable import escaped, one_line
from ..option import json_option, option

#: Lines on stderr of one kind; the others are counted.
LINES = 100


def submit(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT", help="Result files, or folders of them.")
    ],
    leaderboard: Annotated[
        Path,
        option(
            "submit", "--leaderboard", "-l", metavar="FILE", help="Leaderboard; made if need be."
        ),
    ] = Path("leaderboard.json"),
    replace: Annotated[
        bool,
        option(
            "submit", "--replace", help="Take a run's other predictions in place of those entered."
        ),
    ] = False,
    json_output: Annotated[bool, json_option("submit")] = False,
) -> None:
    """Verify results and add them to a leaderboard.

    Each is scored again from its predictions. Those refused are named with the reason; the others
    are added all the same.
    """
    import json

    from ...leaderboard import submit as submit_results

    submissions = submit_results(results, leaderboard, replace=replace)
    refused = [submission for submission in submissions if submission.status == "refused"]
    counts = {
        status: sum(submission.status == status for submission in submissions)
        for status in ("added", "replaced", "unchanged", "refused")
    }
    if json_output:
        listed = [
            {
                "path": s.path.as_posix(),
                "status": s.status,
                "message": s.message or None,
                "notes": list(s.notes),
            }
            for s in submissions
        ]
        document = {"leaderboard": leaderboard.as_posix(), "counts": counts, "results": listed}
        typer.echo(json.dumps(document, indent=2))
    else:
        summary = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
        typer.echo(f"{escaped(leaderboard.as_posix())}: {summary}")
    notes = [f"note: {s.path}: {note}" for s in submissions for note in s.notes]
    _tell([f"refused: {submission.message}" for submission in refused], "refused")
    _tell(notes, "notes")
    if refused:
        raise typer.Exit(1)


def _tell(lines: list[str], what: str) -> None:
    for line in lines[:LINES]:
        typer.echo(one_line(line), err=True)
    if len(lines) > LINES:
        typer.echo(f"and {len(lines) - LINES:,} more {what}; --json lists them all", err=True)
