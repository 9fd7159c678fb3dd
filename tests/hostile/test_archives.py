"""ZIP archives of arrays that unpack without end, or list members without end."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from trials import Trials


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array)
    return out.getvalue()


def packed(path: Path, method: int) -> Path:
    with (
        zipfile.ZipFile(path, "w", method) as file,
        file.open("labels.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(np.arange(10)))
        zeros = bytes(1 << 24)
        for _ in range(32):
            member.write(zeros)
    return path


def crowded(path: Path, n: int = 400_000) -> Path:
    """n members, of which only the directory is there."""
    entry = b"PK\x01\x02" + struct.pack("<6H3L5H2L", *[0] * 9, 5, *[0] * 6) + b"a.npy"
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0xFFFF, 0xFFFF, n * len(entry), 0, 0)
    path.write_bytes(entry * n + end)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    np.save(tmp_path / "y.npy", np.arange(10) % 3)
    return tmp_path / "y.npy"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_unpacks_in_steps_is_read(
    method: int, trial: Trials, tmp_path: Path, labels: Path
) -> None:
    path = packed(tmp_path / "x.npz", method)
    for words in (("score", labels, path), ("score", path, labels)):
        trial(*words).refused(f"is compressed by method {method}; wanted none, or deflate")
    trial("import", path, "--name", "e", "--output", tmp_path / "s").refused("compressed by method")


def test_a_directory_without_end_is_not_read(trial: Trials, tmp_path: Path, labels: Path) -> None:
    path = crowded(tmp_path / "x.npz")
    for words in (("score", labels, path), ("import", path, "--name", "e", "--output", "s")):
        trial(*words).refused("members; wanted at most 10,000")


@pytest.mark.parametrize("code", [0x110000, 0xD800, 0xFFFFFFFF])
def test_texts_of_no_characters_are_refused(
    code: int, trial: Trials, tmp_path: Path, labels: Path
) -> None:
    texts = np.array([65] * 9 + [code], np.uint32).view("<U1")
    np.save(tmp_path / "t.npy", texts)
    np.savez(tmp_path / "t.npz", labels=texts)
    np.save(tmp_path / "f.npy", np.ones((10, 3), np.float32))
    for name in ("t.npy", "t.npz"):
        path = tmp_path / name
        for words in (
            ("score", labels, path),
            ("score", path, labels),
            ("import", tmp_path / "f.npy", "--labels", path, "--name", "e", "--output", "s"),
            ("import", tmp_path / "f.npy", "--ids", path, "--name", "e", "--output", "s"),
        ):
            trial(*words).refused("which is no character")
