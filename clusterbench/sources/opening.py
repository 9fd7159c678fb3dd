"""Any place that images are read from, by its name: which kind of source it is, and opening it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..catalog import unknown_name
from ..errors import InputError
from .hub import PREFIX, download
from .source import ImageSource
from .table_files import SUFFIXES

#: Names for `--format`.
FORMATS = ("folder", "class-tars", "webdataset", "parquet", "csv", "torch", "index")

_NUMBERED = re.compile(r".*[-_.]\d{3,}")  # shard-000123; n01440764 is a class
_SPLITS = ("train", "val", "valid", "validation", "test")
_FIRST = 64  # members of a tar that are looked at


def open_source(
    location: Path | str,
    format: str = "auto",
    *,
    class_names: Sequence[str] | None = None,
    root: Path | str | None = None,
    allow_damaged: bool = False,
) -> ImageSource:
    """Index the images at a location: a folder, a file, `hf:OWNER/NAME` or `torch:MODULE:FUNCTION`.

    format: one of FORMATS, or auto to tell by what is there. class_names: names of labels that are
    numbers. root: where the paths of a CSV begin, or where the files of a saved index are now.
    allow_damaged: use what can be read of damaged tars.

    Raises InputError for an unknown format, a location that holds several kinds, an option that
    the kind does not take, and whatever the kind refuses.
    """
    if format != "auto" and format not in FORMATS:
        raise unknown_name("format", format, ("auto", *FORMATS))
    kind = detect(location) if format == "auto" else format
    _refuse_options(kind, class_names, root, allow_damaged)
    text = os.fspath(location)
    if kind == "folder":
        from .folder import index_folder

        return index_folder(text)
    if kind == "class-tars":
        from .tars import index_class_tars

        return index_class_tars(text, allow_damaged=allow_damaged)
    if kind == "webdataset":
        from .webdataset import index_webdataset

        return index_webdataset(text, class_names=class_names, allow_damaged=allow_damaged)
    if kind == "parquet":
        from .parquet import index_parquet

        folder, origin = download(text) if text.startswith(PREFIX) else (Path(text), "")
        return index_parquet(folder, class_names=class_names, origin=origin)
    if kind == "csv":
        from .paths import index_paths

        return index_paths(text, root=root, class_names=class_names)
    if kind == "torch":
        from .torch_dataset import index_torch

        return index_torch(text, class_names=class_names)
    from .saved import load_source

    return load_source(text, root=root)


def open_location(location: dict[str, Any]) -> ImageSource:
    """The source that `ImageSource.location()` described; staged images are staged again."""
    options = {k: v for k, v in location.items() if k not in ("format", "source", "staged")}
    source = open_source(location["source"], location["format"], **options)
    if "staged" not in location:
        return source
    from .parquet import ParquetSource
    from .staging import stage

    assert isinstance(source, ParquetSource)
    return stage(source, location["staged"])


def detect(location: Path | str) -> str:
    """Which of FORMATS a location is. Looks at names and one tar, not at classes and images.

    Raises InputError where nothing says which it is; the message names `--format`.
    """
    text = os.fspath(location)
    if text.startswith(PREFIX):
        return "parquet"
    if text.startswith("torch:"):
        return "torch"
    path = Path(text)
    if path.is_dir():
        return _detect_folder(path)
    suffix = path.suffix.lower()
    by_suffix = {
        ".h5": "index",
        ".hdf5": "index",
        ".csv": "csv",
        ".tsv": "csv",
        ".tar": "webdataset",
    }
    if suffix in by_suffix:
        return by_suffix[suffix]
    if suffix in SUFFIXES:
        return "parquet"
    if path.is_file():
        from .tar_members import refuse_compressed

        refuse_compressed(path)
        raise InputError(
            f"source {path}: a file whose suffix {suffix or '(none)'} says no format; say which "
            f"with --format ({', '.join(FORMATS)})"
        )
    return "folder"  # whose index says that there is none


def _detect_folder(root: Path) -> str:
    found: dict[str, str] = {}  # kind -> example
    tars: list[Path] = []
    for entry in _visible(root):
        if entry.is_dir():
            inner = _kinds_inside(Path(entry.path)) if _may_hold_files(entry.name) else {}
            tars += inner.pop("tar", [])
            for kind, example in inner.items():
                found.setdefault(kind, example)
            if not _may_hold_files(entry.name):
                found.setdefault("folder", f"{entry.name}/")
        elif entry.name.endswith(".tar"):
            tars.append(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            found.setdefault("parquet", entry.name)
        elif entry.name.lower().endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")):
            tars.append(Path(entry.path))
    if tars:
        first = min(tars)
        found["tars"] = first.relative_to(root).as_posix()
    if len(found) > 1:
        listed = " and ".join(f"{_WORDS[kind]} ({name})" for kind, name in sorted(found.items()))
        raise InputError(
            f"source {root} holds {listed}; say which to use with --format ({', '.join(FORMATS)})"
        )
    if "tars" in found:
        return _detect_tars(root, sorted(tars))
    return next(iter(found), "folder")


_WORDS = {"folder": "class folders", "tars": "tars", "parquet": "tables"}


def _kinds_inside(folder: Path) -> dict[str, Any]:
    """What a folder named train, val or data holds, by its first entries."""
    found: dict[str, Any] = {}
    for entry in _visible(folder):
        name = f"{folder.name}/{entry.name}"
        if entry.is_dir():
            if _may_hold_files(entry.name):
                found.update(_kinds_inside(Path(entry.path)))
            else:
                found.setdefault("folder", f"{name}/")
        elif entry.name.endswith(".tar"):
            found.setdefault("tar", []).append(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            found.setdefault("parquet", name)
        else:
            found.setdefault("folder", name)
    return found or {"folder": f"{folder.name}/"}


def _may_hold_files(name: str) -> bool:
    return name == "data" or re.split("[-_.]", name)[-1] in _SPLITS


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error
    return sorted(found, key=lambda entry: entry.name)


def _detect_tars(root: Path, tars: list[Path]) -> str:
    """Class tars or WebDataset shards, by their names and the first members of one."""
    from .tar_members import first_members

    first = tars[0]
    members = first_members(first, _FIRST)
    stems = [path.name[: -len(".tar")] for path in islice(tars, 1000)]
    names = [name.removeprefix(f"{stems[0]}/") for name in members]
    if any(name.endswith((".cls", ".cls.txt", ".json")) for name in names):
        return "webdataset"
    numbered = all(_NUMBERED.fullmatch(stem) for stem in stems)
    folders = {name.split("/")[0] for name in names if "/" in name}
    if numbered or (folders and len(tars) == 1):
        return "webdataset"
    if all(stem.isdecimal() for stem in stems):
        if folders:
            return "webdataset"
        raise InputError(
            f"source {root}: tars named by numbers ({first.name}) may be classes or shards; say "
            "which with --format class-tars or --format webdataset"
        )
    if len(folders) > 1:
        raise InputError(
            f"source {root}: {first.name} is named like a class but holds several folders "
            f"({', '.join(sorted(folders)[:3])}); say which with --format class-tars or "
            "--format webdataset"
        )
    return "class-tars"


def _refuse_options(
    kind: str, class_names: Sequence[str] | None, root: Path | str | None, allow_damaged: bool
) -> None:
    given = {
        "class_names (--class-names)": (class_names, ("webdataset", "parquet", "csv", "torch")),
        "root (--root)": (root, ("csv", "index")),
        "allow_damaged (--allow-damaged)": (allow_damaged or None, ("class-tars", "webdataset")),
    }
    for name, (value, kinds) in given.items():
        if value is not None and kind not in kinds:
            raise InputError(
                f"{name} has no meaning for format {kind}; it is for {', '.join(kinds)}"
            )
