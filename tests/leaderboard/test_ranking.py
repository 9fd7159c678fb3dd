"""Given a leaderboard by hand: means, ranks, and what makes an entrant incomplete."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from clusterbench.errors import InputError
from clusterbench.leaderboard import Entry, Leaderboard, PublishedRow, rank, read_leaderboard
from clusterbench.leaderboard.board.models import BoardBenchmark, TaskDefinition
from clusterbench.results.record import run_key


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def definition(tasks: tuple[str, ...] = ("t1", "t2")) -> BoardBenchmark:
    return BoardBenchmark(
        benchmark="b",
        dataset="d",
        tasks=tuple(
            TaskDefinition(
                name=task,
                manifest_hash=sha(task),
                n_classes=10,
                random_floor={"ami": 0.0, "acc": 0.1},
            )
            for task in tasks
        ),
    )


def entry(method: str, task: str, seed: int, ami: float, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "benchmark": "b",
        "dataset": "d",
        "task": task,
        "manifest_hash": sha(task),
        "encoder": "e",
        "feature_identity": sha("f"),
        "method": method,
        "version": 1,
        "params": {},
        "seed": seed,
        "k": 10,
        "metrics": {"ami": ami, "acc": ami / 2},
        "predictions_sha256": sha("p"),
        "created": "2024-06-03T12:00:00Z",
        "submitted": "2024-06-03T12:00:00Z",
    }
    values |= changes
    values["key"] = run_key(
        manifest_hash=values["manifest_hash"],
        feature_identity=values["feature_identity"],
        **{name: values[name] for name in ("method", "version", "params", "seed", "k")},
    )
    return Entry(**values)


def complete(method: str, ami: float, seeds: int = 3, **changes: Any) -> list[Entry]:
    return [entry(method, t, s, ami, **changes) for t in ("t1", "t2") for s in range(seeds)]


def ranking(entries: list[Entry]) -> Any:
    (found,) = rank(Leaderboard(benchmarks=(definition(),), entries=tuple(entries)))
    return found


def test_mean_over_tasks_of_the_mean_over_seeds_by_hand() -> None:
    values = {"t1": (0.1, 0.2, 0.3), "t2": (0.7, 0.8, 0.9)}
    entries = [entry("m", t, s, v) for t, row in values.items() for s, v in enumerate(row)]
    (row,) = ranking(entries).rows
    assert row.means == pytest.approx({"ami": 0.5, "acc": 0.25})
    assert row.tasks["t1"] == pytest.approx({"ami": 0.2, "acc": 0.1})
    assert (row.rank, row.complete, row.seeds) == (1, True, (0, 1, 2))


def test_the_higher_mean_ranks_first_and_equal_means_share_a_rank() -> None:
    entries = [*complete("a", 0.3), *complete("b", 0.5), *complete("c", 0.3), *complete("d", 0.1)]
    rows = ranking(entries).rows
    assert [row.rank for row in rows] == [1, 2, 2, 4]
    assert rows[0].method == "b" and rows[3].method == "d"


@pytest.mark.parametrize(
    ("dropped", "missing"),
    [
        ({("t2", 0), ("t2", 1), ("t2", 2)}, "1 of 2 tasks (t2)"),
        ({("t1", 2)}, "seeds (t1: 2)"),
        ({("t1", 0), ("t2", 0)}, "seeds (t1: 0 and 1 more tasks)"),
    ],
)
def test_who_lacks_a_task_or_a_seed_is_not_ranked(
    dropped: set[tuple[str, int]], missing: str
) -> None:
    best = [e for e in complete("best", 0.9) if (e.task, e.seed) not in dropped]
    rows = ranking([*best, *complete("worse", 0.1)]).rows
    assert [row.method for row in rows] == ["worse", "best"]
    assert (rows[1].rank, rows[1].means, rows[1].missing) == (None, {}, missing)
    assert rows[1].to_dict()["means"] is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_are_not_ranked(seeds: int) -> None:
    (row,) = ranking(complete("m", 0.5, seeds=seeds)).rows
    assert (row.rank, row.means) == (None, {})


def test_further_seeds_count_only_without_a_gap_and_for_every_task() -> None:
    assert ranking(complete("m", 0.5, seeds=5)).rows[0].complete
    lucky = [*complete("m", 0.5), entry("m", "t1", 3, 0.9)]
    assert ranking(lucky).rows[0].missing == "seeds (t2: 3)"
    gap = [*complete("m", 0.5), entry("m", "t1", 7, 0.9), entry("m", "t2", 7, 0.9)]
    assert ranking(gap).rows[0].missing == "seeds (t1: 3, 4, 5, 6 and 1 more tasks)"


def test_settings_features_versions_and_k_make_different_entrants() -> None:
    entries = [
        *complete("m", 0.1),
        *complete("m", 0.2, params={"x": 1}),
        *complete("m", 0.3, feature_identity=sha("g")),
        *complete("m", 0.4, version=2),
        *complete("m", 0.5, k=20),
    ]
    rows = ranking(entries).rows
    assert [round(row.means["ami"], 1) for row in rows] == [0.5, 0.4, 0.3, 0.2, 0.1]
    assert len({row.entrant for row in rows}) == 5
    assert [row.k for row in rows] == [20, None, None, None, None]


def test_entries_of_another_task_definition_do_not_count() -> None:
    entries = complete("m", 0.5)
    old = entry("m", "t1", 0, 0.5, manifest_hash=sha("older"))
    assert ranking([old, *entries[1:]]).rows[0].missing == "seeds (t1: 0)"


def test_published_rows_stand_beside_the_ranking() -> None:
    row = PublishedRow(
        benchmark="b", method="m", backbone="ViT", metrics={"acc": 0.7}, source="a paper"
    )
    board = Leaderboard(benchmarks=(definition(),), published=(row,))
    (found,) = rank(board)
    assert found.rows == () and found.published == (row,)
    assert found.floor == {"ami": 0.0, "acc": 0.1}


def test_one_benchmark_of_several() -> None:
    board = Leaderboard(benchmarks=(definition(),))
    assert rank(board, "other") == [] and len(rank(board, "b")) == 1


@pytest.mark.parametrize("length", [0, 1, 40, 200])
def test_a_truncated_leaderboard_is_an_input_error(tmp_path: Path, length: int) -> None:
    path = tmp_path / "leaderboard.json"
    whole = json.dumps(Leaderboard(entries=tuple(complete("m", 0.5))).to_dict())
    path.write_text(whole[:length])
    with pytest.raises(InputError, match="not whole JSON"):
        read_leaderboard(path)
    path.write_text(whole)
    assert len(read_leaderboard(path).entries) == 6
