import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from rankings import full_size, pairing, ranked_targets

from clusterbench import InputError, metrics
from clusterbench.metrics import score
from clusterbench.metrics.top_n import TopScores, score_top


def found_by_hand(targets, ranked, class_of):
    """(n, n_ranks) bool: the class of sample i is that of one of its first r + 1 clusters."""
    return np.array(
        [
            [target in [class_of.get(cluster) for cluster in row[: r + 1]] for r in range(len(row))]
            for target, row in zip(targets.tolist(), ranked.tolist(), strict=True)
        ]
    )


@settings(max_examples=150)
@given(ranked_targets())
def test_top_n_acc_and_its_chance_equal_the_definition(pair):
    targets, ranked = pair
    scores = score_top(targets, ranked)
    kept = targets >= 0
    class_of = pairing(zip(targets[kept], ranked[kept, 0], strict=True))
    targets, ranked = targets[kept], ranked[kept]
    assert scores.top_n_acc == tuple(found_by_hand(targets, ranked, class_of).mean(axis=0))
    n = len(targets)
    # Every row on every sample: what random dealing gives on average.
    dealt = found_by_hand(np.repeat(targets, n), np.tile(ranked, (n, 1)), class_of)
    assert scores.top_n_chance == pytest.approx(dealt.mean(axis=0), abs=1e-12)


@given(ranked_targets())
def test_top_1_is_acc_and_top_n_never_falls(pair):
    targets, ranked = pair
    scores, plain = score_top(targets, ranked), score(targets, ranked[:, 0])
    assert scores.top_n_acc[0] == plain.acc
    assert list(scores.top_n_acc) == sorted(scores.top_n_acc)
    assert 0 <= scores.top_n_chance[-1] <= 1
    assert (scores.n, scores.n_classes) == (plain.n, plain.n_classes)
    assert (scores.n_unassigned, scores.n_unlabelled) == (plain.n_unassigned, plain.n_unlabelled)
    one_rank = score_top(targets, ranked[:, 0])
    assert one_rank == score_top(targets, ranked[:, :1])
    assert one_rank.n_clusters == plain.n_clusters


def test_by_hand():
    """Cluster 7 stands for class 0, 9 for class 1, 8 for none; the last sample has no class."""
    targets = [0, 0, 0, 1, 1, 1, -1]
    ranked = [[7, 9, -1], [7, 8, 9], [8, 9, 7], [9, 7, 8], [9, -1, -1], [7, 9, 8], [3, 9, 7]]
    scores = score_top(targets, ranked)
    assert scores.top_n_acc == (4 / 6, 5 / 6, 1.0)
    # Half of the six samples are of each class, so a rank adds half its share of 7s and 9s:
    # five of them at the first rank, four at the second, two at the third.
    assert scores.top_n_chance == pytest.approx((5 / 12, 9 / 12, 11 / 12))
    assert scores == TopScores(6, 2, 3, 3, 0, 1, scores.top_n_acc, scores.top_n_chance)


def test_later_ranks_do_not_decide_what_a_cluster_stands_for():
    scores = score_top([0, 0, 1, 1, 1], [[0, 1], [0, 1], [0, 1], [0, 1], [0, 1]])
    assert scores.top_n_acc == (0.6, 0.6)


def test_unassigned_samples_are_wrong_at_every_rank():
    scores = score_top([0, 0, 1, 2], [[4, -1], [-1, -1], [-1, -1], [-1, -1]])
    assert scores.top_n_acc == (0.25, 0.25)
    assert (scores.n_unassigned, scores.n_clusters) == (3, 1)
    assert score_top([0, 1], [-1, -1]).top_n_acc == (0.0,)


def test_the_chance_level_is_the_mean_over_dealt_out_rankings():
    rng = np.random.default_rng(0)
    targets = np.minimum(rng.geometric(0.3, size=200), 8)
    ranked = np.array([rng.permutation(10)[:4] for _ in range(200)])
    ranked[::2, 0] = targets[::2]
    ranked[::2, 1:] = 8 + np.array([rng.permutation(5)[:3] for _ in range(100)])
    ranked[::2][targets[::2] == 8] = [8, 1, 2, 3]
    class_of = pairing(zip(targets, ranked[:, 0], strict=True))
    dealt = [
        found_by_hand(targets, ranked[rng.permutation(200)], class_of).mean(axis=0)
        for _ in range(1000)
    ]
    error = 5 * np.std(dealt, axis=0) / np.sqrt(len(dealt))
    chance = np.array(score_top(targets, ranked).top_n_chance)
    assert (np.abs(np.mean(dealt, axis=0) - chance) <= error).all()
    assert (error < 0.01).all()


def test_n_clusters_is_said_or_counted_at_every_rank():
    assert score_top([0, 1], [[0, 3], [3, 5]]).n_clusters == 3
    assert score_top([0, 1], [[0, 3], [3, 5]], n_clusters=6).n_clusters == 6
    assert score_top([0, -1], [[0, 3], [3, 5]]).n_clusters == 2


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64, np.float32])
def test_any_dtype_and_layout_gives_the_same_scores(dtype):
    targets, ranked = np.array([0, 1, 1]), np.array([[2, 1], [1, 2], [0, 1]])
    expected = score_top(targets, ranked)
    assert score_top(targets, np.asfortranarray(ranked.astype(dtype))) == expected
    assert score_top(targets.tolist(), ranked.tolist()) == expected


def test_an_int32_ranking_is_not_changed():
    ranked = np.array([[10**9, 3], [3, 10**9]], np.int32)
    before = ranked.copy()
    assert score_top([0, 1], ranked).n_clusters == 2
    assert np.array_equal(ranked, before)
    assert ranked.flags.writeable


def test_scores_go_to_json():
    record = json.loads(json.dumps(score_top([0, 1], [[0, 1], [1, 0]]).to_dict()))
    assert record["top_n_acc"] == [1.0, 1.0]
    assert record["n_ranks"] == 2


@pytest.mark.parametrize(
    ("ranked", "message"),
    [
        ([[0, 1], [2, 2]], r"ranked has cluster 2 at row 1, rank 2 and at rank 1; a sample's clu"),
        ([[0, 1, 0], [0, 1, 2]], r"cluster 0 at row 0, rank 3 and at rank 1"),
        ([[10**15, 1], [5, 5]], r"cluster 5 at row 1, rank 2 and at rank 1"),
        ([[0, 1], [-1, 2]], r"ranked has cluster 2 at row 1, rank 2 after -1, no further predic"),
        ([[0, 1], [1, -3]], r"ranked has cluster -3 at row 1, rank 2; clusters start at 0"),
        ([[0, 1], [5, 1]], r"cluster 5 at row 1, rank 1 but n_clusters=5; clusters must be 0 to 4"),
        ([[0, 1], [1, 0], [0, 1]], r"2 targets but 3 rows of ranked clusters"),
        ([[[0]], [[1]]], r"ranked has shape \(2, 1, 1\); give \(n, n_ranks\)"),
        (3, r"ranked has shape \(\)"),
        ([[0, 1], [1]], r"ranked cannot be read as an array"),
        ([[], []], r"ranked is empty"),
        ([["a", "b"], ["b", "a"]], r"ranked has dtype <U1; give whole numbers$"),
        ([[True], [False]], r"ranked has dtype bool; give whole numbers$"),
        ([[0, None], [1, 0]], r"ranked has dtype object"),
        ([[0.0, 1.5], [1, 0]], r"ranked has 1.5 at position 1; give whole numbers"),
    ],
)
def test_unusable_rankings_are_named_with_what_was_found(ranked, message):
    with pytest.raises(InputError, match=message):
        score_top([0, 1], ranked, n_clusters=5 if "n_clusters" in message else None)


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ([-1, -1], {}, r"every target is -1"),
        ([0, -2], {}, r"targets has label -2 at position 1"),
        ([0, 1], {"n_clusters": 0}, r"n_clusters=0; give a whole number from 1"),
    ],
)
def test_unusable_targets_and_options_are_named(targets, options, message):
    with pytest.raises(InputError, match=message):
        score_top(targets, [[0], [1]], **options)


def test_full_size_takes_a_few_arrays_of_n():
    """522,500 samples in 10,450 classes, five ranks: 10 MB of rankings, below 40 MB beside them."""
    targets, ranked = full_size(np.random.default_rng(0))
    score_top(targets[:100], ranked[:100])  # compiled
    tracemalloc.start()
    scores = score_top(targets, ranked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    assert scores.top_n_acc[0] == pytest.approx(0.6, abs=0.003)
    assert scores.top_n_chance == pytest.approx(np.arange(1, 6) / 10_450, rel=1e-3)


def test_the_former_names_are_the_same_objects():
    assert metrics.score_ranked is score_top
    assert metrics.RankedScores is TopScores
