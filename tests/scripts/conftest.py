"""The builders of `scripts/`, importable, and packages as small as a test needs them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $CLUSTERBENCH_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(folder))
    return folder


@pytest.fixture
def make_deb(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Writes a Debian package of files by their absolute path."""

    def make(files: dict[str, bytes]) -> Path:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:xz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(f".{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        path = tmp_path / "package.deb"
        members = {b"debian-binary": b"2.0\n", b"data.tar.xz": data.getvalue()}
        path.write_bytes(b"!<arch>\n" + b"".join(_member(*item) for item in members.items()))
        return path

    return make


def _member(name: bytes, content: bytes) -> bytes:
    header = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644".ljust(8)
    return (
        header
        + str(len(content)).encode().ljust(10)
        + b"`\n"
        + content
        + b"\n" * (len(content) % 2)
    )
