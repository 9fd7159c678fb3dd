"""What can stand in the place of a file: each makes it of the file that is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # an address has at most 107 bytes
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def linked(target: str) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(path if target == "itself" else target)

    return link


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
