"""A source in one file: its index and where each image is, so that nothing is scanned again."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any, get_type_hints

import h5py
import numpy as np

from ..doors import check_fields, parse_json
from ..errors import InputError
from ..files import atomic_path
from ..hdf5_files import DAMAGED_ERRORS, open_hdf5
from ..printable import shown
from .dataset_index import DatasetIndex, read_column, write_column
from .index_names import check_class_names, check_sample_ids
from .kinds import KINDS, SourceKind
from .source import Container, ImageSource, SourceReport

_FORMAT = "clusterbench-source/1"
_NOT_SETTINGS = ("index", "report", "dataset")


def save_source(source: ImageSource, path: Path | str) -> None:
    """Write a source as one HDF5 file, atomically.

    The file is an index file (`DatasetIndex.load` reads it) with the columns of the source, its
    report, its location as JSON, and its containers with size and time. Raises InputError for a
    source that has no location, StorageError when the file cannot be written.
    """
    if _module_of(type(source).__name__) is None:
        raise InputError(
            f"{type(source).__name__}: no kind of source lists it, so it could not be read again; "
            "name it under `saved` of its SourceKind"
        )
    facts = {
        "format": _FORMAT,
        "kind": type(source).__name__,
        "location": source.location(),
        "settings": _settings(source),
        "report": dataclasses.asdict(source.report),
    }
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        source.index.write(file)
        # A data set, not an attribute: attributes end at 64 kB, and there may be 21,841 tars.
        text = json.dumps(facts, default=_as_json)
        file.create_dataset("source", data=text, dtype=h5py.string_dtype())
        columns = file.create_group("columns")
        for name in source.COLUMNS:
            write_column(columns, name, getattr(source, name))


def load_source(path: Path | str, *, root: Path | str | None = None) -> ImageSource:
    """The source that `save_source` wrote; no folder is listed and no container is read.

    root: where its files are now, if they were moved; containers are then compared by size only.
    Raises InputError for a file that is missing, damaged or only an index, for a folder that is
    not there, and for containers (tars, tables, a CSV) whose size or time is not the recorded one.
    """
    path = Path(path)
    index = DatasetIndex.load(path)
    check_sample_ids(index.ids, str(path), paths=True)
    check_class_names(index.class_names, str(path), paths=True)
    try:
        with open_hdf5(path) as file:
            if "source" not in file:
                raise InputError(
                    f"{path}: an index without the place of its images; make it with "
                    "`clusterbench index`"
                )
            text = file["source"][()]
            columns = {name: read_column(file["columns"], name, path) for name in file["columns"]}
    except DAMAGED_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged ({error}); index the images again") from error
    if not isinstance(text, (bytes, str)):
        raise InputError(f"{path}: source is no text; index the images again")
    facts = parse_json(text, f"{path}: source", repair="index the images again")
    wanted = {"format": str, "kind": str, "settings": dict, "report": dict}
    check_fields(facts, wanted, f"{path}: source")
    if facts["format"] != _FORMAT or _module_of(facts["kind"]) is None:
        raise InputError(
            f"{path}: format {shown(repr(facts['format']))}, kind {shown(repr(facts['kind']))}; "
            f"wanted {_FORMAT!r}: index the images again"
        )
    try:
        source = _restored(path, facts, index, columns, root)
        _check_columns(source)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {error}; index the images again") from error
    _check_containers(path, source, moved=root is not None)
    return source


#: Columns that number the entries of a setting.
_NUMBERS = {"container": "containers", "suffix_of": "suffixes", "top_of": "tops"}


def _check_columns(source: ImageSource) -> None:
    """ValueError for columns of another length, or with numbers that lead nowhere."""
    for name in source.COLUMNS:
        values = getattr(source, name)
        if len(values) != source.index.n:
            raise ValueError(f"column {name} has {len(values):,} entries, not {source.index.n:,}")
        if name == "file":
            if values.dtype.kind != "S":
                raise ValueError(f"column {name} holds {values.dtype}, not bytes")
            continue
        if values.dtype.kind not in "iu":
            raise ValueError(f"column {name} holds {values.dtype}, not whole numbers")
        end = len(getattr(source, _NUMBERS[name])) if name in _NUMBERS else 2**63
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < end:
            raise ValueError(f"column {name} holds numbers that lead nowhere")


def _module_of(kind: Any) -> str | None:
    """The module of a class of sources; None for a class that no kind has."""
    return next((row.saved[kind] for row in KINDS if kind in row.saved), None)


def _settings(source: ImageSource) -> dict[str, Any]:
    """Fields that are neither the index nor of one entry per sample."""
    names = [field.name for field in dataclasses.fields(source)]
    settings = {n: getattr(source, n) for n in names if n not in (*_NOT_SETTINGS, *source.COLUMNS)}
    return {n: v.absolute() if isinstance(v, Path) else v for n, v in settings.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Container):
        return [value.name, value.size, value.time]
    raise TypeError(f"cannot save a {type(value).__name__}")


def _restored(
    path: Path,
    facts: dict[str, Any],
    index: DatasetIndex,
    columns: dict[str, np.ndarray],
    root: Path | str | None,
) -> ImageSource:
    module = importlib.import_module(str(_module_of(facts["kind"])), __package__)
    kind: type[ImageSource] = getattr(module, facts["kind"])
    hints = get_type_hints(kind)
    settings = {n: _typed(hints.get(n), value) for n, value in facts["settings"].items()}
    if "dataset" in hints:
        if not isinstance(settings["spec"], str):
            raise TypeError("spec is no text")
        try:
            settings["dataset"] = module.build_dataset(settings["spec"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        try:  # an id is class/number of an item: it tells whether the items are still the same
            module.index_torch(settings["dataset"]).index.find(index.ids)
        except InputError as error:
            raise InputError(
                f"{path}: {settings['spec']} gives other items now ({error}); index it again"
            ) from error
    if root is not None:
        if "root" not in settings:
            raise InputError(
                f"{path}: its images do not lie below one folder, so root (--root) has no meaning; "
                "index the images again where they are now"
            )
        _move(settings, Path(root))
    if "root" in settings and not settings["root"].is_dir():
        raise InputError(
            f"{path}: its images are in {settings['root']}, which is not there; give the folder "
            "where they are now (root, --root)"
        )
    report: dict[str, Any] = {
        n: tuple(v) if isinstance(v, list) else v for n, v in facts["report"].items()
    }
    wanted = {field.name for field in dataclasses.fields(kind)}
    others = (settings.keys() | columns.keys()) - wanted
    others |= report.keys() - {field.name for field in dataclasses.fields(SourceReport)}
    if others:  # of another version
        raise ValueError(f"{kind.__name__} has no {shown(min(others))}")
    return kind(index=index, report=SourceReport(**report), **settings, **columns)


def _typed(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if hint is Path:
        return Path(value)
    if hint == tuple[Container, ...]:
        return tuple(_container(*entry) for entry in value)
    return tuple(value) if isinstance(value, list) else value


def _container(name: str, size: int, time: int) -> Container:
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(time, int)):
        raise TypeError("a container is not a name, a size and a time")
    return Container(name, size, time)


def _move(settings: dict[str, Any], root: Path) -> None:
    if "source" in settings:  # the root itself, or one file in it
        inside = settings["source"].relative_to(settings["root"])
        settings["source"] = root / inside
    settings["root"] = root


def _check_containers(path: Path, source: ImageSource, moved: bool) -> None:
    changed = []
    held_in = source.held_in()
    for file, held in held_in:
        try:
            now = Container.of(file.parent, file.name)
        except OSError as error:
            changed.append(f"{file}: {error.strerror}")
            continue
        if now.size != held.size:
            changed.append(f"{file}: {now.size} bytes, was {held.size}")
        elif now.time != held.time and not moved:
            changed.append(f"{file}: written since")
    if changed:
        raise InputError(
            f"{path}: {len(changed)} of {len(held_in)} files changed since it was made (first: "
            f"{changed[0]}); index the images again, or, if they were moved, give the folder where "
            "they are now (root, --root)"
        )


KIND = SourceKind("index", load_source, takes=("root",), suffixes=(".h5", ".hdf5"))
