"""Hostile files of labels, at `score` and `compare`: one line, little time and memory."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from trials import Trials, snapshot

from clusterbench import InputError
from clusterbench.labels.matching import read_pair

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


def lying_bomb(path: Path) -> None:
    """A footer that says that a column is small; a page of it unpacks to 600 MB."""
    table(path, pa.array(["\0" * (600 * _MB)]), compression="gzip", use_dictionary=False)
    found = parquet.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size
    content = path.read_bytes()
    head, foot = content[:-2000], content[-2000:]
    true = varint(2 * found)
    assert foot.count(true) >= 2  # of the column and of its row group
    path.write_bytes(head + foot.replace(true, b"\xd0" + b"\x80" * (len(true) - 2) + b"\0"))


def varint(value: int) -> bytes:
    """As Thrift writes it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


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
        lambda path: sparse(path, promised("(500000000,)"), 4 * 10**9 + 129),
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
        "two columns are named 'labels'|holds labels, labels",
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
    "parquet: zeros that lie": ("x.parquet", lying_bomb, "takes 629 MB in memory"),
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
        text(lambda: b"{" + b",".join(b'"%d":0' % i for i in range(1_900_000)) + b"}"),
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
        text(lambda: b"label\n" + b"".join(b"c%d\n" % i for i in range(1_000_000))),
        "samples: ",
    ),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two files of labels of 40 samples."""
    folder = tmp_path_factory.mktemp("plain")
    for name in ("plain", "other"):
        np.save(folder / f"{name}.npy", np.repeat(range(4), 10))
    return folder


#: What each file is tried at; `bad` is its name.
COMMANDS = (
    "score bad plain",
    "score plain bad",
    "compare plain bad --targets other",
    "compare plain other --targets bad",
    "compare bad bad",
)
#: Files that take seconds or hundreds of megabytes to make or to read.
LARGE = (
    *("npy: sparse", "npz: bomb", "parquet: a run", "parquet: zeros", "parquet: zeros that lie"),
    *("json: a string", "json: a string within", "json: lists", "json: numbers", "json: words"),
    *("json: empty lists", "json: keys", "csv: a line", "csv: a row", "csv: columns without end"),
    *("csv: columns", "csv: long labels", "csv: distinct", "parquet: uneven ids"),
)


def cases() -> list[object]:
    """Each small file at one command, in turn; the large ones, and all the others, at all."""
    names = list(FILES)
    slow = pytest.mark.exhaustive
    return [
        pytest.param(name, COMMANDS[i % len(COMMANDS) : i % len(COMMANDS) + 1], id=name)
        for i, name in enumerate(names)
        if name not in LARGE
    ] + [pytest.param(name, COMMANDS, id=f"{name} everywhere", marks=slow) for name in names]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("name", "commands"), cases())
def test_a_hostile_file_is_refused_in_one_line(
    name: str,
    commands: tuple[str, ...],
    trial: Trials,
    tmp_path: Path,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    bad, make, message = FILES[name]
    make(Path(bad))
    kept = not Path(bad).is_file()
    before = snapshot(tmp_path) if kept else {}
    for command in commands:
        files = {"bad": bad, "plain": plain / "plain.npy", "other": plain / "other.npy"}
        words = [files.get(word, word) for word in command.split()]
        found = trial(*words, cwd=tmp_path)
        found.refused()
        if command != COMMANDS[-1]:  # which wants results
            assert "x." in found.err
            assert any(part in found.err for part in message.split("|")), found.err
    if kept:
        assert snapshot(tmp_path) == before
    else:
        Path(bad).unlink()  # some are large


# Valid files with some bytes changed


def valid_files() -> dict[str, bytes]:
    """A small file of each format, and of each way that a format may be written in."""
    labels, ids = np.arange(30) % 4, [f"é{i}.jpg" for i in range(30)]
    names = np.array(["cat", "dog", "ünal", "-1"])[labels]
    found = {
        "numbers.npy": npy(labels),
        "names.npy": npy(names),
        "ranked.npy": npy(labels[:, None]),
    }
    for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, targets=labels, predictions=names, ids=np.array(ids))
        found[f"{name}.npz"] = buffer.getvalue()
    columns = {"id": ids, "targets": names, "predictions": labels}
    for name, options in (
        ("dictionary", {}),
        ("plain", {"use_dictionary": False, "compression": "gzip", "data_page_version": "2.0"}),
    ):
        buffer = io.BytesIO()
        parquet.write_table(pa.table(columns), buffer, **options)
        found[f"{name}.parquet"] = buffer.getvalue()
    rows = list(zip(ids, names.tolist(), labels.tolist(), strict=True))
    lines = ["id,targets,predictions", *(f'"{a}",{b},{c}' for a, b, c in rows)]
    found["table.csv"] = "\r\n".join(lines).encode("utf-8-sig")
    found["table.tsv"] = "\n".join(lines).replace(",", "\t").encode()
    found["object.json"] = json.dumps(
        {"id": ids, "targets": names.tolist(), "predictions": labels.tolist()}
    ).encode()
    found["keyed.json"] = json.dumps(dict(zip(ids, names.tolist(), strict=True))).encode()
    return found


VALID = valid_files()


@pytest.mark.parametrize("name", VALID)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_file_gives_an_answer_or_an_input_error(name: str, data: st.DataObject) -> None:
    content = bytearray(VALID[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["bit", "byte", "cut", "insert", "repeat", "high"]))
        if change == "bit":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "byte":
            content[at] = data.draw(st.integers(0, 255))
        elif change == "high":
            content[at : at + 4] = b"\xff\xff\xff\x7f"
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif change == "insert":
            content[at:at] = data.draw(st.binary(max_size=8))
        else:
            content[at:at] = content[at : at + 40]
        if not content:
            return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{Path(name).suffix}"
        path.write_bytes(content)
        whole = Path(folder) / f"whole{path.suffix}"
        whole.write_bytes(VALID[name])
        for targets, predictions in ((path, whole), (whole, path)):
            try:
                true, (found,) = read_pair(targets, [predictions])
            except InputError as error:
                assert "\n" not in str(error) and len(str(error)) <= 2000
            else:
                assert true.n == found.n == len(found.values)
