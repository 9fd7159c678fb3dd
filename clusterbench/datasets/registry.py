"""Data sets by name: a folder with `dataset.toml`, feature stores and perhaps a class tree."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import catalog
from ..declared import check_texts, read_declared
from ..errors import InputError
from ..limits import PATH, STORES, check_name
from ..printable import shown
from ..sources.dataset_index import DatasetIndex
from ..taxonomy import imagenet
from ..taxonomy.tree import Tree

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore

DECLARATION = "dataset.toml"
_KIND = "features"
_REQUIRED = ("name", "default_encoder", "preset")
_NAMES = (*_REQUIRED, "tasks")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set whose features are on disk; files are read on first use.

    stores: encoder name -> store folder. preset: name of the methods' parameter set that suits
    the data set's size. tasks: the kind of data set it is, where benchmarks declare their tasks by
    kind ("imagenet21k-p"); its own name comes first. Its class tree is the file `tree_path` or the
    shipped tree of the name `tree_name` (`clusterbench list trees`); both are None where it has
    none.
    """

    name: str
    folder: Path
    stores: Mapping[str, Path]
    default_encoder: str
    preset: str
    tasks: str = ""
    description: str = ""
    licence: str = ""
    tree_path: Path | None = None
    tree_name: str | None = None

    @cached_property
    def index(self) -> DatasetIndex:
        """The samples, as the default encoder's store has them."""
        return self._open(self.default_encoder).index

    @cached_property
    def tree(self) -> Tree | None:
        """The class tree; InputError when a class of the index is not a node of it."""
        if self.tree_path is not None:
            tree, where = Tree.read(self.tree_path), str(self.tree_path)
        elif self.tree_name is not None:
            tree, where = imagenet.load(self.tree_name), f"class tree {self.tree_name!r}"
        else:
            return None
        check_classes(tree, where, self.index.class_names, f"data set {self.name!r}")
        return tree

    def store(self, encoder: str | None = None) -> FeatureStore:
        """The feature store of an encoder, by default the data set's.

        Raises InputError for an unknown encoder (with near names), a store that is not sound, and
        a store of other samples than `index`.
        """
        name = encoder or self.default_encoder
        store = self._open(name)
        if store.index.hash != self.index.hash:
            raise InputError(
                f"{store.path}: its index {store.index.hash[:12]} is not the one of encoder "
                f"{self.default_encoder!r}, {self.index.hash[:12]}; tasks name rows, so all stores "
                "of a data set must hold the same samples"
            )
        return store

    def _open(self, encoder: str) -> FeatureStore:
        from ..features.store.store import FeatureStore

        if encoder not in self.stores:
            raise catalog.unknown_name("encoder", encoder, self.stores)
        return FeatureStore.open(self.stores[encoder])


def names() -> list[str]:
    """Names of all data sets with features on disk, shipped and the user's, sorted."""
    return sorted(_folders())


def load(name: str) -> Dataset:
    """The data set of a name; the user's folder wins over a shipped one.

    Raises InputError for an unknown name (with near names) or a declaration that `read` refuses.
    """
    folders = _folders()
    if name not in folders:
        raise catalog.unknown_name("dataset", name, folders)
    return read(folders[name])


def read(folder: Path) -> Dataset:
    """Read `<folder>/dataset.toml`.

    Keys: name (the folder's), default_encoder, preset and a table `stores` of encoder -> folder;
    optionally description, licence, tasks and tree, a file or the name of a shipped class tree.
    Paths are relative to the folder. Raises InputError naming the file and the key for an unknown
    or missing key, a wrong type, a default encoder without a store, and a tree that is neither.
    """
    folder = Path(folder)
    path = folder / DECLARATION
    if not os.path.lexists(path):
        raise InputError(f"{path}: no such file; a data set's folder holds one")
    found = read_declared(path, _File)
    check_texts(found, str(path), _REQUIRED)
    for name in _NAMES:
        if text := getattr(found, name):
            check_name(text, f"{path}: {name}")
    if len(found.stores) > STORES:
        raise InputError(f"{path}: {len(found.stores):,} stores; wanted at most {STORES:,}")
    for encoder, store in found.stores.items():
        check_name(encoder, f"{path}: stores: an encoder's name")
        check_path(store, f"{path}: stores.{shown(encoder)}")
    if found.tree:
        check_path(found.tree, f"{path}: tree")
    if found.name != folder.name:
        raise InputError(f"{path}: name = {found.name!r}; it must be the folder's, {folder.name!r}")
    if found.default_encoder not in found.stores:
        unknown = catalog.unknown_name("encoder", found.default_encoder, found.stores)
        raise InputError(f"{path}: default_encoder: {unknown}")
    tree_path, tree_name = find_tree(found.tree, folder, f"{path}: tree = {found.tree!r}")
    return Dataset(
        name=found.name,
        folder=folder,
        stores={encoder: folder / store for encoder, store in found.stores.items()},
        default_encoder=found.default_encoder,
        preset=found.preset,
        tasks=found.tasks,
        description=found.description,
        licence=found.licence,
        tree_path=tree_path,
        tree_name=tree_name,
    )


@dataclass(frozen=True)
class _File:
    """`dataset.toml` as it is written; `stores` are folders by encoder."""

    name: str
    default_encoder: str
    preset: str
    stores: dict[str, str]
    description: str = ""
    licence: str = ""
    tree: str = ""
    tasks: str = ""


def check_path(text: str, where: str) -> None:
    """InputError for a text that no system takes as a path."""
    if "\0" in text or len(text.encode("utf-8", "surrogatepass")) > PATH:
        raise InputError(
            f"{where} = {shown(repr(text))} should be a path of at most {PATH:,} bytes"
        )


def find_tree(tree: str, folder: Path, where: str) -> tuple[Path | None, str | None]:
    """The file in `folder`, or else the shipped tree, that a text means; (None, None) for "".

    Raises InputError that begins with `where` and has near names, for a text that is neither.
    """
    if not tree:
        return None, None
    check_path(tree, where.partition(" = ")[0])
    if os.path.lexists(folder / tree):
        return folder / tree, None
    if tree in imagenet.names():
        return None, tree
    unknown = catalog.unknown_name("class tree", tree, imagenet.names())
    raise InputError(f"{where}; there is no such file in {folder}: {unknown}")


def check_classes(tree: Tree, where: str, class_names: Sequence[str], owner: str) -> None:
    """InputError when a class is not a node of the tree; it may have other nodes, too."""
    missing = [name for name in class_names if name not in tree]
    if missing:
        raise InputError(
            f"{where}: {len(missing)} of {len(class_names)} classes of {owner} are not nodes "
            f"(first: {missing[0]!r}); add their lines or choose another tree"
        )


def _folders() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for parent in catalog.folders(_KIND):
        for folder in sorted(parent.glob("*")) if parent.is_dir() else []:
            if os.path.lexists(folder / DECLARATION):  # a link to nothing is named, too
                found.setdefault(folder.name, folder)
    return found
