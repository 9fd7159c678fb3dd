import gc
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_toys import make_features, make_index, write_store

from clusterbench import FeatureStore, InputError

N, DIM = 1000, 6
MB = 1 << 20


@pytest.fixture
def features():
    return make_features(N, DIM)


@pytest.fixture
def store(tmp_path, features):
    return FeatureStore.write(tmp_path / "st", features, make_index(N), encoder="e", shard_rows=128)


@pytest.fixture(params=["folder", "packed"])
def either(request, store):
    """A store as a folder, and the same one packed."""
    if request.param == "folder":
        return store

    return store.pack(store.path.with_suffix(".h5"))


def test_rows_of_classes_are_those_of_their_labels_ascending(either):
    found = either.rows_of(["c007", "c002", "c007"])
    assert found.dtype == np.int64
    assert found.tolist() == [*range(200, 300), *range(700, 800)]
    assert either.rows_of([]).tolist() == []


def test_an_unknown_class_is_refused_with_near_names(store):
    with pytest.raises(InputError, match=r"unknown class 'c0008'; did you mean .*c008"):
        store.rows_of(["c001", "c0008"])


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.integers(0, N - 1), max_size=300),
    block=st.sampled_from([1, 24, 1000, 8 * MB]),
    gap=st.sampled_from([0, 1, 64, N]),
    gap_rows=st.sampled_from([1, 7, 1 << 16]),
)
def test_any_rows_in_any_order_are_those_numpy_picks(either, features, rows, block, gap, gap_rows):
    picked = np.array(rows, dtype=np.int64)
    mask = np.isin(np.arange(N), picked)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_BLOCK_BYTES", block), ("_GAP", gap), ("_GAP_ROWS", gap_rows)):
            patch.setattr(f"clusterbench.features.store.rows.{name}", value)
        np.testing.assert_array_equal(either.read(picked), features[picked])
        np.testing.assert_array_equal(either.read(mask), features[mask])
        ascending = np.unique(picked)
        parts = list(either.subset_blocks(ascending, memory=8 * MB + 4 * block))
    assert np.concatenate([[], *(part for part, _ in parts)]).tolist() == ascending.tolist()
    for part, values in parts:
        np.testing.assert_array_equal(values, features[part])


@pytest.mark.parametrize("rows", [None, np.arange(0, N, 3), np.arange(5), np.zeros(0, int)])
def test_shuffled_blocks_give_each_row_once_with_its_features(either, features, rows, monkeypatch):
    monkeypatch.setattr("clusterbench.features.store.rows._BLOCK_BYTES", 1000)
    wanted = np.arange(N) if rows is None else rows
    memory = 4 * MB + 2000 + 150 * (2 * DIM * 4 + 96)  # 150 rows: two runs of 64
    parts = list(either.shuffled_blocks(seed=3, rows=rows, memory=memory))
    assert len(parts) >= len(wanted) // 128
    seen = np.concatenate([[], *(part for part, _ in parts)])
    np.testing.assert_array_equal(np.sort(seen), wanted)
    for part, values in parts:
        assert len(part) <= 128
        np.testing.assert_array_equal(values, features[part])


def order(store, seed, memory=64 * MB, dtype=np.float32):
    blocks = store.shuffled_blocks(seed=seed, memory=memory, dtype=dtype)
    return np.concatenate([rows for rows, _ in blocks]).tolist()


def test_the_shuffled_order_depends_on_the_seed_and_on_nothing_else(store):
    first = order(store, 7)
    np.random.default_rng(0).random(10)
    store.read(slice(3, 9))
    assert order(FeatureStore.open(store.path), 7) == first
    assert order(pickle.loads(pickle.dumps(store)), 7) == first
    assert order(store, 8) != first
    assert first != list(range(N))


def test_rows_far_apart_meet_in_one_shuffled_block(tmp_path, monkeypatch):
    """Runs of 64 rows are drawn from the whole store, and broken up inside a block."""
    store = write_store(tmp_path / "st", n=10_000, shard_rows=10_000, per_class=1000)
    monkeypatch.setattr("clusterbench.features.store.rows._BLOCK_BYTES", 1000)
    memory = 4 * MB + 2000 + 1280 * (2 * 3 * 4 + 96)
    blocks = [rows for rows, _ in store.shuffled_blocks(seed=0, memory=memory)]
    assert len(blocks) == 8
    for rows in blocks:
        assert len(set((rows // 1000).tolist())) > 4
        assert (np.abs(np.diff(rows)) == 1).mean() < 0.05


BIG_N, BIG_DIM = 61_000, 512


@pytest.fixture(scope="module", params=["float16", "float32"])
def big(request, tmp_path_factory):
    """62 or 125 MB."""
    features = np.ones((BIG_N, BIG_DIM), request.param)
    features[:, 0] = np.arange(BIG_N) % 2048
    folder = tmp_path_factory.mktemp("big")
    return FeatureStore.write(
        folder / "st", features, make_index(BIG_N), encoder="e", shard_rows=25_000
    )


SUBSETS = {
    "all": slice(None),
    "sparse": slice(0, BIG_N, 70),
    "every other": slice(0, BIG_N, 2),
    "dense": slice(100, 60_000),
}


def peak_of(blocks):
    """Bytes allocated at most during an ordinary loop, which holds the block before."""
    gc.collect()
    tracemalloc.start()
    count = 0
    for rows, block in blocks:
        assert block[0, 0] == rows[0] % 2048
        count += len(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, peak


@pytest.mark.parametrize("subset", SUBSETS.values(), ids=SUBSETS)
@pytest.mark.parametrize("memory", [22 * MB, 40 * MB])
@pytest.mark.parametrize("walk", ["subset_blocks", "shuffled_blocks"])
def test_a_walk_stays_below_the_memory_given(big, walk, memory, subset):
    rows = np.arange(BIG_N)[subset]
    _ = big.index
    list(big.blocks(0, 10))
    options = {"seed": 0} if walk == "shuffled_blocks" else {}
    count, peak = peak_of(getattr(big, walk)(rows=rows, memory=memory, **options))
    assert count == len(rows)
    assert peak < memory


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """600,000 rows of one dimension."""
    n = 600_000
    features, index = np.zeros((n, 1), np.float16), make_index(n, 10_000)
    folder = tmp_path_factory.mktemp("narrow")
    return FeatureStore.write(folder / "st", features, index, encoder="e")


@pytest.mark.parametrize("step", [1, 2, 65, 200])
def test_row_numbers_of_narrow_features_count_towards_the_memory(narrow, step):
    """With one dimension the row numbers are what takes the memory."""
    store = FeatureStore.open(narrow.path)
    rows = np.arange(0, store.n, step)
    for walk, options in (("subset_blocks", {}), ("shuffled_blocks", {"seed": 1})):
        memory = 30 * MB
        _, peak = peak_of(
            (r, np.array([[r[0] % 2048]]))
            for r, _ in getattr(store, walk)(rows=rows, memory=memory, **options)
        )
        assert peak < memory, walk


@pytest.mark.parametrize(("walk", "least"), [("subset_blocks", 1), ("shuffled_blocks", 64)])
def test_too_little_memory_is_refused_with_the_least_that_would_do(store, features, walk, least):
    options = {"seed": 0} if walk == "shuffled_blocks" else {}

    def walked(memory):
        return list(getattr(store, walk)(rows=np.arange(100), memory=memory, **options))

    with pytest.raises(InputError, match=r"memory = 1,000 bytes; wanted at least [\d,]+$") as found:
        walked(1000)
    smallest = int(re.search(r"least ([\d,]+)", str(found.value))[1].replace(",", ""))
    assert max(len(rows) for rows, _ in walked(smallest)) == least
    with pytest.raises(InputError, match="wanted at least") as one_row:
        list(store.subset_blocks(np.arange(100), memory=1000))
    row = 2 * DIM * 4  # in this block and in the one before
    found = int(str(one_row.value).rpartition(" ")[2].replace(",", ""))
    assert 16 * MB + row < found <= smallest - (least - 1) * row
    with pytest.raises(InputError, match=f"wanted at least {smallest:,}"):
        walked(smallest - 1)


def test_a_row_wanted_many_times_is_read_in_blocks(big):
    rows = np.full(20_000, 5)
    tracemalloc.start()
    out = big.read(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (out[:, 0] == 5).all()
    assert peak < out.nbytes + 17 * MB + 64 * len(rows)


def test_threads_that_read_at_once_get_their_own_rows(either, features, monkeypatch):
    monkeypatch.setattr("clusterbench.features.store.rows._OPEN_FILES", 2)
    monkeypatch.setattr("clusterbench.features.store.rows._BLOCK_BYTES", 300)

    def check(seed):
        rows = np.random.default_rng(seed).integers(0, N, 200)
        return np.array_equal(either.read(rows), features[rows])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(64)))


def _read_rows(store, rows, queue):
    queue.put([store.read(part) for part in rows])


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_processes_that_read_at_once_get_their_own_rows(either, features, start):
    """Also forked ones, which share the descriptors that were open before."""
    either.read()
    context = multiprocessing.get_context(start)
    queues, children = [], []
    parts = [np.random.default_rng(s).integers(0, N, (20, 30)) for s in range(3)]
    for part in parts:
        queues.append(context.Queue())
        child = context.Process(target=_read_rows, args=(either, list(part), queues[-1]))
        child.start()
        children.append(child)
    np.testing.assert_array_equal(either.read(), features)
    for part, queue, child in zip(parts, queues, children, strict=True):
        np.testing.assert_array_equal(queue.get(timeout=60), features[part])
        child.join()
        assert child.exitcode == 0


def test_a_pickled_store_is_small_and_reads_the_same(either, features):
    either.read()
    assert len(either.index.ids) == N
    content = pickle.dumps(either)
    assert len(content) < 6000  # neither index nor open files
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.read(), features)
    assert again.index.hash == either.index.hash and not again.index.labels.flags.writeable


def test_a_store_opened_by_a_relative_path_is_read_from_any_folder(
    tmp_path, features, store, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    opened = [FeatureStore.open("st"), FeatureStore.open("st/"), FeatureStore.open("./st/../st")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for found in opened:
        np.testing.assert_array_equal(found.read(), features)
        assert found.index.n == N


def test_a_store_is_read_through_a_link_and_from_a_name_that_is_not_utf8(tmp_path, features, store):
    (tmp_path / "link").symlink_to(store.path)
    np.testing.assert_array_equal(FeatureStore.open(tmp_path / "link").read(), features)
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    store.path.rename(odd)
    found = FeatureStore.open(odd)
    np.testing.assert_array_equal(found.read(), features)
    assert found.verify() == [] and found.index.n == N


def n_descriptors():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_descriptors_are_bounded_and_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr("clusterbench.features.store.rows._OPEN_FILES", 5)
    store = write_store(tmp_path / "st", n=20, shard_rows=1)
    before = n_descriptors()
    values = store.read()
    assert n_descriptors() - before <= 5
    for row in np.random.default_rng(0).permutation(20):
        np.testing.assert_array_equal(store.read(np.array([row])), values[[row]])
        assert n_descriptors() - before <= 5
    for _ in range(6):
        again = FeatureStore.open(store.path)
        again.read(slice(0, 3))
        assert again.verify() == [] and again.index.n == 20
    del store, again
    assert n_descriptors() == before


def test_a_shard_cut_short_after_opening_is_named(store, features):
    shard = store.path / "shard-00003.h5"
    os.truncate(shard, shard.stat().st_size - 1)
    np.testing.assert_array_equal(store.read(slice(0, 384)), features[:384])
    with pytest.raises(InputError, match=r"shard-00003\.h5: ends at byte [\d,]+, it was longer"):
        store.read()


def test_a_shard_gone_after_opening_is_named(store):
    (store.path / "shard-00003.h5").unlink()
    with pytest.raises(InputError, match=r"shard-00003\.h5: cannot be opened \(no such file"):
        store.read()


HOLD = """
import h5py, sys
file = h5py.File(sys.argv[1], "r+")
print("open", flush=True)
sys.stdin.readline()
"""


def test_nobody_else_is_locked_out_and_nobody_locks_us_out(either, features, monkeypatch):
    """Another process may hold a file for writing, with HDF5's locks, while we read and verify."""
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "TRUE")
    names = ["shard-00002.h5", "index.h5", "features.h5"]
    held = [either.path] if either.packed else [either.path / name for name in names]
    for path in held:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdout.readline() == b"open\n"
        found = FeatureStore.open(either.path)
        np.testing.assert_array_equal(found.read(), features)
        assert found.index.n == N
        other.communicate(b"\n", timeout=60)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_file_open_in_this_process_does_not_make_a_store_unreadable(either, features, mode):
    names = ["shard-00002.h5", "index.h5"]
    for path in [either.path] if either.packed else [either.path / name for name in names]:
        with h5py.File(path, mode):
            found = FeatureStore.open(either.path)
            np.testing.assert_array_equal(found.read(), features)
            assert found.index.n == N


def test_a_store_without_rows_is_a_store(tmp_path):

    store = write_store(tmp_path / "st", n=0)
    packed = store.pack(tmp_path / "st.h5")
    for found in (store, packed, packed.unpack(tmp_path / "again")):
        assert found.verify() == []
        assert found.read().shape == found.read(np.zeros(0, int)).shape == (0, 3)
        assert list(found.blocks()) == list(found.shuffled_blocks(seed=0)) == []
        assert found.rows_of([]).tolist() == []
        with pytest.raises(InputError, match="rows: found 0 to 0"):
            found.read(np.array([0]))
