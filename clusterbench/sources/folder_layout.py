"""Where the class folders of a tree are, and which folders are splits: of a folder, or of a tar.

docs/layouts.md has a row for each layout, and tests/sources/test_layouts.py a test for each row.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from .splits import evaluated, of_folder
from .words import counted

#: The list of Tiny ImageNet that gives the class of each validation image: file<TAB>class<TAB>box.
ANNOTATIONS = "val_annotations.txt"
# What people call a folder of images within a split; it is no class.
_MERE_FOLDERS = frozenset(
    ("images", "image", "imgs", "img", "jpg", "jpeg", "jpegs", "png", "jpegimages", "photos")
)
_LOOKED = 50  # folders: one that is no class shows among the first, of 20,000
_WRAPPERS = 4  # folders around the classes that are gone through


def may_hold_images(name: str) -> bool:
    """Whether a folder of this name may hold images that lie in no class folder."""
    return name.lower() in _MERE_FOLDERS or bool(of_folder(name)[1])


class ImageTree(abc.ABC):
    """Folders and images by POSIX path below a root (""), without what is hidden or a system's."""

    @abc.abstractmethod
    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, sorted."""

    @abc.abstractmethod
    def images(self, path: str) -> list[str]:
        """Names of the images directly in a folder, sorted."""

    @abc.abstractmethod
    def holds_images(self, path: str) -> bool:
        """Whether an image lies in a folder or below it."""

    @abc.abstractmethod
    def annotations(self, path: str) -> str | None:
        """The text of the list of classes in a folder; None where there is none."""


@dataclass(frozen=True)
class Top:
    """A folder whose folders are classes, of one split (0 = train, 1 = val).

    class_of: where no folder says the class, file name -> class.
    """

    path: str
    split: int = 0
    class_of: Mapping[str, str] | None = None


@dataclass(frozen=True)
class FolderLayout:
    """Tops, and in words what was left out or chosen."""

    tops: tuple[Top, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Finding:
    tree: ImageTree
    where: str
    notes: list[str] = field(default_factory=list)


def find_layout(tree: ImageTree, where: str) -> FolderLayout:
    """The layout of a tree; messages begin with `where`.

    Raises InputError for: images beside class folders or splits; splits without train, or two
    folders of one split; folders with images beside splits; val images that nothing gives a class.
    """
    finding = _Finding(tree, where)
    path = ""
    for _ in range(_WRAPPERS):
        folders = tree.folders(path)
        splits = _splits(finding, path, folders)
        if splits:
            return _of_splits(finding, path, splits)
        inner = _wrapped(tree, path, folders)
        if inner is None:
            break
        path = _below(path, inner)
    _refuse_loose(finding, path)
    _refuse_other_layouts(finding, path, tree.folders(path))
    if path:
        finding.notes.append(f"the class folders are those in {path}/")
    return FolderLayout((Top(path),), tuple(finding.notes))


def _splits(finding: _Finding, path: str, folders: Sequence[str]) -> dict[str, str]:
    """Split -> folder, where folders are splits; else nothing."""
    named = {name: of_folder(name) for name in folders}
    beginnings = sorted({beginning for beginning, split in named.values() if split == "train"})
    for beginning in beginnings:
        group = [n for n, (b, split) in named.items() if split and b == beginning]
        kinds = {named[name][1] for name in group}
        others = [name for name in folders if name not in group]
        if kinds & {"val", "test"} or (not beginning and not others):
            return _checked(finding, path, {n: named[n][1] for n in group}, others)
    if folders and all(split and not b for b, split in named.values()):
        raise InputError(
            f"{finding.where} holds {_listed(path, folders)}: these look like splits, but none of "
            "them is train; wanted train/ and perhaps val/ or test/, or the class folders "
            "themselves"
        )
    return {}


def _checked(
    finding: _Finding, path: str, named: Mapping[str, str], others: Sequence[str]
) -> dict[str, str]:
    tree, where = finding.tree, finding.where
    found: dict[str, str] = {}
    for name, split in named.items():
        if split in found and split != "unlabelled":
            raise InputError(
                f"{where} holds {_listed(path, [found[split], name])}, which both mean "
                f"{split}; keep one of them"
            )
        found[split] = name
    for name in others:
        if tree.holds_images(_below(path, name)):
            raise InputError(
                f"{where} holds {_listed(path, list(named))} and also {_below(path, name)}/, "
                "which holds images too: neither splits only nor classes only; move the others "
                "elsewhere"
            )
    if loose := tree.images(path):
        _refuse(finding, [_below(path, name) for name in loose], "the splits")
    return found


def _of_splits(finding: _Finding, path: str, splits: dict[str, str]) -> FolderLayout:
    tree = finding.tree
    tops = [_train_top(finding, _below(path, splits["train"]))]
    full = {
        split: _below(path, name)
        for split, name in splits.items()
        if split != "train" and tree.holds_images(_below(path, name))
    }
    chosen = evaluated(full)
    if chosen in full:
        top = _val_top(finding, full[chosen], chosen)
        tops += [top] if top else []
    for split, folder in sorted(full.items()):
        if split == "unlabelled":
            finding.notes.append(f"{folder}/ is left out: its images have no class")
        elif split != chosen:
            finding.notes.append(
                f"{folder}/ is left out: {full[chosen]}/ is there, and val evaluates"
            )
    return FolderLayout(tuple(tops), tuple(finding.notes))


def _train_top(finding: _Finding, path: str) -> Top:
    path, flat = _within(finding, path)
    if flat:
        raise InputError(
            f"{finding.where}: {counted(len(flat), 'image')} in {path}/ "
            f"{'lies' if len(flat) == 1 else 'lie'} in no class folder (for example {flat[0]}); "
            f"wanted {path}/<class>/<image>, or a CSV that gives each image its class"
        )
    return Top(path, 0)


def _val_top(finding: _Finding, folder: str, split: str) -> Top | None:
    tree = finding.tree
    path, flat = _within(finding, folder)
    if not flat:
        return Top(path, 1)
    text = next((t for p in (folder, path) if (t := tree.annotations(p)) is not None), None)
    if text is not None:
        return Top(path, 1, _read_annotations(text, flat, f"{finding.where}: {folder}"))
    if split == "test":
        finding.notes.append(
            f"{folder}/ is left out: its images lie in no class folder (for example {flat[0]})"
        )
        return None
    raise InputError(
        f"{finding.where}: {counted(len(flat), 'image')} in {path}/ "
        f"{'lies' if len(flat) == 1 else 'lie'} in no class folder (for example {flat[0]}), and "
        f"{folder}/{ANNOTATIONS} is not there; put them into {folder}/<class>/, or list all images "
        "in a CSV (path, class, split)"
    )


def _within(finding: _Finding, path: str) -> tuple[str, list[str]]:
    """(folder of the classes of a split, or of its images; paths of images in no class folder)."""
    tree = finding.tree
    while True:
        folders = [f for f in tree.folders(path) if tree.holds_images(_below(path, f))]
        flat = tree.images(path)
        if flat:
            if folders:
                _refuse(finding, [_below(path, name) for name in flat], f"the folders of {path}/")
            return path, flat
        if len(folders) != 1 or folders[0].lower() not in _MERE_FOLDERS:
            return path, []
        path = _below(path, folders[0])


def _wrapped(tree: ImageTree, path: str, folders: Iterable[str]) -> str | None:
    """The one folder that holds all images, if they lie in folders of it; else None."""
    if tree.images(path):
        return None
    full: list[str] = []
    for name in folders:
        if tree.holds_images(_below(path, name)):
            full.append(name)
            if len(full) > 1:
                return None
    if not full or tree.images(_below(path, full[0])):
        return None
    return full[0]


def _refuse_other_layouts(finding: _Finding, path: str, folders: Sequence[str]) -> None:
    """What is no folder of class folders, though each folder could be read as a class.

    InputError for a split, or a folder of images, that holds class folders beside other folders,
    and for splits within each class; a note where folders hold folders of the same names, as folds
    and masks do.
    """
    tree, where = finding.tree, finding.where
    looked = [name for name in folders if may_hold_images(name)] + list(folders[:_LOOKED])
    inner = {
        name: [f for f in tree.folders(at) if tree.holds_images(_below(at, f))]
        for name in dict.fromkeys(looked)
        if tree.holds_images(at := _below(path, name))
    }
    nested = {n: names for n, names in inner.items() if names and not tree.images(_below(path, n))}
    for name in nested if len(inner) > 1 else ():
        beginning, split = of_folder(name)
        mere = name.lower() in _MERE_FOLDERS
        if mere or (split and not beginning):
            what = "is no class" if mere else "looks like a split"
            others = _listed(path, [other for other in inner if other != name][:3])
            raise InputError(
                f"{where} holds {_below(path, name)}/, which {what}, with folders in it, beside "
                f"{others}: neither splits only nor classes only; move the others elsewhere, or "
                "list all images in a CSV (path, class, split)"
            )
    if len(nested) == len(inner) and all(
        all(of_folder(n)[1] for n in names) and len(names) > 1 for names in nested.values()
    ):
        name, names = next(iter(nested.items()), ("", []))
        if names:
            raise InputError(
                f"{where}: class {name!r} holds {_listed(_below(path, name), names)}, which look "
                f"like splits within the class; wanted {names[-1]}/{name}/<image>, or a CSV that "
                "lists all images (path, class, split)"
            )
    same = [name for name, names in nested.items() if names == next(iter(nested.values()))]
    if len(same) > 1 and len(nested[same[0]]) > 1:
        finding.notes.append(
            f"{_listed(path, same[:3])} are read as classes, and hold folders of the same names "
            f"({', '.join(nested[same[0]][:3])} ...): if those are the classes, list all images in "
            "a CSV"
        )


def _refuse_loose(finding: _Finding, path: str) -> None:
    if loose := finding.tree.images(path):
        _refuse(finding, [_below(path, name) for name in loose], "the class folders")


def _refuse(finding: _Finding, loose: Sequence[str], beside: str) -> None:
    raise InputError(
        f"{finding.where}: {counted(len(loose), 'image')} "
        f"{'lies' if len(loose) == 1 else 'lie'} beside {beside} (for example {loose[0]}); move "
        f"{'it' if len(loose) == 1 else 'them'} into a class folder (one for all, if there are no "
        "classes)"
    )


def _read_annotations(text: str, flat: Sequence[str], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        label = rest.split("\t")[0].strip()
        if not label:
            raise InputError(
                f"{where}/{ANNOTATIONS}: line {number} has no class; wanted file<TAB>class"
            )
        if found.setdefault(name.strip(), label) != label:
            raise InputError(
                f"{where}/{ANNOTATIONS}: line {number} gives {name!r} another class than before"
            )
    if missing := [name for name in flat if name not in found]:
        raise InputError(
            f"{where}/{ANNOTATIONS}: {counted(len(missing), 'image')} without a line (for example "
            f"{missing[0]})"
        )
    return found


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _listed(path: str, names: Sequence[str]) -> str:
    return " and ".join(f"{_below(path, name)}/" for name in sorted(names)[:4])
