import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.kernels.top_ranks import first_misplaced, first_repeat, read_only, set_hits


@settings(max_examples=150)
@given(
    st.integers(1, 4).flatmap(
        lambda m: st.lists(
            st.lists(st.integers(-1, 4), min_size=m, max_size=m), min_size=1, max_size=6
        )
    )
)
def test_the_first_misplaced_cluster_is_found(rows):
    expected = (-1, -1)
    for i, row in enumerate(rows):
        wrong = [
            j
            for j, cluster in enumerate(row)
            if cluster >= 0 and (cluster in row[:j] or (j > 0 and row[j - 1] < 0))
        ]
        if wrong:
            expected = i, wrong[0]
            break
    assert first_misplaced(np.array(rows, np.int32), 5) == expected


SETS = st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=6)


@settings(max_examples=150)
@given(SETS, st.sampled_from([np.int32, np.int64]))
def test_the_first_repeated_label_is_found(sets, dtype):
    labels = np.array([label for members in sets for label in members], dtype)
    offsets = np.concatenate([[0], np.cumsum([len(members) for members in sets])])
    repeats = [
        start + j
        for start, members in zip(offsets, sets, strict=False)
        for j, label in enumerate(members)
        if label in members[:j]
    ]
    assert first_repeat(labels, offsets, 6) == (repeats[0] if repeats else -1)


@given(SETS, st.integers(0, 2**32 - 1))
def test_hits_equal_python_sets(sets, seed):
    rng = np.random.default_rng(seed)
    sets = [sorted(set(members)) for members in sets]
    labels = np.array([label for members in sets for label in members], np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(members) for members in sets])])
    label_of = np.array(rng.permutation([0, 1, 2, 3, 4, 5, -1, -1]), np.int32)
    ranked = np.array([rng.permutation(8)[:3] for _ in sets], np.int32)
    ranked[rng.random(len(sets)) < 0.3, 1:] = -1
    result = set_hits(labels, offsets, ranked, label_of, 6)
    named = [[int(label_of[c]) if c >= 0 else -1 for c in row] for row in ranked.tolist()]
    for r in range(3):
        at_rank = [row[r] in members for row, members in zip(named, sets, strict=True)]
        so_far = [len(set(row[: r + 1]) & set(m)) for row, m in zip(named, sets, strict=True)]
        assert result.hits[r] == sum(at_rank)
        assert result.any_hit[r] == sum(number > 0 for number in so_far)
        for size in range(result.found.shape[1]):
            of_size = [k for k, m in zip(so_far, sets, strict=True) if len(m) == size]
            assert result.found[r, size] == sum(of_size)
    assert result.found.shape == (3, max(len(members) for members in sets) + 1)
    assert [array.dtype for array in result] == [np.int64] * 3


def test_a_read_only_view_leaves_the_array_writable():
    array = np.arange(3)
    view = read_only(array)
    array[0] = 7
    assert view[0] == 7
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
