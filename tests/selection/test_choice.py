"""The choice among candidates: what it takes, what is out, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_toys import groups, nearest, wrong

from clusterbench.errors import InputError
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.selection import CRITERIA, best, choose

ROWS = groups(6, 20, 0.7)
TRUE = np.arange(6).repeat(20)
NEAR = nearest(ROWS, ROWS, 5, itself=True)
OTHER = groups(6, 20, 0.9, dim=5, seed=4)
SHARES = (0.7, 0.1, 0.4, 0.9)
CANDIDATES = [wrong(TRUE, share, seed) for seed, share in enumerate(SHARES)]


def given_to(criterion: str, n: int = len(CANDIDATES)) -> dict[str, Any]:
    """What a criterion needs; losses that call the later candidates better."""
    if criterion == "loss":
        return {"losses": -np.arange(n)}
    if criterion == "consistency":
        return {"neighbours": NEAR}
    return {} if criterion == "agreement" else {"spaces": [ROWS, OTHER]}


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "loss"])
def test_each_criterion_puts_candidates_in_the_order_of_their_errors(criterion: Any) -> None:
    chosen = choose(CANDIDATES, criterion, **given_to(criterion))
    assert (chosen.index, chosen.criterion) == (1, criterion)
    assert np.argsort(chosen.scores).tolist() == np.argsort(SHARES)[::-1].tolist()


def test_the_lowest_loss_is_taken_and_shown_with_more_being_better() -> None:
    chosen = choose(CANDIDATES, "loss", losses=[0.5, 0.25, np.nan, np.inf])
    assert chosen.index == 1
    assert np.array_equal(chosen.scores, [-0.5, -0.25, np.nan, np.nan], equal_nan=True)


@pytest.mark.parametrize("criterion", CRITERIA)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_other_names_of_the_clusters_change_nothing(criterion: Any, data: Any) -> None:
    names = data.draw(st.permutations(range(6)))
    scale, shift = data.draw(st.integers(1, 50_000)), data.draw(st.integers(0, 9))
    renamed = [np.array(names)[one] * scale + shift for one in CANDIDATES]
    what = given_to(criterion)
    assert choose(renamed, criterion, **what) == choose(CANDIDATES, criterion, **what)
    words = [np.array([f"c{label}" for label in one]) for one in CANDIDATES]
    assert choose(words, criterion, **what) == choose(CANDIDATES, criterion, **what)


@pytest.mark.parametrize("criterion", CRITERIA)
@settings(max_examples=10, deadline=None)
@given(at=st.integers(0, len(CANDIDATES)), cluster=st.integers(0, 9), seed=st.integers(0, 99))
def test_one_cluster_for_all_never_wins(criterion: Any, at: int, cluster: int, seed: int) -> None:
    """Also over clusters that know nothing, and with the lowest loss."""
    noise = [np.random.default_rng(seed + i).integers(0, 6, len(ROWS)) for i in range(4)]
    for others in (CANDIDATES, noise):
        merged = [*others[:at], np.full(len(ROWS), cluster), *others[at:]]
        what = given_to(criterion, len(merged))
        if criterion == "loss":
            what["losses"] = np.arange(len(merged)) != at
        chosen = choose(merged, criterion, **what)
        assert chosen.index != at
        assert np.isnan(chosen.scores[at])


@pytest.mark.parametrize("criterion", ["consistency", "agreement", "silhouette"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_rows_in_another_order_have_the_same_scores(criterion: Any, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(ROWS))
    place = np.argsort(order)
    what = given_to(criterion)
    if criterion == "consistency":
        moved: dict[str, Any] = {"neighbours": place[NEAR[order]]}
    else:
        moved = {"spaces": [ROWS[order]]} if "spaces" in what else {}
        what = {"spaces": [ROWS]} if "spaces" in what else {}
    here = choose(CANDIDATES, criterion, **what)
    there = choose([one[order] for one in CANDIDATES], criterion, **moved)
    assert there.index == here.index
    assert there.scores == pytest.approx(here.scores, abs=1e-6)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_of_equals_the_first_is_taken(criterion: Any) -> None:
    what = given_to(criterion, 3)
    if criterion == "loss":
        what["losses"] = [2.0, 1.0, 1.0]
    candidates = [CANDIDATES[0], CANDIDATES[1], CANDIDATES[1].copy()]
    chosen = choose(candidates, criterion, **what)
    assert chosen.index == 1
    assert chosen.scores[1] == chosen.scores[2]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_where_nothing_is_apart_something_is_taken(criterion: Any) -> None:
    what = given_to(criterion, 2)
    if criterion == "loss":
        what["losses"] = [2.0, 1.0]
    one = np.zeros(len(ROWS), dtype=int)
    assert choose([one, one], criterion, **what).index == (1 if criterion == "loss" else 0)
    assert choose([CANDIDATES[0]], criterion, **given_to(criterion, 1)).index == 0


def test_linear_does_not_reward_clusters_that_are_merged() -> None:
    """Two halves of the groups are easier to find again than six groups."""
    halves, groups_of_six = TRUE // 3, wrong(TRUE, 0.05)
    alone = choose([halves], "linear", spaces=[ROWS]).scores[0]
    both = choose([halves, groups_of_six], "linear", spaces=[ROWS])
    assert both.scores[0] == pytest.approx(alone * 2 / 6)
    assert both.index == 1
    asked = choose([halves], "linear", spaces=[ROWS], n_clusters=6).scores[0]
    assert asked == pytest.approx(alone * 2 / 6)


def test_held_out_rows_judge_by_their_neighbours_among_the_training_rows() -> None:
    order = np.random.default_rng(0).permutation(len(ROWS))
    apart, kept = order[:40], order[40:]
    near = nearest(ROWS[apart], ROWS[kept], 5, itself=False)
    chosen = choose(
        [one[kept] for one in CANDIDATES],
        "consistency",
        neighbours=near,
        held_out=[one[apart] for one in CANDIDATES],
    )
    assert np.argsort(chosen.scores).tolist() == np.argsort(SHARES)[::-1].tolist()


@pytest.mark.parametrize("criterion", ["silhouette", "calinski-harabasz", "linear"])
def test_rows_that_are_read_in_blocks_have_the_scores_of_an_array(
    criterion: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = choose(CANDIDATES, criterion, spaces=[ROWS])
    np.save(tmp_path / "rows.npy", ROWS.astype(np.float64))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    monkeypatch.setattr("clusterbench.selection.spaces._NUMBERS", 7 * ROWS.shape[1])
    monkeypatch.setattr("clusterbench.selection.centroid_index._BLOCK", 11)
    found = choose(CANDIDATES, criterion, spaces=[ArrayRows(mapped)])
    assert found.scores == pytest.approx(whole.scores, rel=1e-9)


@pytest.mark.parametrize("criterion", ["silhouette", "linear"])
def test_a_sample_is_drawn_by_the_seed(criterion: Any) -> None:
    def scores(seed: int) -> tuple[float, ...]:
        return choose(CANDIDATES, criterion, spaces=[ROWS], max_rows=60, random_state=seed).scores

    assert scores(1) == scores(1) != scores(2)


@pytest.mark.parametrize(
    ("criterion", "candidates", "what", "message"),
    [
        ("best", CANDIDATES, {}, "criterion: 'best'"),
        ("loss", [], {}, "there is no candidate"),
        ("loss", CANDIDATES, {}, "needs losses"),
        ("loss", CANDIDATES, {"losses": [1.0, 2.0]}, r"shape \(2,\)"),
        ("loss", CANDIDATES, {"losses": [np.nan] * 4}, "no candidate has a finite loss"),
        ("agreement", [[0, 1], [0, 1, 1]], {}, "candidate 1 has 3 rows and candidate 0 has 2"),
        ("agreement", [[0, 1], [0, -1]], {}, "candidate 1 leaves row 1 without a cluster"),
        ("consistency", CANDIDATES, {}, "needs neighbours"),
        ("consistency", CANDIDATES, {"neighbours": NEAR[:50]}, r"\(50, 5\); wanted .*\(120, k\)"),
        ("consistency", CANDIDATES, {"neighbours": NEAR + 1}, "name row 120"),
        ("consistency", CANDIDATES, {"neighbours": NEAR - 1}, "name row -1"),
        ("consistency", CANDIDATES, {"neighbours": NEAR / 2}, "are float64"),
        (
            "consistency",
            CANDIDATES,
            {"neighbours": NEAR, "held_out": CANDIDATES[:2]},
            "held_out has 2 arrays and there are 4",
        ),
        (
            "consistency",
            CANDIDATES[:2],
            {"neighbours": NEAR, "held_out": [TRUE, TRUE[1:]]},
            "held_out has arrays of",
        ),
        ("silhouette", CANDIDATES, {}, "needs spaces"),
        ("silhouette", CANDIDATES, {"spaces": [ROWS, ROWS[1:]]}, "space 1 has 119 rows"),
        ("silhouette", CANDIDATES, {"spaces": [ROWS * np.nan]}, "space 0: X has NaN"),
        ("silhouette", CANDIDATES, {"spaces": [ROWS, ROWS], "pool": "mean"}, "pool='mean'"),
        ("silhouette", CANDIDATES, {"spaces": [ROWS], "max_rows": 0}, "max_rows"),
        ("linear", CANDIDATES, {"spaces": [ROWS], "folds": 1}, "folds=1"),
        ("linear", CANDIDATES, {"spaces": [ROWS], "n_clusters": 5}, "n_clusters=5"),
    ],
)
def test_what_cannot_be_used_is_named(
    criterion: Any, candidates: Any, what: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose(candidates, criterion, **what)


def test_no_table_of_rows_times_clusters_or_rows_times_rows_is_made() -> None:
    """60,000 rows in 3,000 clusters: a dense table would be 720 MB, one of all rows 14 GB."""
    import tracemalloc

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60_000, 4)).astype(np.float32)
    candidates = [rng.integers(0, 3000, 60_000).astype(np.int32) for _ in range(2)]
    near = rng.integers(0, 60_000, (60_000, 10)).astype(np.int32)
    what = {"loss": {"losses": [1, 2]}, "consistency": {"neighbours": near}, "agreement": {}}
    tracemalloc.start()
    try:
        for criterion in CRITERIA:
            more = what.get(criterion, {"spaces": [rows], "max_rows": 2000})
            choose(candidates, criterion, **more)
        assert tracemalloc.get_traced_memory()[1] < 250 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "agreement"])
def test_scores_of_some_candidates_at_a_time_choose_as_all_at_once(criterion: Any) -> None:
    """As processes do that have some of the heads each; agreement needs all."""
    candidates = [*CANDIDATES, np.zeros(len(ROWS), int), TRUE // 3]
    what = given_to(criterion, 6)
    if "spaces" in what:
        what = {"spaces": [ROWS], "n_clusters": 6}
    whole = choose(candidates, criterion, **what)
    parts = []
    for at in (slice(0, 2), slice(2, 6)):
        some = {"losses": what["losses"][at]} if criterion == "loss" else what
        parts += choose(candidates[at], criterion, **some).scores
    assert np.array_equal(parts, whole.scores, equal_nan=True)
    used = np.array([len(np.unique(one)) for one in candidates])
    assert best(np.array(parts), used) == whole.index


@pytest.mark.parametrize(
    ("scores", "used", "wanted"),
    [
        ([0.1, 0.4, 0.4], [2, 2, 2], 1),
        ([0.1, 0.4, 0.9], [2, 2, 1], 1),
        ([np.nan, 0.4, 0.9], [2, 1, 1], 2),
        ([np.nan, np.nan], [1, 2], 1),
        ([np.nan, np.nan], [1, 1], 0),
        ([-np.inf, np.inf], [2, 2], 1),
        ([np.nan, -np.inf], [2, 2], 1),
    ],
)
def test_the_best_has_a_score_and_several_clusters_if_one_has(
    scores: list[float], used: list[int], wanted: int
) -> None:
    assert best(np.array(scores), np.array(used)) == wanted


def test_rows_that_are_all_alike_have_no_linear_classifier_and_no_error() -> None:
    rows = np.tile(np.arange(1.0, 9.0), (40, 1))
    chosen = choose([np.arange(40) % 4, np.arange(40) % 3], "linear", spaces=[rows])
    assert np.isfinite(chosen.scores).all()


def test_held_out_clusters_of_other_names_are_refused() -> None:
    labels = [np.arange(40) % 4, np.arange(40) % 3]
    table = np.arange(20)[:, None] % 40
    for other in (
        [found[:20] + 100 for found in labels],
        [found[:20].astype(str) for found in labels],
    ):
        with pytest.raises(InputError, match="no cluster that its candidate has"):
            choose(labels, "consistency", neighbours=table, held_out=other)


@pytest.mark.parametrize(
    "given",
    [
        {"criterion": "loss", "losses": ["a", "b"]},
        {"criterion": "loss", "losses": {0: 1}},
        {"criterion": "consistency", "neighbours": [[1], [1, 2]]},
        {"criterion": "linear", "spaces": [np.eye(40)], "random_state": -1},
        {"criterion": "linear", "spaces": [np.eye(40)], "random_state": None},
        {"criterion": "agreement", "candidates": None},
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(given: dict[str, Any]) -> None:
    candidates = given.pop("candidates", [np.arange(40) % 4, np.arange(40) % 3])
    with pytest.raises(InputError):
        choose(candidates, **given)
