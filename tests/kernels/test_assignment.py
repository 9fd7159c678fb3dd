import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from clusterbench.kernels.assignment import assign, paired_counts
from clusterbench.kernels.contingency import contingency

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def table_of(dense):
    rows, columns = np.nonzero(dense)
    repeats = dense[rows, columns]
    return contingency(np.repeat(rows, repeats), np.repeat(columns, repeats), *dense.shape)


def check(table, dense=None):
    """The assignment is one-to-one, weighs what it says, and its prices prove it heaviest."""
    answer = assign(table)
    rows = np.repeat(np.arange(len(table.row_sums)), np.diff(table.indptr))
    chosen = answer.columns[rows] == table.indices
    assigned = np.flatnonzero(answer.columns >= 0)
    assert len(np.unique(answer.columns[assigned])) == len(assigned) == chosen.sum()
    assert table.data[chosen].sum() == answer.total
    assert (answer.row_prices >= 0).all()
    assert (answer.column_prices >= 0).all()
    assert (answer.row_prices[rows] + answer.column_prices[table.indices] >= table.data).all()
    assert answer.row_prices.sum() + answer.column_prices.sum() == answer.total
    if dense is not None:
        pairs = linear_sum_assignment(dense, maximize=True)
        assert answer.total == dense[pairs].sum()
    return answer


@settings(max_examples=300)
@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 40)))
def test_as_heavy_as_scipy_on_dense_tables(dense):
    check(table_of(dense), dense)


@settings(max_examples=300)
@given(hnp.arrays(np.int64, SHAPES, elements=st.sampled_from([0, 0, 0, 1, 1, 2])))
def test_as_heavy_as_scipy_on_sparse_tables_full_of_ties(dense):
    check(table_of(dense), dense)


@settings(max_examples=200)
@given(
    hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 3)),
    st.integers(0, 11),
    st.integers(0, 200),
)
def test_as_heavy_as_scipy_where_one_cluster_takes_from_every_class(dense, column, extra):
    dense[:, column % dense.shape[1]] += extra
    check(table_of(dense), dense)
    check(table_of(dense.T), dense.T)


@pytest.mark.parametrize("n_clusters", [30, 100, 300])
@pytest.mark.parametrize("kind", ["good", "confused", "chance", "collapsed", "skewed"])
def test_as_heavy_as_scipy_at_a_hundred_classes(kind, n_clusters):
    rng = np.random.default_rng(0)
    n, n_classes = 5000, 100
    targets = rng.integers(n_classes, size=n)
    share = {"good": 0.8, "confused": 0.3, "chance": 0.0, "collapsed": 0.0, "skewed": 0.0}[kind]
    guesses = rng.integers(n_clusters, size=n)
    if kind == "confused":
        guesses = np.floor(targets + rng.standard_cauchy(n) * 3).astype(np.int64) % n_clusters
    elif kind == "collapsed":
        guesses = np.where(rng.random(n) < 0.9, 0, guesses)
    elif kind == "skewed":
        weights = rng.pareto(1.2, n_clusters) + 0.01
        guesses = rng.choice(n_clusters, n, p=weights / weights.sum())
    predictions = np.where(rng.random(n) < share, targets % n_clusters, guesses)
    dense = np.zeros((n_classes, n_clusters), np.int64)
    np.add.at(dense, (targets, predictions), 1)
    check(contingency(targets, predictions, n_classes, n_clusters), dense)


@pytest.mark.parametrize("kind", ["chance", "skewed", "long tail", "chain", "triangle"])
def test_the_prices_prove_the_answer_at_ten_thousand_classes(kind):
    rng = np.random.default_rng(1)
    n, k = 522_500, 10_450
    targets, predictions = rng.integers(k, size=n), rng.integers(k, size=n)
    weights = 1 / np.arange(10, k + 10)
    tail = rng.choice(k, n, p=weights / weights.sum())
    if kind == "skewed":
        predictions = tail
    elif kind == "long tail":
        targets = tail
    elif kind == "chain":  # one alternating path through all rows and columns
        targets = np.concatenate([np.arange(k), np.arange(k - 1)])
        predictions = np.concatenate([np.arange(k), np.arange(1, k)])
    elif kind == "triangle":
        targets, predictions = np.tril_indices(1000)
    check(contingency(targets, predictions, k, k))


def test_one_cluster_keeps_its_largest_class():
    answer = check(table_of(np.array([[3], [7], [7]])))
    assert answer.total == 7
    assert sorted(answer.columns.tolist()) == [-1, -1, 0]


def test_singletons_give_each_class_one():
    answer = check(contingency(np.arange(20) % 4, np.arange(20), 4, 20))
    assert answer.total == 4


def test_empty_rows_and_columns_stay_unassigned():
    answer = check(table_of(np.array([[0, 0, 0], [0, 5, 0]])))
    assert answer.total == 5
    assert answer.columns.tolist() == [-1, 1]


def test_a_heavier_pair_gives_way_when_two_others_weigh_more():
    """Greedy takes 10 and is left with 0; 9 + 8 is the best."""
    assert check(table_of(np.array([[10, 9], [8, 0]]))).columns.tolist() == [1, 0]


def test_the_same_table_gives_the_same_assignment():
    rng = np.random.default_rng(2)
    table = contingency(rng.integers(50, size=500), rng.integers(50, size=500), 50, 50)
    first, second = assign(table), assign(table)
    assert np.array_equal(first.columns, second.columns)


@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 3)), st.data())
def test_paired_counts_look_up_one_entry_a_row(dense, data):
    n_rows, n_columns = dense.shape
    choice = st.integers(-1, n_columns - 1)
    columns = np.array(data.draw(st.lists(choice, min_size=n_rows, max_size=n_rows)))
    expected = [dense[row, c] if c >= 0 else 0 for row, c in enumerate(columns)]
    assert paired_counts(table_of(dense), columns).tolist() == expected


def test_as_heavy_as_scipy_on_four_thousand_tables():
    """Sizes 1 to 40 a side, all kinds in turn; the property tests shrink, this one insists."""
    rng = np.random.default_rng(3)
    for number in range(4000):
        shape = tuple(rng.integers(1, 41, size=2))
        kind = number % 5
        dense = rng.integers(0, 50, size=shape)
        if kind == 1:  # ties everywhere
            dense = rng.integers(0, 3, size=shape)
        elif kind == 2:  # sparse, heavy-tailed
            dense = np.where(rng.random(shape) < 0.2, (rng.pareto(1.0, shape) * 3).astype(int), 0)
        elif kind == 3:  # one row and one column take most
            dense[rng.integers(shape[0])] += 500
            dense[:, rng.integers(shape[1])] += 400
        elif kind == 4:  # a few samples at most, empty rows and columns
            dense = (rng.random(shape) < 1.5 / max(shape)).astype(np.int64)
        check(table_of(dense), dense)
