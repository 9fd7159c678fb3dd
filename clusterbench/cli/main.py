"""The command `clusterbench`: its verbs, and how errors become one line and an exit code.

Verbs import what they need when they are called, so `--help` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Annotated, NoReturn, cast

import typer

from ..errors import ClusterbenchError
from ..printable import one_line
from ..version import __version__
from .console import ToldError
from .home_paths import expanding
from .option import environment_note
from .verbs.build import build
from .verbs.cache import cache
from .verbs.compare import compare
from .verbs.extract import extract
from .verbs.import_features import import_features
from .verbs.index import index
from .verbs.leaderboard import leaderboard
from .verbs.list import list_names
from .verbs.rank import rank
from .verbs.report import report
from .verbs.run import run
from .verbs.score import score
from .verbs.show import show
from .verbs.submit import submit
from .verbs.validate import validate
from .verbs.verify import verify

#: Set to 1 to see the traceback of an error that is not expected.
TRACEBACK = "CLUSTERBENCH_TRACEBACK"

#: Exit code after Ctrl-C.
INTERRUPTED = 130

app = typer.Typer(
    name="clusterbench",
    help="Benchmark suite for deep image clustering beyond ImageNet-1K.",
    epilog="First run: clusterbench run --benchmark imbalanced",
    add_completion=False,
    # Help as plain text: half the start-up time of Rich panels, and it wraps well at 80 columns.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clusterbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


#: Verbs in the order of the help; a short help where the first line of the verb's own is too long.
_VERBS: tuple[tuple[str, Callable[..., None] | typer.Typer, str | None], ...] = (
    ("run", run, None),
    ("build", build, None),
    ("show", show, "Show a task: recipe, counts, factors, hashes."),
    ("verify", verify, "Build the tasks of manifests again and compare."),
    ("extract", extract, "Extract the features of images into a feature store."),
    ("index", index, "Index the images of a source into one file."),
    ("import", import_features, "Make a feature store from features you have."),
    ("cache", cache, None),
    ("rank", rank, "Rank classes from easy to hard, for the benchmark easy."),
    ("score", score, None),
    ("compare", compare, None),
    ("submit", submit, "Check results and add them to a leaderboard."),
    ("validate", validate, "Check results as submit does, and write nothing."),
    ("leaderboard", leaderboard, None),
    ("report", report, "Make one page of results: tables, curves, clusters."),
    ("list", list_names, "List benchmarks, methods, encoders, datasets, trees."),
)
for _name, _verb, _short in _VERBS:
    if isinstance(_verb, typer.Typer):
        for _command in (*_verb.registered_commands, _verb.registered_callback):
            if _command is not None:
                _command.callback = expanding(cast("Callable[..., None]", _command.callback))
        app.add_typer(_verb, name=_name)
    else:
        app.command(_name, short_help=_short, epilog=environment_note(_name))(expanding(_verb))

# Of the library under Typer, only the error classes are needed; they are reached through the one
# that Typer exports, since Typer brings its own copy of Click in some versions.
_USAGE_ERROR, _CLICK_ERROR = typer.BadParameter.__mro__[1:3]


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or storage, 130 Ctrl-C."""
    # By default an OpenMP thread that waits for another one spins. Where something else wants the
    # cores too, training with small matrices then takes several times as long; sleeping costs
    # nothing that could be measured. OpenMP reads it when torch is loaded, so it is set here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    code = _guarded()
    if code == INTERRUPTED and _fits_under_way():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # an ordinary exit would wait for them
    sys.exit(code)


def _fits_under_way() -> bool:
    from ..runs.events import FIT_THREAD

    return any(thread.name.startswith(FIT_THREAD) for thread in threading.enumerate())


def _guarded() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 still gets its table
            stream.reconfigure(errors="replace")
    try:
        code = int(app(prog_name="clusterbench", standalone_mode=False) or 0)
        if code == INTERRUPTED:  # Typer has caught the KeyboardInterrupt
            return _interrupted()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except ClusterbenchError as error:
        if not _is_told_here():
            return error.exit_code
        code = _complain(str(error), error, error.exit_code)
        if error.example:
            sys.stderr.write(f"\n{error.example}\n")
        return code
    except ToldError as told:
        return told.code
    except KeyboardInterrupt:
        return _interrupted()
    except typer.Abort as error:  # what Typer makes of an EOFError, which a damaged file may raise
        return _unexpected(error.__cause__ or error)
    except BrokenPipeError:  # the reader of a pipe left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:
        if isinstance(error, _CLICK_ERROR):
            message = error.format_message().replace(": Value error, ", ": ")  # type: ignore[attr-defined]
            if "unexpected extra argument" in message:
                message += "; a value follows its option's name, as in --option VALUE (see --help)"
            return _complain(message, error, 2 if isinstance(error, _USAGE_ERROR) else 1)
        return _unexpected(error)


def _is_told_here() -> bool:
    """Whether this process tells of an error: of several that torchrun started, one does."""
    from ..devices import team

    try:
        if team().size == 1:
            return True
    except ClusterbenchError:
        return True
    from ..kmeans.processes import first_to_tell

    return first_to_tell()


def _interrupted() -> int:
    sys.stderr.write("interrupted\n")
    return INTERRUPTED


def _unexpected(error: BaseException) -> int:
    found = f"unexpected {type(error).__name__}: {error}"
    return _complain(f"{found} (set {TRACEBACK}=1 to see the traceback)", error, 1)


def _complain(message: str, error: BaseException, code: int) -> int:
    if os.environ.get(TRACEBACK, "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    sys.stderr.write(f"error: {one_line(message)}\n")
    return code
