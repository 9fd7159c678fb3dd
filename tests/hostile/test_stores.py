"""Feature stores that were damaged or made to do harm: refused, and nothing outside touched.

Manifests are signed again after each edit, so that only a look at what they say can refuse them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resigning import seal, sign_packed, sign_store
from store_toys import files, flip, write_store
from trials import Trial, Trials, snapshot

from clusterbench import FeatureStore, InputError

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
    "fields deep": setting("fields", "details")({"a": DEEP[:1] and DEEP}),
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


@pytest.mark.parametrize("name", EDITS)
def test_a_manifest_that_was_edited_and_signed_again(
    name: str, trial: Trials, place: Path
) -> None:
    verb = VERBS[list(EDITS).index(name) % len(VERBS)]
    sign_store(place / "st", EDITS[name], files=False)
    before = snapshot(place)
    told(trial("cache", "verify", place / "st"))
    with pytest.raises(InputError):
        FeatureStore.open(place / "st").index  # noqa: B018 - two edits show there first
    found = trial(*words(verb, place / "st", place))
    found.within()
    found._clean()
    after = snapshot(place)
    if verb == "remove":  # it removes by its own list of names
        assert found.code == 0
        before = {k: v for k, v in before.items() if k != "st" and not k.startswith("st/")}
    elif verb in ("pack", "repair"):
        assert found.code in (1, 2)
    after = {k: v for k, v in after.items() if not k.startswith("out")}
    assert after == before


@pytest.mark.parametrize("name", EDITS)
def test_a_packed_manifest_that_was_edited_and_signed_again(
    name: str, trial: Trials, place: Path
) -> None:
    sign_packed(place / "one.h5", EDITS[name])
    before = snapshot(place)
    told(trial("cache", "verify", place / "one.h5"))
    found = trial(*words("unpack", place / "one.h5", place))
    found.refused()
    assert snapshot(place) == before


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


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize(
    "name", ["store.json", "shard-00001.h5", "index.h5", "features.h5", "broken.jsonl", "one.h5"]
)
def test_what_is_no_file_is_not_waited_for(
    name: str, make: Callable[[Path], None], trial: Trials, place: Path
) -> None:
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


@pytest.mark.parametrize("name", ["extraction.json", "origin.json"])
@pytest.mark.parametrize("make", [*ODD, _large, None])
def test_an_unfinished_extraction_with_odd_records(
    name: str, make: Callable[[Path], None] | None, trial: Trials, place: Path
) -> None:
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
        **{"location": "birds", "format": "auto", "class_names": None, "root": None},
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
def test_an_origin_is_judged_before_it_is_followed(
    name: str, trial: Trials, place: Path
) -> None:
    store = place / "st"
    (store / "origin.json").write_text(json.dumps(ORIGINS[name]))
    trial("cache", "verify", store).passed()
    (store / "store.json").write_text("{")
    found = trial(*words("repair", store, place))
    found.refused()
    assert (store / "store.json").read_text() == "{"
