"""Given entries that are called k-means, which of them the others are held against."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from for_pages.boards import METRICS, board, entry

from clusterbench.leaderboard import Leaderboard, build_site
from clusterbench.leaderboard.site.against_baseline import against_baseline, summarised
from clusterbench.leaderboard.site.contents import site_contents


def scores(value: float) -> dict[str, dict[str, float]]:
    return {"metrics": dict.fromkeys(METRICS, value)}


def with_more(some: Leaderboard, *more: object) -> Leaderboard:
    return some.model_copy(update={"entries": (*some.entries, *more)})


@pytest.mark.parametrize(
    "sent", [{"submitter": "a stranger"}, {"source": "a paper"}, {"label_free": None}]
)
def test_an_entry_that_was_sent_in_is_no_baseline_whatever_its_name(
    sent: dict[str, str | None], tmp_path: Path
) -> None:
    """Even with more entries than the one that ran here, and even with its settings."""
    said = {"label_free": True}
    where = [f"task-{i}" for i in range(3)]
    some = board(methods=(), benchmarks=("scale",), n_tasks=3)
    own = [entry("scale", "somewhere", t, "kmeans", 0, **said, **scores(0.5)) for t in where]
    head = [entry("scale", "somewhere", t, "temi", 0, **said, **scores(0.6)) for t in where]
    false = [
        entry("scale", "somewhere", t, "kmeans", seed, params={}, **said | sent, **scores(0.9))
        for t in where
        for seed in range(5)
    ]
    whole = with_more(some, *own, *head, *false)
    found = against_baseline(site_contents(whole, (), {}))
    by_method = {item.entrant.method: round(item.difference, 9) for item in found}
    assert by_method == {"temi": 0.1, "kmeans": 0.4}
    out = build_site(whole, tmp_path / "site").folder
    (path,) = out.glob("downloads/tasks-scale*.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [float(row["kmeans"]) for row in rows] == [0.5] * 3


def test_a_task_where_it_ran_with_other_settings_is_not_lost(tmp_path: Path) -> None:
    """The settings of most entries, where they ran; elsewhere the next; never the best."""
    some = board(methods=("kmeans", "temi"), benchmarks=("scale",), n_tasks=3, n_seeds=2)
    kept = [e for e in some.entries if (e.method, e.task) != ("kmeans", "task-2")]
    other = [
        entry("scale", "somewhere", t, "kmeans", 0, params={"n_init": 9}, **scores(0.99))
        for t in ("task-1", "task-2")
    ]
    whole = some.model_copy(update={"entries": (*kept, *other)})
    found = against_baseline(site_contents(whole, (), {}))
    by_task = {v.where[2]: v.difference for v in found if v.entrant.method == "temi"}
    mean = {
        (e.method, e.task): sum(
            o.metrics["ami"] for o in kept if (o.method, o.task) == (e.method, e.task)
        )
        / 2
        for e in kept
    }
    for task in ("task-0", "task-1"):
        assert by_task[task] == pytest.approx(mean["temi", task] - mean["kmeans", task])
    assert by_task["task-2"] == pytest.approx(mean["temi", "task-2"] - 0.99)
    (temi,) = (v for v in summarised(found).items() if v[1].n_tasks == 3)
    assert temi[1].better < 3
    text = (build_site(whole, tmp_path / "site").folder / "index.html").read_text()
    assert "k-means ran here with several settings" in text
