"""From results to a page and a folder of figures: the one call for all of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..doors import read_bytes
from ..errors import InputError
from ..files import write_bytes
from ..limits import FileKind
from ..progress import Progress, unseen
from .analysis import analyse
from .collected import collect
from .content.whole_report import LEVELS, all_tables, report_parts
from .page_html import LARGEST_PAGE, MARK, report_page
from .thumbnails import ThumbnailFolder

_OURS = FileKind("a report", 2 * LARGEST_PAGE)


@dataclass(frozen=True)
class BuiltReport:
    """What was written.

    Attributes:
        path: the page; n_bytes of it.
        n_runs: results in it, of which n_failed failed and n_unchecked are shown as their JSON has
            them or differ from it.
        unreadable: files that are no results, and why.
        n_images: thumbnails that were found.
        figures: files of the figures and tables.
    """

    path: Path
    n_bytes: int
    n_runs: int
    n_failed: int
    n_unchecked: int
    unreadable: tuple[tuple[Path, str], ...]
    n_images: int
    figures: tuple[Path, ...]


def build_report(
    results: Path | str | Sequence[Path | str],
    out: Path | str = "report.html",
    *,
    figures: Path | str | None = None,
    images: Path | str | None = None,
    title: str | None = None,
    force: bool = False,
    progress: Progress = unseen,
) -> BuiltReport:
    """Write a report of results: one HTML page below 2 MB that needs nothing beside it.

    Args:
        results: result files, or folders searched for `seed-*.json`.
        out: the page. A file there is replaced if it is a report.
        figures: a folder for every chart as PNG, SVG, PDF and CSV and every table as CSV and LaTeX.
            One of an earlier report there is replaced as a whole.
        images: a folder of the data set's images, `<class>/<file>` as sample ids name them, from
            which thumbnails are shown.
        title: heading of the page; by default the benchmarks and data sets.
        force: replace a file that is no report.
        progress: called as `progress(done, total)`, first of results read, then of tasks and
            methods worked out.

    Raises:
        InputError: a path that is not there, no result at all, a folder in the place of the page or
            a file that is no report, no folder of images, a folder for figures that holds other
            files.
        StorageError: the page or a figure cannot be written.
    """
    given = [results] if isinstance(results, (str, Path)) else list(results)
    target = Path(out)
    _check_target(target, force)
    if figures is not None:
        from .export.figure_files import check_figures, write_figures

        check_figures(Path(figures), target)
    folder = ThumbnailFolder(Path(images)) if images is not None else None
    collected = collect([Path(path) for path in given], progress)
    analysis = analyse(collected, details=LEVELS[0].details, progress=progress)
    page = report_page(analysis, folder, title).encode()
    write_bytes(target, page)
    written: list[Path] = []
    if figures is not None:
        parts = report_parts(analysis, LEVELS[0], lambda found, detail: None)
        written = write_figures(Path(figures), parts, all_tables(analysis))
    return BuiltReport(
        path=target,
        n_bytes=len(page),
        n_runs=len(collected.runs),
        n_failed=sum(run.failed for run in collected.runs),
        n_unchecked=sum(bool(run.fault) for run in collected.runs),
        unreadable=collected.unreadable,
        n_images=folder.found if folder is not None else 0,
        figures=tuple(written),
    )


def _check_target(target: Path, force: bool) -> None:
    """InputError for a folder, and for a file that is no report unless it may be replaced."""
    if target.is_dir():
        raise InputError(f"{target}: is a folder; give a file such as {target / 'report.html'}")
    if force or not os.path.lexists(target):
        return
    try:
        ours = MARK.encode() in read_bytes(target, _OURS)
    except InputError:
        ours = False
    if not ours:
        raise InputError(
            f"{target}: there is a file that is no report; choose another --out, or replace it "
            "with --force"
        )
