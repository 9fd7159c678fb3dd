"""Feature stores that were damaged or made to do harm: refused, and nothing outside touched.

Manifests are signed again after each edit, so that only a look at what they say can refuse them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resigning import seal, sign_packed, sign_store
from store_toys import files, write_store
from trials import Trial, Trials, snapshot

from clusterbench import FeatureStore, InputError
from clusterbench.features.extract.job import ExtractionJob
from clusterbench.features.extract.origin import Origin
from clusterbench.features.extract.repair import repair
from clusterbench.features.store import virtual_file
from clusterbench.features.store.diagnosis import diagnose

DEEP: Any = []
for _ in range(40):
    DEEP = [DEEP]


def setting(*place: Any) -> Callable[[Any], Callable[[dict[str, Any]], None]]:
    """`setting("shards", 0, "rows")(-5)`: an edit of one value of a manifest."""

    def to(value: Any) -> Callable[[dict[str, Any]], None]:
        def edit(manifest: dict[str, Any]) -> None:
            target: Any = manifest
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = value

        return edit

    return to


def _move(manifest: dict[str, Any], rows: int) -> None:
    manifest["shards"][0]["rows"] += rows
    manifest["shards"][1]["rows"] -= rows


#: What a manifest may not say: name -> edit.
EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    **{
        f"n {value!r}": setting("n")(value)
        for value in (-1, 0, 21, 10**18, 2**63 - 1, "20", 20.0, True, None, [20])
    },
    **{f"dim {value!r}": setting("dim")(value) for value in (0, -3, 4, 2**40, "3", 3.0, False)},
    **{
        f"dtype {value!r}": setting("dtype")(value)
        for value in ("O", "object", "float64", "<f2", "S10", "float32", 2, None, ["f", "g"])
    },
    **{f"shard_rows {value!r}": setting("shard_rows")(value) for value in (0, -1, 7, 10**12, "8")},
    **{f"broken {value!r}": setting("broken")(value) for value in (-1, 1, 0.0, "0")},
    **{
        f"rows {value!r}": setting("shards", 0, "rows")(value)
        for value in (-5, 10**18, 7, "8", 8.0, True)
    },
    "rows moved": lambda manifest: _move(manifest, 1),
    "start 1": setting("shards", 1, "start")(9),
    "start negative": setting("shards", 0, "start")(-8),
    "file ..": setting("shards", 0, "file")("../precious.txt"),
    "file absolute": setting("shards", 0, "file")("/tmp/precious.txt"),
    "file of another": setting("shards", 0, "file")("shard-00001.h5"),
    "file NUL": setting("shards", 0, "file")("shard\x00.h5"),
    "file number": setting("shards", 0, "file")(7),
    "files ..": setting("files", "../precious.txt")("0" * 64),
    "files lost": lambda manifest: manifest["files"].pop("broken.jsonl"),
    "files list": setting("files")(["index.h5"]),
    "hash short": setting("shards", 0, "sha256")("abc"),
    "hash upper": setting("shards", 1, "file_sha256")("A" * 64),
    "hash number": setting("files", "index.h5")(1),
    "hash escapes": setting("shard_identity")("\x1b[2J" + "0" * 60),
    "shards none": setting("shards")([]),
    "shards table": setting("shards")({}),
    "shards twice": lambda manifest: manifest["shards"].append(manifest["shards"][-1]),
    "shard list": setting("shards", 0)([]),
    "shard key": setting("shards", 0, "more")(1),
    "key": setting("more")(1),
    "no source": lambda manifest: manifest.pop("source"),
    "source text": setting("source")("here"),
    "source of none": setting("source")({"index": "0" * 64, "n": 20, "more": 1}),
    "source small": setting("source")({"index": "0" * 64, "n": 8}),
    "format": setting("format")(["clusterbench-features/2"]),
    "fields list": setting("fields")([]),
    "fields deep": setting("fields", "details")({"a": DEEP}),
    "encoder empty": setting("fields", "encoder")(""),
    "encoder escapes": setting("fields", "encoder")("\x1b]0;evil\x07"),
    "encoder direction": setting("fields", "encoder")("a\u202eb"),
    "encoder lines": setting("fields", "encoder")("a\nb"),
    "encoder long": setting("fields", "encoder")("e" * 100_000),
    "encoder number": setting("fields", "encoder")(5),
    "no encoder": lambda manifest: manifest["fields"].pop("encoder"),
    "fields dtype": setting("fields", "dtype")("float64"),
    "fields index": setting("fields", "index")("../index"),
    "other index": setting("fields", "index")("0" * 64),
    "NaN": setting("fields", "details")({"a": float("nan")}),
    "infinity": setting("fields", "details")({"a": float("inf")}),
    "digits": setting("fields", "details")({"a": 10**400}),
    "many details": setting("fields", "details")({"a": [0] * 200_000}),
}

VERBS = ("list", "pack", "repair", "remove", "import")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 20 rows in three shards, and the same packed."""
    folder = tmp_path_factory.mktemp("toy")
    write_store(folder / "st").pack(folder / "one.h5")
    return folder


@pytest.fixture
def place(toy: Path, tmp_path: Path) -> Path:
    """A folder of its own with the store, the packed store, and a file that is precious."""
    place = tmp_path / "place"
    shutil.copytree(toy, place)
    (place / "precious.txt").write_text("precious")
    return place


def told(found: Trial, *parts: str) -> None:
    """`cache verify` says that a store is damaged, or refuses it: one line, within all limits."""
    found.within()
    assert found.code in (1, 2), (found.code, found.out, found.err)
    assert "damaged" in found.out or found.err.startswith("error: ")
    found._clean()
    for part in parts:
        assert part in found.out + found.err


def words(verb: str, store: Path, place: Path) -> tuple[str | Path, ...]:
    output = place / "out"
    return {
        "list": ("cache", "list", place),
        "pack": ("cache", "pack", store, "--output", output),
        "unpack": ("cache", "unpack", store, "--output", output),
        "repair": ("cache", "repair", store, "--workers", "0", "--device", "cpu"),
        "remove": ("cache", "remove", "--yes", store),
        "import": ("import", store, "--name", "e", "--output", output),
    }[verb]


def sampled(cases: Any, step: int) -> list[Any]:
    """Every `step`-th case; the others are slow, since each takes processes of its own."""
    slow = pytest.mark.exhaustive
    return [pytest.param(c, marks=[slow] * bool(i % step)) for i, c in enumerate(cases)]


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_refused_by_every_reader(name: str, place: Path) -> None:
    sign_store(place / "st", EDITS[name], files=False)
    sign_packed(place / "one.h5", EDITS[name])
    before = snapshot(place)
    for path in (place / "st", place / "one.h5"):
        with pytest.raises(InputError) as caught:
            FeatureStore.open(path).index  # noqa: B018 - one edit shows there first
        assert len(str(caught.value)) <= 2_000
        try:
            assert diagnose(path).faults
        except InputError:
            assert path.is_file()
    with pytest.raises(InputError):
        FeatureStore.open(place / "one.h5").unpack(place / "out")
    assert snapshot(place) == before


@pytest.mark.parametrize("name", sampled(EDITS, 30))
def test_a_manifest_that_was_edited_and_signed_again(name: str, trial: Trials, place: Path) -> None:
    verb = VERBS[list(EDITS).index(name) % len(VERBS)]
    sign_store(place / "st", EDITS[name], files=False)
    sign_packed(place / "one.h5", EDITS[name])
    before = snapshot(place)
    told(trial("cache", "verify", place / "st"))
    told(trial("cache", "verify", place / "one.h5"))
    trial(*words("unpack", place / "one.h5", place)).refused()
    found = trial(*words(verb, place / "st", place))
    found.within()
    found._clean()
    after = {k: v for k, v in snapshot(place).items() if not k.startswith("out")}
    if verb == "remove":  # it removes by its own list of names
        assert found.code == 0
        before = {k: v for k, v in before.items() if k != "st" and not k.startswith("st/")}
    elif verb in ("pack", "repair"):
        assert found.code in (1, 2)
    assert after == before


def test_unpacking_writes_where_it_is_told_and_nowhere_else(trial: Trials, place: Path) -> None:
    """The fault as it was found: the file that the manifest names was written over."""
    sign_packed(place / "one.h5", setting("shards", 0, "file")("../precious.txt"))
    told(trial("cache", "verify", place / "one.h5"), "shard 0 is the file '../precious.txt'")
    trial("cache", "unpack", place / "one.h5").refused("wanted 'shard-00000.h5'")
    assert (place / "precious.txt").read_text() == "precious"


def test_removing_takes_the_stores_own_files_and_no_link_s_target(
    trial: Trials, place: Path
) -> None:
    store = place / "st"
    (store / "shard-00001.h5").unlink()
    (store / "shard-00001.h5").symlink_to(place / "precious.txt")
    (store / "mine.txt").write_text("mine")
    sign_store(store, setting("files", "mine.txt")("0" * 64), files=False)
    trial("cache", "remove", "--yes", store).passed()
    assert (place / "precious.txt").read_text() == "precious"
    assert files(store) == {"mine.txt": b"mine"}


#: What may not be in the files of a store, whatever their hashes: edits of a shard, and of
#: what is the same in a packed file.
def _outside(file: h5py.File, where: Path) -> None:
    shape, dtype = file["features"].shape, file["features"].dtype
    del file["features"]
    space, made = h5py.h5s.create_simple(shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_external(str(where / "precious.txt").encode(), 0, int(np.prod(shape)) * dtype.itemsize)
    h5py.h5d.create(file.id, b"features", h5py.h5t.py_create(dtype), space, made)


def _virtual(file: h5py.File, where: Path) -> None:
    layout = h5py.VirtualLayout(file["features"].shape, file["features"].dtype)
    layout[:] = h5py.VirtualSource(str(where / "other.h5"), "x", file["features"].shape)
    del file["features"]
    file.create_virtual_dataset("features", layout)


def _external_link(file: h5py.File, where: Path) -> None:
    del file["features"]
    file["features"] = h5py.ExternalLink(str(where / "other.h5"), "x")


def _soft_link(file: h5py.File, where: Path) -> None:
    file.move("features", "moved")
    file["features"] = h5py.SoftLink("/moved")


def _bomb(file: h5py.File, where: Path) -> None:
    shape, dtype = file["features"].shape, file["features"].dtype
    del file["features"]
    file.create_dataset("features", shape, dtype, chunks=True, compression="gzip")


def _huge(file: h5py.File, where: Path) -> None:
    dtype = file["features"].dtype
    del file["features"]
    file.create_dataset("features", (1 << 40, 3), dtype, chunks=(1024, 3))


def _objects(file: h5py.File, where: Path) -> None:
    shape = file["features"].shape
    del file["features"]
    file.create_dataset("features", shape, h5py.string_dtype())


def _group(file: h5py.File, where: Path) -> None:
    del file["features"]
    file.create_group("features")


def _identity(file: h5py.File, where: Path) -> None:
    file.attrs["identity"] = np.zeros(4000, "u8")


CONTENTS = (
    *(_outside, _virtual, _external_link, _soft_link, _bomb, _huge, _objects, _group, _identity),
)


@pytest.mark.parametrize("edit", CONTENTS)
def test_rows_that_are_not_in_the_file_itself(
    edit: Callable[[h5py.File, Path], None], trial: Trials, place: Path
) -> None:
    with h5py.File(place / "other.h5", "w") as other:
        other["x"] = np.zeros((20, 3), "f2")
    for path in (place / "st" / "shard-00000.h5", place / "one.h5"):
        with h5py.File(path, "r+") as file:
            edit(file, place)
    seal(place / "one.h5")
    sign_store(place / "st")
    for path in (place / "st", place / "one.h5"):
        with pytest.raises(InputError):
            FeatureStore.open(path)
        assert diagnose(path).faults
    if edit is not _identity:  # the rows are there, and those of the manifest
        with pytest.raises(InputError):
            FeatureStore.unchecked(place / "one.h5").unpack(place / "out")
        assert not (place / "out").exists()
    (place / "st" / "store.json").write_text("{")  # shards are held against their own checksums
    (place / "st" / "origin.json").write_text("{}")
    found = {fault.file for fault in diagnose(place / "st").faults}
    assert edit is _identity or "shard-00000.h5" in found


def _columns(**found: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        for name, value in found.items():
            file["shards/00000"][name] = value

    return edit


def _attributes(**found: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        for name, value in found.items():
            file["shards/00000"].attrs[name] = value

    return edit


def _big_column(file: h5py.File) -> None:
    file["shards/00000"].create_dataset("broken", (1 << 40,), "i8", chunks=(1 << 16,))


def _shared_text(file: h5py.File) -> None:
    """Many references to one long text: gigabytes from a small file."""
    group = file["shards/00000"]
    group.create_dataset("reasons", data=["x" * 4_000_000], dtype=h5py.string_dtype())
    with open(file.filename, "rb") as raw:  # noqa: PTH123
        file.flush()
        raw.seek(group["reasons"].id.get_offset())
        reference = raw.read(16)
    del group["reasons"]
    data = group.create_dataset("reasons", (1000,), h5py.string_dtype())
    data[:] = "y"
    file.flush()
    offset = data.id.get_offset()
    with open(file.filename, "rb+") as raw:  # noqa: PTH123
        raw.seek(offset)
        raw.write(reference * 1000)


def _group_link(file: h5py.File) -> None:
    file.move("shards/00000", "moved")
    file["shards/00000"] = h5py.SoftLink("/moved")


RECORDS: dict[str, Callable[[h5py.File], None]] = {
    "column ..": _columns(**{"..x": np.zeros(3)}),
    "column of another name": _columns(more=np.zeros(3)),
    "column escapes": _columns(**{"\x1b[2J": np.zeros(3)}),
    "large column": _big_column,
    "shared text": _shared_text,
    "attribute": _attributes(more=1),
    "made_with array": _attributes(made_with=np.zeros(9)),
    "link": _group_link,
    "no records": lambda file: file.__delitem__("shards/00000"),
    "broken list": lambda file: file.__delitem__("broken"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_a_packed_file_that_no_shard_has(name: str, place: Path) -> None:
    sign_packed(place / "one.h5", inside=RECORDS[name])
    assert diagnose(place / "one.h5").faults
    with pytest.raises(InputError):
        FeatureStore.open(place / "one.h5").unpack(place / "out")
    assert not (place / "out").exists()


def test_a_view_of_other_files_is_found(place: Path) -> None:
    """`features.h5` with a source elsewhere, its hash recorded: any HDF5 tool would follow it."""
    store = place / "st"
    layout = h5py.VirtualLayout((20, 3), "f2")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (20, 3))
    with h5py.File(store / "features.h5", "w") as file:
        file.create_virtual_dataset("features", layout)
    sign_store(store)
    assert [fault.text for fault in diagnose(store).faults] == [
        "features.h5: shows other files than the shards"
    ]


def test_rows_of_a_missing_shard_read_as_nan_in_other_tools(place: Path) -> None:
    (place / "st" / "shard-00001.h5").unlink()
    with h5py.File(place / "st" / "features.h5") as file:
        rows = file["features"][:]
    assert np.isnan(rows[8:16]).all() and np.isfinite(rows[:8]).all()


def test_a_store_of_an_older_version_keeps_its_bytes(place: Path) -> None:
    """Until then, a row whose shard was not there read as zeros in `features.h5`."""
    store = FeatureStore.open(place / "st")
    virtual_file._write(store.path, store.shards, store.dim, store.dtype, None)
    sign_store(store.path)
    old = FeatureStore.open(store.path)
    assert old.verify() == []
    before = files(old.path)
    again = old.pack(place / "old.h5").unpack(place / "again")
    del before["store.json"]  # written on more lines
    assert {**files(again.path), **before}.keys() - {"store.json"} == before.keys()
    assert all(files(again.path)[name] == content for name, content in before.items())
    (old.path / "features.h5").write_bytes(b"")
    repair(diagnose(old.path), lambda: None)
    assert all(files(old.path)[name] == content for name, content in before.items())


FLIPS = """
import sys
from pathlib import Path
from clusterbench import FeatureStore, InputError
path, store, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
content = path.read_bytes()
count = 0
for number in range(0, len(content) * 8, step):
    changed = bytearray(content)
    changed[number // 8] ^= 1 << number % 8
    path.write_bytes(changed)
    print(number, file=sys.stderr, flush=True)
    try:
        opened = FeatureStore.open(store)
        opened.index, opened.read()
    except InputError:
        count += 1
path.write_bytes(content)
# Not `ru_maxrss`, which counts the process that this one was started by.
peak = next(x for x in open("/proc/self/status") if x.startswith("VmHWM"))
print(count, int(peak.split()[1]) * 1024)
"""


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("st/shard-00000.h5", 499),
        *(pytest.param("st/shard-00000.h5", 1, marks=pytest.mark.exhaustive),),
        *(pytest.param("st/index.h5", 7, marks=pytest.mark.exhaustive),),
        *(pytest.param("one.h5", 13, marks=pytest.mark.exhaustive),),
    ],
)
def test_a_changed_bit_costs_no_memory(name: str, step: int, place: Path) -> None:
    """One in the length of a text made HDF5 take 2 GB before it looked where the text stands."""
    store = place / name.split("/")[0]
    arguments = [sys.executable, "-c", FLIPS, str(place / name), str(store), str(step)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=3_000)
    assert done.returncode == 0, done.stderr[-2_000:]
    refused, peak = map(int, done.stdout.split())
    assert refused > 0 and peak < 1 << 30, f"{peak / 1e6:.0f} MB"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below),
    max_leaves=6,
)


def _places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in ((*before, k), *_places(v, (*before, k)))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in ((*before, i), *_places(v, (*before, i)))]
    return []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), value=VALUES)
def test_any_edit_opens_equal_or_is_refused(toy: Path, data: Any, value: Any) -> None:
    manifest = toy / "st" / "store.json"
    content = manifest.read_text()
    edit = setting(*data.draw(st.sampled_from(_places(json.loads(content)))))(value)
    try:
        sign_store(toy / "st", edit, files=False)
        try:
            opened = FeatureStore.open(toy / "st")
        except InputError:
            return
        assert opened.read().shape == (20, 3) and opened.encoder and opened.n == 20
    finally:
        manifest.write_text(content)


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have about a hundred characters
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


def _deep(path: Path) -> None:
    path.write_text("[" * 100_000 + "]" * 100_000)


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 36)


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


ODD = (_fifo, _socket, _device, _folder, _loop, _dangling, _deep, _binary)


PARTS = ("store.json", "shard-00001.h5", "index.h5", "features.h5", "broken.jsonl", "one.h5")


@pytest.mark.parametrize("case", sampled([(name, make) for name in PARTS for make in ODD], 5))
def test_what_is_no_file_is_not_waited_for(
    case: tuple[str, Callable[[Path], None]], trial: Trials, place: Path
) -> None:
    name, make = case
    packed = name == "one.h5"
    target = place / name if packed else place / "st" / name
    make(target)
    store = target if packed else place / "st"
    before = snapshot(place)
    told(trial("cache", "verify", store))
    for verb in ("list", "unpack" if packed else "pack"):
        found = trial(*words(verb, store, place))
        found.within()
        found._clean()
    after = {k: v for k, v in snapshot(place).items() if not k.startswith("out")}
    assert after == before


@pytest.mark.parametrize(
    "case",
    sampled([(n, m) for n in ("extraction.json", "origin.json") for m in (*ODD, _large, None)], 5),
)
def test_an_unfinished_extraction_with_odd_records(
    case: tuple[str, Callable[[Path], None] | None], trial: Trials, place: Path
) -> None:
    name, make = case
    store = place / "st"
    (store / "store.json").unlink()
    if make is None:
        text = {"format": "clusterbench-origin/1", "fields": {"encoder": "\x1b[2J" * 9}, "n": -1}
        (store / name).write_text(json.dumps(text | {"shard_rows": 0, "shards": "\u202e"}))
    else:
        make(store / name)
    for verb in ("list", "pack"):
        found = trial(*words(verb, store, place))
        found.within()
        found._clean()
    found = trial("cache", "verify", store)
    found.within()
    found._clean()
    assert found.code in (1, 2)


ORIGIN = {
    "format": "clusterbench-origin/1",
    "source": {
        "location": "birds",
        "format": "auto",
        "class_names": None,
        "root": None,
        "allow_damaged": False,
    },
    "encoder": "timm:x",
    "weights": None,
    "options": {"precision": "fp32", "dtype": "float16", "shard_rows": 8},
    "batch_size": 4,
}
ORIGINS: dict[str, Any] = {
    "list": [],
    "null": None,
    "format": {**ORIGIN, "format": 1},
    "key": {**ORIGIN, "more": 1},
    "source list": {**ORIGIN, "source": []},
    "source key": {**ORIGIN, "source": {**ORIGIN["source"], "self": 1}},  # type: ignore[dict-item]
    "no root": {**ORIGIN, "source": {"location": "birds"}},
    "location": {**ORIGIN, "source": {**ORIGIN["source"], "location": 5}},  # type: ignore[dict-item]
    "location NUL": {**ORIGIN, "source": {**ORIGIN["source"], "location": "\x00"}},  # type: ignore[dict-item]
    "location long": {**ORIGIN, "source": {**ORIGIN["source"], "location": "x/" * 9999}},  # type: ignore[dict-item]
    "options key": {**ORIGIN, "options": {"output": "/tmp/x"}},
    "options type": {**ORIGIN, "options": {"shard_rows": "8"}},
    "batch 0": {**ORIGIN, "batch_size": 0},
    "batch true": {**ORIGIN, "batch_size": True},
    "encoder": {**ORIGIN, "encoder": ["x"]},
    "encoder escapes": {**ORIGIN, "encoder": "\x1b[2J\n"},
    "weights": {**ORIGIN, "weights": 1},
    "deep": {**ORIGIN, "options": {"dtype": DEEP}},
}


@pytest.mark.parametrize("name", ORIGINS)
def test_an_origin_is_judged_before_it_is_followed(name: str, place: Path) -> None:
    (place / "st" / "origin.json").write_text(json.dumps(ORIGINS[name]))
    try:
        origin = Origin.read(place / "st")
    except InputError as error:
        assert "origin.json: " in str(error)
    else:
        assert name == "encoder escapes"
        with pytest.raises(InputError):
            ExtractionJob(origin, place / "st", device="cpu", repairing=True).plan()


def test_paths_that_no_system_takes(trial: Trials, place: Path) -> None:
    for path in ("x/" * 5_000, "\x1b[2J"):
        for verb in ("verify", "unpack", "list", "remove"):
            found = trial("cache", verb, *(["--yes"] if verb == "remove" else []), path)
            found.within()
            found._clean()
            assert found.code in (1, 2)
    for path in ("\0", "x" * 10_000):
        with pytest.raises(InputError):
            FeatureStore.open(path)


@pytest.mark.parametrize("name", ["broken.jsonl", "index.h5", "features.h5", "shard-00001.h5"])
def test_a_file_of_a_store_that_has_no_end_is_not_read(
    name: str, place: Path, trial: Trials
) -> None:
    os.truncate(place / "st" / name, 100 << 30)
    found = trial("cache", "verify", place / "st")
    found.within()
    assert found.code == 1 and f"{name}: has 107,374,182,400 bytes, more than" in found.out
    packed = trial("cache", "pack", place / "st", "--output", place / "two.h5")
    packed.within()
    # Of the index and the virtual file, packing needs no byte.
    assert packed.code == (0 if name in ("index.h5", "features.h5") else 2)
    trial("cache", "repair", place / "st").within()
