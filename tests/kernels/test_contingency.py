import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from clusterbench.kernels.contingency import contingency, reweighted, transposed


@st.composite
def labellings(draw):
    n_rows, n_columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    pair = st.tuples(st.integers(0, n_rows - 1), st.integers(0, n_columns - 1))
    pairs = np.array(draw(st.lists(pair, min_size=1, max_size=60)))
    return pairs[:, 0], pairs[:, 1], n_rows, n_columns


def counted(targets, predictions, n_rows, n_columns):
    dense = np.zeros((n_rows, n_columns), np.int64)
    np.add.at(dense, (targets, predictions), 1)
    return dense


def dense_of(table):
    shape = (len(table.row_sums), len(table.column_sums))
    return csr_array((table.data, table.indices, table.indptr), shape=shape).toarray()


@given(labellings())
def test_the_table_counts_every_pair(labels):
    expected = counted(*labels)
    table = contingency(*labels)
    assert np.array_equal(dense_of(table), expected)
    assert np.array_equal(table.row_sums, expected.sum(axis=1))
    assert np.array_equal(table.column_sums, expected.sum(axis=0))
    assert np.array_equal(table.row_max, expected.max(axis=1))
    assert np.array_equal(table.column_max, expected.max(axis=0))
    assert table.n == len(labels[0])
    assert (table.data > 0).all()
    for start, stop in zip(table.indptr[:-1], table.indptr[1:], strict=True):
        assert (np.diff(table.indices[start:stop]) > 0).all()


@given(labellings())
def test_transposed_exchanges_rows_and_columns(labels):
    targets, predictions, n_rows, n_columns = labels
    left = transposed(contingency(targets, predictions, n_rows, n_columns))
    right = contingency(predictions, targets, n_columns, n_rows)
    for ours, expected in zip(left, right, strict=True):
        assert ours.dtype == expected.dtype
        assert np.array_equal(ours, expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_any_integer_dtype_layout_and_writability_gives_the_same_table(dtype):
    targets = np.array([2, 9, 0, 9, 1, 9], dtype)[::2]
    predictions = np.array([1, 1, 0], dtype)
    predictions.flags.writeable = False
    table = contingency(targets, predictions, 3, 2)
    assert dense_of(table).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert [a.dtype.name for a in table] == ["int64", "int32", *["int64"] * 5]


@given(labellings(), st.randoms(use_true_random=False))
def test_samples_without_a_class_are_left_out_and_without_a_cluster_are_the_last_column(
    labels, random
):
    targets, predictions, n_rows, n_columns = labels
    no_class = np.array([random.random() < 0.3 for _ in targets])
    no_cluster = np.array([random.random() < 0.3 for _ in targets])
    table = contingency(
        np.where(no_class, -1, targets),
        np.where(no_cluster, -1, predictions),
        n_rows,
        n_columns + 1,
    )
    columns = np.where(no_cluster, n_columns, predictions)[~no_class]
    expected = contingency(targets[~no_class], columns, n_rows, n_columns + 1)
    for ours, theirs in zip(table, expected, strict=True):
        assert np.array_equal(ours, theirs)


@given(labellings(), st.data())
def test_reweighted_is_the_table_of_the_new_counts(labels, data):
    table = contingency(*labels)
    entries = len(table.data)
    weights = data.draw(st.lists(st.integers(0, 3), min_size=entries, max_size=entries))
    weights = np.array(weights)
    rows = np.repeat(np.arange(len(table.row_sums)), np.diff(table.indptr))
    columns = table.indices
    expected = contingency(
        np.repeat(rows, weights), np.repeat(columns, weights), labels[2], labels[3]
    )
    for ours, theirs in zip(reweighted(table, weights), expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
