"""`clusterbench validate`: what `submit` would say, without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...printable import one_line
from ..option import json_option, option
from .submit import as_dict, notes_of, tell


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Results or submissions, or folders of them."),
    ],
    leaderboard: Annotated[
        Path | None,
        option(
            "validate",
            "--leaderboard",
            "-l",
            metavar="FILE",
            help="Leaderboard that they are meant for: conflicts with its entries are refused.",
        ),
    ] = None,
    self_reported: Annotated[
        bool,
        option(
            "validate", "--self-reported", help="Take claimed scores without predictions as well."
        ),
    ] = False,
    json_output: Annotated[bool, json_option("validate")] = False,
) -> None:
    """Check results and submissions as submit does, and write nothing.

    A line per file: ok, or refused with the reason. Exits 1 if one is refused.
    """
    import json

    from ...leaderboard import validate as check

    found = check(files, leaderboard, self_reported=self_reported)
    refused = [one for one in found if one.status == "refused"]
    if json_output:
        counts = {"ok": len(found) - len(refused), "refused": len(refused)}
        document = {"counts": counts, "results": [as_dict(one) for one in found]}
        typer.echo(json.dumps(document, indent=2))
    else:
        for one in found:
            typer.echo(one_line(f"{one.status}: {one.message or one.path}"))
        tell(notes_of(found), "notes")
    if refused:
        raise typer.Exit(1)
