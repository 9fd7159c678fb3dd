"""`dataset.toml` for a feature store: how a store becomes a data set that `run` finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..catalog import shipped, user_home
from ..errors import InputError
from ..files import write_bytes
from ..sources.dataset_index import DatasetIndex
from ..taxonomy import imagenet
from ..taxonomy.tree import Tree
from .registry import DECLARATION, check_classes, find_tree, read

#: Samples up to which the settings for small data are the better start.
_LAPTOP = 50_000


@dataclass(frozen=True)
class DatasetDeclaration:
    """A data set to declare; `store` is the folder of its feature store.

    tree: its class tree as the file says it, a path or a shipped tree's name; "" for none.
    tree_chosen: no one asked for that tree; the class names did. tasks: the kind of data set whose
    tasks the benchmarks have; "" where those for any data set will do.
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

    def write(self) -> None:
        """Write `dataset.toml`, atomically; one that lists the store already stays as it is."""
        if self.exists:
            return
        inside = self.store.parent == self.folder
        place = self.store.name if inside else str(self.store.resolve())
        keys = {
            "name": self.dataset,
            "description": "Imported features",
            "licence": "not stated",
            "default_encoder": self.encoder,
            "preset": self.preset,
            "tree": self.tree,
            "tasks": self.tasks,
        }
        lines = [f"{key} = {_quoted(value)}" for key, value in keys.items() if value]
        lines += ["", "[stores]", f"{_quoted(self.encoder)} = {_quoted(place)}"]
        write_bytes(self.folder / DECLARATION, "\n".join([*lines, ""]).encode())


def declaration_for(
    dataset: str, encoder: str, store: Path | None, index: DatasetIndex, tree: str | None = None
) -> DatasetDeclaration:
    """The declaration of a store in `$CLUSTERBENCH_HOME/features/<dataset>/`.

    store: its folder, by default one named like the encoder beside `dataset.toml`; index: its
    samples, for the preset and the tree. tree: a file or a shipped tree's name, "" for none; by
    default that of the smallest ImageNet list with all the classes, if there is one. Raises
    InputError for a name that cannot be a folder's, for a tree that is not there or lacks a class,
    and for a data set of that name which does not list this store, with the line to add, or has
    another tree than the one asked for.
    """
    if not dataset.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"--dataset {dataset!r}; wanted letters, digits, - and _ only")
    if (shipped("features") / dataset / DECLARATION).is_file():
        raise InputError(f"--dataset {dataset!r} comes with clusterbench; choose another name")
    folder = user_home() / "features" / dataset
    if store is None:
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in encoder)
        store = folder / safe
    asked = None if tree is None else _checked_tree(tree, folder, index)
    preset = "laptop" if index.n <= _LAPTOP else "paper"
    if not (folder / DECLARATION).is_file():
        chosen = imagenet.containing(index.class_names) or "" if asked is None else asked
        by_classes = asked is None and bool(chosen)
        kind = _kind(chosen, index)
        return DatasetDeclaration(
            dataset, encoder, folder, store, preset, False, chosen, by_classes, kind
        )
    declared = read(folder)
    listed = declared.stores.get(encoder)
    if listed is None or listed.resolve() != store.resolve():
        line = f"{json.dumps(encoder)} = {json.dumps(str(store.resolve()))}"
        raise InputError(
            f"{folder / DECLARATION}: is there, and does not list this store; import with "
            f"--output {store} alone, then add the line {line} under [stores]"
        )
    there = _tree_text(declared.tree_path, declared.tree_name, folder)
    if asked is not None and asked != there:
        has = f"tree = {_quoted(there)}" if there else "no tree"
        raise InputError(
            f"{folder / DECLARATION}: is there, with {has}; to change it, write "
            f"tree = {_quoted(asked)} above [stores]"
        )
    return DatasetDeclaration(dataset, encoder, folder, store, preset, True, there)


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
