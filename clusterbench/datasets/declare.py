"""`dataset.toml` for a feature store: how a store becomes a data set that `run` finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .. import limits
from ..catalog import shipped, user_home
from ..doors import parse_toml, read_text
from ..errors import InputError
from ..files import sha256_json, write_bytes
from ..printable import shown
from ..sources.dataset_index import DatasetIndex
from ..taxonomy import imagenet
from ..taxonomy.tree import Tree
from .registry import DECLARATION, check_classes, find_tree, read

#: Samples up to which the settings for small data are the better start.
_LAPTOP = 50_000
#: Bytes of the name of a folder that is made here; file systems allow 255.
_FOLDER_NAME = 100


@dataclass(frozen=True)
class DatasetDeclaration:
    """A data set to declare; `store` is the folder of its feature store.

    tree: its class tree as the file says it, a path or a shipped tree's name; "" for none.
    tree_chosen: no one asked for that tree; the class names did. tasks: the kind of data set whose
    tasks the benchmarks have; "" where those for any data set will do. exists: the data set is
    declared already; adds: its declaration does not list this encoder yet.
    """

    dataset: str
    encoder: str
    folder: Path
    store: Path
    preset: str
    exists: bool
    tree: str = ""
    tree_chosen: bool = False
    tasks: str = ""
    description: str = "Imported features"
    adds: bool = False

    def write(self) -> None:
        """Write `dataset.toml`, atomically; one that lists the store already stays as it is.

        Raises InputError, and leaves the file as it was, for a further store that does not hold
        the samples of the data set, and for a file whose `[stores]` cannot be told.
        """
        if self.adds:
            self._add()
        if self.exists:
            return
        keys = {
            "name": self.dataset,
            "description": self.description,
            "licence": "not stated",
            "default_encoder": self.encoder,
            "preset": self.preset,
            "tree": self.tree,
            "tasks": self.tasks,
        }
        lines = [f"{key} = {_quoted(value)}" for key, value in keys.items() if value]
        lines += ["", "[stores]", f"{_quoted(self.encoder)} = {_quoted(self._place())}"]
        write_bytes(self.folder / DECLARATION, "\n".join([*lines, ""]).encode())

    def _add(self) -> None:
        """Add the line of this store under `[stores]`; nothing else of the file changes."""
        from ..features.store.store import FeatureStore

        path = self.folder / DECLARATION
        declared = read(self.folder)
        found, wanted = FeatureStore.open(self.store).index, declared.index
        if found.hash != wanted.hash:
            raise InputError(
                f"{self.store}: holds {found.n:,} samples in {found.n_classes:,} classes, data set "
                f"{self.dataset!r} {wanted.n:,} in {wanted.n_classes:,}, and not the same ones: "
                "tasks name rows, so all stores of a data set hold the same samples (and the same "
                "val split); declare it under another name"
            )
        line = f"{_quoted(self.encoder)} = {_quoted(self._place())}"
        text = read_text(path, limits.DECLARATION)
        lines = text.splitlines(keepends=True)
        at = next((n for n, old in enumerate(lines) if old.strip() == "[stores]"), None)
        if at is not None:
            lines.insert(at + 1, line + "\n")
            before, after = (parse_toml(t.encode(), str(path)) for t in (text, "".join(lines)))
            before["stores"][self.encoder] = self._place()
            if after == before:
                write_bytes(path, "".join(lines).encode())
                return
        raise InputError(f"{path}: add the line {line} under [stores] to use {self.store}")

    def _place(self) -> str:
        """The store as `dataset.toml` names it: relative where it lies beside."""
        return self.store.name if self.store.parent == self.folder else str(self.store.resolve())


def declaration_for(
    dataset: str,
    encoder: str,
    store: Path | None,
    index: DatasetIndex,
    tree: str | None = None,
    description: str = "Imported features",
) -> DatasetDeclaration:
    """The declaration of a store in `$CLUSTERBENCH_HOME/features/<dataset>/`.

    store: its folder, by default one named like the encoder beside `dataset.toml`; index: its
    samples, for the preset and the tree. tree: a file or a shipped tree's name, "" for none; by
    default that of the smallest ImageNet list with all the classes, if there is one. A data set of
    that name, of the same classes and without this encoder, gets the store as a further one. Raises
    InputError for a name that cannot be a folder's, for a tree that is not there or lacks a class,
    and for a data set of that name which has another store of this encoder, other classes, or
    another tree than the one asked for.
    """
    if not dataset.replace("-", "").replace("_", "").isalnum() or dataset.startswith("-"):
        raise InputError(
            f"--dataset {shown(repr(dataset))}; wanted letters, digits, - and _ only, and a letter "
            "or digit first"
        )
    if len(dataset.encode()) > _FOLDER_NAME:
        raise InputError(
            f"--dataset {shown(repr(dataset), 80)} has {len(dataset):,} characters; wanted at most "
            f"{_FOLDER_NAME}: it names a folder"
        )
    if (shipped("features") / dataset / DECLARATION).is_file():
        raise InputError(f"--dataset {dataset!r} comes with clusterbench; choose another name")
    folder = user_home() / "features" / dataset
    if store is None:
        store = folder / _folder_name(encoder)
    asked = None if tree is None else _checked_tree(tree, folder, index)
    preset = "laptop" if index.n <= _LAPTOP else "paper"
    if not (folder / DECLARATION).is_file():
        chosen = imagenet.containing(index.class_names) or "" if asked is None else asked
        by_classes = asked is None and bool(chosen)
        kind = _kind(chosen, index)
        return DatasetDeclaration(
            dataset, encoder, folder, store, preset, False, chosen, by_classes, kind, description
        )
    declared = read(folder)
    listed = declared.stores.get(encoder)
    if listed is not None and listed.resolve() != store.resolve():
        raise InputError(
            f"{folder / DECLARATION}: is there, with other features of {encoder!r} ({listed}); "
            "choose another name for the data set or the encoder, or leave --output out"
        )
    if listed is None and declared.index.class_names != index.class_names:
        raise InputError(
            f"{folder / DECLARATION}: is there, with {declared.index.n_classes:,} classes; these "
            f"features have {index.n_classes:,} and not the same ones: choose another --dataset"
        )
    there = _tree_text(declared.tree_path, declared.tree_name, folder)
    if asked is not None and asked != there:
        has = f"tree = {_quoted(there)}" if there else "no tree"
        raise InputError(
            f"{folder / DECLARATION}: is there, with {has}; to change it, write "
            f"tree = {_quoted(asked)} above [stores]"
        )
    return DatasetDeclaration(
        dataset, encoder, folder, store, preset, True, there, adds=listed is None
    )


def _folder_name(encoder: str) -> str:
    """A name for the folder of an encoder's store, which stays within the folder it is put in."""
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in encoder)
    safe = safe.lstrip(".-") if safe.startswith(".") else safe
    if not safe or len(safe.encode()) > _FOLDER_NAME:
        kept = safe.encode()[:_FOLDER_NAME].decode(errors="ignore")
        safe = f"{kept}-{sha256_json(encoder)[:12]}".lstrip("-")
    return safe


#: Class list -> the kind of data set whose tasks suit one that has all its classes.
_KINDS = {
    "imagenet1k": "imagenet1k",
    "imagenet21k-p": "imagenet21k-p",
    "imagenet21k-p-fall11": "imagenet21k-p",
}


def _kind(tree: str, index: DatasetIndex) -> str:
    """The kind of data set, where every class of a list is there: its tasks need them all."""
    if tree not in _KINDS or len(imagenet.classes(tree)) != index.n_classes:
        return ""
    return _KINDS[tree]


def _checked_tree(tree: str, folder: Path, index: DatasetIndex) -> str:
    """What `dataset.toml` says for `--tree`, whose file is looked for in the working directory."""
    path, name = find_tree(tree, Path.cwd(), f"--tree {tree!r}")
    if path is not None:
        check_classes(Tree.read(path), f"--tree {tree}", index.class_names, "the features")
    elif name is not None:
        check_classes(imagenet.load(name), f"--tree {tree}", index.class_names, "the features")
    return _tree_text(path, name, folder)


def _tree_text(path: Path | None, name: str | None, folder: Path) -> str:
    """The value of `tree` in the folder's declaration: a file of the folder by its name alone."""
    if path is None:
        return name or ""
    path = path.resolve()
    return path.name if path.parent == folder.resolve() else str(path)


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False)
