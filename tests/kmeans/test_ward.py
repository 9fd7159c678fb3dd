import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from clusterbench.errors import InputError
from clusterbench.kmeans import ward


def _points(seed, n, dim):
    rng = np.random.default_rng(seed)
    centres = 3.0 * rng.normal(size=(max(1, n // 6), dim))
    return (rng.normal(size=(n, dim)) + centres[rng.integers(0, len(centres), n)]).astype("f4")


def _same_partition(a, b):
    return len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(set(a.tolist())) == b.max() + 1


def _scipy_labels(points, k):
    tree = hierarchy.linkage(points.astype("f8"), "ward")
    return hierarchy.fcluster(tree, k, "maxclust") - 1


def _objective(points, weights, labels, centroids):
    return float(weights @ ((points - centroids[labels]).astype("f8") ** 2).sum(axis=1))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([2, 3, 17, 65, 200, 600]), st.integers(1, 20), st.data()
)
def test_the_partition_is_that_of_scipy(seed, n, dim, data):
    points = _points(seed, n, dim)
    k = data.draw(st.integers(1, n))
    labels, centroids = ward.dense(points, None, k)
    assert _same_partition(labels, _scipy_labels(points, k))
    for c in range(k):
        mean = points[labels == c].astype("f8").mean(axis=0)
        np.testing.assert_allclose(centroids[c], mean, rtol=1e-6, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 120), st.data())
def test_a_weight_counts_as_so_many_points(seed, n, data):
    points = _points(seed, n, 5)
    weights = np.random.default_rng(seed).integers(1, 6, n)
    k = data.draw(st.integers(1, n))
    labels, _ = ward.dense(points, weights.astype("f8"), k)
    repeated = np.repeat(np.arange(n), weights)
    assert _same_partition(labels[repeated], _scipy_labels(points[repeated], k))


@pytest.mark.parametrize("n", [600, ward._SMALL + 100])
def test_the_heights_are_those_of_scipy(n):
    points = _points(0, n, 8)
    _, _, costs = ward.tree(points, np.ones(n))
    expected = hierarchy.linkage(points.astype("f8"), "ward")[:, 2]
    np.testing.assert_allclose(np.sort(np.sqrt(2.0 * costs)), expected, rtol=1e-5)


def test_clusters_are_numbered_by_their_first_points():
    points = np.array([[9.0], [0.0], [9.1], [0.1], [5.0]], dtype="f4")
    labels, centroids = ward.dense(points, None, 3)
    assert labels.tolist() == [0, 1, 0, 1, 2]
    np.testing.assert_allclose(centroids[:, 0], [9.05, 0.05, 5.0], rtol=1e-6)


def test_every_point_its_own_and_all_in_one():
    points = _points(1, 20, 3)
    labels, centroids = ward.dense(points, None, 20)
    assert labels.tolist() == list(range(20))
    assert (centroids == points).all()
    labels, _ = ward.dense(points, None, 1)
    assert (labels == 0).all()
    labels, centroids = ward.dense(points[:1], None, 1)
    assert labels.tolist() == [0]
    assert (centroids == points[:1]).all()


def test_copies_of_a_point_stay_together():
    distinct = _points(2, 30, 4)
    copies = np.repeat(np.arange(30), 4)
    labels, _ = ward.dense(distinct[copies], None, 30)
    assert _same_partition(labels, copies)
    labels, _ = ward.dense(np.zeros((7, 2), dtype="f4"), None, 3)
    assert labels.max() == 2


def test_the_labels_do_not_depend_on_the_threads():
    points = _points(3, 2500, 12)
    one, two = (ward.dense(points, None, 400, threads=t) for t in (1, 2))
    assert (one[0] == two[0]).all() and (one[1] == two[1]).all()


@pytest.mark.parametrize(
    ("weights", "k", "message"),
    [
        ([1.0, 0.0, 1.0], 2, r"weight 0\.0 of point 1 should be above 0"),
        ([1.0, np.nan, 1.0], 2, "weight nan of point 1"),
        ([1.0, 1.0], 2, r"weights of shape \(2,\) should be one for each of 3 points"),
        (None, 4, "n_clusters=4 should be from 1 to the 3 points"),
        (None, 0, "n_clusters=0"),
    ],
)
def test_what_cannot_be_is_refused(weights, k, message):
    weights = None if weights is None else np.array(weights)
    with pytest.raises(InputError, match=message):
        ward.dense(_points(0, 3, 2), weights, k)
