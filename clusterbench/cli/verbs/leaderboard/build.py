"""`clusterbench leaderboard build`: the site of a leaderboard as a folder of static pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....printable import escaped
from ...option import json_option, option

#: Lines of what was given and is not on the site; with --json all are said.
_MOST_NOTES = 20


def build(
    out: Annotated[
        Path,
        option("leaderboard", "--out", "-o", metavar="DIR", help="Folder of the site."),
    ] = Path("site"),
    path: Annotated[
        Path, option("leaderboard", "--leaderboard", "-l", metavar="FILE", help="Leaderboard file.")
    ] = Path("leaderboard.json"),
    results: Annotated[
        list[Path] | None,
        option(
            "leaderboard",
            "--results",
            metavar="RESULT",
            help="Results of runs on the board, for times, machines and bands; repeat for more.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        option(
            "leaderboard",
            "--images",
            metavar="NAME=DIR",
            help="Images of a data set, for samples on its page; repeat for more.",
        ),
    ] = None,
    json_output: Annotated[bool, json_option("leaderboard")] = False,
) -> None:
    """Build the site of a leaderboard: static pages, no server, no network.

    The folder appears in one step, or takes the place of an older site; any other folder is left
    alone. Open its index.html, or publish the folder as it is.
    """
    import json

    from ....leaderboard import build_site, read_leaderboard

    folders = _folders(images or [])
    site = build_site(read_leaderboard(path), out, results=results or (), images=folders)
    for note in site.notes[:_MOST_NOTES]:
        typer.echo(escaped(note), err=True)
    if len(site.notes) > _MOST_NOTES:
        typer.echo(f"and {len(site.notes) - _MOST_NOTES:,} more", err=True)
    if json_output:
        document = {
            "site": out.as_posix(),
            "pages": site.pages,
            "files": site.files,
            "notes": list(site.notes),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    where = escaped(site.index.as_posix())
    typer.echo(f"{where}: {site.pages:,} pages, {site.files:,} files")


def _folders(images: list[str]) -> dict[str, Path]:
    """The folders of images by data set; InputError for a text of another form."""
    from ....errors import InputError
    from ....printable import shown

    folders = {}
    for text in images:
        name, mark, folder = text.partition("=")
        if not (name and mark and folder):
            raise InputError(f"--images {shown(text)}: wanted NAME=DIR, a data set and its folder")
        folders[name] = Path(folder)
    return folders
