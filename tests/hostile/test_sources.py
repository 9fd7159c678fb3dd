"""Hostile and damaged sources of images: one line for each, nothing written, nothing waited for."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import socket
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from source_toys import hf_schema, write_tar
from trials import Trials, snapshot

from clusterbench import InputError
from clusterbench.features.encoders.images import decode
from clusterbench.sources.opening import open_source
from clusterbench.sources.saved import save_source
from clusterbench.sources.source import BrokenImage

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

PNG = b"\x89PNG" + b"x" * 400


def member(name: str, size: int = 3, kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    """The header of a member, with any size."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def with_size(head: bytes, field: bytes) -> bytes:
    """A header with 12 bytes of its own as size, and the sum that belongs to them."""
    head = head[:124] + field + head[136:]
    total = sum(head[:148]) + 8 * 32 + sum(head[156:512])
    return head[:148] + b"%06o\0 " % total + head[156:]


def block(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


GOOD = member("cat/1.png") + block(b"png")
END = b"\0" * 1024
DEEP = "/".join(["a"] * 100_000) + "/1.png"


def pax(**records: str) -> bytes:
    lines = b""
    for key, value in records.items():
        text = f" {key}={value}\n".encode()
        size = len(text) + 1
        while len(str(size)) + len(text) != size:
            size = len(str(size)) + len(text)
        lines += str(size).encode() + text
    return member("pax", len(lines), tarfile.XHDTYPE) + block(lines)


TARS = {
    "2^62 bytes": (
        GOOD + with_size(member("cat/2.png"), b"\x80" + bytes(3) + struct.pack(">Q", 2**62)),
        "damaged",
    ),
    "a negative size": (
        GOOD + with_size(member("cat/2.png"), b"\xff" * 10 + b"\xfe\x00"),
        "damaged",
    ),
    "a size that goes round": (
        GOOD + with_size(member("cat/2.png"), b"\xff" * 10 + b"\xfc\x00") + END,
        "damaged",
    ),
    "a long name of 2^40": (
        GOOD
        + with_size(
            member("././@LongLink", 0, tarfile.GNUTYPE_LONGNAME),
            b"\x80" + bytes(3) + struct.pack(">Q", 2**40),
        )
        + END,
        "damaged",
    ),
    "names of names": (
        member("././@LongLink", 1, tarfile.GNUTYPE_LONGNAME)[:512] * 0
        + b"".join(
            member("././@LongLink", 2, tarfile.GNUTYPE_LONGNAME) + block(b"x\0")
            for _ in range(5_000)
        )
        + END,
        "damaged",
    ),
    "deep": (pax(path=DEEP) + GOOD + END, "at most 4,096"),
    "up": (member("../../1.png") + block(b"png") + END, "no images in 1 shard (1 other member)"),
    "up below": (member("cat/../../1.png") + block(b"png") + END, "no images"),
    "twice": (GOOD + GOOD + END, "sample 'cat/1' has 2 images"),
    "two tars in a row": (GOOD + END + GOOD + END, "zeros, but more data"),
    "cut off": (GOOD + member("cat/2.png", 5_000) + b"x" * 100, "cut off"),
    "gzip": (gzip.compress(GOOD + END), "is a compressed archive (gzip)"),
    "links and devices only": (
        b"".join(
            member(f"cat/{k}.png", 0, kind, linkname="/etc/passwd")
            for k, kind in enumerate(
                (
                    tarfile.SYMTYPE,
                    tarfile.LNKTYPE,
                    tarfile.CHRTYPE,
                    tarfile.BLKTYPE,
                    tarfile.FIFOTYPE,
                )
            )
        )
        + END,
        "no images in 1 shard (5 other members)",
    ),
    "sparse": (member("cat/1.png", 512, tarfile.GNUTYPE_SPARSE) + b"x" * 512 + END, "no images"),
    "escape codes": (member("cat/\x1b[2J.png") + block(b"png") + END, "control character U+001B"),
    "right to left": (pax(path="\u202egnp.tac/1.png") + GOOD + END, "U+202E"),
    "not UTF-8": (member("x").replace(b"x", b"\xff", 1)[:512], "damaged"),
    "random": (bytes(range(256)) * 8, "damaged"),
    "empty": (b"", "damaged"),
    "zeros": (bytes(10_240), "no images"),
    "a pax number that is none": (pax(size="many") + GOOD + END, ""),
    "json": (
        member("a.json", 60_000)
        + block(b"[" * 60_000)
        + GOOD.replace(b"cat/1.png", b"a.png\0\0\0\0")
        + END,
        "",
    ),
}


@pytest.mark.parametrize("name", TARS)
def test_a_hostile_tar_is_refused(name: str, trial: Trials, tmp_path: Path) -> None:
    content, message = TARS[name]
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "x.tar").write_bytes(content)
    before = snapshot(tmp_path)
    found = trial("index", tmp_path / "s" / "x.tar", "--output", tmp_path / "i.h5")
    found.refused(message)
    assert snapshot(tmp_path) == before
    with pytest.raises(InputError):  # also where the folder is given
        open_source(tmp_path / "s")


def test_a_sparse_tar_of_a_terabyte_is_not_read(trial: Trials, tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(GOOD + END)
        file.truncate(1 << 40)
    trial("index", tmp_path / "x.tar", "--output", tmp_path / "i.h5").passed()


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link that leads round in a circle": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", ["x.tar", "x.csv", "x.parquet", "x.arrow", "x.h5"])
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_not_waited_for(
    name: str, kind: str, trial: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    SPECIAL[kind](tmp_path / name)
    found = trial("index", tmp_path / name, "--output", tmp_path / "i.h5")
    found.refused() if "circle" in kind else found.refused(f"is {kind}; wanted a regular file")
    trial("index", tmp_path, "--output", tmp_path / "i.h5").refused()
    assert not (tmp_path / "i.h5").exists()


@pytest.mark.parametrize("kind", SPECIAL)
def test_class_names_that_are_no_file_are_not_waited_for(
    kind: str, trial: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    SPECIAL[kind](tmp_path / "n.txt")
    write_tar(tmp_path / "x.tar", [("1.png", PNG), ("1.cls", b"0")])
    words = ("--class-names", tmp_path / "n.txt", "--output", tmp_path / "i.h5")
    trial("index", tmp_path / "x.tar", *words).refused("n.txt")


def test_what_is_no_file_in_a_class_folder_is_not_read(
    trial: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "s" / "cat"
    root.mkdir(parents=True)
    monkeypatch.chdir(root)
    for number, make in enumerate(SPECIAL.values()):
        make(root / f"{number}.png")
    (root / "up").symlink_to("..")
    (root / "round").symlink_to("round")
    (root / ("n" * 251 + ".png")).write_bytes(PNG)
    trial("index", tmp_path / "s", "--output", tmp_path / "i.h5").passed()
    source = open_source(tmp_path / "i.h5")
    for row in range(source.index.n):  # the circle is an image that is broken; nothing hangs
        if "nnn" not in source.index.id(row):
            with pytest.raises(BrokenImage):
                source.read(row)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cat/\x1b[2J.png", "control character U+001B"),
        ("cat/a\nb.png", "line break"),
        ("c\x1bat/1.png", "control character"),
        ("cat/\u202egnp.png", "U+202E"),
        (os.fsdecode(b"cat/\xff.png"), "is not UTF-8"),
        (os.fsdecode(b"c\xffat/1.png"), "is not UTF-8"),
        ("/".join(["a"] * 900) + "/1.png", "folders below the source"),
    ],
)
def test_a_hostile_name_in_a_folder_is_refused(
    name: str, message: str, trial: Trials, tmp_path: Path
) -> None:
    path = tmp_path / "s" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(PNG)
    trial("index", tmp_path / "s", "--output", tmp_path / "i.h5").refused(message)
    assert not (tmp_path / "i.h5").exists()


@pytest.mark.parametrize(
    "name", ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\u00a0b", "نمی‌خواهم", "é"]
)
def test_words_of_other_scripts_are_names(name: str, trial: Trials, tmp_path: Path) -> None:
    for label in (name, "cat"):
        (tmp_path / "s" / label).mkdir(parents=True)
        (tmp_path / "s" / label / f"{name}.png").write_bytes(PNG)
    trial("index", tmp_path / "s", "--output", tmp_path / "i.h5").passed()


LONG = "x" * (100 << 20)
CSVS = {
    "a line of 100 MB": (f"path,label\n{LONG},cat\n", ""),
    "a header of 100 MB": (LONG, ""),
    "negative": ("path,label\na.png,0\nb.png,-1\n", "row 1, counted from 0: label -1 is not"),
    "semicolons": ("path;label\na.png;cat\n", "separated by semicolons; wanted commas"),
    "tabs": ("path\tlabel\na.png\tcat\n", "separated by tabs; wanted commas"),
    "one file, two classes": (
        "path,label\na.png,cat\na.png,dog\n",
        "under the classes 'cat' and 'dog'",
    ),
    "one file, two splits": (
        "path,label,split\na.png,cat,train\na.png,cat,val\n",
        "under train and in val",
    ),
    "up": ("path,label\na.png,..\n", "leads elsewhere"),
    "absolute class": ("path,label\na.png,/etc\n", "leads elsewhere"),
    "blank class": ("path,label\na.png, \n", "no label in row 0"),
    "control": ("path,label\na.png,c\x1bat\n", "U+001B"),
    "a class of 100,000": (f"path,label\na.png,{'c' * 100_000}\n", "wanted at most 1,000"),
    "NUL": ("path,label\na\0.png,cat\n", "NUL byte"),
    "addresses": (
        "path,label\nhttps://x.org/a.png,cat\n",
        "they are addresses, and nothing is fetched",
    ),
    "home": ("path,label\n~/a.png,cat\n", "~ is not replaced"),
    "Windows": ("path,label\nC:\\pictures\\a.png,cat\n", "separated by backslashes"),
    "a long path": (f"path,label\n{'a/' * 5_000}a.png,cat\n", ""),
    "val only": ("path,label,split\na.png,cat,test\n", "no training images"),
    "an unknown split": ("path,label,split\na.png,cat,holdout\n", "split 'holdout' in row 0"),
    "quotes": ('path,label\n"a.png,cat\n', ""),
    "binary": (bytes(range(256)).decode("latin-1") * 20, ""),
}


@pytest.mark.parametrize("name", CSVS)
def test_a_hostile_list_is_refused(name: str, trial: Trials, tmp_path: Path) -> None:
    text, message = CSVS[name]
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    (tmp_path / "a.png").write_bytes(PNG)
    trial("index", tmp_path / "x.csv", "--output", tmp_path / "i.h5").refused(message)
    assert not (tmp_path / "i.h5").exists()


def table(path: Path, **columns: object) -> None:
    pq.write_table(pa.table(columns), path, store_schema=False)


def deep_schema(path: Path) -> None:
    text = b'{"info": {"features": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    found = pa.table({"image": [b"x"], "label": ["cat"]})
    pq.write_table(found.replace_schema_metadata({b"huggingface": text}), path)


def long_label(path: Path) -> None:
    labels = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), ["x" * 5_000_000])
    table(path, image=[b"x"] * 50_000, label=labels)


def null_images(path: Path) -> None:
    pq.write_table(pa.table({"image": [None, None], "label": [0, 1]}, schema=hf_schema()), path)


TABLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "rows that cost nothing": (
        lambda p: table(
            p,
            image=pa.nulls(20_000_000, pa.binary()),
            label=pa.array(np.zeros(20_000_000, np.int8)),
        ),
        "rows in",
    ),
    "a long label": (long_label, "at most 4,000"),
    "negative": (
        lambda p: table(p, image=[b"x"] * 2, label=[0, -1]),
        "row 1, counted from 0: label -1",
    ),
    "negative text": (
        lambda p: table(p, image=[b"x"] * 2, label=["0", "-1"]),
        "label -1 is not a class",
    ),
    "up": (lambda p: table(p, image=[b"x"], label=["../x"]), "leads elsewhere"),
    "control": (lambda p: table(p, image=[b"x"], label=["\x1b[2J"]), "U+001B"),
    "empty": (lambda p: table(p, image=[b"x"], label=[""]), "is empty"),
    "a name that leads up": (
        lambda p: table(p, image=[b"x"], label=["cat"], id=["../../x"]),
        "leads elsewhere",
    ),
    "damaged": (
        lambda p: p.write_bytes(
            b"PAR1" + bytes(range(256)) + struct.pack("<I", 2**31 - 1) + b"PAR1"
        ),
        "not a whole",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_refused(name: str, trial: Trials, tmp_path: Path) -> None:
    make, message = TABLES[name]
    make(tmp_path / "x.parquet")
    trial("index", tmp_path / "x.parquet", "--output", tmp_path / "i.h5").refused(message)
    assert not (tmp_path / "i.h5").exists()


@pytest.mark.parametrize("make", [deep_schema, null_images])
def test_an_odd_table_is_read(make: Callable[[Path], None], trial: Trials, tmp_path: Path) -> None:
    make(tmp_path / "x.parquet")
    trial("index", tmp_path / "x.parquet", "--output", tmp_path / "i.h5").passed()


def test_arrow_offsets_that_lead_elsewhere_are_refused(trial: Trials, tmp_path: Path) -> None:
    labels = pa.array(["cat", "dog", "cat"])
    wrong = pa.Array.from_buffers(
        pa.string(),
        3,
        [None, pa.py_buffer(np.array([0, 2**30, 3, 9], np.int32)), labels.buffers()[2]],
    )
    found = pa.table({"image": [b"1", b"2", b"3"], "label": wrong})
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), found.schema) as writer:
        writer.write_table(found)
    trial("index", tmp_path / "x.arrow", "--output", tmp_path / "i.h5").refused("x.arrow")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved index of tars."""
    root = tmp_path_factory.mktemp("indexed")
    for label in ("cat", "dog"):
        write_tar(root / "tars" / f"{label}.tar", [(f"{i}.png", PNG) for i in range(3)])
    save_source(open_source(root / "tars"), root / "i.h5")
    return root / "i.h5"


def resource(file: h5py.File, **changes: object) -> None:
    facts = json.loads(file["source"][()])
    facts.update(changes)
    put(file, "source", json.dumps(facts))


def put(file: h5py.File, name: str, value: object) -> None:
    del file[name]
    file[name] = value


def huge(file: h5py.File) -> None:
    del file["ids"]
    file.create_dataset("ids", (10**9,), "S64", chunks=(1 << 16,), compression="gzip")


def outside(file: h5py.File) -> None:
    del file["labels"]
    file.create_dataset("labels", (6,), "i4", external=[("/etc/passwd", 0, 24)])


def a_group(file: h5py.File) -> None:
    del file["ids"]
    file.create_group("ids")


INDEXES: dict[str, Callable[[h5py.File], None]] = {
    "labels out of range": lambda f: put(f, "labels", np.array([0, 0, 0, 9, 9, 9], np.int32)),
    "labels of another kind": lambda f: put(f, "labels", np.zeros(6, np.float32)),
    "ids without end": huge,
    "labels of another file": outside,
    "a group for ids": a_group,
    "a deep source": lambda f: put(f, "source", "[" * 100_000),
    "a source that is a number": lambda f: put(f, "source", 3),
    "a list for source": lambda f: put(f, "source", "[]"),
    "no settings": lambda f: resource(f, settings={}),
    "settings of another kind": lambda f: resource(f, settings={"root": 3, "containers": 4}),
    "another kind": lambda f: resource(f, kind="os.system"),
    "a kind that is a list": lambda f: resource(f, kind=[]),
    "a report of another kind": lambda f: resource(f, report={"x": 1}),
    "a function of the system": lambda f: resource(
        f, kind="TorchItemsSource", settings={"spec": "torch:os:abort"}
    ),
    "containers that are not there": lambda f: put(
        f, "columns/container", np.full(6, 99, np.int32)
    ),
    "negative offsets": lambda f: put(f, "columns/offset", np.full(6, -5, np.int64)),
    "too few offsets": lambda f: put(f, "columns/offset", np.zeros(2, np.int64)),
    "no columns": lambda f: f.__delitem__("columns"),
    "an id that leads up": lambda f: put(f, "ids", np.array([b"../x"] * 6)),
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_hostile_index_is_refused(name: str, index: Path, trial: Trials, tmp_path: Path) -> None:
    path = Path(shutil.copy(index, tmp_path / "x.h5"))
    with h5py.File(path, "r+") as file:
        INDEXES[name](file)
        _sign(file)
    before = snapshot(tmp_path)
    trial("index", path, "--output", tmp_path / "again.h5").refused("x.h5")
    if name == "a deep source":  # once: it imports torch
        words = ("--encoder", "efficientnet-lite0", "--dry-run", "--output", tmp_path / "store")
        trial("extract", "--source", path, *words, cwd=tmp_path).refused("x.h5")
    assert snapshot(tmp_path) == before


def _sign(file: h5py.File) -> None:
    """The hash of what the file holds now, where it has one."""
    from clusterbench.sources.dataset_index import DatasetIndex

    try:
        names = tuple(name.decode() for name in file["class_names"][:])
        if file["ids"].nbytes < 1 << 20:
            columns = (file["ids"][:], names, file["labels"][:], file["split"][:])
            file.attrs["hash"] = DatasetIndex(*columns).hash
    except (InputError, AttributeError):
        pass


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def promising(width: int, height: int) -> bytes:
    """A PNG whose header promises that size."""
    import zlib

    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + head + encoded(Image.new("RGB", (1, 1)), "PNG")[33:]


IMAGES = {
    "a bomb": promising(30_000, 30_000),
    "a bomb of one row": promising(2**31 - 1, 1),
    "no width": promising(0, 5),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "HTML": b"<!doctype html><html>404</html>",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ls) system\n",
    "cut off": encoded(Image.effect_noise((64, 64), 90), "PNG")[:800],
    "float out of range": encoded(Image.fromarray(np.full((2, 2), 300.0, np.float32)), "TIFF"),
    "negative float": encoded(Image.fromarray(np.full((2, 2), -1.0, np.float32)), "TIFF"),
    "32 bits": encoded(Image.fromarray(np.full((2, 2), 10**6, np.int32)), "TIFF"),
    "negative 32 bits": encoded(Image.fromarray(np.full((2, 2), -9, np.int32)), "TIFF"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_hostile_image_is_broken_with_a_reason(name: str) -> None:
    with pytest.raises(BrokenImage) as found:
        decode(IMAGES[name])
    assert 5 < len(str(found.value)) < 300


def test_a_file_that_is_too_large_for_an_image_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "cat" / name).write_bytes(PNG)
    os.truncate(tmp_path / "cat" / "a.png", 2 << 30)
    source = open_source(tmp_path)
    with pytest.raises(BrokenImage, match="2,147,483,648 bytes; wanted at most"):
        source.read(0)
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(member("cat/1.png", 2 << 30))
        file.truncate((2 << 30) + 512)
    with pytest.raises(BrokenImage, match="wanted at most"):
        open_source(tmp_path / "x.tar", allow_damaged=True).read(0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_an_index_or_one_error(
    data: st.DataObject, index: Path, tmp_path: Path
) -> None:
    """Of a small tar, a CSV, a table and a saved index, some bytes are others."""
    seeds = {
        "x.tar": pax(path="cat/ä.png") + GOOD + member("dog/2.png") + block(b"png") + END,
        "x.csv": b"path,label,split\na.png,cat,train\nb.png,cat,val\n",
        "x.h5": index.read_bytes(),
    }
    name = data.draw(st.sampled_from(sorted(seeds)))
    content = bytearray(seeds[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    (tmp_path / "a.png").write_bytes(PNG)
    try:
        assert open_source(path).index.n > 0
    except InputError as error:
        assert "\n" not in str(error)
