"""Hostile and damaged files of features, labels, ids and splits: one line, and nothing written."""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from pyarrow import parquet
from trials import Trials, snapshot

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

N, DIM = 40, 6
Y = np.repeat(range(4), 10)
X = np.random.default_rng(0).normal(size=(N, DIM)).astype("f4")

Case = tuple[Callable[[Path], "list[str] | None"], str]
CASES: dict[str, Case] = {}


def case(says: str) -> Callable[[Callable[[Path], list[str] | None]], None]:
    """Register a generator: it writes files into a folder and returns the words after `import`."""

    def register(generator: Callable[[Path], list[str] | None]) -> None:
        CASES[generator.__name__.replace("_", " ")] = (generator, says)

    return register


def hdf5(path: Path, **arrays: object) -> h5py.File:
    file = h5py.File(path, "w")
    for name, array in arrays.items():
        file[name] = array
    return file


def npy(shape: object, dtype: str = "<f4", data: bytes = b"", fortran: bool = False) -> bytes:
    """A .npy file whose header says anything."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}".encode()
    head += b" " * (118 - len(head)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


# Data outside the file


@case("shard-00000.h5 (not there)")
def our_own_view_without_its_shard(folder: Path) -> list[str]:
    with h5py.File(folder / "features.h5", "w") as file:
        layout = h5py.VirtualLayout((N, DIM), "f4")
        layout[:] = h5py.VirtualSource("shard-00000.h5", "features", (N, DIM))
        file.create_virtual_dataset("features", layout)
    return ["features.h5"]


for _role, _array in (("features", X), ("label", Y), ("id", np.arange(N)), ("split", Y % 2)):

    def _external(folder: Path, role: str = _role, array: np.ndarray = _array) -> list[str]:
        with hdf5(folder / "x.h5") as file:
            kind = "f4" if role == "features" else "i1"
            size = array.size * np.dtype(kind).itemsize
            file.create_dataset(role, array.shape, kind, external=[("/etc/passwd", 0, size)])
            if role != "features":
                file["features"] = X
        return ["x.h5"]

    def _view(folder: Path, role: str = _role, array: np.ndarray = _array) -> list[str]:
        hdf5(folder / "other.h5", data=array).close()
        with hdf5(folder / "x.h5") as file:
            layout = h5py.VirtualLayout(array.shape, array.dtype)
            layout[:] = h5py.VirtualSource(folder / "other.h5", "data", array.shape)
            file.create_virtual_dataset(role, layout)
            if role != "features":
                file["features"] = X
        return ["x.h5"]

    def _link(folder: Path, role: str = _role, array: np.ndarray = _array) -> list[str]:
        hdf5(folder / "other.h5", data=array).close()
        with hdf5(folder / "x.h5") as file:
            file[role] = h5py.ExternalLink("other.h5", "/data")
            file["data" if role == "features" else "features"] = X
        return ["x.h5"]

    CASES[f"{_role} in external storage"] = (_external, "lies outside the file, in /etc/passwd")
    CASES[f"{_role} in a virtual dataset"] = (_view, "is a view (virtual dataset) of ")
    CASES[f"{_role} by an external link"] = (_link, "in another file, other.h5")


@case("is a view (virtual dataset) of this very file")
def a_view_of_the_same_file(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5", data=X) as file:
        layout = h5py.VirtualLayout((N, DIM), "f4")
        layout[:] = h5py.VirtualSource(".", "data", (N, DIM))
        file.create_virtual_dataset("features", layout)
    return ["x.h5"]


@case("in another file, other.h5")
def a_soft_link_through_an_external_one(folder: Path) -> list[str]:
    hdf5(folder / "other.h5", features=X).close()
    with hdf5(folder / "x.h5", one=X, two=X) as file:
        file["group"] = h5py.ExternalLink("other.h5", "/")
        file["mine"] = h5py.SoftLink("/group/features")
    return ["x.h5", "--array", "mine"]


@case("leads round in a circle")
def soft_links_in_a_circle(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5", data=X) as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    return ["x.h5", "--array", "a"]


# HDF5 that promises too much


@case("nothing was ever written to it")
def a_dataset_never_written(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        file.create_dataset("features", (10**12, DIM), "f4", chunks=(1000, DIM))
    return ["x.h5"]


@case("unpack to 960 MB")
def compressed_zeros(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        shape, chunks = (40_000_000, DIM), (1_000_000, DIM)
        data = file.create_dataset("features", shape, "f4", chunks=chunks, compression="gzip")
        data[: chunks[0]] = 0
    return ["x.h5"]


@case("take 2,400 MB each")
def chunks_that_take_gigabytes(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        shape = (100_000_000, DIM)
        data = file.create_dataset("features", shape, "f4", chunks=shape, compression="gzip")
        data.id.write_direct_chunk((0, 0), b"x" * 100)
    return ["x.h5"]


@case("unpack to 26,388,279 MB")
def rows_without_end(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        data = file.create_dataset("features", (2**40, DIM), "f4", chunks=(1000, DIM))
        data[:1000] = 1
    return ["x.h5"]


@case("the filter bitshuffle (number 32008), which is not installed")
def a_filter_that_is_not_there(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((N, DIM))
        properties.set_filter(32008, h5py.h5z.FLAG_OPTIONAL, (0, 0))
        space = h5py.h5s.create_simple((N, DIM))
        data = h5py.h5d.create(file.id, b"features", h5py.h5t.NATIVE_FLOAT, space, properties)
        data.write_direct_chunk((0, 0), X.tobytes())
    return ["x.h5"]


@case("has groups more than 32 levels deep")
def groups_a_thousand_deep(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        file["/".join("g" * 1000) + "/features"] = X
    return ["x.h5"]


@case("holds more than 20,000 HDF5 objects")
def many_groups(folder: Path) -> list[str]:
    with h5py.File(folder / "x.h5", "w", libver="latest") as file:
        for number in range(20_001):
            h5py.h5g.create(file.id, str(number).encode())
        file["features"] = X
    return ["x.h5"]


@case("holds void32; wanted features")
def compound_numbers(folder: Path) -> list[str]:
    hdf5(folder / "x.h5", features=np.zeros((N, DIM), [("a", "f4")])).close()
    return ["x.h5"]


@case("holds references; wanted an array of floats")
def references(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5", data=1.0) as file:
        references = file.create_dataset("features", (4, DIM), h5py.ref_dtype)
        references[0, 0] = file["data"].ref
    return ["x.h5"]


@case("holds lists of different lengths")
def lists_in_cells(folder: Path) -> list[str]:
    with hdf5(folder / "x.h5") as file:
        file.create_dataset("features", (4, DIM), h5py.vlen_dtype(np.float32))[0, 0] = [1, 2]
    return ["x.h5"]


@case("wanted an array (n, dim) of features")
def nothing_but_an_empty_space(folder: Path) -> list[str]:
    hdf5(folder / "x.h5", features=h5py.Empty("f4")).close()
    return ["x.h5"]


@case("holds text that is not UTF-8")
def labels_that_are_not_utf8(folder: Path) -> list[str]:
    kind = h5py.string_dtype("utf-8", 3)
    with hdf5(folder / "x.h5", features=X) as file:
        file.create_dataset("label", data=np.array([b"\xff\xfe"] * N, kind), dtype=kind)
    return ["x.h5"]


# NumPy's files


@case("its header promises 4,398,046,511,233: the file is cut off")
def a_npy_of_terabytes(folder: Path) -> list[str]:
    (folder / "x.npy").write_bytes(npy((2**20, 2**20), data=bytes(100)))
    return ["x.npy"]


for _name, _shape, _says in (
    ("10 to the 18 rows", (10**18, DIM), "wanted at most 2,147,483,647 rows"),
    ("negative rows", (-1, DIM), "its shape is (-1, 6)"),
    ("more digits than a number has", (10**4000, 1), "wanted at most 2,147,483,647 rows"),
):

    def _npy(folder: Path, shape: object = _shape) -> list[str]:
        (folder / "x.npy").write_bytes(npy(shape, data=bytes(960)))
        return ["x.npy"]

    CASES[f"a npy of {_name}"] = (_npy, _says)


def packed(folder: Path, members: dict[str, bytes], size: int = 0) -> list[str]:
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(content)
                for _ in range(size >> 20):
                    stream.write(bytes(1 << 20))
    return ["x.npz"]


@case("unpack to 629 MB")
def a_npz_of_zeros(folder: Path) -> list[str]:
    return packed(folder, {"x.npy": npy((26_214_400, DIM))}, 600 << 20)


@case("its header promises 96,000,000,000: it is cut off")
def a_npz_that_promises_more_than_it_has(folder: Path) -> list[str]:
    return packed(folder, {"x.npy": npy((2_000_000_000, 12), data=bytes(960))})


@case("holds pickled objects")
def a_npz_of_objects(folder: Path) -> list[str]:
    np.savez(folder / "x.npz", x=np.array([[{}]], dtype=object))
    return ["x.npz"]


@case("two arrays are named 'x'")
def a_npz_with_one_name_twice(folder: Path) -> list[str]:
    with pytest.warns(UserWarning), zipfile.ZipFile(folder / "x.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("x.npy", npy((N, DIM), data=X.tobytes()))
    return ["x.npz"]


@case("not a readable .npz file")
def a_npz_member_without_magic(folder: Path) -> list[str]:
    return packed(folder, {"x.npy": b"nothing of NumPy"})


@case("members; wanted at most 10,000")
def a_npz_of_many_arrays(folder: Path) -> list[str]:
    content = npy((1, 1), data=bytes(4))
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}.npy", content)
    return ["x.npz"]


# Parquet


@case("unpack to ")
def a_parquet_of_constants(folder: Path) -> list[str]:
    column = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(2_000_000, np.int32)), pa.array([1.0], pa.float32())
    )
    table = pa.table({f"f{i}": column for i in range(100)})
    parquet.write_table(table, folder / "x.parquet")
    return ["x.parquet"]


@case("wanted at most 1,048,576")
def a_parquet_of_one_long_row(folder: Path) -> list[str]:
    lists = pa.array([np.zeros(3_000_000, np.float32)])
    parquet.write_table(pa.table({"x": lists}), folder / "x.parquet")
    return ["x.parquet"]


@case("two columns are named 'f0'")
def a_parquet_with_one_name_twice(folder: Path) -> list[str]:
    columns = [pa.array(X[:, 0]), pa.array(X[:, 1])]
    parquet.write_table(pa.table(columns, names=["f0", "f0"]), folder / "x.parquet")
    return ["x.parquet"]


@case("'f1': row 0 holds no number")
def a_parquet_with_nulls(folder: Path) -> list[str] | None:
    table = {f"f{i}": pa.array(X[:, i].tolist()) for i in range(DIM)}
    table["f1"] = pa.array([None, *X[1:, 1].tolist()], pa.float64())
    parquet.write_table(pa.table(table), folder / "x.parquet")
    return ["x.parquet"]


@case("Parquet schema too deeply nested")
def lists_in_lists(folder: Path) -> list[str]:
    nested: object = 1.0
    for _ in range(60):
        nested = [nested]
    parquet.write_table(pa.table({"x": [nested]}), folder / "x.parquet")
    return ["x.parquet", "--array", "x"]


# MATLAB


@case("wanted at most 268 MB")
def a_mat_of_zeros(folder: Path) -> list[str]:
    import zlib

    pack, zeros = zlib.compressobj(1), bytes(1 << 20)
    content = pack.compress(struct.pack("<II", 14, 300 << 20))
    content += b"".join(pack.compress(zeros) for _ in range(300)) + pack.flush()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (folder / "x.mat").write_bytes(head + struct.pack("<II", 15, len(content)) + content)
    return ["x.mat"]


@case("holds cells of other things")
def a_mat_of_cells_in_cells(folder: Path) -> list[str]:
    cell: object = "a"
    for _ in range(90):
        cell = np.array([cell, None], dtype=object)[:1]
    scipy.io.savemat(folder / "x.mat", {"features": X, "label": cell})
    return ["x.mat"]


@case("is a MATLAB struct; wanted numbers or texts")
def a_mat_with_a_structure_for_labels(folder: Path) -> list[str]:
    scipy.io.savemat(folder / "x.mat", {"features": X, "label": {"a": Y}})
    return ["x.mat"]


@case("not a MATLAB file of version 5")
def a_mat_of_version_4(folder: Path) -> list[str]:
    scipy.io.savemat(folder / "x.mat", {"features": X}, format="4")
    return ["x.mat"]


# Formats that are not read


for _suffix in (".pkl", ".pickle", ".joblib"):

    def _pickle(folder: Path, suffix: str = _suffix) -> list[str]:
        (folder / f"x{suffix}").write_bytes(b"\x80\x04cposix\nsystem\n.")
        return [f"x{suffix}"]

    CASES[f"a {_suffix}"] = (_pickle, "is a pickle, which is not loaded, since that could run code")


# Kinds of files, for every option


def _files(folder: Path) -> dict[str, str]:
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    return {"FEATURES": "x.npy"}


OPTIONS = {
    "FEATURES": ".npy .npz .pt .parquet .h5 .mat .safetensors",
    "--labels": ".npy .csv .parquet .h5 .mat .json",
    "--ids": ".txt .npy .h5",
    "--split": ".npy .h5",
    "--class-names": ".txt",
    "--val-features": ".npy .h5",
}
KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "is a pipe"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "a dangling link": (
        lambda path: path.symlink_to("nowhere"),
        "link to a file that is not there",
    ),
    "a link to itself": (lambda path: path.symlink_to(path.name), "in a circle"),
    "a socket": (lambda path: _socket(path), "is a socket"),
}


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", OPTIONS)
def test_only_regular_files_are_opened(
    option: str, kind: str, trial: Trials, tmp_path: Path
) -> None:
    _files(tmp_path)
    make, says = KINDS[kind]
    suffixes = OPTIONS[option].split() if kind == "a pipe" else OPTIONS[option].split()[:1]
    for suffix in suffixes:
        path = tmp_path / f"odd{suffix}"
        make(path)
        words = [path.name] if option == "FEATURES" else ["x.npy", option, path.name]
        if option == "--class-names":
            words += ["--labels", "y.npy"]
        refused(trial, tmp_path, words, says)


LONG = ("a parquet of constants", "a mat of zeros")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.exhaustive) if n in LONG else n for n in CASES]
)
def test_a_hostile_file_is_refused(name: str, trial: Trials, tmp_path: Path) -> None:
    generator, says = CASES[name]
    refused(trial, tmp_path, generator(tmp_path) or ["x.h5"], says)


def refused(trial: Trials, folder: Path, words: list[str], *says: str) -> None:
    before = snapshot(folder)
    names = [] if "--name" in words else ["--name", "e"]
    outputs = [] if "--dataset" in words else ["--output", "new/store"]
    trial("import", *words, *names, *outputs, cwd=folder).refused(*says)
    assert snapshot(folder) == before


# Names


NAMES = {
    "escape codes": ("\x1b[2Jx", "control character U+001B"),
    "a newline": ("a\nb", "control character U+000A"),
    "right to left": ("a\u202eb", "control character U+202E"),
    "zero width": ("\u200b", "U+200B"),
    "nothing": ("", "--name is missing"),
    "a blank": (" ", "is empty"),
    "100,000 characters": ("x" * 100_000, "has 100,000 characters"),
    "the folder above": ("..", "wanted a name of letters"),
    "only separators": ("../..", "wanted a name of letters"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["--output", "--dataset"])
def test_an_encoder_has_a_printable_name(
    name: str, target: str, trial: Trials, tmp_path: Path
) -> None:
    _files(tmp_path)
    spelling, says = NAMES[name]
    words = ["x.npy", "--name", spelling, target, "new" if target == "--output" else "fresh"]
    before = snapshot(tmp_path)
    trial("import", *words, cwd=tmp_path, CLUSTERBENCH_HOME=str(tmp_path / "home")).refused(says)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/tmp/x",
        "a/b",
        "a\\b",
        "a b",
        "x" * 300,
        "-x",
        "a\nb",
        "\x1b[2J",
        "é\u202e",
    ],
)
def test_a_data_set_has_a_name_for_a_folder(name: str, trial: Trials, tmp_path: Path) -> None:
    _files(tmp_path)
    before = snapshot(tmp_path)
    trial(
        *("import", "x.npy", "--labels", "y.npy", "--name", "e", f"--dataset={name}"),
        cwd=tmp_path,
        CLUSTERBENCH_HOME=str(tmp_path / "home"),
    ).refused("--dataset")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["../../escape", "openai/ViT-B/32", ".hidden", "a" * 200, "é" * 200]
)
def test_the_store_of_a_data_set_stays_in_its_folder(
    name: str, trial: Trials, tmp_path: Path
) -> None:
    _files(tmp_path)
    home = tmp_path / "home"
    words = ("import", "x.npy", "--labels", "y.npy", "--name", name, "--dataset", "mine")
    trial(*words, cwd=tmp_path, CLUSTERBENCH_HOME=str(home)).passed()
    inside = home / "features" / "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "x.npy", "y.npy"]
    stores = [path for path in inside.iterdir() if path.is_dir()]
    assert len(stores) == 1 and not stores[0].name.startswith(".")
    assert sorted(p.name for p in inside.iterdir()) == sorted([stores[0].name, "dataset.toml"])


LINES = {
    "escape codes": "a\n\x1b[2J\nc\nd\n",
    "zero width": "a\nb\u200b\nc\nd\n",
    "right to left": "a\n\u202eb\nc\nd\n",
    "a line separator": "a\nb\u2028c\nd\ne\n",
    "100,000 characters": "a\n" + "b" * 100_000 + "\nc\nd\n",
    "NUL": "a\nb\x00\nc\nd\n",
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("option", ["--class-names", "--ids"])
def test_names_in_a_file_are_printable(
    name: str, option: str, trial: Trials, tmp_path: Path
) -> None:
    _files(tmp_path)
    text = LINES[name] + ("".join(f"{row}\n" for row in range(36)) if option == "--ids" else "")
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    words = ["x.npy", "--labels", "y.npy", option, "names.txt"]
    refused(trial, tmp_path, words, "names.txt, line 2: ")


# Whatever happens


def test_nothing_is_made_when_the_rows_turn_out_wrong(trial: Trials, tmp_path: Path) -> None:
    wrong = X.copy()
    wrong[33, 2] = np.nan
    np.savez(tmp_path / "x.npz", x=wrong)
    refused(trial, tmp_path, ["x.npz"], "row 33 (sample 'unlabelled/33') holds nan")


def small_files() -> dict[str, bytes]:
    """A valid file of each format that needs no torch, of features and labels."""
    made = {}
    buffer = io.BytesIO()
    np.savez(buffer, features=X, label=Y)
    made[".npz"] = buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, X)
    made[".npy"] = buffer.getvalue()
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"features": X, "label": Y}, do_compression=False)
    made[".mat"] = buffer.getvalue()
    buffer = io.BytesIO()
    table = {f"f{i}": X[:, i] for i in range(DIM)} | {"label": Y.astype(str)}
    parquet.write_table(pa.table(table), buffer, compression="none")
    made[".parquet"] = buffer.getvalue()
    for track in (False, True):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", libver="latest" if track else None) as file:
            file["features"] = X
            file.create_dataset("label", data=[f"class {y}" for y in Y], dtype=h5py.string_dtype())
        made[".hdf5" if track else ".h5"] = buffer.getvalue()
    return made


@pytest.mark.parametrize("suffix", small_files())
def test_a_damaged_file_is_a_store_or_one_line(suffix: str, trial: Trials, tmp_path: Path) -> None:
    _damaged(suffix, range(4), trial, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", (100, 200))
@pytest.mark.parametrize("suffix", small_files())
def test_many_damaged_files(suffix: str, first: int, trial: Trials, tmp_path: Path) -> None:
    _damaged(suffix, range(first, first + 40), trial, tmp_path)


def _damaged(suffix: str, seeds: range, trial: Trials, folder: Path) -> None:
    """Files with bytes changed, cut off or repeated: HDF5 may crash, so each in a process."""
    content = small_files()[suffix]
    path = folder / f"x{suffix}"
    for seed in seeds:
        rng = np.random.default_rng(seed)
        changed = bytearray(content)
        head = min(len(changed), 3000 if seed % 2 else len(changed))
        for at in rng.integers(0, head, rng.integers(1, 6)):
            changed[at] = rng.choice([0, 1, 0x7F, 0xFF, int(rng.integers(256))])
        if seed % 5 == 0:
            changed = changed[: int(rng.integers(len(changed)))]
        path.write_bytes(changed)
        before = snapshot(folder)
        found = trial("import", path, "--name", "e", "--output", folder / f"s{seed}")
        if found.code == 0:
            found.passed()
        else:
            found.refused(path.name)
            assert snapshot(folder) == before, seed
        path.unlink()
