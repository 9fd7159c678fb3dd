"""The folder of a site: the old one whole until the new one is, and never anything but a site.

A folder of another kind that is written as a whole, such as a report's figures, is kept likewise.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...doors import read_json
from ...errors import InputError, StorageError
from ...files import remove_tree
from ...limits import FileKind
from ...printable import shown

_LARGEST_LIST = 64 << 20

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


@dataclass(frozen=True)
class WholeFolder:
    """A kind of folder that is written and replaced as a whole.

    marker: the file with the list of its files. schema: what that says it is. name: what
    such a folder is. short: the same where it is known which. option: of the command
    line, by which it is chosen.
    """

    marker: str
    schema: str
    name: str
    short: str
    option: str


SITE = WholeFolder("site.json", "clusterbench-site/1", "site of a leaderboard", "site", "--out")
MARKER = SITE.marker


@contextmanager
def new_site(out: Path, kind: WholeFolder = SITE) -> Iterator[Path]:
    """Yield an empty folder beside `out` that takes its place in one step when all is written.

    Protocol: a temporary folder in the same place; at the end a list of its files (`site.json`),
    then the two folders change names (on Linux in one call, elsewhere in two renames with the old
    one kept beside it), then the old one is removed. A kill leaves the old site or the new one.

    Raises:
        InputError: `out` is there and is no site, or holds a file that is none of the site's.
        StorageError: it cannot be written.
    """
    out = Path(os.path.realpath(out))
    check_site(out, kind)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise StorageError(
            f"cannot write {out}: {error.strerror}; choose another folder with {kind.option}"
        ) from error
    try:
        try:
            yield folder
            names = sorted(_files(folder))
            content = {"schema": kind.schema, "files": names}
            (folder / kind.marker).write_text(json.dumps(content, indent=0) + "\n", "utf-8")
            folder.chmod(0o777 & ~_umask())
            check_site(out, kind)  # what was put there meanwhile is not removed either
            _take_place(folder, out)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        if folder.exists():  # the old site, or what an error left unfinished
            remove_tree(folder)


def check_site(out: Path, kind: WholeFolder = SITE) -> None:
    """InputError unless a new site may take the place of `out`.

    It is not there, is an empty folder, or is a site with no other files than its own.
    """
    if not os.path.lexists(out):
        return
    advice = f"choose another folder with {kind.option}, or move it away"
    marker = out / kind.marker
    if not out.is_dir():
        raise InputError(f"{out}: is no folder; {advice}")
    if not any(out.iterdir()):
        return
    if not marker.is_file():
        raise InputError(f"{out}: is no {kind.name} (no {kind.marker} in it); {advice}")
    content = read_json(marker, FileKind(f"the list of files of a {kind.name}", _LARGEST_LIST))
    if not isinstance(content, dict) or content.get("schema") != kind.schema:
        raise InputError(f"{marker}: is no list of files of a {kind.name}; {advice}")
    known = {name for name in content.get("files", []) if isinstance(name, str)} | {kind.marker}
    for name in _files(out):
        if name not in known:
            raise InputError(
                f"{out}: holds {shown(name)}, which is no file of the {kind.short} and would be "
                f"lost; move it away, or choose another folder with {kind.option}"
            )


def _files(folder: Path) -> Iterator[str]:
    """Paths of everything below a folder that is no folder, and of folders that are links."""
    for parent, folders, names in os.walk(folder):
        linked = [name for name in folders if os.path.islink(os.path.join(parent, name))]  # noqa: PTH114, PTH118
        for name in (*names, *linked):
            yield Path(parent, name).relative_to(folder).as_posix()


def _take_place(folder: Path, out: Path) -> None:
    if not out.exists():
        folder.rename(out)
    elif not _exchanged(folder, out):
        aside = folder.with_suffix(".old")
        out.rename(aside)
        folder.rename(out)
        shutil.rmtree(aside)


def _exchanged(folder: Path, out: Path) -> bool:
    """Whether two folders have changed names in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(folder), _HERE, os.fsencode(out), _EXCHANGE) == 0:
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(out))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
