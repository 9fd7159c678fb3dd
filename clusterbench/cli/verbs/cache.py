"""`clusterbench cache`: looking after feature stores."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ...printable import MESSAGE_LENGTH, shown
from ...progress import Progress
from ..console import ToldError, warn
from ..extraction_progress import extraction_progress
from ..option import json_option, option
from ..progress_views import byte_progress

if TYPE_CHECKING:
    from ...features.store.store import FeatureStore

cache = typer.Typer(help="List, verify, repair, pack and remove feature stores.")

_Stores = Annotated[list[Path], typer.Argument(help="Stores: folders or packed files.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@cache.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@cache.command("list")
def list_stores(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Where to look; else this folder and CLUSTERBENCH_HOME."),
    ] = None,
    json_output: Annotated[bool, json_option("cache")] = False,
) -> None:
    """List the feature stores in folders and below: encoder, rows, size on disk, state."""
    from ...catalog import user_home
    from ...features.store.on_disk import find, look

    places = folders or [Path(), *(p for p in (user_home() / "features",) if p.is_dir())]
    paths: dict[Path, Path] = {}
    for place in places:
        for path in find(place):
            paths.setdefault(path.resolve(), path)
    found = [look(path) for path in paths.values()]
    if json_output:
        entries = [{**vars(entry), "path": str(entry.path)} for entry in found]
        sys.stdout.write(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
        return
    if not found:
        sys.stderr.write("no feature stores there; `clusterbench extract` makes one\n")
        return
    rows = [
        (
            shown(entry.path),
            shown(entry.encoder),
            f"{entry.n:,} x {entry.dim} {entry.dtype}" if entry.n else "",
            _bytes(entry.nbytes),
            entry.state if entry.state.startswith(("whole", "unfinished")) else "damaged",
        )
        for entry in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    for entry in found:
        if entry.state.startswith("damaged"):
            sys.stdout.write(f"{shown(entry.state, MESSAGE_LENGTH)}\n")
    total = sum(entry.nbytes for entry in found)
    sys.stdout.write(f"{len(found)} store{'s' * (len(found) != 1)}, {_bytes(total)}\n")


@cache.command("verify")
def verify_stores(
    stores: _Stores, json_output: Annotated[bool, json_option("cache")] = False
) -> None:
    """Read everything again and compare it with the checksums; exit 1 if anything is damaged."""
    from ...features.store.diagnosis import diagnose

    reports: dict[str, list[str]] = {}
    for path in stores:
        with byte_progress(f"verifying {path}") as progress:
            lines = [fault.text for fault in diagnose(path, progress).faults]
        reports[str(path)] = lines
        if not json_output:  # at once: the next one may be no store
            text = "".join(f"  {shown(line, MESSAGE_LENGTH)}\n" for line in lines)
            count = f"{len(lines)} damaged" if lines else "every byte is as it was written"
            sys.stdout.write(f"{shown(path)}: {count}\n{text}")
            sys.stdout.flush()
    if json_output:
        sys.stdout.write(json.dumps(reports, indent=2, ensure_ascii=False) + "\n")
    if any(reports.values()):
        raise ToldError(1)


@cache.command("repair")
def repair_store(
    store: Annotated[Path, typer.Argument(help="A store that `verify` found damaged.")],
    source: Annotated[
        str | None,
        option("cache", "--source", help="Where its images are now.", metavar="SOURCE"),
    ] = None,
    weights: Annotated[
        Path | None, option("cache", "--weights", help="Where its weights are now.", metavar="FILE")
    ] = None,
    device: Annotated[
        str, option("cache", "--device", help="auto, cpu, cuda or cuda:N.", metavar="DEVICE")
    ] = "auto",
    workers: Annotated[
        int | None, option("cache", "--workers", help="Decoding processes.", metavar="N", min=0)
    ] = None,
    allow_code: Annotated[
        bool,
        option(
            "cache",
            "--allow-code",
            help="Run Python that the store names: a python: encoder, a torch: data set, a recipe "
            "file, a saved index.",
        ),
    ] = False,
) -> None:
    """Make damaged shards of a store again, and only these, from its images and weights."""
    from ...features.store.diagnosis import check_repairable, diagnose
    from ...features.store.layout import BROKEN, INDEX, MANIFEST, VIRTUAL
    from ...files import sha256_file

    with byte_progress(f"verifying {store}") as progress:
        diagnosis = diagnose(store, progress)
    for fault in diagnosis.faults:
        sys.stdout.write(f"{shown(fault.text, MESSAGE_LENGTH)}\n")
    if not diagnosis.faults:
        sys.stdout.write(f"{shown(store)}: every byte is as it was written; nothing to repair\n")
        return

    def extract() -> None:
        with extraction_progress() as view:
            job.run(view, warn)

    check_repairable(diagnosis)
    if not diagnosis.only_virtual:
        from ...features.extract.origin import Origin

        Origin.read(store)  # refuses before encoders are loaded
    from ...features.extract.repair import repair, repair_job

    if not diagnosis.only_virtual:
        job = repair_job(diagnosis, source, weights, device, workers, allow_code)
        job.plan()  # refuses before anything is touched
    written = repair(diagnosis, extract)
    for name in written:
        before = diagnosis.recorded.get(name)
        if name in (MANIFEST, INDEX, BROKEN, VIRTUAL):
            what = "written again"
        elif before is None:
            what = "made again"
        elif sha256_file(store / name) == before:
            what = "made again, the same bytes as before"
        else:
            what = "made again; not the same bytes as before (another device or batch size)"
        sys.stdout.write(f"{name}: {what}\n")


@cache.command("pack")
def pack_store(
    store: Annotated[Path, typer.Argument(help="A store's folder.")],
    output: Annotated[
        Path | None, option("cache", "--output", help="File to write; else <store>.h5.")
    ] = None,
) -> None:
    """Write a store as one HDF5 file, which can be read in place of the folder."""
    from ...features.store.store import FeatureStore

    opened = FeatureStore.open(store)
    named = store if store.name not in ("", "..") else store.resolve()
    target = output or named.with_name(f"{named.name}.h5")
    _told(opened.pack, target)


@cache.command("unpack")
def unpack_store(
    store: Annotated[Path, typer.Argument(help="A packed store.")],
    output: Annotated[
        Path | None, option("cache", "--output", help="Folder to write; else its name without .h5.")
    ] = None,
) -> None:
    """Write a packed store as a folder of shards: the same bytes as before it was packed."""
    from ...features.store.store import FeatureStore

    opened = FeatureStore.open(store)
    target = output or store.with_suffix("")
    if target == store and opened.packed:
        raise InputError(f"{store} has no suffix; give a folder with --output")
    _told(opened.unpack, target)


@cache.command("remove")
def remove_stores(stores: _Stores, yes: _Yes = False) -> None:
    """Delete stores: their own files, the graphs of neighbours beside them, and nothing else."""
    from ...features.store.on_disk import is_busy, is_store, remove, size
    from ...neighbours.place import remove_beside

    stores = list({os.path.realpath(path): path for path in reversed(stores)}.values())[::-1]
    for path in stores:
        if not is_store(path):
            raise InputError(f"{path} is not a feature store; nothing was removed")
        if is_busy(path):
            raise InputError(f"{path} is being extracted now; nothing was removed")
    total = sum(size(path) for path in stores)
    if not yes:
        names = ", ".join(map(str, stores))
        if not sys.stdin.isatty():
            raise InputError(f"remove {names} ({_bytes(total)})? Say --yes where nobody can answer")
        if not _confirmed(f"Remove {names} ({_bytes(total)})?"):
            sys.stderr.write("nothing was removed\n")
            raise ToldError(1)
    for path in stores:
        freed, left = remove(path)
        freed += remove_beside(path)
        kept = f"; left in the folder: {', '.join(map(shown, left[:5]))}" if left else ""
        sys.stdout.write(f"{shown(path)}: {_bytes(freed)} removed{kept}\n")


def _confirmed(question: str) -> bool:
    """The answer; False for no answer, such as Ctrl-D and Ctrl-C."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        sys.stderr.write("\n")
        return False


def _told(work: Callable[[Path, Progress], FeatureStore], target: Path) -> None:
    with byte_progress(f"writing {target}", "rows") as progress:
        done = work(target, progress)
    sys.stdout.write(
        f"{shown(done.path)}: {done.n:,} x {done.dim} {done.dtype.name} features of "
        f"{shown(done.encoder)}\n"
    )


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} TB"
