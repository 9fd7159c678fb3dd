"""Pages of words: what can be downloaded, and how to submit."""

from __future__ import annotations

from ...pages import DataCell, DataColumn, DataRow, DataTable, page_id
from .contents import SiteContents
from .downloads import table_files
from .site_page import OVERVIEW, SitePage

BOARD_FILE = "downloads/leaderboard.json"


def methods_page(contents: SiteContents) -> SitePage:
    """The list of all entrants."""
    from .entrant_views import FAMILY_NAMES

    columns = (
        DataColumn("method", "Method"),
        DataColumn("kind", "Kind"),
        DataColumn("version", "Version", "number", 0),
        DataColumn("runs", "Runs", "number", 0, best="high"),
        DataColumn("tasks", "Tasks", "number", 0, best="high"),
        DataColumn("encoders", "Features"),
    )
    rows = []
    for view in contents.entrants.values():
        entries = contents.entries[view.ident]
        encoders = sorted({entry.encoder for entry in entries})
        rows.append(
            DataRow(
                (
                    DataCell(view.label, href=view.page),
                    DataCell(FAMILY_NAMES[view.family]),
                    DataCell(view.version),
                    DataCell(len(entries)),
                    DataCell(len({(e.benchmark, e.dataset, e.task) for e in entries})),
                    DataCell(", ".join(encoders)),
                ),
                "reference" if view.reference else "",
            )
        )
    table = DataTable(
        page_id("all", "methods"),
        "Every method with its settings",
        columns,
        tuple(rows),
        row_header="method",
    )
    return SitePage(
        path="methods.html",
        title="Methods",
        description="Every method on this leaderboard, with its settings",
        template="table.html",
        section="methods",
        context={
            "lead": "A method with other settings is another row: its page lists them all, and "
            "every run with its raw numbers.",
            "table": table,
        },
        trail=(OVERVIEW,),
        tables=(table,),
    )


def downloads_page(pages: list[SitePage]) -> SitePage:
    """The list of all files; `pages` are all others of the site."""
    listed = [
        (page.title, page.path, [(table.caption, table_files(table)) for table in page.tables])
        for page in pages
        if page.tables and page.section != "methods"
    ]
    return SitePage(
        path="downloads.html",
        title="Downloads",
        description="All numbers of this site as files",
        template="downloads.html",
        section="downloads",
        context={"listed": listed, "board": BOARD_FILE},
        trail=(OVERVIEW,),
    )


def submit_page() -> SitePage:
    """How to get onto the board."""
    return SitePage(
        path="submit.html",
        title="How to submit",
        description="Three commands: run, submit, build",
        template="submit.html",
        section="submit",
        trail=(OVERVIEW,),
    )
