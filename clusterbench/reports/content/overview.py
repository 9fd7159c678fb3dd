"""Several benchmarks and data sets side by side, where a report has them."""

from __future__ import annotations

from ...pages import DataCell, DataColumn, DataRow, DataTable
from ..analysis import Analysis, SectionAnalysis
from ..sections import Contender
from .phrases import place_text, with_reach

#: Columns of the table; more cannot be read side by side.
SECTIONS = 16


def overview_table(analysis: Analysis) -> DataTable | None:
    """Methods by benchmark and data set: the mean AMI over its tasks; None for a single one.

    Rows are in the order of the mean place, without a place of their own: who has fewer of the
    columns would gain by it.
    """
    shown = analysis.sections[:SECTIONS]
    if len(shown) < 2:
        return None
    labels: dict[str, bool] = {}
    for found in shown:
        for contender in found.section.contenders:
            labels.setdefault(found.section.labels[contender], contender.reference)
    rows = []
    for label in sorted(labels, key=lambda name: (labels[name], _mean_place(shown, name), name)):
        cells = [DataCell(label, tags=("reference",) if labels[label] else ())]
        cells += [_cell(found, label) for found in shown]
        rows.append(DataRow(tuple(cells), "reference" if labels[label] else ""))
    left = len(analysis.sections) - len(shown)
    return DataTable(
        key="overview",
        caption="AMI × 100 ± half of its 95% interval, means over the tasks of each",
        columns=(
            DataColumn("method", "Method"),
            *(
                DataColumn(f"s{n}", found.section.title, "percent", best="high")
                for n, found in enumerate(shown)
            ),
        ),
        rows=tuple(rows),
        row_header="method",
        note=(
            "Bold: not told apart from the best of its column. A method without a figure on each "
            "task of a column has none there." + (f" {left} more are below." if left else "")
        ),
    )


def _contender(found: SectionAnalysis, label: str) -> Contender | None:
    return next((c for c, name in found.section.labels.items() if name == label), None)


def _cell(found: SectionAnalysis, label: str) -> DataCell:
    contender = _contender(found, label)
    if contender is None or contender not in found.overall:
        return DataCell()
    estimate, place = found.overall[contender], found.overall_places.get(contender)
    note = f"place {place_text(place)}" if place else ""
    strong = place is not None and place.place == 1
    return DataCell(estimate.mean, with_reach(estimate), strong=strong, note=note)


def _mean_place(shown: tuple[SectionAnalysis, ...], label: str) -> float:
    """Over the sections where it has a place; last for nobody's."""
    each = []
    for found in shown:
        contender = _contender(found, label)
        if contender is not None and contender in found.overall_places:
            place = found.overall_places[contender]
            each.append(place.place + (place.shared_by - 1) / 2)
    return sum(each) / len(each) if each else float("inf")
