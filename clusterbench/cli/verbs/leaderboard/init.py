"""`clusterbench leaderboard init`: the files of a repository that holds a leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....printable import escaped


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made if need be.")],
) -> None:
    """Write the files of a repository that holds a leaderboard.

    A workflow that checks the submissions of pull requests and builds the leaderboard, a template
    of pull requests, a README and the folder of submissions. No file that is there is touched.
    """
    from ....leaderboard import start_repository

    for path in start_repository(folder):
        typer.echo(escaped(path.as_posix()))
