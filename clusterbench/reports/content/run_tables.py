"""The runs behind the figures: each one, those that failed, settings, seconds, environment."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...metrics.table import METRICS
from ...pages import DataCell, DataColumn, DataRow, DataTable
from ..analysis import SHOWN_METRICS, Analysis, SectionAnalysis
from ..collected import ReportRun
from ..fit_facts import environments
from ..sections import Contender
from .phrases import listed
from .score_tables import ordered_contenders

#: Fields of the environment that are listed.
_FIELDS = 40


def run_table(found: SectionAnalysis, most: int | None = None) -> DataTable:
    """Every run of a section, at most so many, with its scores as they are."""
    section = found.section
    columns = [
        DataColumn("task", "Task"),
        DataColumn("method", "Method"),
        DataColumn("seed", "Seed", "number", digits=0),
        *(DataColumn(n, METRICS[n].label, "percent", digits=2) for n in SHOWN_METRICS),
        DataColumn("k", "K", "number", digits=0),
        DataColumn("fit", "Fit (s)", "number", digits=1),
        DataColumn("run", "Run key"),
    ]
    rows = []
    for task in section.tasks:
        for contender in ordered_contenders(found):
            for run in task.cells[contender].runs if contender in task.cells else ():
                record = run.record
                scores = [DataCell(run.scores.get(name)) for name in SHOWN_METRICS]
                cells = (
                    DataCell(task.label),
                    DataCell(section.labels[contender], tags=("failed",) if run.failed else ()),
                    DataCell(record.seed),
                    *scores,
                    DataCell(record.k),
                    DataCell(record.timings.fit),
                    DataCell(record.key[:12]),
                )
                rows.append(DataRow(cells, "incomplete" if run.failed else ""))
    shown = rows if most is None else rows[:most]
    left = len(rows) - len(shown)
    return DataTable(
        key=section.key("runs"),
        caption=f"Every run of {section.title}" if not left else f"{len(shown):,} of the runs",
        columns=tuple(columns),
        rows=tuple(shown),
        row_header="method",
        note=f"{left:,} more runs are not shown." if left else "",
    )


def failure_table(runs: Sequence[ReportRun]) -> DataTable:
    """Runs that failed, each with its error."""
    columns = (
        DataColumn("task", "Task"),
        DataColumn("method", "Method"),
        DataColumn("seed", "Seed", "number", digits=0),
        DataColumn("stage", "Stage"),
        DataColumn("error", "Error"),
        DataColumn("where", "Where"),
    )
    rows = []
    for run in runs:
        record, error = run.record, run.record.error
        told = f"{error.type}: {error.message}" if error else "no error recorded"
        cells = (
            DataCell(f"{record.benchmark}/{record.dataset}/{record.task.name}"),
            DataCell(record.method.name),
            DataCell(record.seed),
            DataCell(error.stage if error else None),
            DataCell(_cut(told, 500)),
            DataCell((error.where or None) if error else None),
        )
        rows.append(DataRow(cells, "incomplete"))
    return DataTable("failed-runs", "Runs that failed", columns, tuple(rows), "method")


def unchecked_table(runs: Sequence[ReportRun]) -> DataTable:
    """Results that could not be scored again, or are otherwise than their predictions."""
    columns = (
        DataColumn("task", "Task"),
        DataColumn("method", "Method"),
        DataColumn("seed", "Seed", "number", digits=0),
        DataColumn("why", "Why"),
        DataColumn("shown", "Shown are"),
    )
    rows = [
        DataRow(
            (
                DataCell(f"{r.record.benchmark}/{r.record.dataset}/{r.record.task.name}"),
                DataCell(r.record.method.name),
                DataCell(r.record.seed),
                DataCell(_cut(r.fault, 500)),
                DataCell(
                    "the scores of its JSON" if r.clusters is None else "those of its clusters"
                ),
            )
        )
        for r in runs
    ]
    return DataTable(
        "unchecked",
        "Results that their predictions do not bear out",
        columns,
        tuple(rows),
        "method",
    )


def settings_table(found: SectionAnalysis) -> DataTable:
    """Each contender's version, K, seeds and settings."""
    section = found.section
    rows = []
    for contender in ordered_contenders(found):
        seeds = sorted(
            {
                run.record.seed
                for task in section.tasks
                for run in (task.cells[contender].runs if contender in task.cells else ())
            }
        )
        rows.append(
            DataRow(
                (
                    DataCell(section.labels[contender]),
                    DataCell(contender.version),
                    DataCell(contender.k, "as classes" if contender.k is None else None),
                    DataCell(listed([str(seed) for seed in seeds])),
                    DataCell(_settings(contender)),
                ),
                "reference" if contender.reference else "",
            )
        )
    return DataTable(
        key=section.key("settings"),
        caption="Settings and seeds",
        columns=(
            DataColumn("method", "Method"),
            DataColumn("version", "Version", "number", digits=0),
            DataColumn("k", "K", "number", digits=0),
            DataColumn("seeds", "Seeds"),
            DataColumn("settings", "Settings"),
        ),
        rows=tuple(rows),
        row_header="method",
        tools=False,
    )


def _settings(contender: Contender) -> str:
    params = json.loads(contender.params)
    text = ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in params.items()
    )
    return _cut(text, 1_000)


def seconds_table(found: SectionAnalysis) -> DataTable:
    """Seconds of a run by method, its failures and warnings."""
    rows = []
    for contender in ordered_contenders(found):
        facts = found.facts[contender]
        rows.append(
            DataRow(
                (
                    DataCell(found.section.labels[contender]),
                    DataCell(facts.n_runs),
                    DataCell(facts.n_failed),
                    DataCell(facts.seconds.fit),
                    DataCell(facts.seconds.predict),
                    DataCell(facts.seconds.score),
                    DataCell(sum(number for _, number in facts.warnings)),
                    DataCell(listed(facts.devices, 3)),
                ),
                "reference" if contender.reference else "",
            )
        )
    return DataTable(
        key=found.section.key("seconds"),
        caption="Seconds of a run, the median over its tasks and seeds",
        columns=(
            DataColumn("method", "Method"),
            DataColumn("runs", "Runs", "number", digits=0),
            DataColumn("failed", "Failed", "number", digits=0),
            DataColumn("fit", "Fit", "number", digits=2, best="low"),
            DataColumn("predict", "Predict", "number", digits=2),
            DataColumn("score", "Score", "number", digits=2),
            DataColumn("warnings", "Warnings", "number", digits=0),
            DataColumn("device", "Made on"),
        ),
        rows=tuple(rows),
        row_header="method",
    )


def diagnostics_table(found: SectionAnalysis) -> DataTable | None:
    """Numbers that methods report of their fits; None where none does."""
    rows = []
    for contender in ordered_contenders(found):
        for one in found.facts[contender].numbers:
            rows.append(
                DataRow(
                    (
                        DataCell(found.section.labels[contender]),
                        DataCell(one.name),
                        DataCell(one.median, f"{one.median:,.4g}"),
                        DataCell(one.low, f"{one.low:,.4g}"),
                        DataCell(one.high, f"{one.high:,.4g}"),
                        DataCell(one.n_runs),
                    )
                )
            )
    if not rows:
        return None
    return DataTable(
        key=found.section.key("told"),
        caption="What methods report of their fits, without any label",
        columns=(
            DataColumn("method", "Method"),
            DataColumn("name", "Diagnostic"),
            DataColumn("median", "Median", "number"),
            DataColumn("low", "Smallest", "number"),
            DataColumn("high", "Largest", "number"),
            DataColumn("runs", "Runs", "number", digits=0),
        ),
        rows=tuple(rows),
        row_header="method",
        note="Yes is 1 and no is 0. Curves and texts stand in the results' JSON.",
    )


def warning_texts(found: SectionAnalysis, most: int = 20) -> list[str]:
    """Warnings of the methods with the number of runs that gave each."""
    texts = []
    for contender, facts in found.facts.items():
        for text, number in facts.warnings:
            label = found.section.labels[contender]
            texts.append(f"{label} ({number:,}×): {_cut(text, 300)}")
    return texts if len(texts) <= most else [*texts[:most], f"{len(texts) - most:,} more"]


def environment_table(analysis: Analysis) -> DataTable:
    """What the runs were made with."""
    rows = []
    found = environments(analysis.collected.runs)
    for made in found[:_FIELDS]:
        several = len(made.values) > 1
        values = [
            f"{_cut(value, 120)} ({n:,} runs)" if several else _cut(value, 120)
            for value, n in made.values
        ]
        rows.append(DataRow((DataCell(made.field), DataCell(listed(values, 6)))))
    left = len(found) - len(rows)
    return DataTable(
        "environment",
        "What the runs were made with",
        (DataColumn("field", "Field"), DataColumn("value", "Value")),
        tuple(rows),
        "field",
        note=f"{left:,} more packages are in the results." if left else "",
        tools=False,
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
