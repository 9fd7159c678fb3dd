"""Given benchmarks on data sets by hand: what a ranking over them weighs, and who is on it."""

from __future__ import annotations

import pytest
from boards.by_hand import benchmark, board, runs

from clusterbench.leaderboard import rank_overall

MANY = benchmark("many", "d", ("m1", "m2", "m3"))
FEW = benchmark("few", "d", ("f",))


def scored(method, many, few, seeds=3, **changes):
    """The same score on each task of a benchmark."""
    return [
        *runs(method, {task: [many] * seeds for task in ("m1", "m2", "m3")}, of="many", **changes),
        *runs(method, {"f": [few] * seeds}, of="few", **changes),
    ]


def test_benchmarks_weigh_the_same_however_many_tasks_they_have():
    """a: (0.9 + 0.1) / 2; b: (0.6 + 0.5) / 2. By tasks a would win."""
    (found,) = rank_overall(board([MANY, FEW], scored("a", 0.9, 0.1), scored("b", 0.6, 0.5)))
    assert (found.scope, found.benchmark, found.dataset) == ("dataset", "", "d")
    assert [(r.method, r.means["ami"]) for r in found.rows] == [
        ("b", pytest.approx(0.55)),
        ("a", pytest.approx(0.5)),
    ]
    assert [(t.key, t.weight) for t in found.tasks] == [
        *((f"many/d/m{i}", pytest.approx(1 / 6)) for i in (1, 2, 3)),
        ("few/d/f", pytest.approx(1 / 2)),
    ]
    # Ranks and wins weigh the tasks alike: a is first in all of many, b in few.
    assert [r.mean_rank for r in found.rows] == pytest.approx([1.5, 1.5])
    assert found.pairs is not None and found.pairs.wins[0, 1] == pytest.approx(0.5)
    assert found.floor == pytest.approx({"ami": 0, "acc": 0.1})


def test_who_lacks_a_benchmark_is_incomplete():
    part = runs("part", {task: [0.99] * 3 for task in ("m1", "m2", "m3")}, of="many")
    (found,) = rank_overall(board([MANY, FEW], scored("a", 0.5, 0.5), scored("b", 0.4, 0.4), part))
    assert [(r.method, r.place, r.missing) for r in found.rows] == [
        ("a", 1, ""),
        ("b", 2, ""),
        ("part", None, "1 of 4 tasks (few/d/f)"),
    ]


def test_a_benchmark_that_one_method_has_run_makes_nobody_incomplete():
    own = benchmark("own", "d", ("o",))
    alone = runs("a", {"o": [0.99] * 3}, of="own")
    (found,) = rank_overall(
        board([MANY, FEW, own], scored("a", 0.4, 0.4), scored("b", 0.5, 0.5), alone)
    )
    assert [(r.method, r.place) for r in found.rows] == [("b", 1), ("a", 2)]
    assert found.left_out == ("own/d",)


def test_of_different_numbers_of_seeds_those_count_that_all_tasks_have():
    """A fourth seed on one benchmark: its 0.9 does not count."""
    more = [
        *runs("a", {"m1": [0.1, 0.2, 0.3, 0.9]}, of="many"),
        *runs("a", {"f": [0.4] * 3}, of="few"),
    ]
    other = [*runs("b", {"m1": [0.1] * 3}, of="many"), *runs("b", {"f": [0.1] * 3}, of="few")]
    (found,) = rank_overall(board([benchmark("many", "d", ("m1",)), FEW], more, other))
    row = found.rows[0]
    assert (row.method, row.seeds, row.means["ami"]) == ("a", (0, 1, 2), pytest.approx(0.3))
    assert set(row.scores["many/d/m1"]) == {"0", "1", "2"}
    # A gap within one benchmark still counts as one.
    gap = [e for e in more if (e.benchmark, e.seed) != ("many", 1)]
    (found,) = rank_overall(
        board([benchmark("many", "d", ("m1",)), FEW], gap, other, _renamed(other))
    )
    assert [r.missing for r in found.rows] == ["", "", "seeds (many/d/m1: 1)"]


def _renamed(entries):
    return [
        *runs("c", {"m1": [0.1] * 3}, of="many"),
        *runs("c", {"f": [0.1] * 3}, of="few"),
    ][: len(entries)]


def test_over_data_sets_an_entrant_is_a_method_on_the_features_most_were_run_on():
    """On d, two methods were run on `small` and one on `large`; on x all on `other`."""
    on_d, on_x = benchmark("b", "d", ("t",)), benchmark("b", "x", ("t",))

    def on(method, dataset, encoder, ami):
        return runs(method, {"t": [ami] * 3}, dataset=dataset, encoder=encoder)

    found = rank_overall(
        board(
            [on_d, on_x],
            on("a", "d", "small", 0.2),
            on("a", "d", "large", 0.9),
            on("b", "d", "small", 0.3),
            on("a", "x", "other", 0.6),
            on("b", "x", "other", 0.4),
        )
    )
    assert [(r.scope, r.dataset) for r in found] == [
        ("dataset", "d"),
        ("dataset", "x"),
        ("overall", ""),
    ]
    overall = found[2]
    assert overall.features == {"d": "small", "x": "other"}
    assert [(r.method, r.encoder, r.means["ami"]) for r in overall.rows] == [
        ("a", "", pytest.approx(0.4)),
        ("b", "", pytest.approx(0.35)),
    ]
    # Within a data set each encoder's features are an entrant of their own.
    assert [(r.method, r.encoder) for r in found[0].rows] == [
        ("a", "large"),
        ("b", "small"),
        ("a", "small"),
    ]


def test_by_encoder_and_of_nothing():
    entries = [*scored("a", 0.5, 0.5), *scored("b", 0.4, 0.4), *scored("a", 0.9, 0.9, encoder="l")]
    small, large = rank_overall(board([MANY, FEW], entries), by_encoder=True)
    assert (small.encoder, [r.method for r in small.rows]) == ("e", ["a", "b"])
    assert (large.encoder, large.rows, large.left_out) == ("l", (), ("many/d", "few/d"))
    assert rank_overall(board([MANY])) == []
