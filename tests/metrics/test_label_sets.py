import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rankings import (
    SEEDS,
    chain,
    flat,
    full_size,
    label_sets,
    pairing,
    random_forest,
    ranked_targets,
    rankings,
)
from scipy.optimize import linear_sum_assignment

from clusterbench import InputError
from clusterbench.metrics import score
from clusterbench.metrics.label_sets import score_label_sets
from clusterbench.metrics.top_n import score_top


@st.composite
def cases(draw, max_n=20):
    """(sets, ranked): label sets, some empty, and rankings of the same samples."""
    n = draw(st.integers(1, max_n))
    return draw(label_sets(n)), draw(rankings(n))


def hits_by_hand(sets, rows, label_of):
    """(n, n_ranks) bool: the cluster of sample i at a rank stands for one of its labels."""
    return np.array(
        [
            [label_of.get(cluster) in labels for cluster in row]
            for labels, row in zip(sets, rows, strict=True)
        ]
    )


def with_labels(sets, ranked):
    """The samples that have labels, and label -> cluster of the pairing as cluster -> label."""
    kept = [i for i, labels in enumerate(sets) if labels]
    sets, rows = [sets[i] for i in kept], ranked[kept].tolist()
    label_of = pairing(
        [(label, row[0]) for labels, row in zip(sets, rows, strict=True) for label in labels]
    )
    return sets, rows, label_of


@settings(max_examples=150)
@given(cases())
def test_any_label_acc_is_the_best_over_all_pairings(case):
    sets, ranked = case
    sets_kept, rows, _ = with_labels(sets, ranked)
    columns = {cluster: j for j, cluster in enumerate({row[0] for row in rows} - {-1})}
    dense = np.zeros((6, len(columns)), np.int64)
    for labels, row in zip(sets_kept, rows, strict=True):
        if row[0] >= 0:
            dense[labels, columns[row[0]]] += 1
    best = dense[linear_sum_assignment(dense, maximize=True)].sum()
    assert score_label_sets(*flat(sets), ranked).any_label_acc == best / len(rows)


@settings(max_examples=150)
@given(cases())
def test_scores_by_rank_equal_the_definitions(case):
    scores = score_label_sets(*flat(case[0]), case[1])
    sets, rows, label_of = with_labels(*case)
    hits = hits_by_hand(sets, rows, label_of)
    sizes = np.array([len(labels) for labels in sets])
    assert scores.hits == tuple(hits.mean(axis=0))
    assert scores.any_hit == tuple((np.cumsum(hits, axis=1) > 0).mean(axis=0))
    coverage = (np.cumsum(hits, axis=1) / sizes[:, None]).mean(axis=0)
    assert scores.coverage == pytest.approx(coverage, abs=1e-12)
    # Every ranking on every sample: what random dealing gives on average.
    n = len(sets)
    dealt = hits_by_hand([labels for labels in sets for _ in range(n)], rows * n, label_of)
    assert scores.chance == pytest.approx(dealt.mean(axis=0), abs=1e-12)
    assert scores.labels_per_sample == pytest.approx(sizes.mean())


@given(cases())
def test_relations_between_the_scores(case):
    sets, ranked = case
    scores = score_label_sets(*flat(sets), ranked)
    assert scores.hits[0] == scores.any_hit[0] == scores.any_label_acc
    assert list(scores.any_hit) == sorted(scores.any_hit)
    assert list(scores.coverage) == sorted(scores.coverage)
    assert 0 <= scores.coverage[-1] <= scores.any_hit[-1] <= 1
    assert scores.n + scores.n_unlabelled == len(sets)
    assert scores.n_unlabelled == sum(not labels for labels in sets)
    used = [row for labels, row in zip(sets, ranked.tolist(), strict=True) if labels]
    assert scores.n_unassigned == sum(row[0] < 0 for row in used)
    assert scores.n_clusters == len({cluster for row in used for cluster in row} - {-1})
    assert scores.n_labels == len({label for labels in sets for label in labels})


@given(ranked_targets())
def test_sets_of_one_label_give_acc_and_top_n_acc(pair):
    targets, ranked = pair
    sets = [[target] if target >= 0 else [] for target in targets.tolist()]
    scores, top = score_label_sets(*flat(sets), ranked), score_top(targets, ranked)
    assert scores.any_label_acc == score(targets, ranked[:, 0]).acc
    assert scores.any_hit == scores.coverage == top.top_n_acc
    assert np.cumsum(scores.chance) == pytest.approx(top.top_n_chance, abs=1e-12)
    assert (scores.n, scores.n_unlabelled) == (top.n, top.n_unlabelled)


def test_by_hand():
    """Cluster 5 stands for label 0, 6 for label 1; 7 for label 2."""
    sets = [[0, 1], [0], [0, 2], [1], [1, 2], [2], []]
    ranked = [[5, 6], [5, 7], [5, 7], [6, 5], [6, 5], [7, -1], [6, 7]]
    scores = score_label_sets(*flat(sets), ranked)
    assert scores.any_label_acc == 1.0
    assert scores.hits == (1.0, 2 / 6)
    assert scores.any_hit == (1.0, 1.0)
    assert scores.coverage == pytest.approx((4.5 / 6, 5.5 / 6))
    # Each label is in three of six sets. First clusters all stand for one; five second ones do.
    assert scores.chance == pytest.approx((0.5, 0.5 * 5 / 6))
    assert (scores.n, scores.n_unlabelled, scores.n_unassigned) == (6, 1, 0)
    assert scores.labels_per_sample == 9 / 6


def test_a_sample_counts_once_however_many_labels_fit():
    """One cluster can stand for one of the two labels that all its samples have."""
    scores = score_label_sets(*flat([[0, 1]] * 3 + [[1]]), [2, 2, 2, 3])
    assert scores.any_label_acc == 1.0
    assert scores.coverage == pytest.approx(((3 * 0.5 + 1) / 4,))
    assert score_label_sets(*flat([[0, 1]] * 3), [2, 2, 2]).any_label_acc == 1.0
    assert score_label_sets(*flat([[1], [1], [0, 1]]), [2, 2, 3]).any_label_acc == 1.0
    assert score_label_sets(*flat([[1], [1], [1]]), [2, 2, 3]).any_label_acc == pytest.approx(2 / 3)


def test_unassigned_samples_hit_nothing():
    scores = score_label_sets(*flat([[0], [0, 1]]), [-1, -1])
    assert (scores.any_label_acc, scores.coverage, scores.chance) == (0, (0,), (0,))
    assert (scores.n_unassigned, scores.n_clusters) == (2, 0)


def test_the_chance_level_is_the_mean_over_dealt_out_rankings():
    rng = np.random.default_rng(0)
    sets = [sorted({0, *rng.integers(8, size=rng.integers(4)).tolist()}) for _ in range(200)]
    ranked = np.array([rng.permutation(9)[:3] for _ in range(200)])
    sets_kept, rows, label_of = with_labels(sets, ranked)
    dealt = [
        hits_by_hand(sets_kept, [rows[i] for i in rng.permutation(200)], label_of).mean(axis=0)
        for _ in range(1000)
    ]
    error = 5 * np.std(dealt, axis=0) / np.sqrt(len(dealt))
    chance = np.array(score_label_sets(*flat(sets), ranked).chance)
    assert (np.abs(np.mean(dealt, axis=0) - chance) <= error).all()
    assert (error < 0.01).all()


@settings(max_examples=50)
@given(cases(), SEEDS)
def test_names_of_labels_and_clusters_and_the_order_in_a_set_do_not_matter(case, seed):
    sets, ranked = case
    rng = np.random.default_rng(seed)
    plain = score_label_sets(*flat(sets), ranked)
    shuffled = [rng.permutation(labels).astype(int).tolist() for labels in sets]
    labels, offsets = flat(shuffled)
    assert score_label_sets(labels * 10**12, offsets, ranked) == plain
    named = labels.astype(str)
    assert score_label_sets(named, offsets.astype(np.uint32), ranked) == plain


def test_counts_are_what_occurs_or_what_is_said():
    said = score_label_sets([0, 4], [0, 1, 2], [2, 3], n_labels=6, n_clusters=9)
    assert (said.n_labels, said.n_clusters) == (6, 9)
    found = score_label_sets([0, 4], [0, 1, 2], [[2, 5], [3, -1]])
    assert (found.n_labels, found.n_clusters) == (2, 3)


def test_scores_go_to_json():
    record = json.loads(json.dumps(score_label_sets([0, 1], [0, 1, 2], [0, 1]).to_dict()))
    assert record["any_label_acc"] == 1.0
    assert record["coverage"] == [1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, r"labels is empty; give at least one label"),
        ({"labels": [[0, 1, 2]]}, r"labels has shape \(1, 3\)"),
        ({"labels": [0, -1, 2]}, r"labels has -1 at position 1; labels start at 0, and a sample"),
        ({"labels": [0, 0.5, 2]}, r"labels has 0.5 at position 1"),
        ({"labels": [0, 7, 7]}, r"labels has label 7 twice in the set of sample 1; give each"),
        ({"labels": [0, 10**15, 10**15]}, r"label 1000000000000000 twice in the set of sample 1"),
        ({"labels": ["a", "b", "b"]}, r"labels has label b twice in the set of sample 1"),
        ({"labels": [0, 1, 9], "n_labels": 3}, r"label 9 at position 2 but n_labels=3; .* 0 to 2"),
        ({"offsets": [[0, 1, 3]]}, r"offsets has shape \(1, 3\); give a 1-D array of n \+ 1"),
        ({"offsets": [0, 3]}, r"offsets has 2 entries but .* for 2 samples; give 3, where"),
        ({"offsets": [1, 2, 3]}, r"offsets starts at 1; the first set starts at 0"),
        ({"offsets": [0, 4, 3]}, r"offsets falls from 4 to 3 at sample 1; a set ends"),
        ({"offsets": [0, 1, 2]}, r"offsets ends at 2 but labels has 3 entries"),
        ({"offsets": [0, 0.5, 3]}, r"offsets has 0.5 at position 1"),
        ({"offsets": ["a", "b", "c"]}, r"offsets has dtype <U1"),
        ({"predictions": [0]}, r"offsets has 3 entries but there are predictions for 1 samples"),
        ({"predictions": [[1, 1], [0, 1]]}, r"predictions has cluster 1 at row 0, rank 2 and at"),
        ({"predictions": [0, 4], "n_clusters": 4}, r"cluster 4 at row 1, rank 1 but n_clusters=4"),
        ({"n_labels": 0}, r"n_labels=0; give a whole number from 1"),
        ({"n_clusters": True}, r"n_clusters=True; give a whole number from 1"),
    ],
)
def test_unusable_input_is_named_with_what_was_found(change, message):
    arguments = {"labels": [0, 1, 2], "offsets": [0, 1, 3], "predictions": [0, 1], **change}
    with pytest.raises(InputError, match=message):
        score_label_sets(**arguments)


def test_full_size_takes_a_few_arrays_of_all_labels():
    """522,500 samples with the chain of their class as labels, about 2 million; five ranks.

    20 MB of labels, offsets and rankings, below 60 MB beside them.
    """
    rng = np.random.default_rng(0)
    targets, ranked = full_size(rng)
    parents = random_forest(rng, 10_450, 302, reach=8000)
    chains = [chain(parents, node) for node in range(10_450)]
    sizes = np.array([len(nodes) for nodes in chains])[targets]
    labels = np.tile(np.concatenate(chains), 50).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    score_label_sets(labels[: offsets[100]], offsets[:101], ranked[:100])  # compiled
    tracemalloc.start()
    scores = score_label_sets(labels, offsets, ranked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
    assert scores.labels_per_sample == pytest.approx(sizes.mean())
    assert scores.any_label_acc >= score(targets, ranked[:, 0]).acc
    # Clusters of later ranks were drawn without regard to the class, but never equal the first.
    assert all(
        0 < hit < 1.1 * chance
        for hit, chance in zip(scores.hits[1:], scores.chance[1:], strict=True)
    )
