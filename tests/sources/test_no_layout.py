"""Folders that could be read as classes and are something else are refused, or noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterbench import InputError
from clusterbench.sources.folder import index_folder


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def both(*folders: str) -> list[str]:
    """Images of two classes in each folder."""
    return [
        f"{folder}/{name}/{n}.png" for folder in folders for name in ("cat", "dog") for n in "01"
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (both("trainval", "test"), "holds test/, which looks like a split, with folders in it"),
        (both("train", "query"), "holds train/, which looks like a split, with folders in it"),
        (both("train", "train-extra"), "holds train/, which looks like a split"),
        (both("images", "masks"), "holds images/, which is no class, with folders in it"),
        (
            ["cat/train/0.png", "cat/test/1.png", "dog/train/0.png", "dog/test/1.png"],
            "class 'cat' holds cat/test/ and cat/train/, which look like splits within the class",
        ),
    ],
)
def test_what_is_neither_splits_nor_classes_is_refused(
    names: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        index_folder(make(tmp_path, *names))


@pytest.mark.parametrize("folders", [("trainA", "trainB"), ("fold1", "fold2"), ("tr", "te")])
def test_folders_that_hold_the_same_folders_are_noted(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    source = index_folder(make(tmp_path, *both(*folders)))
    assert source.index.class_names == tuple(sorted(folders))
    assert any("hold folders of the same names (cat, dog" in note for note in source.report.notes)


def test_classes_with_folders_of_their_own_are_classes(tmp_path: Path) -> None:
    source = index_folder(
        make(tmp_path, "train/0.png", "cat/a/0.png", "cat/b/1.png", "dog/c/2.png")
    )
    assert source.index.class_names == ("cat", "dog", "train")
    assert not source.report.notes
