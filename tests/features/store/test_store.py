import hashlib
import json
import multiprocessing
import time
import tracemalloc

import h5py
import numpy as np
import pytest

from clusterbench import FeatureStore, InputError
from clusterbench.sources.dataset_index import DatasetIndex

N, DIM, SHARD = 1000, 6, 128


def make_index(n=N):
    ids = np.array([f"c{i // 100:03d}/{i:05d}" for i in range(n)], dtype="S")
    names = tuple(f"c{i:03d}" for i in range((n + 99) // 100))
    labels = np.arange(n) // 100
    return DatasetIndex(ids, names, labels, np.arange(n) % 2)


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((N, DIM)).astype(np.float32)


@pytest.fixture
def store(tmp_path, features):
    return FeatureStore.write(
        tmp_path / "st", features, make_index(), encoder="enc", details={"a": 1}, shard_rows=SHARD
    )


ROWS = {
    "all": None,
    "range": slice(100, 300),
    "empty": slice(5, 5),
    "stepped": slice(0, N, 7),
    "reversed": slice(None, None, -1),
    "mask": np.arange(N) % 3 == 0,
    "repeats": np.array([999, 0, 0, 128, 127, 999]),
    "sparse": np.array([0, 500, 999]),
    "shuffled": np.random.default_rng(1).permutation(N),
    "none": np.zeros(0, np.int64),
    "unsigned": np.array([3, 1], np.uint8),
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("block", [None, 64 * DIM * 4])
def test_read_returns_what_numpy_indexing_returns(store, features, rows, block, monkeypatch):
    if block:  # several blocks a shard
        monkeypatch.setattr("clusterbench.features.store.rows._BLOCK_BYTES", block)
    expected = features if rows is None else features[rows]
    got = store.read(rows)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected)


def test_float16_store_reads_as_float32_unless_asked(tmp_path, features):
    half = features.astype(np.float16)
    store = FeatureStore.write(tmp_path / "st", half, make_index(), encoder="e", details={})
    assert store.dtype == np.float16 and store.nbytes == N * DIM * 2
    np.testing.assert_array_equal(store.read(), half.astype(np.float32))
    assert store.read(np.array([1, 2]), dtype=np.float16).dtype == np.float16


def test_files_are_those_of_the_format(store, features):
    shards = sorted(p.name for p in store.path.glob("shard-*.h5"))
    assert shards == [f"shard-{i:05d}.h5" for i in range(8)]
    with h5py.File(store.path / "shard-00001.h5") as file:
        rows = file["features"][:]
        assert file.attrs["start"] == SHARD and file.attrs["rows"] == SHARD
        assert file.attrs["identity"] == store.identity
        raw = features[SHARD : 2 * SHARD].astype("<f4").tobytes()
        assert file.attrs["sha256"] == hashlib.sha256(raw).hexdigest()
    np.testing.assert_array_equal(rows, features[SHARD : 2 * SHARD])
    with h5py.File(store.path / "features.h5") as file:
        np.testing.assert_array_equal(file["features"][:], features)
    assert (store.path / "broken.jsonl").read_text() == ""
    assert store.index.hash == make_index().hash


def test_writing_twice_gives_the_same_bytes_and_the_same_identity(tmp_path, features):
    stores = []
    for name in "ab":
        folder = tmp_path / name
        stores.append(
            FeatureStore.write(folder, features, make_index(), encoder="e", shard_rows=SHARD)
        )
        time.sleep(1.1)  # a time of writing inside a file would differ
    assert stores[0].identity == stores[1].identity
    for file in sorted(stores[0].path.iterdir()):
        assert file.read_bytes() == (stores[1].path / file.name).read_bytes(), file.name


def test_a_store_of_other_features_is_not_overwritten_and_the_fields_are_named(store, features):
    with pytest.raises(InputError, match=r"(?s)details\.a: found 1, wanted 2"):
        FeatureStore.write(store.path, features, make_index(), encoder="enc", details={"a": 2})
    with pytest.raises(InputError, match=r"(?s)features: found .*, wanted"):
        FeatureStore.write(store.path, features + 1, make_index(), encoder="enc", details={"a": 1})
    np.testing.assert_array_equal(FeatureStore.open(store.path).read(), features)


def test_writing_the_same_features_with_larger_shards_leaves_no_old_shard(store, features):
    again = FeatureStore.write(
        store.path, features, make_index(), encoder="enc", details={"a": 1}, shard_rows=600
    )
    assert len(list(store.path.glob("shard-*.h5"))) == len(again.shards) == 2
    np.testing.assert_array_equal(again.read(), features)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_nan_and_infinity_are_refused_at_write_and_the_sample_is_named(
    tmp_path, features, bad, dtype
):
    features[321, 2] = bad
    with pytest.raises(InputError, match=r"c003/00321.*row 321.*NaN or infinity"):
        FeatureStore.write(tmp_path / "st", features, make_index(), encoder="e", dtype=dtype)
    assert not (tmp_path / "st" / "store.json").exists()


def test_a_value_beyond_float16_is_refused_not_stored_as_infinity(tmp_path, features):
    features[7, 0] = 70000
    with pytest.raises(InputError, match=r"row 7.*too large for float16; use float32"):
        FeatureStore.write(tmp_path / "st", features, make_index(), encoder="e", dtype="float16")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((N - 1, DIM)), "wanted .1000, dim."),
        (np.zeros(N), "wanted .1000, dim."),
        (np.zeros((N, 0)), "wanted .1000, dim."),
    ],
)
def test_a_shape_that_does_not_fit_the_index_is_refused(tmp_path, array, message):
    with pytest.raises(InputError, match=message):
        FeatureStore.write(tmp_path / "st", array, make_index(), encoder="e")


def test_nan_on_disk_is_found_at_read_and_the_sample_is_named(store):
    with h5py.File(store.path / "shard-00002.h5", "r+") as file:
        file["features"][10, 3] = np.nan
    row = 2 * SHARD + 10
    for rows in (None, slice(200, 300), np.array([row, 0]), np.arange(200, 300)[::-1]):
        with pytest.raises(InputError, match=rf"row {row} \(sample 'c002/00{row}'\)"):
            store.read(rows)
    store.read(slice(0, 200))


def test_a_flipped_byte_is_found_by_verify_and_the_shard_is_named(store):
    assert store.verify() == []
    path = store.path / "shard-00003.h5"
    with h5py.File(path) as file:
        offset = file["features"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 1
    path.write_bytes(content)
    problems = FeatureStore.open(store.path).verify()
    assert len(problems) == 1
    assert problems[0].startswith("shard-00003.h5: contents (rows 384 to 511) hash to ")


def test_verify_reports_every_damaged_file_not_only_the_first(store):
    (store.path / "shard-00000.h5").unlink()
    (store.path / "shard-00001.h5").write_bytes(b"x")
    (store.path / "features.h5").unlink()
    make_index(10).save(store.path / "index.h5")
    names = [line.split(":")[0] for line in store.verify()]
    assert names == ["shard-00000.h5", "shard-00001.h5", "index.h5", "features.h5"]


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def _resize(path):
    with h5py.File(path, "r+") as file:
        data = file["features"][:5]
        del file["features"]
        file["features"] = data


def _relabel(path):
    with h5py.File(path, "r+") as file:
        file.attrs["identity"] = "0" * 64


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.unlink(), r"shard-00004\.h5: shard is missing"),
        (_truncate, r"shard-00004\.h5: truncated"),
        (lambda p: p.write_bytes(b"not hdf5"), r"shard-00004\.h5: not an HDF5 file"),
        (lambda p: p.write_bytes(b""), r"shard-00004\.h5: (not|truncated)"),
        (_resize, r"shard-00004\.h5: holds \(5, 6\) float32; wanted \(128, 6\)"),
        (_relabel, r"shard-00004\.h5: identity 000000000000; .* another extraction"),
    ],
)
def test_a_damaged_shard_is_refused_when_the_store_is_opened(store, damage, message):
    damage(store.path / "shard-00004.h5")
    with pytest.raises(InputError, match=message):
        FeatureStore.open(store.path)


def test_a_folder_that_is_not_a_store_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(InputError, match=r"no feature store at .*; make one with `clusterb"):
        FeatureStore.open(tmp_path / "absent")
    with pytest.raises(InputError, match=r"not a feature store: it has no store\.json"):
        FeatureStore.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"is a file and no packed store .*; a feature store is a folder"
    ):
        FeatureStore.open(tmp_path / "file")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda m: m.update(format="clusterbench-features/9"),
            "format is 'clusterbench-feat.*/9",
        ),
        (lambda m: m["fields"].update(dtype="float16"), "the file was edited"),
        (lambda m: m.pop("dim"), "has no dim"),
        (lambda m: m.update(n=999), "does not hash to its checksum"),
        (lambda m: m.pop("fields"), "not a feature store's manifest"),
    ],
)
def test_an_edited_manifest_is_refused(store, edit, message):
    path = store.path / "store.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=message):
        FeatureStore.open(store.path)


def test_the_index_of_another_data_set_is_not_served(store):
    make_index(900).save(store.path / "index.h5")
    with pytest.raises(InputError, match="the store was made for"):
        _ = FeatureStore.open(store.path).index


@pytest.mark.parametrize(
    "rows",
    [np.array([N]), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int), np.zeros(3, bool)],
)
def test_rows_that_are_not_there_are_refused(store, rows):
    with pytest.raises(InputError, match=r"^rows: "):
        store.read(rows)


def test_blocks_cover_a_range_once_in_order(store, features, monkeypatch):
    monkeypatch.setattr("clusterbench.features.store.rows._BLOCK_BYTES", 50 * DIM * 4)
    parts = list(store.blocks(100, 700))
    assert [first for first, _ in parts][:3] == [100, 128, 178]
    np.testing.assert_array_equal(np.concatenate([b for _, b in parts]), features[100:700])


def test_memory_of_a_sparse_read_is_the_result_and_a_block(tmp_path):
    big = np.ones((60_000, 256), np.float32)  # 61 MB
    index = make_index(60_000)
    store = FeatureStore.write(tmp_path / "st", big, index, encoder="e", shard_rows=20_000)
    rows = np.arange(0, 60_000, 50)
    tracemalloc.start()
    store.read(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20 * 2 + rows.size * 256 * 4 * 2


def _read_in_child(store, queue):
    queue.put(store.read(slice(0, 10)).sum())


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_store_can_be_read_in_forked_and_spawned_workers(store, features, start):
    store.read(slice(0, 5))
    context = multiprocessing.get_context(start)
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(store, queue))
    child.start()
    assert queue.get(timeout=60) == features[:10].sum()
    child.join()


def test_an_interrupted_write_is_not_a_store(tmp_path, features, monkeypatch):
    monkeypatch.setattr(
        "clusterbench.features.store.writer.write_virtual",
        lambda *a: (_ for _ in ()).throw(OSError()),
    )
    with pytest.raises(OSError):
        FeatureStore.write(tmp_path / "st", features, make_index(), encoder="e")
    with pytest.raises(InputError, match="not a feature store"):
        FeatureStore.open(tmp_path / "st")
