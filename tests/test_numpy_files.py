"""Arrays of NumPy's archives: headers before data, sizes compared, objects never loaded."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.numpy_files import NumpyArchive, array_header


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6),
        np.arange(6.0, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["a", "bcd"]),
        np.array(3),
        np.zeros((0, 4), np.float16),
    ],
)
def test_an_array_comes_back_as_it_was_saved(array: np.ndarray, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=array, b=np.ones(3))
    with NumpyArchive(tmp_path / "x.npz") as found:
        assert found.names == ["a", "b"]
        assert found.header("a").shape == array.shape
        again = found.read("a")
    assert again.dtype == array.dtype and np.array_equal(again, array)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(300_000_000, np.int8), b=np.ones(3))
    assert (tmp_path / "x.npz").stat().st_size < 1 << 20
    with NumpyArchive(tmp_path / "x.npz", largest=1 << 20) as found:
        with pytest.raises(InputError, match=r"'a': int8 of shape \(300000000,\) takes 300 MB"):
            found.read("a")
        assert found.read("b").tolist() == [1, 1, 1]  # the member beside it


def header(shape: str, kind: str = "<i8") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([{}], object)), "holds pickled objects"),
        (b"not an array", "damaged"),
        (b"", "damaged"),
        (header("(-3,)"), "damaged"),
        (header(f"({10**18},)"), "takes 8,000,000,000,000 MB"),
        (header(f"({2**32}, {2**32})"), "MB in memory; wanted at most"),
        (header("(5,)") + bytes(8), "is cut off"),
        (header("(5,)", "O"), "pickled objects"),
        (header("'x'"), "damaged"),
        (header("(5,)", "V99999999999"), "damaged|MB in memory"),
        (npy(np.arange(3)).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"), "damaged"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    with NumpyArchive(archive(tmp_path / "x.npz", a=content, b=npy(np.ones(2)))) as found:
        with pytest.raises(InputError, match=message) as caught:
            found.read("a")
        assert str(caught.value).startswith(str(tmp_path / "x.npz"))
        assert found.read("b").tolist() == [1, 1]


def test_a_missing_array_is_named_with_those_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=1)
    with NumpyArchive(tmp_path / "x.npz") as found, pytest.raises(InputError, match="no array 'c'"):
        found.read("c")


def test_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match=r"x\.npz: damaged, or not a \.npz archive"):
        NumpyArchive(tmp_path / "x.npz")
    os.mkfifo(tmp_path / "y.npz")
    with pytest.raises(InputError, match="is a pipe"):
        NumpyArchive(tmp_path / "y.npz")


@given(data=st.data())
def test_changed_bytes_give_an_array_or_an_input_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, a=np.arange(50), b=np.array(["x", "y"]))
    content = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    try:
        with NumpyArchive(path, largest=1 << 20) as found:
            for name in found.names:
                found.header(name)
                found.read(name)
    except InputError as error:
        assert str(error).startswith(str(path))


def test_header_of_a_stream() -> None:
    found = array_header(io.BytesIO(npy(np.zeros((3, 4), np.float32))))
    assert (found.shape, found.dtype, found.nbytes) == ((3, 4), np.float32, 48)
