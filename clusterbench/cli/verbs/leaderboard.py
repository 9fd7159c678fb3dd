"""`clusterbench leaderboard`: show the ranking of a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..option import json_option, option


def leaderboard(
    benchmark: Annotated[
        str | None,
        option(
            "leaderboard",
            "--benchmark",
            "-b",
            metavar="NAME",
            help="One benchmark; else all of the file.",
        ),
    ] = None,
    path: Annotated[
        Path, option("leaderboard", "--leaderboard", "-l", metavar="FILE", help="Leaderboard file.")
    ] = Path("leaderboard.json"),
    json_output: Annotated[bool, json_option("leaderboard")] = False,
) -> None:
    """Rank the methods of each benchmark.

    By AMI: the mean over tasks of the mean over seeds. Who lacks a task or a seed is not ranked.
    """
    import json

    from ...catalog import unknown_name
    from ...leaderboard import rank, read_leaderboard

    board = read_leaderboard(path)
    known = {entry.benchmark for entry in board.benchmarks}
    if benchmark is not None and benchmark not in known:
        raise unknown_name(f"benchmark of {path}:", benchmark, known)
    rankings = rank(board, benchmark)
    if json_output:
        document = {
            "schema": "clusterbench-ranking/1",
            "rankings": [ranking.to_dict() for ranking in rankings],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    from ..board_table import render_ranking
    from ..console import print_table

    if not rankings:
        typer.echo(f"{path} holds no entries yet; add some with `clusterbench submit`")
        return
    for position, ranking in enumerate(rankings):
        if position:
            typer.echo()
        print_table(render_ranking(ranking))
