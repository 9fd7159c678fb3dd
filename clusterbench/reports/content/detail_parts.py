"""One method on one task, closely: its classes, those it confuses, its clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...pages import (
    ChartAxis,
    ChartPoint,
    ChartSeries,
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    LineChart,
    page_id,
)
from ..analysis import SectionAnalysis, TaskDetail
from ..class_facts import BANDS
from ..cluster_facts import ClusterContent
from .parts import Block, FoldedPart, ImageRows, Passage, ReportPart
from .phrases import many, percent

#: Classes at either end of a table by ACC; points of a picture of classes or of sizes.
END_CLASSES, CLASS_POINTS, SIZE_POINTS = 8, 150, 40


def detail_part(
    found: SectionAnalysis, detail: TaskDetail, gallery: ImageRows | None = None
) -> ReportPart:
    """The part of one method on one task."""
    name = found.section.labels[detail.contender]
    key = page_id(found.section.key("detail"), detail.task.label, name)
    blocks: list[Block] = [Passage(_clusters_text(detail))]
    chart = class_chart(key, detail, name)
    blocks += [chart] if chart is not None else []
    blocks.append(confusion_table(key, detail))
    if gallery is not None:
        blocks.append(gallery)
    blocks.append(cluster_table(key, detail))
    blocks.append(FoldedPart("Sizes of clusters and classes", (size_chart(key, detail, name),)))
    blocks.append(FoldedPart("Classes found best and worst", (class_table(key, detail),)))
    return ReportPart(key, f"{name} on {detail.task.label}", tuple(blocks))


def _clusters_text(detail: TaskDetail) -> str:
    sizes, k = detail.sizes, detail.run.record.k
    text = (
        f"{many(k, 'cluster')} for {many(detail.task.n_classes, 'class', 'classes')} and "
        f"{many(int(sizes.classes.sum()), 'image')}: the largest holds {int(sizes.clusters[0]):,}"
    )
    text += f", {many(sizes.n_single, 'cluster')} one image" if sizes.n_single else ""
    verb = "is" if sizes.n_empty == 1 else "are"
    text += f", {sizes.n_empty:,} {verb} empty" if sizes.n_empty else ", none is empty"
    seeds = len(detail.task.cells[detail.contender].successes)
    if seeds > 1:
        text += (
            f". Clusters are those of seed {detail.run.record.seed}, of the median AMI; figures of "
            f"classes are means over {seeds} seeds"
        )
    return f"{text}."


def class_chart(key: str, detail: TaskDetail, name: str) -> LineChart | None:
    """ACC of each class against its training images; None where all classes have the same."""
    facts = detail.classes
    scored = np.flatnonzero((facts.sizes > 0) & (facts.train_sizes > 0))
    if len(np.unique(facts.train_sizes[scored])) < 2:
        return None
    sizes, acc = facts.train_sizes[scored], facts.acc[scored]
    points = _class_points(sizes, acc, [detail.words[c] for c in scored])
    binned = len(points) < len(scored)
    means = []
    order = np.argsort(-sizes, kind="stable")
    start = 0
    for band in BANDS:
        n, value = facts.band_classes[band], facts.bands[band]
        members = sizes[order[start : start + n]]
        start += n
        if n and value is not None:
            means.append(ChartPoint(float(np.exp(np.log(members).mean())), value, label=band))
    what = "A point is the mean of classes of about one size" if binned else "A point is a class"
    bands = ", ".join(f"{point.label} {percent(point.y)}" for point in means)
    return LineChart(
        key=f"{key}-classes",
        title=f"ACC of a class against its training images, {name} on {detail.task.label}",
        summary=f"{what}; mean of each third: {bands}.",
        x=ChartAxis("training images of the class", "log"),
        y=ChartAxis("ACC × 100", low=0.0, high=1.0, percent=True),
        series=(
            ChartSeries("classes", points, joined=False, look=0),
            ChartSeries("mean of the third", tuple(reversed(means)), look=1),
        ),
    )


def _class_points(
    sizes: np.ndarray, acc: np.ndarray, words: Sequence[str]
) -> tuple[ChartPoint, ...]:
    """A point for each class, or for so many groups of classes of neighbouring size."""
    order = np.argsort(sizes, kind="stable")
    if len(order) <= CLASS_POINTS:
        return tuple(
            ChartPoint(float(sizes[c]), float(acc[c]), label=words[c]) for c in order.tolist()
        )
    points = []
    for group in np.array_split(order, CLASS_POINTS):
        x, y = float(np.exp(np.log(sizes[group]).mean())), float(acc[group].mean())
        points.append(ChartPoint(x, y, label=many(len(group), "class", "classes")))
    return tuple(points)


def confusion_table(key: str, detail: TaskDetail) -> DataTable:
    """Pairs of classes that share clusters most."""
    words, sizes = detail.words, detail.classes.sizes
    rows = tuple(
        DataRow(
            (
                DataCell(words[pair.first]),
                DataCell(words[pair.second]),
                DataCell(pair.share),
                DataCell(pair.own),
                DataCell(f"{int(sizes[pair.first]):,} and {int(sizes[pair.second]):,}"),
            )
        )
        for pair in detail.pairs
    )
    return DataTable(
        key=f"{key}-confused",
        caption="Most confused classes",
        columns=(
            DataColumn("first", "Class"),
            DataColumn("second", "and class"),
            DataColumn(
                "share",
                "Together (%)",
                "percent",
                digits=0,
                help="How often an image of one and an image of the other have one cluster, in %.",
            ),
            DataColumn(
                "own",
                "Within a class (%)",
                "percent",
                digits=0,
                help="How often two images of the same of these classes have one cluster, in %.",
            ),
            DataColumn("images", "Images"),
        ),
        rows=rows,
        row_header="first",
        note=(
            "Together: of all pairs of an image of one class and an image of the other, the share "
            "with one cluster, in %. Where it is as high as within a class, the two are one thing "
            "to the method."
            if rows
            else "No two classes share a cluster."
        ),
        tools=False,
    )


def cluster_table(key: str, detail: TaskDetail) -> DataTable:
    """The largest, the most mixed and the smallest clusters with their classes."""
    sizes, rows = detail.sizes, []
    for kind, clusters in (
        ("largest", sizes.largest),
        ("most mixed", sizes.mixed),
        ("smallest", sizes.smallest),
    ):
        for content in clusters:
            paired = None if content.paired is None else detail.words[content.paired]
            rows.append(
                DataRow(
                    (
                        DataCell(f"{kind}: cluster {content.cluster}"),
                        DataCell(content.size),
                        DataCell(paired),
                        DataCell(content_text(content, detail.words)),
                    )
                )
            )
    return DataTable(
        key=f"{key}-clusters",
        caption="Largest, most mixed and smallest clusters",
        columns=(
            DataColumn("cluster", "Cluster"),
            DataColumn("size", "Images", "number", digits=0),
            DataColumn("paired", "Stands for", help="The class that ACC pairs it with."),
            DataColumn("classes", "Classes in it"),
        ),
        rows=tuple(rows),
        row_header="cluster",
        tools=False,
    )


def content_text(content: ClusterContent, words: Sequence[str]) -> str:
    """`person (6), stamp (5) and 9 more classes`."""
    text = ", ".join(f"{words[c]} ({n:,})" for c, n in content.classes)
    left = content.n_classes - len(content.classes)
    return f"{text} and {many(left, 'more class', 'more classes')}" if left else text


def size_chart(key: str, detail: TaskDetail, name: str) -> LineChart:
    """Sizes of clusters beside those of classes, each in descending order."""
    sizes = detail.sizes
    return LineChart(
        key=f"{key}-sizes",
        title=f"Sizes of clusters and classes, {name} on {detail.task.label}",
        summary="Each from the largest to the smallest.",
        x=ChartAxis("place by size, of all × 100", percent=True, low=0.0, high=1.0),
        y=ChartAxis("images"),
        series=(
            ChartSeries("clusters", _sizes(sizes.clusters), look=0),
            ChartSeries("classes", _sizes(sizes.classes), look=7),
        ),
    )


def _sizes(values: np.ndarray) -> tuple[ChartPoint, ...]:
    n = min(len(values), SIZE_POINTS)
    places = np.unique(np.linspace(0, len(values) - 1, n).round().astype(int))
    last = max(1, len(values) - 1)
    return tuple(ChartPoint(float(p / last), float(values[p])) for p in places)


def class_table(key: str, detail: TaskDetail) -> DataTable:
    """The classes of the highest and the lowest ACC."""
    facts = detail.classes
    scored = np.flatnonzero(facts.sizes > 0)
    order = scored[np.lexsort((scored, -facts.sizes[scored], -facts.acc[scored]))]
    n = END_CLASSES
    shown = order if len(order) <= 2 * n else np.concatenate([order[:n], order[-n:]])
    rows = []
    for c in shown.tolist():
        acc = float(facts.acc[c])
        cells = (
            DataCell(detail.words[c]),
            DataCell(None if math.isnan(acc) else acc),
            DataCell(int(facts.train_sizes[c])),
            DataCell(int(facts.sizes[c])),
        )
        rows.append(DataRow(cells))
    left = len(order) - len(shown)
    return DataTable(
        key=f"{key}-acc",
        caption="Classes found best and worst",
        columns=(
            DataColumn("name", "Class"),
            DataColumn("acc", "ACC", "percent", digits=0, best="high"),
            DataColumn("train", "Training images", "number", digits=0),
            DataColumn("images", "Scored images", "number", digits=0),
        ),
        rows=tuple(rows),
        row_header="name",
        note=f"{left:,} classes between them are not shown." if left else "",
        tools=False,
    )
