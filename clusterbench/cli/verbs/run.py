"""`clusterbench run`: run methods on a benchmark, keep the results, show the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...methods import DEFAULT
from ...printable import escaped, one_line
from ...references import REFERENCES
from ..console import ToldError, warn
from ..option import json_option, option

if TYPE_CHECKING:
    from ...runs import RunReport

_STRATEGIES = (
    "never: touch no existing file; only-missing: repeat failed and damaged runs; "
    "always: compute everything again."
)


def run(
    benchmark: Annotated[
        str, option("run", "--benchmark", "-b", metavar="NAME", help="Benchmark (required).")
    ] = "",
    dataset: Annotated[
        str, option("run", "--dataset", "-d", metavar="NAME", help="Data set.")
    ] = "icons-wordnet",
    task: Annotated[
        list[str] | None,
        option(
            "run",
            "--task",
            "-t",
            metavar="NAMES",
            help="Only these tasks of the benchmark: repeat, or separate by commas.",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        option(
            "run",
            "--encoder",
            "-e",
            metavar="NAME",
            help="Whose features; else the data set's own.",
        ),
    ] = None,
    method: Annotated[
        list[str],
        option(
            "run", "--method", "-m", metavar="NAMES", help="Methods: repeat, or separate by commas."
        ),
    ] = list(DEFAULT),  # noqa: B006
    references: Annotated[
        bool,
        option(
            "run",
            "--references",
            help=f"Supervised ceilings too: {', '.join(REFERENCES.built_in)}.",
        ),
    ] = False,
    protocol: Annotated[
        str,
        option(
            "run",
            "--protocol",
            metavar="NAME",
            help="train->val: fit on train, score val images; transductive: score train images.",
        ),
    ] = "train->val",
    k: Annotated[
        str | None,
        option(
            "run",
            "--k",
            metavar="N",
            help="Number of clusters, or a factor of the classes (2x); else each task's classes.",
        ),
    ] = None,
    seeds: Annotated[
        str, option("run", "--seeds", "-s", metavar="SEEDS", help="How many (3), or which (0,4,7).")
    ] = "3",
    device: Annotated[
        str, option("run", "--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
    ] = "auto",
    results: Annotated[
        Path, option("run", "--results", "-r", metavar="FOLDER", help="Where results are kept.")
    ] = Path("results"),
    overwrite_strategy: Annotated[
        str, option("run", "--overwrite-strategy", metavar="STRATEGY", help=_STRATEGIES)
    ] = "only-missing",
    preset: Annotated[
        str | None,
        option(
            "run", "--preset", metavar="NAME", help="Settings of the methods; else the data set's."
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        option(
            "run",
            "--param",
            "-p",
            metavar="METHOD.NAME=VALUE",
            help="One setting of a method, over the preset; repeat for more.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, option("run", "--dry-run", help="Show the plan; compute and write nothing.")
    ] = False,
    json_output: Annotated[bool, json_option("run")] = False,
) -> None:
    """Run methods on the tasks of a benchmark.

    Results that are there already are kept: the same command resumes what was interrupted.
    """
    from ..option_values import parse_params, parse_seeds, split_commas
    from ..progress_views import progress_view

    params, chosen_seeds = parse_params(param or []), parse_seeds(seeds)
    if not benchmark:
        from ...benchmarks.declaration import names

        raise InputError(f"--benchmark is missing; choose one of {', '.join(names())}")
    from ... import runs
    from ...devices import team
    from ...kmeans.processes import together

    view = progress_view()
    first = not together() or team().rank == 0
    try:
        with view:
            report = runs.run(
                benchmark,
                dataset,
                encoder,
                split_commas(method),
                k,
                chosen_seeds,
                device,
                results,
                overwrite_strategy,  # type: ignore[arg-type]  # checked by run
                preset,
                params,
                dry_run,
                view if first else None,
                tasks=None if not task else split_commas(task),
                protocol=protocol,
                references=references,
                foretold=view.foretell if first and not dry_run else None,
            )
    except KeyboardInterrupt:
        kept = f"{view.finished} of {view.total} runs" if view.total else "0 runs"
        typer.echo(f"interrupted: {kept} finished and kept; the same command resumes", err=True)
        raise ToldError(130) from None
    if not first:  # the first process has the results, and says what there is to say
        return
    if json_output:
        _print_json(report)
    elif dry_run:
        _print_plan(report)
    else:
        _print_table(report)
    _close(report)


def _print_json(report: RunReport) -> None:
    import json

    typer.echo(json.dumps(report.to_dict(), indent=2, allow_nan=False))


def _print_plan(report: RunReport) -> None:
    for outcome in report.outcomes:
        verb = "run " if outcome.to_compute else "keep"
        typer.echo(f"{verb}  {outcome.before:<7}  {escaped(outcome.run.path.as_posix())}")


def _print_table(report: RunReport) -> None:
    from ..console import print_table

    print_table(report.table())


def _close(report: RunReport) -> None:
    """Say on stderr what was done and what is not well; exit 1 unless every run is a success."""
    from ..progress_views import graphs_line, time_line

    planned, reused = len(report.outcomes), report.n_reused
    for text in report.left_out:
        warn(f"left out: {text}")
    if report.dry_run:
        todo = sum(outcome.to_compute for outcome in report.outcomes)
        counts = f"{planned} runs planned, {todo} to compute, {planned - todo} kept"
        typer.echo(f"{counts}; nothing was computed or written", err=True)
        if report.forecast is not None and report.forecast.seconds is not None:
            typer.echo(time_line(report.forecast), err=True)
        return
    if reused == planned:
        typer.echo(f"{reused} of {planned} runs were there already; nothing to do", err=True)
        return
    message = f"{report.n_computed} of {planned} runs computed"
    message += f", {reused} were there already" if reused else ""
    typer.echo(f"{message}; results in {escaped(report.results.as_posix())}", err=True)
    if text := graphs_line(report.graphs):
        typer.echo(text, err=True)
    for outcome in report.outcomes:
        if outcome.failure:
            typer.echo(one_line(f"failed: {outcome.failure}"), err=True)
        elif outcome.status != "success":
            left = escaped(outcome.run.path.as_posix())
            typer.echo(f"left as it is: {left} ({outcome.status})", err=True)
    if not report.ok:
        raise typer.Exit(1)
