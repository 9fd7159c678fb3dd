"""`clusterbench leaderboard` without a subcommand: show the ranking of a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....printable import escaped
from ...option import json_option, option
from .check import tell_check


def show(
    context: typer.Context,
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
    check: Annotated[
        list[Path] | None,
        option(
            "leaderboard",
            "--check",
            metavar="RESULT",
            help="Score these results again and compare their entries; repeat for more.",
        ),
    ] = None,
    json_output: Annotated[bool, json_option("leaderboard")] = False,
) -> None:
    """Rank the methods of each benchmark.

    By AMI: the mean over tasks of the mean over seeds. Who lacks a task or a seed is not ranked.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return
    import json

    from ....catalog import unknown_name
    from ....leaderboard import rank, read_leaderboard, recheck

    board = read_leaderboard(path)
    known = {entry.benchmark for entry in board.benchmarks}
    if benchmark is not None and benchmark not in known:
        raise unknown_name(f"benchmark of {path}:", benchmark, known)
    if check:
        tell_check(path, recheck(board, check), json_output)
        return
    rankings = rank(board, benchmark)
    if json_output:
        document = {
            "schema": "clusterbench-ranking/1",
            "rankings": [ranking.to_dict() for ranking in rankings],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    from ...board_table import render_ranking
    from ...console import print_table

    if not rankings:
        typer.echo(
            f"{escaped(str(path))} holds no entries yet; add some with `clusterbench submit`"
        )
        return
    for position, ranking in enumerate(rankings):
        if position:
            typer.echo()
        print_table(render_ranking(ranking))


def _refuse_options(context: typer.Context, subcommand: str) -> None:
    """BadParameter for options before a subcommand, which would change nothing there."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                f"{parameter.opts[0]} stands before {subcommand!r}; give it after, as in "
                f"clusterbench leaderboard {subcommand} {parameter.opts[0]} ..."
            )
