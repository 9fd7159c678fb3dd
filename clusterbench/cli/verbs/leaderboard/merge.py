"""`clusterbench leaderboard merge`: two people's leaderboards as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from ....printable import escaped
from ...option import json_option, option


def merge(
    first: Annotated[Path, typer.Argument(metavar="FIRST.json", help="A leaderboard.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND.json", help="Another one.")],
    out: Annotated[
        Path,
        option(
            "leaderboard",
            "--out",
            metavar="FILE",
            help="Where the leaderboard of both is written (required): a new file, or one of both.",
        ),
    ],
    prefer: Annotated[
        str | None,
        option(
            "leaderboard",
            "--prefer",
            metavar="first|second",
            help="Whose entry to take where they differ about one run.",
        ),
    ] = None,
    json_output: Annotated[bool, json_option("leaderboard")] = False,
) -> None:
    """Merge two leaderboards, with the predictions kept beside them.

    The same entry in both is one entry. Where they differ about a run, each is named, and nothing
    is written without --prefer.
    """
    import dataclasses
    import json

    from ....catalog import unknown_name
    from ....leaderboard import merge as merge_boards
    from ....leaderboard.submissions.union import Prefer

    choices = get_args(Prefer)
    if prefer is not None and prefer not in choices:
        raise unknown_name("side to prefer", prefer, choices)
    found = merge_boards(first, second, out, prefer=cast("Prefer | None", prefer))
    if json_output:
        document = {"leaderboard": out.as_posix(), "n_entries": found.n_entries}
        typer.echo(json.dumps({**document, **dataclasses.asdict(found)}, indent=2))
        return
    counts = {
        "only in the first": found.n_first,
        "only in the second": found.n_second,
        "in both": found.n_both,
        "in both and different": found.n_preferred,
        "predictions files kept": found.n_predictions,
        "predictions files missing": found.n_without,
    }
    listed = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    typer.echo(f"{escaped(out.as_posix())}: {found.n_entries} entries ({listed})")
