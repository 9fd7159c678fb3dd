"""`clusterbench leaderboard` without a subcommand: show the ranking of a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....printable import escaped, one_line
from ...option import json_option, option

if TYPE_CHECKING:
    from ....leaderboard import Recheck


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
        _check(path, recheck(board, check), json_output)
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


def _check(path: Path, found: Recheck, json_output: bool) -> None:
    """Say what came of it; exit 1 if an entry is otherwise than its result."""
    import json

    counts = {
        "entries": found.n_entries,
        "same": found.n_same,
        "different": len(found.faults),
        "without_result": found.n_without,
        "results_refused": found.n_refused,
    }
    if json_output:
        document = {"leaderboard": path.as_posix(), **counts, "faults": list(found.faults)}
        typer.echo(json.dumps(document, indent=2))
    else:
        listed = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in counts.items())
        typer.echo(f"{escaped(path.as_posix())}: {listed}")
    for fault in found.faults[:100]:
        typer.echo(one_line(f"different: {fault}"), err=True)
    if found.faults:
        raise typer.Exit(1)
