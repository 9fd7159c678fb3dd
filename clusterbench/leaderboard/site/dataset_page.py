"""The page of a data set: its card, its licence, sample images where they may be shown."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ...errors import ClusterbenchError
from ...pages import DataTable, page_id
from ..ranking.model import Ranking
from .contents import SiteContents
from .ranking_table import ranking_table
from .site_page import OVERVIEW, SitePage, root_of
from .task_views import BenchmarkView, DatasetView

#: Sample images of a page, their side in pixels, and most pixels of one that is read.
N_SAMPLES, SIDE, _PIXELS = 48, 64, 50_000_000

_HEADING = re.compile(r"<(/?)h([1-6])>")


@dataclass(frozen=True)
class Sample:
    """A sample image of the site: its file there, its bytes, and what it shows."""

    path: str
    content: bytes
    label: str


def dataset_page(contents: SiteContents, view: DatasetView, samples: list[Sample]) -> SitePage:
    """The page of one data set."""
    root = root_of(view.page)
    ranking = _overall(contents, view.name)
    tables: tuple[DataTable, ...] = ()
    if ranking is not None and ranking.rows:
        key = page_id("overall", view.name)
        tables = (
            ranking_table(
                contents, ranking, key, f"Methods over all benchmarks of {view.name}", root
            ),
        )
    boards: list[tuple[BenchmarkView, Ranking]] = [
        (benchmark, ranked)
        for benchmark in contents.benchmarks
        if benchmark.dataset == view.name
        for ranked in contents.rankings
        if (ranked.benchmark, ranked.dataset) == (benchmark.benchmark, benchmark.dataset)
    ]
    return SitePage(
        path=view.page,
        title=view.name,
        description=view.description or f"The data set {view.name}",
        template="dataset.html",
        section="data",
        context={
            "view": view,
            "card": card_html(view.card),
            "boards": boards,
            "ranked": tables[0] if tables else None,
            "has_runs": any(ranked.rows for _, ranked in boards),
            "samples": samples,
            "side": SIDE,
        },
        trail=(OVERVIEW,),
        tables=tables,
    )


def _overall(contents: SiteContents, dataset: str) -> Ranking | None:
    for ranking in contents.overall:
        if (ranking.scope, ranking.dataset, ranking.protocol) == ("dataset", dataset, "train->val"):
            return ranking
    return None


def card_html(card: str) -> Markup:
    """A data set's card, Markdown, as HTML: no HTML of its own, no images, headings one lower."""
    if not card:
        return Markup("")
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    text = re.sub(r"(?m)^!\[.*\]\(.*\)\s*$", "", card)
    text = re.sub(r"\A\s*# .*\n", "", text)  # the page has the name already
    rendered = _HEADING.sub(lambda m: f"<{m[1]}h{min(6, int(m[2]) + 1)}>", reader.render(text))
    rendered = rendered.replace(' style="text-align:right"', ' class="number"')
    number = itertools.count(1)
    tables = re.sub(
        "<table>",
        lambda _: (
            f'<div class="scroll" role="region" aria-label="Table {next(number)} of the card"'
            ' tabindex="0"><table>'
        ),
        rendered,
    ).replace("</table>", "</table></div>")
    return Markup(re.sub(r'<a href="(?!https?://)[^"]*">(.*?)</a>', r"\1", tables))


def samples_of(view: DatasetView) -> list[Sample]:
    """Small versions of images of a data set, one of each of some classes, evenly chosen.

    None where its declaration names no licence, or no folder of its images was given.
    """
    if view.images is None or not view.licence:
        return []
    from ...sources.folder import index_folder

    try:
        source = index_folder(view.images)
    except ClusterbenchError:
        return []
    labels = source.index.labels
    firsts = {int(label): row for row, label in reversed(list(enumerate(labels)))}
    classes = sorted(firsts)
    chosen = [classes[i * len(classes) // N_SAMPLES] for i in range(N_SAMPLES)]
    samples = []
    for label in dict.fromkeys(chosen):
        content = _small(Path(source.path(firsts[label])))
        if content:
            name = hashlib.sha256(content).hexdigest()[:16]
            words = source.index.class_names[label]
            samples.append(Sample(f"images/{name}.png", content, words))
    return samples


def _small(path: Path) -> bytes:
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.width * image.height > _PIXELS:
                return b""
            image.thumbnail((SIDE, SIDE))
            file = io.BytesIO()
            image.convert("RGBA").save(file, "PNG", optimize=True)
            return file.getvalue()
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
