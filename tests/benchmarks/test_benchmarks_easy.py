import numpy as np
import pytest
from benchmark_toys import MemoryStore, clustered_features, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks import knn as ranking
from clusterbench.benchmarks.easy import EasyParams
from clusterbench.benchmarks.pool import Pool
from clusterbench.benchmarks.knn import knn_class_scores
from clusterbench.errors import InputError


def plain_scores(features, labels, n_classes, k):
    """Leave-one-out kNN in Python integers, one sample at a time."""
    norms = np.sqrt((features.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    units = np.rint(features.astype(np.float64) * (4000 / norms)).astype(np.int64)
    correct, same = np.zeros(n_classes, int), np.zeros(n_classes, int)
    for i, label in enumerate(labels):
        cosine = {j: int(units[i] @ units[j]) for j in range(len(labels)) if j != i}
        bound = sorted(cosine.values(), reverse=True)[k - 1]
        near = [j for j, value in cosine.items() if value >= bound]
        votes = np.zeros(n_classes, dtype=object)
        for j in near:
            votes[labels[j]] += cosine[j] + 2**24
        others = [v for c, v in enumerate(votes) if c != label]
        correct[label] += votes[label] > max(others)
        same[label] += sum(labels[j] == label for j in near)
    return correct.tolist(), same.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(4, 40), st.integers(1, 9), st.booleans())
def test_scores_agree_with_a_plain_reference(seed, n, k, coarse):
    rng = np.random.Generator(np.random.PCG64(seed))
    features = rng.standard_normal((n, 5)).astype(np.float32)
    if coarse:  # many equal similarities
        features = np.sign(features) + (features > 1)
    labels = rng.integers(0, 4, n)
    k = min(k, n - 1)
    found = knn_class_scores(features, labels, 4, k=k)
    assert (found.n_correct.tolist(), found.n_same.tolist()) == plain_scores(features, labels, 4, k)
    assert found.n_images.tolist() == np.bincount(labels, minlength=4).tolist()


def test_blocks_do_not_change_the_answer_and_no_sample_is_its_own_neighbour(monkeypatch):
    index = make_index([20] * 10)
    features = clustered_features(index, np.full(10, 1.5))
    whole = knn_class_scores(features, index.labels, 10, k=5)
    monkeypatch.setattr(ranking, "_BLOCK_CELLS", 7 * index.n)
    parts = knn_class_scores(features, index.labels, 10, k=5)
    assert whole.n_correct.tolist() == parts.n_correct.tolist()
    # One sample per class: only a sample that sees itself could be recognised.
    alone = knn_class_scores(features[:: index.n // 10], np.arange(10), 10, k=1)
    assert alone.n_correct.sum() == 0


def test_similarities_are_exact_at_large_dimensions():
    features = np.random.Generator(np.random.PCG64(0)).standard_normal((50, 3000)) ** 3
    units = ranking._unit_integers(features.astype(np.float32))
    exact = units.astype(np.int64) @ units.astype(np.int64).T
    assert exact.max() <= 2**24
    assert (units @ units.T == exact).all()


def toy():
    """Four easy classes, four middling and four hard ones, of unequal sizes."""
    index = make_index(np.arange(12) % 3 * 4 + 12, 4)
    return index, MemoryStore(clustered_features(index, np.repeat([0.1, 0.8, 6.0], 4)))


def drafts(seed=0):
    index, store = toy()
    pool = Pool(index, seed)
    made = {}
    for which in ("easiest", "random", "hardest"):
        params = EasyParams(which, n_classes=4, images_per_class=10, seed=seed)
        made[which] = easy_task(pool, rank_classes(pool, store.read, params), params)
    return index, store, made


def test_easy_and_hard_classes_are_told_apart_at_equal_sizes():
    index, _, made = drafts()
    assert made["easiest"].names == ("c000", "c001", "c002", "c003")
    assert made["hardest"].names == ("c008", "c009", "c010", "c011")
    for draft in made.values():
        sizes = np.bincount(index.labels[draft.train_rows], minlength=12)
        assert sorted(set(sizes)) == [0, 10]
        assert len(draft.eval_rows) == 16
    easy, random, hard = (made[w].factors["knn_accuracy"] for w in made)
    assert easy > random > hard


def test_the_ranking_reads_train_rows_only():
    index, store, _ = drafts()
    assert len(store.seen)
    assert (index.split[store.seen] == 0).all()


def test_a_ranking_of_unequal_sizes_is_refused():
    scores = knn_class_scores(np.eye(5), np.array([0, 0, 0, 1, 1]), 2, k=1)
    with pytest.raises(InputError, match="different numbers of ranked images"):
        easiness_order(scores, np.array([0, 1]), np.array([0, 1]))


def test_ties_are_broken_by_neighbours_then_by_the_given_order():
    scores = ranking.ClassScores(np.full(3, 5), np.array([2, 2, 2]), np.array([4, 9, 4]))
    assert easiness_order(scores, np.arange(3), np.array([7, 0, 1])).tolist() == [1, 2, 0]


def test_accuracy_of_a_class_without_images_is_nan():
    scores = knn_class_scores(np.eye(4), np.array([0, 0, 2, 2]), 3, k=1)
    assert np.isnan(scores.accuracy[1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"which": "middle"}, "which='middle' should be one of easiest, random, hardest"),
        ({"n_classes": 1}, "n_classes=1"),
        ({"images_per_class": 1}, "images_per_class=1"),
        ({"k": 0}, "k=0"),
    ],
)
def test_parameters_out_of_range_are_refused(params, message):
    with pytest.raises(InputError, match=message):
        EasyParams(**({"which": "random", "n_classes": 4, "images_per_class": 5} | params))


def test_unusable_features_and_too_few_classes_are_refused():
    with pytest.raises(InputError, match="sample 1 are zero or not finite"):
        knn_class_scores(np.array([[1.0, 0], [0, 0], [1, 1]]), np.array([0, 0, 1]), 2, k=1)
    with pytest.raises(InputError, match=r"k=3 should be in 1\.\.n_samples-1=2"):
        knn_class_scores(np.eye(3), np.array([0, 0, 1]), 2, k=3)
    index, store = toy()
    params = EasyParams("easiest", n_classes=9, images_per_class=16)
    with pytest.raises(InputError, match="8 classes have 16 training"):
        pool = Pool(index, 0)
        easy_task(pool, rank_classes(pool, store.read, params), params)
