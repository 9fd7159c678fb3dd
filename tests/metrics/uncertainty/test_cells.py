from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.metrics.counts import count
from clusterbench.metrics.uncertainty.cells import Cells
from clusterbench.metrics.validate import check_labels


@st.composite
def several(draw):
    n, n_predictions = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    label = st.lists(st.integers(-1, 5), min_size=n, max_size=n)
    targets = draw(label.filter(lambda values: max(values) >= 0))
    return np.array(targets), [np.array(draw(label)) for _ in range(n_predictions)]


def checked(targets, predictions):
    return check_labels(targets, "t"), [check_labels(p, "p") for p in predictions]


@settings(max_examples=150)
@given(several())
def test_cells_count_every_combination_and_know_their_table_entry(labels):
    targets, predictions = labels
    cells = Cells.joint(*checked(targets, predictions))
    known = targets >= 0
    combinations = Counter(zip(targets[known], *(p[known] for p in predictions), strict=True))
    assert sorted(cells.sizes.tolist()) == sorted(combinations.values())
    found = Counter()
    coordinates = []
    for counts, entries in zip(cells.predictions, cells.entries, strict=True):
        rows = np.repeat(np.arange(len(counts.table.row_sums)), np.diff(counts.table.indptr))
        columns = counts.table.indices.astype(int)
        if counts.with_unassigned:
            columns[columns == len(counts.table.column_sums) - 1] = -1
        coordinates.append((rows[entries], columns[entries]))
        sums = np.zeros(len(counts.table.data), int)
        np.add.at(sums, entries, cells.sizes)
        assert np.array_equal(sums, counts.table.data)
    for cell, size in enumerate(cells.sizes):
        (row,) = {int(rows[cell]) for rows, _ in coordinates}
        found[(row, *(int(columns[cell]) for _, columns in coordinates))] += int(size)
    assert found == combinations


@given(several(), st.data())
def test_a_subset_is_the_same_samples_for_every_prediction(labels, data):
    """With the same prediction twice, both subsets are equal; classes agree in any case."""
    targets, predictions = labels
    cells = Cells.joint(*checked(targets, [*predictions, predictions[0]]))
    size = data.draw(st.integers(0, cells.n))
    drawn = cells.subsampled(size, np.random.default_rng(0))
    assert all(counts.n == size for counts in drawn)
    for ours, theirs in zip(drawn[0].table, drawn[-1].table, strict=True):
        assert np.array_equal(ours, theirs)
    for counts in drawn:
        assert np.array_equal(counts.table.row_sums, drawn[0].table.row_sums)
        assert (counts.table.data > 0).all()


def test_cells_of_one_prediction_are_its_entries():
    counts = count(check_labels([0, 0, 1, 1], "t"), check_labels([0, 1, 1, 1], "p"))
    cells = Cells.of(counts)
    assert cells.sizes.tolist() == [1, 1, 2]
    whole = cells.subsampled(4, np.random.default_rng(0))[0]
    assert np.array_equal(whole.table.data, counts.table.data)
