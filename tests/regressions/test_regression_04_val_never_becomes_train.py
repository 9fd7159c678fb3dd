"""A val split that silently becomes the train split because of a path rule."""

import pytest

from clusterbench import InputError
from clusterbench.sources.folder import index_folder


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    "names",
    [["val/cat/1.png", "val/dog/2.png"], ["validation/cat/1.png"], ["test/cat/1.png", "val/cat/2"]],
)
def test_evaluation_folders_without_train_are_refused_not_read_as_classes(tmp_path, names):
    with pytest.raises(InputError, match="these look like splits, but none of them is train"):
        index_folder(make(tmp_path, *names))


@pytest.mark.parametrize(
    ("names", "val"),
    [
        (["train/cat/1.png"], []),
        (["train/cat/1.png", "validation/cat/2.png"], ["cat/2"]),
        (["Train/cat/1.png", "Val/cat/2.png"], ["cat/2"]),
        (["training/cat/1.png", "test/cat/2.png"], ["cat/2"]),
        (["train/cat/1.png", "val/cat/2.png", "test/cat/3.png"], ["cat/2"]),
    ],
)
def test_split_folders_are_splits_and_never_classes(tmp_path, names, val):
    index = index_folder(make(tmp_path, *names)).index
    assert index.class_names == ("cat",)
    assert [index.id(row) for row in index.rows("val")] == val
    assert [index.id(row) for row in index.rows("train")] == ["cat/1"]


def test_a_third_folder_with_images_beside_train_and_val_is_refused(tmp_path):
    make(tmp_path, "train/cat/1.png", "val/cat/2.png", "more/cat/3.png")
    with pytest.raises(InputError, match="also more/, which holds images too: neither splits only"):
        index_folder(tmp_path)


def test_an_empty_train_split_is_refused(tmp_path):
    make(tmp_path, "val/cat/1.png")
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="no training images"):
        index_folder(tmp_path)


def test_the_two_splits_keep_their_own_images_wherever_the_source_lies(tmp_path):
    root = tmp_path / "val" / "train" / "data"  # split names in the path above mean nothing
    make(root, "train/cat/1.png", "train/train/4.png", "val/cat/2.png", "val/train/3.png")
    source = index_folder(root)
    found = {source.index.id(row): int(source.index.split[row]) for row in range(4)}
    assert found == {"cat/1": 0, "cat/2": 1, "train/3": 1, "train/4": 0}


def test_a_class_may_be_called_train(tmp_path):
    source = index_folder(make(tmp_path, "train/1.png", "plane/2.png"))
    assert source.index.class_names == ("plane", "train")


def test_the_folders_of_the_processed_imagenet21k_p_are_a_split(tmp_path):
    names = ("imagenet21k_train/n01/1.png", "imagenet21k_val/n01/2.png")
    source = index_folder(make(tmp_path / "p", *names))
    assert source.index.class_names == ("n01",)
    assert [source.index.id(row) for row in source.index.rows("val")] == ["n01/2"]
    assert source.path(1) == tmp_path / "p" / "imagenet21k_val" / "n01" / "2.png"
    names += ("imagenet21k_small_classes/n02/3.png",)
    with pytest.raises(InputError, match="also imagenet21k_small_classes/, which holds images too"):
        index_folder(make(tmp_path / "s", *names))
