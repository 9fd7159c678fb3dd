from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from clusterbench.errors import InputError
from clusterbench.kernels.agglomerate import components
from clusterbench.kmeans.starting import ward
from clusterbench.kmeans.starting.near_cells import near_partners
from clusterbench.kmeans.starting.ward_lists import Agglomeration


def _points(seed, n, dim):
    rng = np.random.default_rng(seed)
    centres = 3.0 * rng.normal(size=(max(1, n // 6), dim))
    return (rng.normal(size=(n, dim)) + centres[rng.integers(0, len(centres), n)]).astype("f4")


WAYS = [ward.dense, ward.exact, ward.approximate]


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


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([2, 3, 14, 40, 300, 900]), st.integers(1, 20), st.data()
)
def test_lists_lead_to_the_clusters_of_the_matrix(seed, n, dim, data):
    points = _points(seed, n, dim)
    weights = np.random.default_rng(seed).uniform(0.1, 9.0, n)
    k = data.draw(st.integers(1, n))
    labels, centroids = ward.exact(points, weights, k)
    expected = ward.dense(points, weights, k)
    assert (labels == expected[0]).all()
    assert (centroids == expected[1]).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 300), st.data())
def test_neighbours_that_are_all_others_lead_to_the_clusters_of_the_matrix(seed, n, data):
    points = _points(seed, n, 6)
    k = data.draw(st.integers(1, n - 1))
    with ThreadPoolExecutor(1) as pool:
        run = Agglomeration(points, np.ones(n), n_neighbors=n, exact=False, pool=pool)
        run.begin(np.array([[j for j in range(n) if j != i] for i in range(n)], dtype="i4"))
        first, second = run.merges(k)
    assert run.searched == 0
    assert (components(n, first, second) == ward.dense(points, None, k)[0]).all()


def test_near_partners_of_groups_far_apart_are_those_of_the_group():
    rng = np.random.default_rng(5)
    points = (100.0 * rng.normal(size=(60, 8))[np.arange(6000) % 60]).astype("f4")
    points += rng.normal(size=points.shape).astype("f4")
    with ThreadPoolExecutor(1) as pool:
        found = near_partners(points, np.ones(6000), 10, n_probes=8, seed=0, pool=pool)
    assert (found % 60 == (np.arange(6000) % 60)[:, None]).all()
    distances = ((points[:60, None] - points[found[:60]]) ** 2).sum(axis=2)
    rounding = 0.02  # of float32 products of rows of length 300
    assert (np.diff(distances, axis=1) >= -rounding).all()
    assert all(i not in row and len(set(row)) == 10 for i, row in enumerate(found.tolist()))


def test_groups_that_no_list_connects_are_merged_by_their_centroids():
    points = np.repeat([[0.0], [10.0], [50.0], [53.0]], 3, axis=0)
    points = (points + np.tile([[0.0], [0.1], [0.2]], (4, 1))).astype("f4")
    with ThreadPoolExecutor(1) as pool:
        run = Agglomeration(points, np.ones(12), n_neighbors=2, exact=False, pool=pool)
        own = [[j for j in range(i // 3 * 3, i // 3 * 3 + 3) if j != i] for i in range(12)]
        run.begin(np.array(own, dtype="i4"))
        labels = components(12, *run.merges(2))
    assert labels.tolist() == [0] * 6 + [1] * 6
    assert run.searched > 0


@pytest.mark.parametrize("points", [np.zeros((3000, 4)), np.eye(600)])
def test_equal_costs_do_not_queue(points):
    """By the lowest number every point waits for the first, and a round merges two."""
    n = len(points)
    with ThreadPoolExecutor(1) as pool:
        run = Agglomeration(
            points.astype("f4"), np.ones(n), n_neighbors=12, exact=True, pool=pool
        )  # fmt: skip
        run.merges(n // 10)
    assert run.rounds < 40
    assert run.searched < 5 * n


def test_neighbours_are_nearly_as_good_as_all():
    points = _points(4, 3000, 10)
    for k in (30, 600):
        exact = _objective(points, np.ones(3000), *ward.exact(points, None, k))
        approximate = _objective(points, np.ones(3000), *ward.approximate(points, None, k))
        assert approximate < 1.05 * exact


@pytest.mark.parametrize("way", WAYS)
def test_every_point_its_own_and_all_in_one(way):
    points = _points(1, 20, 3)
    labels, centroids = way(points, None, 20)
    assert labels.tolist() == list(range(20))
    assert (centroids == points).all()
    labels, _ = way(points, None, 1)
    assert (labels == 0).all()
    labels, centroids = way(points[:1], None, 1)
    assert labels.tolist() == [0]
    assert (centroids == points[:1]).all()


@pytest.mark.parametrize("way", WAYS)
def test_copies_of_a_point_stay_together(way):
    distinct = _points(2, 30, 4)
    copies = np.repeat(np.arange(30), 4)
    labels, _ = way(distinct[copies], None, 30)
    assert _same_partition(labels, copies)
    labels, _ = way(np.zeros((7, 2), dtype="f4"), None, 3)
    assert labels.max() == 2


@pytest.mark.parametrize("way", WAYS)
def test_the_labels_do_not_depend_on_the_threads(way):
    points = _points(3, 2500, 12)
    one, two = (way(points, None, 400, threads=t) for t in (1, 2))
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
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_is_refused(way, weights, k, message):
    weights = None if weights is None else np.array(weights)
    with pytest.raises(InputError, match=message):
        way(_points(0, 3, 2), weights, k)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e19])
def test_rows_without_distances_are_refused(way, value):
    points = _points(0, 5, 2)
    points[3, 1] = value
    with pytest.raises(InputError, match="too long for their squared distances to be finite"):
        way(points, None, 2)


def test_rows_far_from_zero_keep_their_differences():
    points = _points(6, 400, 4)
    near, far = (ward.exact(points + np.float32(shift), None, 50)[0] for shift in (0, 512))
    assert len(set(zip(near.tolist(), far.tolist(), strict=True))) < 60


def test_the_plan_follows_points_and_memory():
    assert ward.plan(800, 128) == "dense"
    assert ward.plan(800, 128, memory=2e6) == "exact"
    assert ward.plan(100_000, 120) == "exact"
    assert ward.plan(1_000_000, 120) == "approximate"
    with pytest.raises(InputError, match=r"takes 115\.9 GB for 11000000 points of 1256 dim"):
        ward.plan(11_000_000, 1256)


@pytest.mark.parametrize(
    ("limits", "way"), [({}, ward.exact), ({"multiplications": 0}, ward.approximate)]
)
def test_ward_goes_as_planned(limits, way):
    points = _points(7, 2200, 5)
    assert (ward.ward(points, None, 90, **limits)[0] == way(points, None, 90)[0]).all()
    few = points[:100]
    assert (ward.ward(few, None, 9)[0] == ward.dense(few, None, 9)[0]).all()
