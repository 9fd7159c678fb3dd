"""Given entries by hand: perfect scores and shared predictions are pointed at, and nothing else."""

from __future__ import annotations

from boards.by_hand import benchmark, board, runs, sha

from clusterbench.leaderboard import rank

ONE = [benchmark(tasks=("t1",))]


def flags(*groups):
    (found,) = rank(board(ONE, *groups))
    return {row.method: [(f.kind, f.seed, f.other) for f in row.flags] for row in found.rows}


def test_ordinary_entries_have_none():
    assert flags(runs("a", {"t1": [0.5] * 3}), runs("b", {"t1": [0.5] * 3})) == {"a": [], "b": []}


def test_clusters_that_are_the_classes():
    perfect = runs("a", {"t1": [0.9] * 3}, metrics={"ami": 1.0, "acc": 1.0})
    assert flags(perfect)["a"] == [("equals targets", seed, "") for seed in range(3)]


def test_predictions_of_another_entrant_and_of_another_seed():
    own = runs("a", {"t1": [0.5] * 3})
    copied = [
        e.model_copy(update={"predictions_sha256": own[0].predictions_sha256})
        for e in runs("b", {"t1": [0.5]})
    ] + runs("b", {"t1": [0.5] * 3})[1:]
    same = [
        e.model_copy(update={"predictions_sha256": sha("one file")})
        for e in runs("c", {"t1": [0.5] * 3})
    ]
    assert flags(own, copied, same) == {
        "a": [("same as other entrant", 0, "b on e, seed 0")],
        "b": [("same as other entrant", 0, "a on e, seed 0")],
        "c": [
            ("same as other seed", 0, "c on e, seed 1"),
            ("same as other seed", 1, "c on e, seed 0"),
            ("same as other seed", 2, "c on e, seed 0"),
        ],
    }


def test_references_and_other_tasks_are_no_copies():
    reference = runs("knn", {"t1": [0.5]}, reference=True, predictions_sha256=sha("x"))
    method = runs("a", {"t1": [0.5] * 3})
    method = [method[0].model_copy(update={"predictions_sha256": sha("x")}), *method[1:]]
    assert flags(reference, method) == {"knn": [], "a": []}


def test_many_copies_are_one_flag_each():
    copies = [
        runs(f"m{i}", {"t1": [0.5] * 3}, predictions_sha256=sha("everyone")) for i in range(50)
    ]
    found = flags(*copies)
    assert {len(of) for of in found.values()} == {6}  # for each seed: another entrant, another seed
    assert found["m0"][0][2] == "m1 on e, seed 0"
    assert found["m9"][0][2] == "m0 on e, seed 0"
