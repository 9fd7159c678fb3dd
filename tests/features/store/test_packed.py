import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from extraction_toys import flat_encoder, make_images
from store_toys import files, flip, write_store

from clusterbench import FeatureStore, InputError
from clusterbench.errors import ClusterbenchError
from clusterbench.features.extract.extraction import extract
from clusterbench.sources.opening import open_source


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """40 images in shards of 8: one broken in the first shard, all of the third."""
    folder = tmp_path_factory.mktemp("extracted")
    root = make_images(folder / "birds")
    source = open_source(str(root))
    for row in (2, *range(16, 24)):
        (root / f"{source.index.id(row)}.png").write_bytes(b"broken")
    store = extract(
        open_source(str(root)),
        flat_encoder(),
        folder / "st",
        device="cpu",
        workers=0,
        shard_rows=8,
        max_broken=0.5,
    ).store
    assert [shard.rows for shard in store.shards] == [7, 8, 0, 8, 8]
    return store


@pytest.fixture(params=["extracted", "written"])
def store(request, tmp_path, extracted):
    return extracted if request.param == "extracted" else write_store(tmp_path / "st")


@pytest.fixture
def packed(store, tmp_path):
    return store.pack(tmp_path / "one.h5")


def test_a_packed_store_reads_as_its_folder_does(store, packed):
    assert packed.packed and not store.packed
    for name in ("n", "dim", "dtype", "identity", "fields", "encoder", "broken", "nbytes"):
        assert getattr(packed, name) == getattr(store, name), name
    assert packed.index.hash == store.index.hash
    rows = np.array([store.n - 1, 0, 3, 3, 9])
    for dtype in (np.float16, np.float32):
        np.testing.assert_array_equal(packed.read(dtype=dtype), store.read(dtype=dtype))
        np.testing.assert_array_equal(packed.read(rows, dtype), store.read(rows, dtype))
    names = list(store.index.class_names[:2])
    np.testing.assert_array_equal(packed.rows_of(names), store.rows_of(names))
    walks = (
        lambda s: s.blocks(),
        lambda s: s.blocks(3, 20),
        lambda s: s.subset_blocks(np.arange(1, s.n, 2)),
        lambda s: s.shuffled_blocks(seed=4),
    )
    for walk in walks:
        ours, theirs = list(walk(packed)), list(walk(store))
        assert len(ours) == len(theirs) > 0
        for (a, x), (b, y) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(x, y)


def test_any_hdf5_tool_sees_the_features_and_their_ids(store, packed):
    with h5py.File(packed.path) as file:
        assert file["features"].chunks is None
        np.testing.assert_array_equal(file["features"][:], store.read(dtype=store.dtype))
        np.testing.assert_array_equal(file["ids"][:], store.index.ids)
        np.testing.assert_array_equal(file["labels"][:], store.index.labels)


def test_unpacking_gives_the_bytes_of_the_folder(store, packed, tmp_path):
    steps = []
    again = packed.unpack(tmp_path / "again", lambda done, total: steps.append((done, total)))
    assert files(again.path) == files(store.path)
    assert again.verify() == [] and steps[-1] == (store.n, store.n)


def test_packing_twice_gives_the_same_bytes(store, packed, tmp_path):
    time.sleep(1.1)  # a time of writing inside the file would differ
    store.pack(tmp_path / "two.h5")
    assert (tmp_path / "two.h5").read_bytes() == packed.path.read_bytes()


@pytest.mark.slow
def test_a_store_of_very_many_shards_can_be_packed(tmp_path):
    store = write_store(tmp_path / "st", n=400, shard_rows=1)
    packed = store.pack(tmp_path / "one.h5")
    assert (packed.path.stat().st_size, packed.verify()) > (64_000, [])
    np.testing.assert_array_equal(packed.read(), store.read())


@pytest.mark.slow
def test_a_changed_byte_anywhere_in_a_packed_file_is_found(tmp_path):
    packed = write_store(tmp_path / "st", n=6, shard_rows=4).pack(tmp_path / "one.h5")
    assert packed.verify() == []
    size = packed.path.stat().st_size
    for position in [*range(560), *range(560, size, 101), size - 1]:
        flip(packed.path, position, 1 << position % 8)
        found = packed.verify()
        assert found and all(line.startswith("one.h5: ") for line in found), position
        flip(packed.path, position, 1 << position % 8)
    assert packed.verify() == []


def test_changed_rows_of_a_packed_file_are_named(packed):
    shard = packed.shards[1]
    with h5py.File(packed.path) as file:
        offset = file["features"].id.get_offset()
    flip(packed.path, offset + shard.first * packed.dim * packed.dtype.itemsize)
    found = packed.verify()
    assert len(found) == 1 and f"one.h5: {shard.span} hash to" in found[0]


def test_a_packed_file_cut_short_or_longer_is_found(packed):
    size = packed.path.stat().st_size
    with packed.path.open("ab") as file:
        file.write(b"\0")
    assert packed.verify() != []
    os.truncate(packed.path, size - 1)
    with pytest.raises(InputError, match="truncated"):
        FeatureStore.open(packed.path)
    assert packed.verify() != []


def test_unpacking_a_damaged_file_leaves_nothing_behind(packed, tmp_path):
    with h5py.File(packed.path) as file:
        offset = file["features"].id.get_offset()
    flip(packed.path, offset + 3)
    for there in (False, True):
        target = tmp_path / "again"
        if there:
            target.mkdir()
        with pytest.raises(ClusterbenchError, match="the packed file is damaged"):
            packed.unpack(target)
        assert target.exists() == there
        assert not there or list(target.iterdir()) == []


def test_records_that_are_gone_are_an_input_error(packed, tmp_path):
    with h5py.File(packed.path, "r+") as file:
        del file["shards/00001"]
    with pytest.raises(InputError, match="the packed file is damaged; `clusterbench cache verify"):
        packed.unpack(tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert any("records of shard 1" in line for line in packed.verify())
    with h5py.File(packed.path, "r+") as file:
        del file["broken"]
    assert any("its records" in line for line in packed.verify())


@pytest.mark.parametrize("name", ["shard-00001.h5", "index.h5", "broken.jsonl"])
@pytest.mark.parametrize("damage", ["change", "delete"])
def test_a_damaged_store_is_not_packed(tmp_path, name, damage):
    store = write_store(tmp_path / "st")
    path = store.path / name
    if damage == "delete":
        path.unlink()
    elif name == "broken.jsonl":
        path.write_bytes(b"{}\n")
    else:
        with h5py.File(path) as file:
            data = file["features" if "shard" in name else "labels"].id
            where = data.get_offset() or data.get_chunk_info(0).byte_offset
        flip(path, where)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        store.pack(tmp_path / "one.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["st"]


def test_a_byte_between_rows_and_records_that_changed_is_not_packed_as_if_it_were_sound(tmp_path):
    store = write_store(tmp_path / "st")
    with h5py.File(store.path / "shard-00001.h5", "r+") as file:
        file.attrs["note"] = "mine"
    with pytest.raises(InputError, match=r"shard-00001\.h5: its contents are not those recorded"):
        store.pack(tmp_path / "one.h5")


def test_wrong_targets_are_refused(packed, store, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    for target in (tmp_path / "file", tmp_path / "full"):
        with pytest.raises(InputError, match="is there; choose another file, or delete it"):
            store.pack(target)
        with pytest.raises(InputError, match="is there; choose another folder, or delete it"):
            packed.unpack(target)
    with pytest.raises(InputError, match="is packed already"):
        packed.pack(tmp_path / "two.h5")
    with pytest.raises(InputError, match="is a folder, not a packed store"):
        store.unpack(tmp_path / "again")
    assert (tmp_path / "file").read_text() == "mine"
    assert files(tmp_path / "full") == {"note": b"mine"}


def test_another_hdf5_file_is_not_taken_for_a_store(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.zeros((3, 2), np.float32)
    with pytest.raises(InputError, match=r"other\.h5: its format is None; wanted 'clusterbench-p"):
        FeatureStore.open(path)


SLOWLY = """
import sys, time
from pathlib import Path
from clusterbench import FeatureStore

def wait(done, total):
    print(done, flush=True)
    time.sleep(60 if done > 8 else 0)

FeatureStore.open(sys.argv[1]).pack(Path(sys.argv[2]), wait)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_kill_while_packing_leaves_no_file_under_the_name(tmp_path):
    store = write_store(tmp_path / "st")
    target = tmp_path / "one.h5"
    child = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, store.path, target], stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"8\n" and child.stdout.readline() == b"16\n"
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=60)
    child.stdout.close()
    assert not target.exists()
    np.testing.assert_array_equal(store.pack(target).read(), store.read())
    assert Path(target).is_file()
