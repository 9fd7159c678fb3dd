"""Which numbers a store holds: dtypes, what does not fit, and what is not a number."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from import_toys import DIM, N, X, check, make, refused, write

from clusterbench.features.importing import gather, importer, matrix
from clusterbench.features.importing.gather import Gathered
from clusterbench.features.importing.matrix import MappedFile
from clusterbench.sources.dataset_index import DatasetIndex

UNLABELLED = ["unlabelled"] * N


@pytest.mark.parametrize(
    ("found", "stored"),
    [
        (torch.float16, "float16"),
        (torch.bfloat16, "float16"),
        (torch.float32, "float32"),
        (torch.float64, "float32"),
    ],
)
def test_the_dtype_of_the_store_follows_the_file(tmp_path, found, stored):
    tensor = torch.tensor(X).to(found)
    torch.save(tensor, tmp_path / "x.pt")
    store = make(tmp_path / "x.pt")
    assert store.dtype.name == stored
    expected = tensor.to(getattr(torch, stored)).to(torch.float32).numpy()
    check(store, expected, UNLABELLED)


def test_every_bfloat16_is_read_as_what_it_is(tmp_path):
    bits = np.arange(2**16, dtype=np.uint16).view(np.int16)
    tensor = torch.from_numpy(bits).view(torch.bfloat16)
    tensor = tensor[torch.isfinite(tensor)].reshape(-1, 255)
    torch.save(tensor, tmp_path / "x.pt")
    store = make(tmp_path / "x.pt", dtype="float32")
    np.testing.assert_array_equal(store.read(), tensor.float().numpy())


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_dtype_may_be_chosen(tmp_path, dtype):
    store = make(write(tmp_path / "x.npy"), dtype=dtype)
    assert store.dtype.name == dtype
    check(store, X.astype(dtype).astype(np.float32), UNLABELLED)
    refused(
        "--dtype 'int8'; wanted float16 or float32",
        tmp_path / "x.npy",
        tmp_path / "n",
        dtype="int8",
    )


def test_files_of_two_dtypes_make_the_wider_one(tmp_path):
    half, full = write(tmp_path / "a.npy", X.astype(np.float16)), write(tmp_path / "b.npy", 2 * X)
    assert make(half, val_features=full).dtype == np.float32


def test_a_bfloat16_beyond_float16_is_refused_and_float32_takes_it(tmp_path):
    tensor = torch.tensor(X).bfloat16()
    tensor[13, 2] = 1e6
    torch.save(tensor, tmp_path / "x.pt")
    message = r"x\.pt: row 13 \(sample 'unlabelled/13'\) holds 999424, too large for float16; give "
    refused(message + "--dtype float32", tmp_path / "x.pt")
    assert make(tmp_path / "x.pt", dtype="float32").read().max() == 999424


def test_a_float64_beyond_float32_is_refused(tmp_path):
    wide = X.astype(np.float64)
    wide[5, 0] = -1e300
    refused(
        r"row 5 .* holds -1e\+300, too large for float32; scale", write(tmp_path / "x.npy", wide)
    )


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".parquet", ".h5"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_and_the_row_of_the_file_is_named(tmp_path, suffix, bad):
    features = X.copy()
    features[41, 3] = bad
    labels = np.arange(N)[::-1].copy()  # the store's order is the reverse
    np.save(tmp_path / "y.npy", labels)
    message = rf"x{suffix}.*: row 41 \(sample '18/41'\) holds {bad}; wanted finite numbers"
    refused(message, write(tmp_path / f"x{suffix}", features), labels=tmp_path / "y.npy")


@given(st.data())
@settings(max_examples=60)
def test_gathering_is_a_permutation_of_the_rows_whatever_the_files_and_slices(
    tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("g")
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    n = sum(sizes)
    features = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
    files, first = [], 0
    for number, size in enumerate(sizes):
        path = folder / f"{number}.raw"
        features[first : first + size].tofile(path)
        files.append(MappedFile(path, None, size, 3, "float32", np.dtype("f4")))
        first += size
    order = np.array(data.draw(st.permutations(range(n))), dtype=np.int64)
    ids = np.array([f"c/{row:04d}" for row in range(n)], "S")
    index = DatasetIndex(ids, ("c",), np.zeros(n, np.int32), np.zeros(n, np.uint8))
    cuts = sorted([0, n, *data.draw(st.lists(st.integers(0, n), max_size=5))])
    window, block = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "_WINDOW_BYTES", window * 12)
        patch.setattr(matrix, "BLOCK_BYTES", block * 12)
        gathered = Gathered(files, order, index, np.dtype("f4"))
        parts = [gathered[a:b] for a, b in pairwise(cuts)]
        again = gathered[0:n]
    np.testing.assert_array_equal(np.concatenate(parts), features[order])
    np.testing.assert_array_equal(again, features[order])
    assert (gathered.shape, gathered.ndim, len(gathered)) == ((n, 3), 2, n)


def test_shards_hold_a_power_of_two_of_rows_that_is_small_in_memory(tmp_path, monkeypatch):
    path = write(tmp_path / "x.npy")
    assert [shard.rows for shard in make(path).shards] == [N]
    monkeypatch.setattr(importer, "_SHARD_BYTES", 20 * DIM * 4)
    assert [shard.rows for shard in make(path, tmp_path / "s").shards] == [16, 16, 16, 12]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_memory_does_not_grow_with_the_features(tmp_path, monkeypatch, suffix):
    rows, step = 40_000, 1 << 20
    for module, name in (
        (matrix, "BLOCK_BYTES"),
        (gather, "_WINDOW_BYTES"),
        (importer, "_SHARD_BYTES"),
    ):
        monkeypatch.setattr(module, name, step)
    path = write(tmp_path / f"x{suffix}", np.ones((rows, 256), np.float32))  # 41 MB
    np.save(tmp_path / "y.npy", np.random.default_rng(0).integers(0, 9, rows))
    tracemalloc.start()
    store = make(path, labels=tmp_path / "y.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert store.n == rows
    assert peak < 12 * step + 200 * rows
