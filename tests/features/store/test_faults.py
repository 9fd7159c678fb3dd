import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from store_toys import files, flip, make_features, make_index, small_disk, write_store

from clusterbench import FeatureStore, InputError
from clusterbench.errors import StorageError
from clusterbench.features.store.diagnosis import diagnose
from clusterbench.features.store.faults import faults
from clusterbench.features.store.on_disk import find, is_store, look, own_files, remove
from clusterbench.features.store.shard_file import shard_fault
from clusterbench.features.store.store_manifest import read_manifest
from clusterbench.hdf5_files import write_hdf5


@pytest.fixture
def store(tmp_path):
    """20 rows of 3 float16 in shards of 8, 8 and 4 rows."""
    return write_store(tmp_path / "st")


def named(path):
    """Files that are damaged, according to what `cache verify` calls."""
    return [fault.file for fault in diagnose(path).faults]


def test_a_sound_store_has_no_fault(store):
    assert store.verify() == [] and named(store.path) == []


def test_progress_counts_to_all_bytes(store):
    seen = []
    store.verify(lambda done, total: seen.append((done, total)))
    assert seen == [(48, 120), (96, 120), (120, 120)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.exhaustive) for part in (1, 2, 3))]
)
def test_every_bit_pattern_change_of_a_shard_is_found_and_only_it_named(store, part):
    """Each byte of a shard in turn, header, rows and records alike."""
    path = store.path / "shard-00002.h5"
    size = path.stat().st_size
    for position in range(part, size, 4):
        bit = 1 << position % 8
        flip(path, position, bit)
        found = faults(store)
        assert [(f.file, f.shard) for f in found] == [("shard-00002.h5", 2)], position
        assert found[0].text.startswith("shard-00002.h5: ") and "repair" in found[0].text
        flip(path, position, bit)
    assert faults(store) == []


@pytest.mark.slow
@pytest.mark.parametrize("bit", [0, pytest.param(7, marks=pytest.mark.exhaustive)])
def test_a_shard_with_any_byte_changed_is_refused_or_read_never_a_raw_error(store, bit):
    """Opening, reading and judging a shard by itself answer in our own errors."""
    path = store.path / "shard-00000.h5"
    wanted = store.read()
    for position in range(bit, path.stat().st_size, 7):
        flip(path, position, 1 << bit)
        shard_fault(path)  # by its own checksums; must not raise
        try:
            found = FeatureStore.open(store.path).read()
        except InputError as error:
            assert "shard-00000.h5" in str(error) or "NaN or infinity" in str(error)
        else:
            assert found.shape == wanted.shape
            np.testing.assert_array_equal(found[8:], wanted[8:])
        flip(path, position, 1 << bit)


@pytest.mark.parametrize("name", ["index.h5", "features.h5", "broken.jsonl"])
def test_a_changed_byte_of_another_file_is_found_and_only_it_named(store, name):
    path = store.path / name
    if name == "broken.jsonl":
        path.write_bytes(b"{}\n")
        assert named(store.path) == [name]
        return
    for position in range(0, path.stat().st_size, 37):
        flip(path, position, 1 << position % 8)
        assert named(store.path) == [name], position
        flip(path, position, 1 << position % 8)
    assert named(store.path) == []


@pytest.mark.slow
def test_an_index_with_any_byte_changed_is_refused_or_the_same(store):
    path, wanted = store.path / "index.h5", store.index.hash
    refused = 0
    for position in range(0, path.stat().st_size, 29):
        flip(path, position, 1 << position % 8)
        try:
            assert FeatureStore.open(store.path).index.hash == wanted
        except InputError as error:
            assert str(error).startswith(str(path))
            refused += 1
        flip(path, position, 1 << position % 8)
    assert refused > 8


@pytest.mark.slow
def test_every_third_byte_of_the_manifest_matters(store):
    path = store.path / "store.json"
    content = path.read_bytes()
    manifest = read_manifest(store.path)
    for position in range(0, len(content), 3):
        flip(path, position, 1 << position % 7)
        try:
            assert read_manifest(store.path) == manifest  # white space
            assert content[position : position + 1].isspace()
        except InputError as error:
            assert "store.json" in str(error)
            assert named(store.path) == ["store.json"]
        flip(path, position, 1 << position % 7)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "1", '"x"', "{}", '{"format": 1}', "{\x00", "[" * 100],
    ids=["empty", "list", "null", "number", "text", "no keys", "format", "bytes", "brackets"],
)
def test_a_manifest_that_is_something_else_is_an_input_error(store, text):
    (store.path / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"store\.json: "):
        FeatureStore.open(store.path)
    assert named(store.path) == ["store.json"]
    assert look(store.path).state.startswith("damaged: ")


@pytest.mark.parametrize(
    "change",
    [
        {"identity": 7},
        {"fields": []},
        {"fields": {"encoder": float("nan")}},
        {"n": float("nan")},
        {"shards": None},
        {"checksum": None},
        {"shard_rows": 9},
    ],
    ids=str,
)
def test_an_edited_value_of_the_manifest_is_an_input_error(store, change):
    path = store.path / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"store\.json: "):
        FeatureStore.open(store.path)


@pytest.mark.parametrize("name", ["shard-00001.h5", "index.h5", "features.h5", "broken.jsonl"])
def test_a_missing_file_is_named_with_the_next_step(store, name):
    (store.path / name).unlink()
    lines = store.verify()
    assert len(lines) == 1 and lines[0].startswith(f"{name}: is missing; `clusterbench cache rep")


@pytest.mark.parametrize("name", ["shard-00001.h5", "index.h5"])
def test_a_folder_in_the_place_of_a_file_is_a_fault(store, name):
    (store.path / name).unlink()
    (store.path / name).mkdir()
    assert named(store.path) == [name]


def test_a_shard_of_another_store_with_the_same_shape_is_found(store, tmp_path):
    other = FeatureStore.write(
        tmp_path / "other",
        make_features(20, 3, 1).astype("<f2"),
        make_index(20, 5),
        encoder="toy",
        shard_rows=8,
    )
    shutil.copy(other.path / "shard-00001.h5", store.path)
    with pytest.raises(InputError, match=r"shard-00001\.h5: identity .* another extraction"):
        FeatureStore.open(store.path)
    assert named(store.path) == ["shard-00001.h5"]


def test_a_damaged_store_is_mended_by_writing_the_same_features_again(store):
    before = files(store.path)
    flip(store.path / "shard-00001.h5", 0)
    (store.path / "shard-00002.h5").unlink()
    FeatureStore.write(
        store.path,
        make_features(20, 3),
        make_index(20, 5),
        encoder="toy",
        dtype="float16",
        shard_rows=8,
    )
    assert files(store.path) == before


def test_nothing_is_written_into_an_unfinished_extraction(tmp_path):
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "extraction.json").write_text("{}")
    (tmp_path / "st" / "shard-00009.h5").write_text("theirs")
    with pytest.raises(InputError, match="st holds an unfinished extraction; choose another"):
        write_store(tmp_path / "st")
    assert sorted(files(tmp_path / "st")) == ["extraction.json", "shard-00009.h5"]


@pytest.mark.parametrize("dtype", [">f2", ">f4"])
def test_big_endian_features_are_stored_as_the_same_numbers(tmp_path, dtype):
    features = make_features(20, 3).astype(dtype)
    store = FeatureStore.write(tmp_path / "st", features, make_index(20, 5), encoder="toy")
    assert store.dtype == features.dtype.newbyteorder("<")
    np.testing.assert_array_equal(store.read(), features.astype("=f4"))


class Filling:
    """Features that fill their disk while they are read for the second time, row `row` on.

    As another program would that writes there at the same time.
    """

    def __init__(self, features, folder, row, left):
        self.features, self.folder, self.row, self.left = features, folder, row, left
        self.shape, self.dtype, self.passes = features.shape, features.dtype, 0

    def __len__(self):
        return len(self.features)

    def __getitem__(self, rows):
        self.passes += rows.start == 0
        if self.passes == 2 and rows.start >= self.row:
            free = shutil.disk_usage(self.folder).free
            (self.folder / "other").write_bytes(b"x" * max(0, free - self.left))
        return self.features[rows]


@pytest.mark.parametrize("left", [0, 4096, 12288, 40960])
@pytest.mark.parametrize("row", [0, 4000])
def test_a_full_disk_leaves_nothing_half_written_and_writing_goes_on(tmp_path, row, left):
    features = make_features(6000, 32)  # 768 kB
    index = make_index(6000)
    options = {"encoder": "e", "shard_rows": 2000}
    with small_disk(tmp_path / "disk", 12) as disk:
        with pytest.raises(StorageError, match=r"no space left on the disk while writing .*st/"):
            FeatureStore.write(disk / "st", Filling(features, disk, row, left), index, **options)
        assert not list((disk / "st").glob(".*"))
        assert not is_store(disk / "st")
        for shard in (disk / "st").glob("shard-*.h5"):
            assert shard_fault(shard) is None
        used = sum(p.stat().st_size for p in (disk / "st").iterdir())
        (disk / "other").unlink()
        assert shutil.disk_usage(disk).used < used + 65536  # no deleted file is held open
        store = FeatureStore.write(disk / "st", features, index, **options)
        assert store.verify() == []
        np.testing.assert_array_equal(store.read(), features)
        other = FeatureStore.write(tmp_path / "st", features, index, **options)
        assert files(store.path) == files(other.path)


FULL = """
import shutil, sys
from pathlib import Path
from store_toys import make_features, make_index
from clusterbench.errors import StorageError
from clusterbench.features.store.shard_file import write_shard

disk = Path(sys.argv[1])
features, index = make_features(1000, 600), make_index(100_000)
for turn in range(20):
    for write in (
        lambda: write_shard(disk / "shard-00000.h5", features, start=0, identity="x"),
        lambda: index.save(disk / "index.h5"),
    ):
        try:
            write()
        except StorageError:
            pass
        else:
            sys.exit("it was written")
        if not (disk / "other").exists():
            left = shutil.disk_usage(disk).free - 4096 * (1 + turn % 5)
            (disk / "other").write_bytes(b"x" * left)
    (disk / "other").unlink()
print("alive", [path.name for path in disk.iterdir()])
"""


def test_full_disks_do_not_crash_the_process(tmp_path, monkeypatch):
    """HDF5 ends it with a segmentation fault when its own writes fail, or at its exit."""
    path = os.pathsep.join([str(Path(__file__).parents[2] / "toys"), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)
    with small_disk(tmp_path / "disk", 1) as disk:
        done = subprocess.run(
            [sys.executable, "-c", FULL, disk], capture_output=True, text=True, timeout=120
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive []\n", "")


def test_hdf5_reads_back_what_a_full_disk_did_not_take(tmp_path):
    """It crashes on structures of its own that are not as it wrote them."""
    with small_disk(tmp_path / "disk", 1) as disk:
        (disk / "other").write_bytes(b"x" * shutil.disk_usage(disk).free)
        with pytest.raises(OSError, match="No space left"), write_hdf5(disk / "x.h5") as file:
            values = np.random.default_rng(0).random((3, 5000))
            for number, part in enumerate(values):
                file[f"part{number}"] = part
            file.flush()
            for number, part in enumerate(values):
                np.testing.assert_array_equal(file[f"part{number}"][:], part)


def test_a_disk_too_small_is_refused_before_anything_is_written(tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        with pytest.raises(
            StorageError, match=r"st/deeper: [01]\.\d MB are free .* 1\.\d MB are needed; free some"
        ):
            write_store(disk / "st" / "deeper")
        assert list(disk.iterdir()) == []


def test_stores_are_found_in_folders_and_below_in_order(tmp_path):
    for name in ("b/deep/st", "a/st", "c.d"):
        write_store(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / ".hidden").mkdir()
    shutil.copytree(tmp_path / "a" / "st", tmp_path / ".hidden" / "st")
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "extraction.json").write_text("{}")
    (tmp_path / "other.h5").write_bytes(b"no HDF5")
    found = [str(path.relative_to(tmp_path)) for path in find(tmp_path)]
    assert found == ["a/st", "b/deep/st", "c.d", "unfinished"]
    assert list(find(tmp_path / "a" / "st")) == [tmp_path / "a" / "st"]
    assert list(find(tmp_path / "link")) == [tmp_path / "link" / "st"]
    with pytest.raises(InputError, match="absent: no such folder"):
        list(find(tmp_path / "absent"))


def test_removing_takes_the_stores_files_and_no_others(store):
    own = {*files(store.path)}
    foreign = [".note.tmp", "shard-mine.h5", "notes.txt", ".damaged-note", ".shard.tmp"]
    for name in foreign:
        (store.path / name).write_text("mine")
    for name in (".shard-00001.h5.abc.tmp", ".store.json.abc.tmp", ".damaged-shard-00001.h5"):
        (store.path / name).write_text("left by a kill")
    assert not {path.name for path in own_files(store.path)} & set(foreign)
    freed, left = remove(store.path)
    assert left == sorted(foreign) and {*files(store.path)} == set(foreign)
    assert freed > sum(1 for _ in own)


@pytest.mark.parametrize("way", ["link", "slash", "dot"])
def test_removing_works_however_the_store_is_named(store, tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("st")
    path = {"link": tmp_path / "link", "slash": "st/", "dot": "."}[way]
    if way == "dot":
        monkeypatch.chdir(store.path)
    freed, left = remove(type(store.path)(path))
    assert freed > 0 and left == []
    assert not store.path.exists()
    assert os.path.lexists(tmp_path / "link") == (way != "link")


def test_what_is_no_store_is_not_removed(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "shard-00000.h5").write_text("a photo")
    for path in (tmp_path / "photos", tmp_path / "photos" / "shard-00000.h5", tmp_path / "absent"):
        with pytest.raises(InputError, match="is not a feature store; nothing was removed"):
            remove(path)
    assert files(tmp_path / "photos") == {"shard-00000.h5": b"a photo"}
