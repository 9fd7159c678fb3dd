"""A report as one HTML page that is whole by itself and below a size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ..pages import Page, figure, render_page, table_html, template_environment
from ..printable import shown
from ..version import __version__
from .analysis import Analysis, SectionAnalysis, TaskDetail
from .content.parts import Block, ImageRows, ReportPart
from .content.phrases import listed
from .content.whole_report import LEVELS, DetailLevel, lead_blocks, report_parts
from .thumbnails import ThumbnailFolder

#: Bytes that a report stays below, whatever it is of.
LARGEST_PAGE = 2_000_000

#: Bytes of a cell of the table of tasks and of a row of every task and method, not less.
_CELL_BYTES, _ROW_BYTES = 60, 300

#: What the page of a report begins with in its footer; nothing else is written over.
MARK = "clusterbench-report/1"

_TEMPLATES = str(Path(__file__).parent / "templates")


def report_page(
    analysis: Analysis, images: ThumbnailFolder | None = None, title: str | None = None
) -> str:
    """The page, at the most detail that keeps it below `LARGEST_PAGE` bytes."""
    page = ""
    for level in LEVELS:
        if level is not LEVELS[-1] and _least_bytes(analysis, level) > LARGEST_PAGE:
            continue
        page = _page(analysis, level, images, title)
        if len(page.encode()) < LARGEST_PAGE:
            break
    return page


def _least_bytes(analysis: Analysis, level: DetailLevel) -> int:
    """Bytes that the cells of the tables take at the very least, so as not to write them first."""
    cells = sum(
        len(found.section.tasks[: level.tasks]) * len(found.section.contenders[: level.methods])
        for found in analysis.sections[: level.sections]
    )
    return cells * (_CELL_BYTES + _ROW_BYTES * level.tables)


def report_title(analysis: Analysis) -> str:
    """What a report is of: its sections, the first of them."""
    names = dict.fromkeys(found.section.title for found in analysis.sections)
    return listed(list(names), 4)


def _page(
    analysis: Analysis, level: DetailLevel, images: ThumbnailFolder | None, title: str | None
) -> str:
    def gallery(found: SectionAnalysis, detail: TaskDetail) -> ImageRows | None:
        return images.gallery(found, detail, level.images) if images is not None else None

    parts = report_parts(analysis, level, gallery)
    body = _body(lead_blocks(analysis, level), parts)
    heading = shown(title or report_title(analysis))
    footer = Markup("{} of clusterbench {}").format(MARK, __version__)
    page = Page(
        title=heading,
        body=body,
        site="clusterbench report",
        description=f"Clustering results: {heading}",
        home="#content",
        footer=footer,
    )
    return render_page(page, inline=True)


def _body(lead: Sequence[Block], parts: Sequence[ReportPart]) -> Markup:
    template = template_environment(reports=_TEMPLATES).get_template("reports/report.html")
    text = template.render(
        lead=lead,
        parts=parts,
        kind_of=lambda block: type(block).__name__,
        table_html=table_html,
        figure=figure,
    )
    return Markup(text)
