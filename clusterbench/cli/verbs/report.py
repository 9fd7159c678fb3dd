"""`clusterbench report`: one page of what results say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...printable import escaped, one_line
from ...progress import unseen
from ..option import json_option, option

#: Files that are named on stderr; the others are counted.
LINES = 20


def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT", help="Result files, or folders of them.")
    ],
    out: Annotated[
        Path, option("report", "--out", "-o", metavar="FILE", help="The page to write.")
    ] = Path("report.html"),
    figures: Annotated[
        Path | None,
        option(
            "report",
            "--figures",
            metavar="DIR",
            help="Write each figure as PNG, SVG, PDF, CSV; tables as CSV, LaTeX.",
        ),
    ] = None,
    images: Annotated[
        str,
        option(
            "report",
            "--images",
            metavar="FOLDER|none",
            help="Images by sample id, <class>/<file>, to show some of each cluster.",
        ),
    ] = "none",
    title: Annotated[
        str | None, option("report", "--title", metavar="TEXT", help="Heading of the page.")
    ] = None,
    force: Annotated[
        bool, option("report", "--force", help="Replace a file that is no report.")
    ] = False,
    json_output: Annotated[bool, json_option("report")] = False,
) -> None:
    """Make one page of results: tables, curves, classes, clusters.

    The page is one file below 2 MB that needs no network. Methods that a paired test cannot tell
    apart share a place; failed runs are shown and never counted as 0.
    """
    import json

    from ...reports import build_report
    from ..progress_views import resampling_line

    with resampling_line("report") as progress:
        built = build_report(
            results,
            out,
            figures=figures,
            images=None if images == "none" else images,
            title=title,
            force=force,
            progress=progress or unseen,
        )
    if json_output:
        document = {
            "report": built.path.as_posix(),
            "bytes": built.n_bytes,
            "results": built.n_runs,
            "failed": built.n_failed,
            "not_checked": built.n_unchecked,
            "images": built.n_images,
            "unreadable": [
                {"path": path.as_posix(), "message": fault} for path, fault in built.unreadable
            ],
            "figures": [path.as_posix() for path in built.figures],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        notes = [f"{built.n_failed} failed"] if built.n_failed else []
        notes += [f"{built.n_unchecked} not borne out by predictions"] if built.n_unchecked else []
        notes += [f"{built.n_images} images"] if images != "none" else []
        of = "".join(f", {note}" for note in notes)
        plural = "" if built.n_runs == 1 else "s"
        typer.echo(
            f"{escaped(built.path.as_posix())}: {built.n_runs:,} result{plural}{of}, "
            f"{built.n_bytes / 1e6:.2f} MB"
        )
        if figures is not None:
            typer.echo(f"{escaped(figures.as_posix())}: {len(built.figures)} files")
    for path, fault in built.unreadable[:LINES]:
        typer.echo(one_line(f"not read: {path}: {fault}"), err=True)
    if len(built.unreadable) > LINES:
        typer.echo(f"and {len(built.unreadable) - LINES:,} more not read", err=True)
