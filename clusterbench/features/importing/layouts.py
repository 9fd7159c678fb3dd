"""Folders of features as other tools leave them: which file is what.

TEMI (BMVC 2023, `gen_embeds.py`) writes `<data set>-<architecture>/` with embeddings.pt and
label.pt of the training images and embeddings-test.pt and label-test.pt of the test images.
CLIP_benchmark (its linear probe) writes features_<split>.pt and targets_<split>.pt for train, val
and test; while it works, numbered pieces of them, which it puts together at the end.
clip-retrieval (its inference) writes img_emb/img_emb_<number>.npy, and beside it the captions and
paths of the images in metadata/metadata_<number>.parquet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError

LAYOUTS = ("auto", "temi", "clip-benchmark", "clip-retrieval", "arrays")

_TEMI = re.compile(r"embeddings(-test)?\.pt")
_CLIP = re.compile(r"features_(train|val|test)(?:(?:_cache)?_(\d+))?\.pt")

_RETRIEVAL = re.compile(r"img_emb_(\d+)\.npy")


@dataclass(frozen=True)
class Part:
    """Samples of one split: their features, one file after the other, and their labels.

    name: of the split in the layout, "" where there is only one; train or val is `split`. labels:
    a file for each of features, one for all of them, or none. ids: a file for each of features
    that has the samples' ids in the first of the columns `id_names` that is there.
    """

    name: str
    split: str
    features: tuple[Path, ...]
    labels: tuple[Path, ...]
    ids: tuple[Path, ...] = ()
    id_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A folder understood: its parts, the encoder's name if it says one, what to tell the user."""

    name: str
    parts: tuple[Part, ...]
    encoder: str | None
    notes: tuple[str, ...]


_FILES = {
    "temi": "embeddings.pt",
    "clip-benchmark": "features_*.pt",
    "clip-retrieval": "img_emb/",
}


def find_layout(folder: Path, wanted: str = "auto") -> Layout:
    """What a folder holds.

    Raises InputError for an empty folder, one of neither layout or of both, files that lack their
    partner, and a series of pieces with a gap.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be opened ({error.strerror or error})") from error
    found = {
        "temi": any(_TEMI.fullmatch(name) for name in names),
        "clip-benchmark": any(_CLIP.fullmatch(name) for name in names),
        "clip-retrieval": (folder / "img_emb").is_dir(),
    }
    if wanted == "auto":
        matching = [layout for layout, is_there in found.items() if is_there]
        if len(matching) > 1:
            raise InputError(
                f"{folder}: holds both {_FILES[matching[0]]} ({matching[0]}) and "
                f"{_FILES[matching[1]]} ({matching[1]}); choose with --layout"
            )
        wanted = matching[0] if matching else ""
    if not found.get(wanted):
        holds = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        raise InputError(
            f"{folder}: holds {holds or 'no files'}; wanted embeddings.pt (temi), "
            "features_train.pt (clip-benchmark) or img_emb/img_emb_0.npy (clip-retrieval), or a "
            "file instead of a folder"
        )
    if wanted == "clip-retrieval":
        return _retrieval(folder)
    return _temi(folder, set(names)) if wanted == "temi" else _clip(folder, names)


def _temi(folder: Path, names: set[str]) -> Layout:
    parts = []
    for suffix, part, split in (("", "train", "train"), ("-test", "test", "val")):
        features, labels = f"embeddings{suffix}.pt", f"label{suffix}.pt"
        if features in names:
            _require(folder, labels, names, features)
            parts.append(Part(part, split, (folder / features,), (folder / labels,)))
    notes = []
    if parts[0].split != "train":
        raise InputError(f"{folder}: has embeddings-test.pt, but no embeddings.pt; add it")
    if len(parts) == 1:
        notes.append("no embeddings-test.pt: the store has no val samples")
    # <data set>-<architecture>; the names of TEMI's data sets hold no hyphen
    encoder = folder.resolve().name.partition("-")[2]
    return Layout("temi", tuple(parts), encoder or None, tuple(notes))


def _clip(folder: Path, names: list[str]) -> Layout:
    parts, notes = [], []
    splits = [split for split in ("train", "val", "test") if _files(names, split)]
    for split in splits:
        features = _files(names, split)
        targets = tuple(name.replace("features_", "targets_", 1) for name in features)
        for name, partner in zip(features, targets, strict=True):
            _require(folder, partner, set(names), name)
        if len(features) > 1 or features[0] != f"features_{split}.pt":
            _check_series(folder, split, features)
            notes.append(
                f"{split} is in pieces ({len(features)}), which CLIP_benchmark joins when it is "
                "done: it may have been stopped before the last one"
            )
        evaluates = split == "test" or (split == "val" and "test" not in splits)
        parts.append(
            Part(
                split,
                "val" if evaluates else "train",
                tuple(folder / name for name in features),
                tuple(folder / name for name in targets),
            )
        )
    if "train" not in splits:
        raise InputError(f"{folder}: has no features_train.pt; add it, or give one file")
    if len(splits) == 3:
        notes.append(
            "val, on which CLIP_benchmark selects and then trains, is in train; test is val"
        )
    if len(splits) == 1:
        notes.append("neither features_val.pt nor features_test.pt: the store has no val samples")
    return Layout("clip-benchmark", tuple(parts), folder.resolve().name, tuple(notes))


def _retrieval(folder: Path) -> Layout:
    inside = folder / "img_emb"
    found = {
        int(match[1]): path
        for path in inside.iterdir()
        if (match := _RETRIEVAL.fullmatch(path.name))
    }
    if not found:
        raise InputError(f"{inside}: holds no img_emb_0.npy; wanted what clip-retrieval wrote")
    numbers = sorted(found)
    for position, number in enumerate(numbers):
        if number != position:
            raise InputError(
                f"{inside}: img_emb_{position}.npy is missing, while {found[number].name} is there"
            )
    features = tuple(found[number] for number in numbers)
    notes = [f"{len(features)} pieces of embeddings"] if len(features) > 1 else []
    if (folder / "text_emb").is_dir():
        notes.append("text_emb, the embeddings of the captions, is left out")
    tables: tuple[Path, ...] = ()
    if (folder / "metadata").is_dir():
        digits = {path: path.stem.rpartition("_")[2] for path in features}
        tables = tuple(folder / "metadata" / f"metadata_{digits[p]}.parquet" for p in features)
        for path, table in zip(features, tables, strict=True):
            if not table.exists():
                raise InputError(f"{folder}: {path.name} is there, but {table.name} is not")
    else:
        notes.append("no metadata/: samples are named by their rows")
    part = Part("", "train", features, (), tables, ("image_path", "key", "id"))
    return Layout("clip-retrieval", (part,), folder.resolve().name, tuple(notes))


def _files(names: list[str], split: str) -> tuple[str, ...]:
    """The feature files of a split, pieces in the order of their numbers."""
    matches = [match for name in names if (match := _CLIP.fullmatch(name)) and match[1] == split]
    return tuple(match[0] for match in sorted(matches, key=lambda m: int(m[2] or -1)))


def _check_series(folder: Path, split: str, files: tuple[str, ...]) -> None:
    whole = f"features_{split}.pt"
    if whole in files:
        raise InputError(
            f"{folder}: holds {whole} and pieces of it ({files[-1]}); delete the pieces if it is "
            "whole, else delete it"
        )
    if len({re.sub(r"\d+\.pt", "", name) for name in files}) > 1:
        raise InputError(f"{folder}: {files[0]} and {files[-1]} are two series; keep one of them")
    for number, name in enumerate(files):
        found = int(re.findall(r"\d+", name)[-1])
        if found != number:
            raise InputError(
                f"{folder}: piece {number} of features_{split} is missing: {name} is number "
                f"{number + 1} of {len(files)} files; extract again, or import the pieces alone"
            )


def _require(folder: Path, partner: str, names: set[str], name: str) -> None:
    if partner not in names:
        raise InputError(f"{folder}: {name} is there, but {partner} is not; add its labels")
