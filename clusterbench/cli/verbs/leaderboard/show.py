"""`clusterbench leaderboard` without a subcommand: show the ranking of a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....errors import InputError
from ....printable import escaped
from ...option import json_option, option
from .check import tell_check

if TYPE_CHECKING:
    from ....leaderboard import Leaderboard, Ranking


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
    task: Annotated[
        str | None,
        option("leaderboard", "--task", "-t", metavar="NAME", help="The ranking of this task."),
    ] = None,
    overall: Annotated[
        bool,
        option(
            "leaderboard", "--overall", help="Rank over benchmarks: of each data set, and of all."
        ),
    ] = False,
    by: Annotated[
        str | None,
        option(
            "leaderboard",
            "--by",
            metavar="encoder",
            help="A ranking for each encoder: methods on the same features.",
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

    By AMI: the mean over tasks of the mean over seeds. Those who cannot be told apart share a place
    (docs/ranking.md). Who lacks a task or a seed is not ranked.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return
    import json

    from ....catalog import unknown_name
    from ....leaderboard import read_leaderboard, recheck

    board = read_leaderboard(path)
    known = {entry.benchmark for entry in board.benchmarks}
    if benchmark is not None and benchmark not in known:
        raise unknown_name(f"benchmark of {path}:", benchmark, known)
    if check:
        tell_check(path, recheck(board, check), json_output)
        return
    rankings = _rankings(board, benchmark, task, overall, by)
    if json_output:
        document = {
            "schema": "clusterbench-ranking/2",
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


def _rankings(
    board: Leaderboard, benchmark: str | None, task: str | None, overall: bool, by: str | None
) -> list[Ranking]:
    from ....catalog import unknown_name
    from ....leaderboard import rank, rank_overall, rank_tasks

    if by is not None and by != "encoder":
        raise unknown_name("kind of ranking", by, ["encoder"])
    if overall and (benchmark is not None or task is not None):
        raise InputError("--overall ranks over benchmarks; leave out --benchmark and --task")
    by_encoder = by is not None
    if overall:
        return rank_overall(board, by_encoder=by_encoder)
    if task is None:
        return rank(board, benchmark, by_encoder=by_encoder)
    known = {
        of.name for b in board.benchmarks if benchmark in (None, b.benchmark) for of in b.tasks
    }
    if task not in known:
        raise unknown_name(f"task of {benchmark or 'the leaderboard'}:", task, known)
    return rank_tasks(board, benchmark, task, by_encoder=by_encoder)


def _refuse_options(context: typer.Context, subcommand: str) -> None:
    """BadParameter for options before a subcommand, which would change nothing there."""
    found = getattr(context.command, "commands", {})[subcommand]
    known = {name for parameter in found.params for name in parameter.opts}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        name = parameter.opts[0]
        advice = (
            f"give it after, as in clusterbench leaderboard {subcommand} {name} ..."
            if name in known
            else f"{subcommand} has no such option, so leave it out"
        )
        raise typer.BadParameter(f"{name} stands before {subcommand!r}; {advice}")
