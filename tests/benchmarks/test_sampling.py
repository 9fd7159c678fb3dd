import numpy as np
import pytest
from benchmark_toys import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.sampling import draw_classes, priorities, text_priorities
from clusterbench.errors import InputError

MASK = 2**64 - 1


def plain_mix(value):
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def plain_priority(text, seed):
    state = plain_mix(0xCBF29CE484222325 ^ plain_mix(seed))
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    return plain_mix(state)


@settings(max_examples=50)
@given(
    st.lists(st.text("abc/äß-", min_size=1, max_size=12), min_size=1, max_size=20),
    st.integers(0, 2**31),
)
def test_priorities_agree_with_plain_integers(names, seed):
    expected = [plain_priority(name, seed) for name in names]
    assert text_priorities(names, seed).tolist() == expected


def test_priorities_are_these_on_every_platform():
    found = text_priorities(["dog/1", "dog/2"], 7).tolist()
    assert found == [plain_priority("dog/1", 7), plain_priority("dog/2", 7)]
    assert plain_mix(0) == 0xE220A8397B1DCDAF  # first output of SplitMix64 from state 0


def test_padding_does_not_enter():
    ids = np.array([b"a/1", b"b/2"])
    assert (priorities(ids, 3) == priorities(ids.astype("S99"), 3)).all()


def test_priorities_are_spread_evenly_and_move_with_the_seed():
    names = [f"n02084071/n02084071_{i}" for i in range(20_000)]
    a, b = text_priorities(names, 0) / 2.0**64, text_priorities(names, 1) / 2.0**64
    assert abs(np.histogram(a, 20, (0, 1))[0] - 1000).max() < 150  # 5 sigma
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 0.04


def test_a_sample_that_leaves_moves_no_other():
    names = [f"x/{i}" for i in range(50)]
    drawn = set(draw_classes(np.arange(50), names, 10, 0).tolist())
    lost = min(drawn)
    rest = np.array([i for i in range(50) if i != lost])
    assert drawn - {lost} < set(draw_classes(rest, names, 10, 0).tolist())


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=8).filter(any), st.integers(0, 5), st.data()
)
def test_draws_are_nested_exact_and_of_their_split(counts, seed, data):
    index = make_index(counts, 2)
    pool = Pool(index, seed)
    classes = np.arange(len(counts))
    large = np.array(counts)
    small = np.array([data.draw(st.integers(0, n)) for n in counts])
    rows, fewer = pool.draw_train(classes, large), pool.draw_train(classes, small)
    assert set(fewer) <= set(rows)
    assert np.bincount(index.labels[fewer], minlength=len(counts)).tolist() == small.tolist()
    assert (np.diff(fewer) > 0).all()
    assert (index.split[rows] == 0).all()
    assert (index.split[pool.draw_eval(classes, 1)] == 1).all()
    assert len(pool.draw_eval(classes, None)) == 2 * len(counts)


def test_asking_for_more_than_there_is_is_refused():
    pool = Pool(make_index([3, 4]), 0)
    with pytest.raises(InputError, match="class 0 has 3 rows; 4 were asked for"):
        pool.draw_train(np.array([0, 1]), 4)


def test_a_draw_takes_the_smallest_priorities_of_its_class():
    index = make_index([30, 20], 5)
    for seed in (0, 1):
        drawn = Pool(index, seed).draw_train(np.array([0, 1]), np.array([7, 4]))
        expected = []
        for c, size in ((0, 7), (1, 4)):
            rows = [r for r in index.rows("train") if index.labels[r] == c]
            rows.sort(key=lambda row: plain_priority(index.id(row), seed))
            expected += sorted(rows[:size])
        assert drawn.tolist() == expected
