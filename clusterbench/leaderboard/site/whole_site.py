"""A board as a folder of static pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ...catalog import unknown_name
from ...errors import InputError
from ...pages import (
    Page,
    PageLink,
    figure,
    render_page,
    table_html,
    template_environment,
    write_assets,
)
from ...printable import shown
from ..board.file import Snapshot
from ..board.models import Leaderboard
from .against_baseline import Versus, against_baseline
from .board_page import board_page
from .contents import SiteContents, site_contents
from .dataset_page import dataset_page, samples_of
from .downloads import table_contents, table_files
from .entrant_page import Standing, entrant_page
from .overview_page import overview_page
from .plain_pages import BOARD_FILE, downloads_page, methods_page, submit_page
from .site_folder import new_site
from .site_page import SitePage
from .task_page import task_page

_TEMPLATES = Path(__file__).parent / "templates"
_NAV = (
    ("Overview", "index.html", "overview"),
    ("Methods", "methods.html", "methods"),
    ("Downloads", "downloads.html", "downloads"),
    ("Submit", "submit.html", "submit"),
)


@dataclass(frozen=True)
class Site:
    """A site that was built.

    folder: where; pages, files: how many of each; index: to open. notes: what was given and is not
    on it, such as results that cannot be read, a line each.
    """

    folder: Path
    pages: int
    files: int
    notes: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """The page to open first."""
        return self.folder / "index.html"


def build_site(
    board: Leaderboard,
    out: Path | str,
    *,
    results: Iterable[Path | str] = (),
    images: Mapping[str, Path] | None = None,
    title: str = "clusterbench leaderboard",
) -> Site:
    """Build the site of a board in a folder: static pages that open from a file.

    The same board gives the same files. The folder appears, or takes the place of an older site,
    in one step; a kill leaves the old site whole.

    Args:
        board: what `read_leaderboard` gives.
        out: the folder; it is not there, empty, or an older site.
        results: result files or folders of runs on the board, for what an entry does not hold:
            times, machines, frequency bands, cluster sizes.
        images: folders of images by data set, for sample images on its page; shown where the
            data set's declaration names a licence.
        title: of the site.

    Raises:
        InputError: `out` holds something else, a path among `results` or a folder among `images`
            is not there, or `images` names a data set that is not the board's.
        StorageError: it cannot be written.
    """
    out = Path(out)
    _check_images(board, images or {})
    with new_site(out) as folder:
        contents = site_contents(board, results, images or {})
        n_pages = 0
        write_assets(folder)
        (folder / ".nojekyll").write_bytes(b"")  # for hosts that would rewrite Markdown files
        for page in _pages(contents, folder):
            _write(folder, page.path, _html(page, title))
            for table in page.tables:
                for path, content in table_contents(table):
                    _write(folder, path, content)
            n_pages += 1
        _write_bytes(folder, BOARD_FILE, Snapshot.of(b"", board).rendered())
        n_files = sum(path.is_file() for path in folder.rglob("*")) + 1
    unlicensed = [
        f"images of {shown(name)}: not shown, since its declaration names no licence"
        for name in images or {}
        if not contents.data_sets[name].licence
    ]
    return Site(out, n_pages, n_files, (*contents.notes, *unlicensed))


def _check_images(board: Leaderboard, images: Mapping[str, Path]) -> None:
    known = {item.dataset for item in board.benchmarks}
    for name, folder in images.items():
        if name not in known:
            raise unknown_name("data set of the leaderboard:", name, known)
        if not Path(folder).is_dir():
            raise InputError(
                f"images of {shown(name)}: {shown(str(folder))} is no folder; wanted that of its "
                "images"
            )


def _pages(contents: SiteContents, folder: Path) -> Iterator[SitePage]:
    listed = [overview_page(contents)]
    views = {(v.benchmark, v.dataset): v for v in contents.benchmarks}
    for ranking in contents.rankings:
        listed.append(board_page(contents, views[ranking.benchmark, ranking.dataset], ranking))
    for view in contents.data_sets.values():
        samples = samples_of(view)
        for sample in samples:
            _write_bytes(folder, sample.path, sample.content)
        listed.append(dataset_page(contents, view, samples))
    yield from listed
    yield downloads_page(listed)
    yield submit_page()
    yield methods_page(contents)
    for (benchmark, dataset, name, _), ranking in contents.tasks.items():
        yield task_page(contents, contents.task_views[benchmark, dataset, name], ranking)
    standings, versus = _by_entrant(contents)
    for ident, entrant in contents.entrants.items():
        yield entrant_page(contents, entrant, standings[ident], versus[ident])


def _by_entrant(
    contents: SiteContents,
) -> tuple[dict[str, list[Standing]], dict[str, list[Versus]]]:
    standings: dict[str, list[Standing]] = defaultdict(list)
    for where, ranking in contents.tasks.items():
        for row in ranking.rows:
            standings[contents.view(row).ident].append((where, row, ranking))
    versus: dict[str, list[Versus]] = defaultdict(list)
    for item in against_baseline(contents):
        versus[item.entrant.ident].append(item)
    return standings, versus


def _html(page: SitePage, title: str) -> str:
    environment = template_environment(site=str(_TEMPLATES))
    root = page.root
    body = environment.get_template(f"site/{page.template}").render(
        **page.context,
        root=root,
        figure=figure,
        table_html=table_html,
        table_files=table_files,
    )
    return render_page(
        Page(
            title=page.title,
            body=Markup(body),
            site=title,
            description=page.description,
            home=f"{root}index.html",
            root=root,
            nav=tuple(
                PageLink(text, f"{root}{path}", section == page.section)
                for text, path, section in _NAV
            ),
            trail=page.links(),
            footer=Markup(
                environment.get_template("site/footer.html").render(root=root, board=BOARD_FILE)
            ),
        )
    )


def _write(folder: Path, path: str, content: str) -> None:
    _write_bytes(folder, path, content.encode("utf-8", "backslashreplace"))


def _write_bytes(folder: Path, path: str, content: bytes) -> None:
    target = folder / path
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)
