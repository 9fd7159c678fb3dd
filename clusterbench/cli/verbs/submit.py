"""`clusterbench submit`: check results and submissions and add them to a leaderboard file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...printable import escaped, one_line
from ..option import json_option, option
from ..option_values import parse_claims, parse_settings

if TYPE_CHECKING:
    from ...leaderboard import Submission

#: Lines on stderr of one kind; the others are counted.
LINES = 100


def submit(
    context: typer.Context,
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RESULT", help="Files of results or submissions, or folders of them."
        ),
    ] = None,
    leaderboard: Annotated[
        Path,
        option(
            "submit", "--leaderboard", "-l", metavar="FILE", help="Leaderboard; made if need be."
        ),
    ] = Path("leaderboard.json"),
    replace: Annotated[
        bool,
        option(
            "submit", "--replace", help="Take a run's other predictions in place of those entered."
        ),
    ] = False,
    self_reported: Annotated[
        bool,
        option(
            "submit",
            "--self-reported",
            help="Take claimed scores without predictions: shown, never ranked.",
        ),
    ] = False,
    published: Annotated[
        list[Path] | None,
        option(
            "submit",
            "--published",
            metavar="FILE",
            help="Rows of the literature, .toml or .json; repeat for more.",
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        option(
            "submit",
            "--from-predictions",
            metavar="FILE",
            help="Clusters of a method that ran elsewhere; goes with the options below.",
        ),
    ] = None,
    benchmark: Annotated[
        str, option("submit", "--benchmark", "-b", metavar="NAME", help="Its benchmark.")
    ] = "",
    dataset: Annotated[
        str, option("submit", "--dataset", "-d", metavar="NAME", help="Its data set.")
    ] = "icons-wordnet",
    task: Annotated[
        str | None,
        option("submit", "--task", "-t", metavar="NAME", help="Its task, if there are several."),
    ] = None,
    method_name: Annotated[
        str, option("submit", "--method-name", metavar="NAME", help="What the method is called.")
    ] = "",
    version: Annotated[
        int, option("submit", "--version", metavar="N", help="Version of the method.")
    ] = 1,
    param: Annotated[
        list[str] | None,
        option(
            "submit",
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A setting that changes its answer; repeat for more.",
        ),
    ] = None,
    features: Annotated[
        str,
        option("submit", "--features", metavar="ENCODER", help="The encoder of what it clustered."),
    ] = "",
    features_description: Annotated[
        str,
        option(
            "submit",
            "--features-description",
            metavar="TEXT",
            help="Of features that are not the data set's own: weights, preprocessing.",
        ),
    ] = "",
    seed: Annotated[int, option("submit", "--seed", metavar="N", help="The seed it ran with.")] = 0,
    k: Annotated[
        int | None,
        option("submit", "--k", metavar="N", help="Number of clusters; else that of classes."),
    ] = None,
    protocol: Annotated[
        str,
        option(
            "submit", "--protocol", metavar="NAME", help="As in run: train->val or transductive."
        ),
    ] = "train->val",
    column: Annotated[
        str | None,
        option("submit", "--column", metavar="NAME", help="Array, column or key of the file."),
    ] = None,
    claim: Annotated[
        list[str] | None,
        option(
            "submit",
            "--claim",
            metavar="SCORE=VALUE",
            help="A score that was measured elsewhere, as a fraction; repeat for more.",
        ),
    ] = None,
    label_free: Annotated[
        bool | None,
        option(
            "submit",
            "--label-free/--labels-used",
            help="Whether no label was used anywhere, to fit or to choose.",
        ),
    ] = None,
    source: Annotated[
        str, option("submit", "--source", metavar="TEXT", help="A paper or address of the method.")
    ] = "",
    submitter: Annotated[
        str, option("submit", "--submitter", metavar="TEXT", help="Who sends it in.")
    ] = "",
    out: Annotated[
        Path,
        option("submit", "--out", metavar="FOLDER", help="Where the submission is written."),
    ] = Path("submissions"),
    json_output: Annotated[bool, json_option("submit")] = False,
) -> None:
    """Check results and submissions and add them to a leaderboard.

    Each is scored again from its predictions. Those refused are named with the reason; the others
    are added all the same. A method that ran elsewhere is submitted by a file of its clusters, one
    for each row that the task scores, or for each sample of the data set, in any format that score
    reads; rows are matched by sample ids where the file has them, else by position.
    """
    import json

    from ...leaderboard import RunElsewhere, publish, read_published, write_submission
    from ...leaderboard import submit as submit_results

    given, document = list(results or []), {"leaderboard": leaderboard.as_posix()}
    rows = [row for file in published or [] for row in read_published(file)]
    lines: list[str] = []
    if predictions is not None or claim:
        written = write_submission(
            predictions,
            RunElsewhere(
                benchmark=_wanted(benchmark, "--benchmark"),
                dataset=dataset,
                task=task,
                method=_wanted(method_name, "--method-name"),
                encoder=_wanted(features, "--features"),
                version=version,
                params=parse_settings(param or []),
                description=features_description,
                seed=seed,
                k=k,
                protocol=protocol,
                metrics=parse_claims(claim) if claim else None,
                label_free=label_free,
                source=source,
                submitter=submitter,
            ),
            out,
            column=column,
            replace=replace,
            self_reported=self_reported,
            leaderboard=leaderboard,
        )
        given.append(written.path)
        document["written"] = written.path.as_posix()
        how = f" (rows matched by {escaped(written.matched)})" if written.matched else ""
        lines.append(f"{escaped(written.path.as_posix())}: written{how}")
    else:
        _refuse_unused(context)
    if not given and not rows:
        raise InputError(
            "nothing to submit: name results, submissions or folders of them, "
            "--from-predictions FILE, or --published FILE"
        )
    submissions = (
        submit_results(given, leaderboard, replace=replace, self_reported=self_reported)
        if given
        else []
    )
    counts: dict[str, int] = {
        status: sum(submission.status == status for submission in submissions)
        for status in ("added", "replaced", "unchanged", "refused")
    }
    if rows:
        found = publish(rows, leaderboard, replace=replace)
        lines.append(
            f"published rows: {', '.join(f'{n} {status}' for status, n in found.items() if n)}"
        )
        document["published"] = found  # type: ignore[assignment]
    if json_output:
        listed = [as_dict(submission) for submission in submissions]
        typer.echo(json.dumps({**document, "counts": counts, "results": listed}, indent=2))
    else:
        if given:
            summary = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
            lines.insert(1 if "written" in document else 0, f"{_shown(leaderboard)}: {summary}")
        typer.echo("\n".join(lines))
    refused = [submission for submission in submissions if submission.status == "refused"]
    tell([f"refused: {submission.message}" for submission in refused], "refused")
    tell(notes_of(submissions), "notes")
    if refused:
        raise typer.Exit(1)


def as_dict(submission: Submission) -> dict[str, object]:
    """What became of a file, for --json."""
    return {
        "path": submission.path.as_posix(),
        "status": submission.status,
        "message": submission.message or None,
        "notes": list(submission.notes),
    }


def notes_of(submissions: list[Submission]) -> list[str]:
    """A line for each note, with the first file that it is of and how many more these are."""
    files: dict[str, list[Path]] = {}
    for submission in submissions:
        for note in submission.notes:
            files.setdefault(note, []).append(submission.path)
    return [f"note: {_and_more(of)}: {note}" for note, of in files.items()]


def _and_more(files: list[Path]) -> str:
    return f"{files[0]} and {len(files) - 1:,} more" if len(files) > 1 else str(files[0])


def tell(lines: list[str], what: str) -> None:
    """The first lines of a kind on stderr, and how many more there are."""
    for line in lines[:LINES]:
        typer.echo(one_line(line), err=True)
    if len(lines) > LINES:
        typer.echo(f"and {len(lines) - LINES:,} more {what}; --json lists them all", err=True)


#: Options that say what ran elsewhere, by their parameters.
_ELSEWHERE = (
    *("benchmark", "dataset", "task", "method_name", "version", "param", "features"),
    *("features_description", "seed", "k", "protocol", "column", "label_free", "source"),
    *("submitter", "out"),
)


def _refuse_unused(context: typer.Context) -> None:
    """InputError for options that would have no effect without predictions or claims."""
    for parameter in context.command.params:
        found = context.get_parameter_source(parameter.name or "")
        if parameter.name in _ELSEWHERE and found is not None and found.name == "COMMANDLINE":
            raise InputError(f"{parameter.opts[0]} goes with --from-predictions FILE")


def _wanted(text: str, option_name: str) -> str:
    if not text:
        raise InputError(f"{option_name} is missing; --from-predictions and --claim need it")
    return text


def _shown(path: Path) -> str:
    return escaped(path.as_posix())
