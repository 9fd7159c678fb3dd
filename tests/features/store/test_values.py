import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from store_toys import make_features, make_index

from clusterbench import FeatureStore, InputError
from clusterbench.features.store.values import (
    _CHUNK,
    dtype_name,
    not_finite,
    round_to_bfloat16,
    storage_dtype,
    stored,
)

EDGES = [
    *(0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x00800000, 0x3F800000),
    *(0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001),  # ties to even, and beside them
    *(0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F7FFF, 0x7F7F8000),  # at the end of the range
    *(0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF),
]
bits = st.integers(0, 2**32 - 1) | st.sampled_from(EDGES)


def as_torch_rounds(values):
    return torch.from_numpy(values).to(torch.bfloat16).to(torch.float32).numpy()


def assert_same(found, wanted):
    """Equal to the sign of zero, and NaN where NaN is wanted."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    good = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[good].view(np.uint32), wanted[good].view(np.uint32))


@settings(max_examples=300)
@given(arrays(np.uint32, st.integers(1, 64), elements=bits))
def test_rounding_to_bfloat16_is_that_of_torch(pattern):
    values = pattern.view(np.float32)
    found = round_to_bfloat16(values)
    assert found.dtype == np.float32 and found.shape == values.shape
    assert_same(found, as_torch_rounds(values))


def test_rounding_every_exponent_and_upper_half_is_that_of_torch():
    """All 65,536 upper halves, with lower halves below, at and above a tie."""
    upper = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF):
        values = (upper | np.uint32(lower)).view(np.float32)
        assert_same(round_to_bfloat16(values), as_torch_rounds(values))


@settings(max_examples=200)
@given(arrays(np.uint32, (4, 5), elements=bits))
def test_stored_values_are_those_numpy_and_torch_convert_to(pattern):
    values = pattern.view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        half = values.astype(np.float16)
        brain = as_torch_rounds(values).astype(np.float16)
    np.testing.assert_array_equal(stored(values, "float16"), half)
    np.testing.assert_array_equal(stored(values, "float32"), values)
    np.testing.assert_array_equal(stored(values, "bfloat16"), brain)
    assert stored(values, "bfloat16").dtype == stored(values, "float16").dtype == np.dtype("<f2")


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f2", "<i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_array_is_stored_little_endian_and_in_rows(dtype, order):
    values = np.asarray(np.arange(12).reshape(4, 3), dtype=dtype, order=order)
    found = stored(values, "float32")
    assert found.flags.c_contiguous and found.dtype.str == "<f4"
    assert found.tobytes() == np.arange(12, dtype="<f4").tobytes()


@settings(max_examples=150)
@given(
    dtype=st.sampled_from([np.float16, np.float32]),
    dim=st.sampled_from([1, 3, 768, 1000]),
    extra=st.integers(0, 900),
    places=st.lists(st.integers(-2, 2) | st.integers(-(10**6), 10**6), max_size=3),
    bad=st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]),
)
def test_the_first_row_that_is_not_finite_is_numpys(dtype, dim, extra, places, bad):
    """At random places, and around the borders of the pieces that are looked at together."""
    rows = 2 * _CHUNK // dim + extra + 1
    limits = np.finfo(dtype)
    block = np.resize(np.array([limits.max, limits.min, limits.tiny, 0], dtype), (rows, dim))
    for place in places:
        at = (_CHUNK + place) % block.size
        block.reshape(-1)[at] = bad
    wrong = ~np.isfinite(block).all(axis=1)
    assert not_finite(block) == (int(wrong.argmax()) if wrong.any() else None)


@pytest.mark.parametrize("shape", [(0, 4), (0, 0), (3, 0)])
def test_a_block_without_values_is_finite(shape):
    assert not_finite(np.zeros(shape, np.float32)) is None


def test_a_bfloat16_store_is_held_as_float16_and_known_as_bfloat16(tmp_path):
    features = make_features(30, 4)
    store = FeatureStore.write(
        tmp_path / "st", features, make_index(30), encoder="e", dtype="bfloat16"
    )
    assert store.dtype == np.float16 and store.fields["dtype"] == "bfloat16"
    np.testing.assert_array_equal(
        store.read(), as_torch_rounds(features).astype(np.float16).astype(np.float32)
    )
    half = FeatureStore.write(
        tmp_path / "half", features, make_index(30), encoder="e", dtype="float16"
    )
    assert half.identity != store.identity


def test_what_fits_bfloat16_but_not_float16_is_refused(tmp_path):
    features = make_features(10)
    features[4, 1] = 65504  # rounds up to 65,536
    with pytest.raises(InputError, match=r"row 4\) reach 6\.55e\+04, too large for bfloat16; use"):
        FeatureStore.write(tmp_path / "st", features, make_index(10), encoder="e", dtype="bfloat16")
    assert not (tmp_path / "st").exists()


def test_what_does_not_fit_float32_is_not_told_to_use_float32(tmp_path):
    with pytest.raises(InputError, match="too large for float32; scale them down"):
        FeatureStore.write(tmp_path / "st", np.full((5, 2), 1e39), make_index(5), encoder="e")


@pytest.mark.parametrize("dtype", ["int8", np.float64, "float12", np.complex64])
def test_other_dtypes_are_refused_with_those_there_are(dtype):
    with pytest.raises(InputError, match=r"float16, bfloat16 or float32|float16, bfloat16, float"):
        storage_dtype(dtype)


@pytest.mark.parametrize(
    ("dtype", "name"), [("bfloat16", "bfloat16"), (np.float16, "float16"), (">f4", "float32")]
)
def test_names_in_the_identity_do_not_depend_on_how_a_dtype_is_given(dtype, name):
    assert dtype_name(dtype) == name
