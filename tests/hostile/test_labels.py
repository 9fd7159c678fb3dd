"""Damaged and hostile files of labels, at `score` and `compare`: one line, little time and memory."""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from trials import Trials, snapshot

_MB = 1 << 20


def npy_header(text: str) -> bytes:
    body = text.encode() + b" " * (118 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


def promised(shape: str, dtype: str = "<i8", order: str = "False") -> bytes:
    """An array's header without its data."""
    return npy_header(f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}}}")


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes], *, twice: bool = False) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
            if twice:
                file.writestr(name, content)


def archive_bomb(path: Path, header: bytes, size: int) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("labels.npy", "w", force_zip64=True) as member,
    ):
        member.write(header)
        for _ in range(size // (16 * _MB)):
            member.write(bytes(16 * _MB))


def encrypted(path: Path) -> None:
    archive(path, {"labels.npy": npy(np.arange(40))})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the local header's flag
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def table(path: Path, column: pa.Array | pa.ChunkedArray, **options: object) -> None:
    parquet.write_table(pa.table({"label": column}), path, **options)


def runs(path: Path, rows: int) -> None:
    """Very many equal numbers, which are a few bytes as a run."""
    kind = pa.schema([("label", pa.int64())])
    with parquet.ParquetWriter(path, kind, compression="zstd") as writer:
        for _ in range(rows // 4_000_000):
            writer.write_table(pa.table({"label": pa.repeat(pa.scalar(0), 4_000_000)}))


def nested(depth: int) -> pa.DataType:
    kind = pa.int64()
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


def deep(path: Path) -> None:
    value: object = 1
    for _ in range(60):
        value = [value]
    table(path, pa.array([value] * 40, nested(60)))


def sparse(path: Path, head: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def text(content: bytes | Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda path: (
        path.write_bytes(content if isinstance(content, bytes) else content()) and None
    )


def lied_rows(path: Path) -> None:
    """A footer that says there are more rows than there are."""
    table(path, pa.array(range(40)))
    content = path.read_bytes()
    # Thrift's compact form: num_rows, field 3 of the footer, is a zigzag varint after 0x16.
    forty = bytes([0x16, 80])
    at = content.rindex(b"label", 0, len(content) - 8)
    first = content.find(forty, content.rindex(b"schema", 0, at))
    path.write_bytes(content[:first] + bytes([0x16, 0x7E]) + content[first + 2 :])


ID_ROWS = 400_000

#: name of the file: how it is made, and a part of the message.
FILES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a pipe": ("x.npy", lambda path: os.mkfifo(path), "is a pipe; wanted a regular file"),
    "a pipe as csv": ("x.csv", lambda path: os.mkfifo(path), "is a pipe"),
    "a device": ("x.json", lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "a folder": ("x.parquet", lambda path: path.mkdir(), "is a folder"),
    "a socket": (
        "x.csv",
        lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
        "is a socket",
    ),
    "a dangling link": ("x.npz", lambda path: path.symlink_to("nowhere"), "that is not there"),
    "a circular link": ("x.csv", lambda path: path.symlink_to(path.name), "in a circle"),
    # NumPy
    "npy: shape": ("x.npy", text(promised("(10**18,)") + bytes(99)), "not a readable .npy"),
    "npy: huge": ("x.npy", text(promised("(1000000000000,)") + bytes(99)), "wanted at most"),
    "npy: cut off": ("x.npy", text(promised("(1000000,)") + bytes(99)), "cut off"),
    "npy: negative": ("x.npy", text(promised("(-40,)") + bytes(320)), "its shape is"),
    "npy: overflow": ("x.npy", text(promised(f"({2**62}, 8)") + bytes(320)), "wanted at most"),
    "npy: no width": ("x.npy", text(promised("(10000000000,)", "<U0")), "labels are whole"),
    "npy: objects": ("x.npy", text(npy(np.array([{}] * 40, object))), "pickled objects"),
    "npy: fields": ("x.npy", text(npy(np.zeros(40, "i4,f4"))), "labels are whole numbers"),
    "npy: a pickle": ("x.npy", text(b"\x80\x04cos\nsystem\n"), "not a NumPy file"),
    "npy: sparse": (
        "x.npy",
        lambda path: sparse(path, promised("(500000000,)"), 4 * 10**9 + 128),
        "samples: ",
    ),
    "npz: bomb": (
        "x.npz",
        lambda path: archive_bomb(path, promised("(268435456,)"), 2 * 10**9),
        "wanted at most",
    ),
    "npz: promises": (
        "x.npz",
        lambda path: archive(path, {"labels.npy": promised("(100000000000,)")}),
        "wanted at most",
    ),
    "npz: cut off": (
        "x.npz",
        lambda path: archive(path, {"labels.npy": promised("(50000000,)") + bytes(80)}),
        "cut off",
    ),
    "npz: no magic": ("x.npz", lambda path: archive(path, {"labels.npy": b"hello" * 9}), "magic"),
    "npz: twice": (
        "x.npz",
        lambda path: archive(path, {"labels.npy": npy(np.arange(40))}, twice=True),
        "two columns are named 'labels'",
    ),
    "npz: objects": (
        "x.npz",
        lambda path: archive(path, {"labels.npy": npy(np.array([{}] * 40, object))}),
        "pickled objects",
    ),
    "npz: encrypted": ("x.npz", encrypted, "encrypted"),
    "npz: names": (
        "x.npz",
        lambda path: archive(path, {f"\x1b[2J\u202e{i}": b"" for i in range(3000)}),
        "and nothing named",
    ),
    "npz: one long id": (
        "x.npz",
        lambda path: np.savez_compressed(
            path, labels=np.zeros(40), ids=np.array(["x" * 90_000, *map(str, range(39))])
        ),
        "an id of 90,000 characters",
    ),
    # Parquet
    "parquet: a run": ("x.parquet", lambda path: runs(path, 200_000_000), "wanted at most"),
    "parquet: one string": (
        "x.parquet",
        lambda path: table(
            path, pa.DictionaryArray.from_arrays(pa.array([0] * ID_ROWS), ["x" * _MB])
        ),
        "a label of 1,048,576 characters",
    ),
    "parquet: one id": (
        "x.parquet",
        lambda path: parquet.write_table(
            pa.table(
                {
                    "label": [0] * ID_ROWS,
                    "id": pa.DictionaryArray.from_arrays(pa.array([0] * ID_ROWS), ["x" * _MB]),
                }
            ),
            path,
        ),
        "an id of 1,048,576 characters",
    ),
    "parquet: uneven ids": (
        "x.parquet",
        lambda path: parquet.write_table(
            pa.table({"label": [0] * ID_ROWS, "id": ["x" * 4000, *map(str, range(ID_ROWS - 1))]}),
            path,
        ),
        "shorten the longest ones",
    ),
    "parquet: zeros": (
        "x.parquet",
        lambda path: table(path, pa.array(["\0" * (600 * _MB)]), compression="gzip"),
        "wanted at most",
    ),
    "parquet: nested": ("x.parquet", deep, "nested|type list"),
    "parquet: struct": (
        "x.parquet",
        lambda path: table(path, pa.array([{"a": 1, "b": 2}] * 40)),
        "values are of type struct",
    ),
    "parquet: lied rows": ("x.parquet", lied_rows, "x.parquet"),
    "parquet: encrypted": ("x.parquet", text(b"PARE" + bytes(60) + b"PARE"), "is encrypted"),
    "parquet: footer": (
        "x.parquet",
        text(b"PAR1" + bytes(99) + struct.pack("<I", 2**31 - 1) + b"PAR1"),
        "its footer has 2,147 MB",
    ),
    "parquet: sparse": (
        "x.parquet",
        lambda path: sparse(path, b"PAR1", 10**12),
        "not a readable .parquet file",
    ),
    # JSON
    "json: deep": ("x.json", text(b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
    "json: deep objects": ("x.json", text(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "deeply"),
    "json: a string": (
        "x.json",
        text(lambda: b'["' + b"x" * (400 * _MB) + b'"]'),
        "at most 134 MB",
    ),
    "json: a string within": (
        "x.json",
        text(lambda: b'["' + b"x" * (100 * _MB) + b'"]'),
        "a text of 104,857,600 characters",
    ),
    "json: lists": ("x.json", text(lambda: b"[" + b"[]," * (40 * _MB) + b"[]]"), "use .npy or"),
    "json: numbers": ("x.json", text(lambda: b"[" + b"1," * (50 * _MB) + b"1]"), "use .npy or"),
    "json: words": (
        "x.json",
        text(lambda: b"[" + b'"ab",' * 7_900_000 + b'"ab"]'),
        "samples: ",
    ),
    "json: empty lists": (
        "x.json",
        text(lambda: b"[" + b"[]," * 3_900_000 + b"[]]"),
        "x.json",
    ),
    "json: keys": (
        "x.json",
        text(lambda: b"{" + b",".join(b'"%d":0' % i for i in range(3_000_000)) + b"}"),
        "samples: ",
    ),
    "json: NaN": ("x.json", text(b"[NaN]"), "NaN is not JSON"),
    "json: 1e999": ("x.json", text(b"[1e999]"), "holds inf"),
    "json: twice": ("x.json", text(b'{"a": 1, "a": 2}'), "'a' occurs twice"),
    "json: digits": ("x.json", text(b"[" + b"9" * 5_000 + b"]"), "not whole JSON"),
    "json: 20 digits": ("x.json", text(b"[" + b"9" * 20 + b"]"), "more than 64 bits"),
    "json: half a pair": ("x.json", text(b'["\\ud800"]'), "x.json"),
    "json: escape codes": (
        "x.json",
        text(b'{"ids": ["\\u001b[2J\\n", "a"], "label": [1, null]}'),
        "no label in row 1",
    ),
    "json: keys of codes": ("x.json", text(b'{"\\u001b[2J\\u202e": null}'), "no label in row 0"),
    # CSV
    "csv: a line": ("x.csv", text(lambda: b"x" * (100 * _MB)), "field limit"),
    "csv: a row": ("x.csv", text(lambda: b"label\n" + b"x" * (100 * _MB)), "a line of more than"),
    "csv: numbers": ("x.csv", text(lambda: b"1" * 120_000 + b"\n1\n"), "a field of 120,000"),
    "csv: columns": ("x.csv", text(b"a," * 400_000 + b"label\n" + b"1," * 400_000), "x.csv"),
    "csv: columns without end": ("x.csv", text(lambda: b"a," * (50 * _MB)), "a first line of more"),
    "csv: an open quote": ("x.csv", text(b'label\n"a\n' + b"b\n" * 39), "line break or NUL"),
    "csv: an open quote for long": (
        "x.csv",
        text(b'label\n"a\n' + b"b\n" * _MB),
        "a quote that is never closed",
    ),
    "csv: an open header": ("x.csv", text(b'"label\n' + b"b\n" * 39), "x.csv"),
    "csv: NUL": ("x.csv", text(b"label\na\0b\nc\n"), "line break or NUL"),
    "csv: NULs": ("x.csv", text(bytes(99)), "UTF-16"),
    "csv: fields": ("x.csv", text(b"id,label\na,1\nb,2,3\n"), "same number of fields"),
    "csv: UTF-16": ("x.csv", text("label\n1\n".encode("utf-16")), "is UTF-16 text"),
    "csv: Latin-1": ("x.csv", text(b"label\n\xe9\n"), "not UTF-8"),
    "csv: long labels": (
        "x.csv",
        text(lambda: b"label\n" + b"".join(b"%d" % i + b"x" * 9_990 + b"\n" for i in range(9_999))),
        "a field of",
    ),
    "csv: a long id": (
        "x.csv",
        text(
            lambda: (
                b"id,label\n"
                + b"x" * 4000
                + b",1\n"
                + b"".join(b"%d,1\n" % i for i in range(ID_ROWS))
            )
        ),
        "shorten the longest ones",
    ),
    "csv: escape codes": (
        "x.csv",
        text("id,label\n\x1b[2J\u202e,\n".encode()),
        "no label in row 0",
    ),
    "csv: names": ("x.csv", text("\x1b[2J\u202e,\x9b31m,b\n1,2,3\n".encode()), "and nothing named"),
    "csv: sparse": ("x.csv", lambda path: sparse(path, b"label\n", 10**13), "at most 2,147 MB"),
    "csv: distinct": (
        "x.csv",
        text(lambda: b"label\n" + b"".join(b"c%d\n" % i for i in range(2_000_000))),
        "samples: ",
    ),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of 40 samples."""
    path = tmp_path_factory.mktemp("plain") / "plain.npy"
    np.save(path, np.repeat(range(4), 10))
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_one_line(
    name: str, trial: Trials, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    suffix, make, message = FILES[name]
    bad = Path(suffix)
    make(bad)
    before = None if bad.is_file() else snapshot(tmp_path)
    for words in (("score", bad, plain), ("score", plain, bad)):
        found = trial(*words, cwd=tmp_path)
        print(name, found.code, f"{found.cpu:.1f} s {found.peak / 1e6:.0f} MB", found.err[:300])
        found.refused("x.")
        assert any(part in found.err for part in message.split("|")), found.err
    for words in (
        ("compare", plain, bad, "--targets", plain),
        ("compare", plain, plain, "--targets", bad),
        ("compare", bad, bad),
    ):
        found = trial(*words, cwd=tmp_path)
        print(name, words[0], found.code, f"{found.cpu:.1f} s", found.err[:200])
        found.refused()
    if before is not None:
        assert snapshot(tmp_path) == before
    if bad.is_file():
        bad.unlink()  # some are large
