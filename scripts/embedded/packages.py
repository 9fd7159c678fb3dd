"""Pinned packages that hold raw data: fetched once, checked by hash, read without unpacking."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clusterbench.errors import ClusterbenchError, InputError
from clusterbench.files import sha256_file

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60


@dataclass(frozen=True)
class Package:
    """A package of one version. `kind` is "npm", "deb" (of any architecture) or "wheel"."""

    kind: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name that `npm pack`, `apt-get download` or `pip download` gives the file."""
        if self.kind == "npm":
            return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"
        if self.kind == "wheel":
            return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"
        return f"{self.name}_{quote(self.version, safe='+~')}_all.deb".replace("%3A", "%3a")

    @property
    def command(self) -> tuple[str, ...]:
        """The ordinary client's command that downloads it into the working folder."""
        if self.kind == "npm":
            return ("npm", "pack", "--silent", f"{self.name}@{self.version}")
        if self.kind == "wheel":
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
            return (*pip, f"{self.name}=={self.version}")
        return ("apt-get", "download", f"{self.name}={self.version}")


def fetch(package: Package, folder: Path) -> Path:
    """The package's file in `folder`, downloaded there by its own client if it is not there yet.

    Raises InputError for a file of another hash, ClusterbenchError when it cannot be downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / package.file_name
    if not path.is_file():
        command = package.command
        if shutil.which(command[0]) is None:
            raise ClusterbenchError(
                f"{command[0]} is not installed; put {package.file_name} into {folder} by hand"
            )
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or not path.is_file():
            raise ClusterbenchError(
                f"{' '.join(command)} gave no {package.file_name}: {done.stderr.strip()[-300:]}; "
                f"put the file into {folder} by hand"
            )
    found = sha256_file(path)
    if found != package.sha256:
        raise InputError(
            f"{path}: SHA-256 {found}; wanted {package.sha256}: another version or a broken "
            "download; delete it and run again"
        )
    return path


def read_npm(path: Path, names: set[str]) -> dict[str, bytes]:
    """Files of an npm package by their path in it; KeyError for one that is not there."""
    with tarfile.open(path) as archive:
        found = _extract(archive, {f"package/{name}": name for name in names})
    return {name: found[name] for name in sorted(names)}


def read_deb(path: Path, names: set[str]) -> dict[str, bytes]:
    """Files of a Debian package by their absolute path; KeyError for one that is not there."""
    members = _ar_members(path.read_bytes())
    data = next(name for name in members if name.startswith("data.tar"))
    with tarfile.open(fileobj=io.BytesIO(members[data])) as archive:
        found = _extract(archive, {f".{name}": name for name in names})
    return {name: found[name] for name in sorted(names)}


def read_wheel(path: Path, names: set[str]) -> dict[str, bytes]:
    """Files of a wheel by their path in it; KeyError for one that is not there."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in sorted(names)}


def _extract(archive: tarfile.TarFile, wanted: dict[str, str]) -> dict[str, bytes]:
    found = {}
    for member in archive:
        if member.name in wanted:
            handle = archive.extractfile(member)
            if handle is not None:
                found[wanted[member.name]] = handle.read()
    return found


def _ar_members(content: bytes) -> dict[str, bytes]:
    """The members of a Unix `ar` archive, which a .deb file is."""
    if not content.startswith(_AR_MAGIC):
        raise InputError("not a Debian package: the file does not start as an ar archive does")
    members, at = {}, len(_AR_MAGIC)
    while at + _AR_HEADER <= len(content):
        header = content[at : at + _AR_HEADER]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        members[name] = content[at + _AR_HEADER : at + _AR_HEADER + size]
        at += _AR_HEADER + size + size % 2
    return members
