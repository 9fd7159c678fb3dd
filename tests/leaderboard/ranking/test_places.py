"""Given boards by hand: who has which place, how far it holds, and who has none."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from boards.by_hand import benchmark, board, entry, marked, runs, wobble
from scipy.stats import t

from clusterbench.leaderboard import Entry, Ranking, rank, rank_tasks
from clusterbench.leaderboard.board.deviations import decoded

ONE = [benchmark(tasks=("t1",))]
TWO = [benchmark()]


def ranked(benchmarks: Any, *groups: list[Entry]) -> Ranking:
    (found,) = rank(board(benchmarks, *groups))
    return found


def places(ranking: Ranking) -> list[tuple[str, int | None, int, tuple[int, int] | None]]:
    return [(r.method, r.place, r.n_sharing, r.places) for r in ranking.rows]


def steady(method: str, ami: float, **changes: Any) -> list[Entry]:
    """Three seeds with nearly one score, so that all but close ones can be told apart."""
    return runs(method, {"t1": [ami - 1e-5, ami, ami + 1e-5]}, **changes)


def test_a_clear_winner_and_two_that_cannot_be_told_apart() -> None:
    """0.9 stands alone; 0.502 and 0.5 lie within their errors over images, 0.01 each."""
    found = ranked(
        ONE,
        steady("close", 0.502, deviations=wobble(1, 0.01)),
        steady("best", 0.9, deviations=wobble(2, 0.01)),
        steady("low", 0.5, deviations=wobble(3, 0.01)),
    )
    assert places(found) == [("best", 1, 1, (1, 1)), ("close", 2, 2, (2, 3)), ("low", 2, 2, (2, 3))]
    assert [row.rank for row in found.rows] == [1, 2, 3]
    shares = [row.stability for row in found.rows]
    assert [(s.first, s.kept) for s in shares if s] == [(1, 1), (0, 1), (0, 1)]
    assert found.basis == "images and seeds"


def test_two_equal_entrants_share_the_first_place() -> None:
    images = wobble(1, 0.01)
    found = ranked(ONE, *(steady(name, 0.5, deviations=images) for name in ("a", "b")))
    assert {row[1:] for row in places(found)} == {(1, 2, (1, 2))}
    assert [row.rank for row in found.rows] == [1, 1]
    assert [row.stability.first for row in found.rows if row.stability] == [0.5, 0.5]
    assert [row.mean_rank for row in found.rows] == [1.5, 1.5]
    assert found.pairs is not None
    assert found.pairs.wins.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert found.pairs.p_value[0, 1] == 1 and not found.pairs.apart.any()


def test_ties_that_are_not_transitive() -> None:
    """Errors over images of 0.01 each, so about 0.014 of a difference.

    Neighbours are 0.026 apart, fewer than two errors; the ends 0.052, nearly four.
    """
    groups = [
        steady(name, ami, deviations=wobble(seed, 0.01))
        for seed, (name, ami) in enumerate([("a", 0.556), ("b", 0.53), ("c", 0.504)], 1)
    ]
    found = ranked(ONE, *groups)
    assert places(found) == [("a", 1, 2, (1, 2)), ("b", 1, 2, (1, 3)), ("c", 3, 1, (2, 3))]


def test_one_entrant_twice_with_other_settings() -> None:
    """Both stand there, each with a place of its own; nothing merges them."""
    found = ranked(
        ONE, steady("m", 0.5), steady("m", 0.6, params={"x": 1}), steady("m", 0.4, version=2)
    )
    assert [(r.method, r.version, r.params, r.place) for r in found.rows] == [
        ("m", 1, {"x": 1}, 1),
        ("m", 1, {}, 2),
        ("m", 2, {}, 3),
    ]
    assert len({row.entrant for row in found.rows}) == 3


def test_missing_seeds_tasks_and_failed_runs_give_no_place() -> None:
    """A failed run enters nothing, so its seed is missing; the best scores do not help."""
    whole = runs("whole", {"t1": [0.1, 0.1, 0.2], "t2": [0.1, 0.2, 0.2]})
    no_task = runs("no task", {"t1": [0.9, 0.9, 0.9]})
    failed = [e for e in runs("failed", {"t1": [0.9] * 3, "t2": [0.9] * 3}) if e.seed != 1]
    two_seeds = runs("two seeds", {"t1": [0.9] * 2, "t2": [0.9] * 2})
    found = ranked(TWO, no_task, failed, whole, two_seeds)
    assert [(r.method, r.place, r.rank, r.interval) for r in found.rows[1:]] == [
        ("failed", None, None, None),
        ("two seeds", None, None, None),
        ("no task", None, None, None),
    ]
    assert [row.missing for row in found.rows] == [
        "",
        "seeds (t1: 1 and 1 more tasks)",
        "seeds (t1: 2 and 1 more tasks)",
        "1 of 2 tasks (t2)",
    ]
    assert found.rows[0].place == 1 and found.rows[0].places == (1, 1)
    # Alone it has nobody to be compared with.
    assert found.pairs is None and found.rows[0].stability is None
    assert found.rows[3].tasks == {"t1": pytest.approx({"ami": 0.9, "acc": 0.45})}


def test_an_interval_and_the_errors_by_hand() -> None:
    """Two tasks with one image error of 0.02 that both share; seeds 0.1, 0.2, 0.3 on average."""
    images = wobble(1, 0.02)
    scores = {"t1": [0.0, 0.2, 0.4], "t2": [0.2, 0.2, 0.2]}
    (row,) = ranked(TWO, runs("m", scores, deviations=images)).rows
    assert row.means["ami"] == pytest.approx(0.2)
    seed = 0.1 / math.sqrt(3)
    assert row.image_error == pytest.approx(0.02, rel=1e-3)  # stored as halves
    assert row.seed_error == pytest.approx(seed)
    reach = math.hypot(t.isf(0.025, 199) * 0.02, t.isf(0.025, 2) * seed)
    assert row.interval is not None
    assert (row.interval.low, row.interval.high) == pytest.approx((0.2 - reach, 0.2 + reach), 1e-3)
    assert row.interval.standard_error == pytest.approx(math.hypot(0.02, seed), rel=1e-3)


def test_images_are_paired_over_tasks() -> None:
    """Deviations that cancel between two tasks leave a mean that images do not move."""
    images = wobble(1, 0.05)
    entries = runs(
        "m", {"t1": [0.5] * 3, "t2": [0.5] * 3}, deviations={"t1": images, "t2": -images}
    )
    (row,) = ranked(TWO, entries).rows
    assert row.image_error == pytest.approx(0, abs=1e-9)


def test_an_older_board_is_ranked_over_seeds_alone_and_says_so() -> None:
    found = ranked(ONE, steady("a", 0.502), steady("b", 0.5, deviations=wobble(1, 0.05)))
    assert found.basis == "seeds"
    assert [(r.place, r.image_error is None, r.deviations is None) for r in found.rows] == [
        (1, True, True),
        (2, False, False),
    ]
    assert found.pairs is not None and found.pairs.image_error[0, 1] == 0


def test_references_and_the_floor_stand_beside_the_places() -> None:
    found = ranked(
        [benchmark(floors={"t1": 0.02, "t2": 0.04})],
        runs("m", {"t1": [0.5] * 3, "t2": [0.5] * 3}),
        runs("knn", {"t1": [0.9], "t2": [0.7]}, deviations=wobble(1, 0.01), reference=True),
    )
    assert found.floor == pytest.approx({"ami": 0.03, "acc": 0.1})
    reference = found.rows[1]
    assert (reference.place, reference.rank, reference.complete) == (None, None, False)
    assert reference.means["ami"] == pytest.approx(0.8)
    assert reference.label_free is False and reference.seed_error is None
    assert reference.interval is not None  # over images
    assert found.rows[0].place == 1


def test_a_self_reported_entrant_is_shown_and_has_no_place() -> None:
    reported = [marked(e, status="self-reported", label_free=None) for e in steady("told", 0.99)]
    cheat = [marked(e, label_free=False) for e in steady("taught", 0.7)]
    free = [marked(e, label_free=True) for e in steady("m", 0.5)]
    found = ranked(ONE, reported, free, cheat)
    assert [(r.method, r.place, r.status, r.label_free) for r in found.rows] == [
        ("taught", 1, "verified", False),
        ("m", 2, "verified", True),
        ("told", None, "self-reported", None),
    ]
    assert found.rows[2].means["ami"] == pytest.approx(0.99)


def test_entries_without_the_aggregated_metrics_have_no_mean() -> None:
    bare = [marked(e, status="self-reported", metrics={"nmi": 0.9}) for e in steady("nmi", 0.9)]
    (row,) = ranked(ONE, bare).rows
    assert (row.means, row.tasks, row.place) == ({}, {"t1": {}}, None)


def test_by_encoder_methods_are_compared_on_the_same_features() -> None:
    entries = [steady("a", 0.5), steady("b", 0.6), steady("a", 0.9, encoder="large")]
    (all_of_them,) = rank(board(ONE, *entries))
    assert [(r.method, r.encoder, r.place) for r in all_of_them.rows] == [
        ("a", "large", 1),
        ("b", "e", 2),
        ("a", "e", 3),
    ]
    small, large = rank(board(ONE, *entries), by_encoder=True)
    assert (small.encoder, places(small)) == ("e", [("b", 1, 1, (1, 1)), ("a", 2, 1, (2, 2))])
    assert (large.encoder, places(large)) == ("large", [("a", 1, 1, (1, 1))])


def test_two_features_of_one_encoders_name_are_told_apart() -> None:
    entries = [steady("a", 0.5), steady("a", 0.6, feature_identity="0" * 64)]
    found = rank(board(ONE, *entries), by_encoder=True)
    assert len(found) == 2 and {r.encoder.split()[0] for r in found} == {"e"}
    assert "e 000000" in {r.encoder for r in found}


def test_a_task_is_ranked_by_itself() -> None:
    """Who lacks the other task is complete here."""
    entries = [
        *runs("a", {"t1": [0.1] * 3, "t2": [0.9] * 3}),
        *runs("b", {"t1": [0.2] * 3}),
    ]
    first, second = rank_tasks(board(TWO, entries))
    assert (first.scope, first.task, places(first)) == (
        "task",
        "t1",
        [("b", 1, 1, (1, 1)), ("a", 2, 1, (2, 2))],
    )
    assert places(second) == [("a", 1, 1, (1, 1))]
    assert [r.task for r in rank_tasks(board(TWO, entries), "b", "t2")] == ["t2"]


def test_wins_over_tasks_and_clear_ones() -> None:
    """a wins t1 by far, and t2 within the errors over images."""
    a = runs("a", {"t1": [0.9] * 3, "t2": [0.501] * 3}, deviations=wobble(1, 0.01))
    b = runs("b", {"t1": [0.5] * 3, "t2": [0.5] * 3}, deviations=wobble(2, 0.01))
    pairs = ranked(TWO, a, b).pairs
    assert pairs is not None
    assert pairs.wins.tolist() == [[0.5, 1], [0, 0.5]]
    assert pairs.clear_wins.tolist() == [[0, 0.5], [0, 0]]


def test_every_figure_can_be_computed_from_the_raw_ones() -> None:
    rng = np.random.default_rng(0)
    groups = [
        runs(
            name,
            {task: (ami + 0.02 * rng.normal(size=3)).tolist() for task in ("t1", "t2")},
            deviations=wobble(seed, 0.02),
        )
        for seed, (name, ami) in enumerate([("a", 0.7), ("b", 0.68), ("c", 0.3), ("d", 0.29)])
    ]
    content = json.loads(json.dumps(ranked(TWO, *groups).to_dict()))
    weights = {task["key"]: task["weight"] for task in content["tasks"]}
    rows = content["rows"]
    by_seed, images = [], []
    for row in rows:
        scores = {t_: [s["ami"] for s in of.values()] for t_, of in row["scores"].items()}
        seeds = sum(weights[t_] * np.array(values) for t_, values in scores.items())
        by_seed.append(np.asarray(seeds))
        images.append(decoded(row["deviations"]))
        assert row["means"]["ami"] == pytest.approx(float(np.mean(seeds)))
        assert row["seed_error"] == pytest.approx(float(np.std(seeds, ddof=1)) / math.sqrt(3))
        assert row["image_error"] == pytest.approx(3 * float(np.std(images[-1], ddof=1)), rel=1e-3)
    for i, j in ((0, 1), (0, 2), (2, 3)):
        pairs = content["pairs"]
        image = 3 * float(np.std(images[i] - images[j], ddof=1))
        seed = float(np.std(by_seed[i] - by_seed[j], ddof=1)) / math.sqrt(3)
        assert pairs["image_error"][i][j] == pytest.approx(image, rel=1e-3)
        assert pairs["seed_error"][i][j] == pytest.approx(seed)
        assert pairs["difference"][i][j] == pytest.approx(by_seed[i].mean() - by_seed[j].mean())
        assert pairs["apart"][i][j] == (pairs["p_value"][i][j] <= 1 - content["level"])
    for i, row in enumerate(rows):
        above = sum(pairs["apart"][i][j] for j in range(i))
        below = sum(pairs["apart"][i][j] for j in range(i + 1, 4))
        assert row["places"] == [1 + above, 4 - below]


def test_a_board_of_many_entrants_is_cut_where_it_is_shown() -> None:
    entries = [entry(f"m{i}", 1 - i / 1000, seed=s) for i in range(120) for s in range(3)]
    found = ranked(ONE, entries)
    assert found.pairs is not None and found.pairs.wins.shape == (100, 100)
    assert [row.place for row in found.rows] == list(range(1, 121))


def test_a_benchmark_without_tasks_is_an_empty_ranking() -> None:
    found = ranked([benchmark(tasks=())])
    assert (found.benchmark, found.dataset, found.rows, found.floor) == ("b", "d", (), {})
    assert rank_tasks(board([benchmark(tasks=())])) == []
