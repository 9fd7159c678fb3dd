import os
from pathlib import Path

import numpy as np
import pytest

from clusterbench import InputError
from clusterbench.sources.folder import image_suffixes, index_folder


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def ids(source):
    return [source.index.id(row) for row in range(source.index.n)]


def test_classes_are_folders_and_ids_are_paths_without_extension(tmp_path):
    touch(tmp_path, "dog/b.jpg", "dog/a.JPEG", "cat/deep/er/1.png", "cat/2.webp", "a-b/x.y.png")
    source = index_folder(tmp_path)
    assert source.index.class_names == ("a-b", "cat", "dog")
    assert ids(source) == ["a-b/x.y", "cat/2", "cat/deep/er/1", "dog/a", "dog/b"]
    assert source.index.labels.tolist() == [0, 1, 1, 2, 2]
    assert source.index.split.tolist() == [0] * 5
    assert [source.path(row).relative_to(tmp_path).as_posix() for row in range(5)] == [
        "a-b/x.y.png",
        "cat/2.webp",
        "cat/deep/er/1.png",
        "dog/a.JPEG",
        "dog/b.jpg",
    ]


def test_the_order_files_were_made_in_does_not_matter(tmp_path):
    names = [f"c{i % 3}/{i}.png" for i in range(30)]
    one = index_folder(touch(tmp_path / "one", *names))
    two = index_folder(touch(tmp_path / "two", *reversed(names)))
    assert one.index.hash == two.index.hash


def test_what_is_left_out_is_recorded(tmp_path):
    touch(tmp_path, "cat/1.png", "cat/notes.txt", "cat/.hidden.png", "cat/._1.png", "empty/x.txt")
    touch(tmp_path, ".git/1.png", "README.md")
    source = index_folder(tmp_path)
    assert ids(source) == ["cat/1"]
    assert source.empty_classes == ("empty",)
    assert source.ignored == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no images in it, and no class folder"),
        (["cat/x.txt"], "no images in 1 class folder .1 other file."),
        (["1.png", "2.png"], r"2 images lie beside the class folders \(for example"),
        (["cat/1.png", "2.png"], "1 image lies beside"),
        (["train/cat/1.png", "train/2.png", "val/cat/3.png"], "example train/2.png"),
        (["cat/1.png", "cat/1.jpg", "cat/1.jpg.png"], r"two samples have the one id 'cat/1.jpg'"),
        (["cat/1\n.png"], "line break"),
    ],
)
def test_folders_that_are_not_a_data_set_are_refused(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        index_folder(touch(tmp_path, *names))


def test_a_source_that_is_missing_or_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        index_folder(tmp_path / "x")
    with pytest.raises(InputError, match="is a file"):
        index_folder(touch(tmp_path, "f") / "f")


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/cat/\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(InputError, match="is not UTF-8"):
        index_folder(tmp_path)


def test_train_and_val_folders_are_a_split(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/2.jpg", "val/cat/3.png", "val/dog/4.png")
    source = index_folder(tmp_path)
    assert source.index.class_names == ("cat", "dog")
    assert ids(source) == ["cat/1", "cat/3", "dog/2", "dog/4"]
    assert source.index.split.tolist() == [0, 1, 0, 1]
    assert [source.path(r).relative_to(tmp_path).parts[0] for r in range(4)] == [
        "train",
        "val",
        "train",
        "val",
    ]


def test_val_fraction_is_stable_when_images_are_added(tmp_path):
    touch(tmp_path, *[f"c{i % 4}/{i}.png" for i in range(400)])
    first = index_folder(tmp_path, val_fraction=0.25)
    before = dict(zip(ids(first), first.index.split.tolist(), strict=True))
    assert 60 < sum(before.values()) < 140
    touch(tmp_path, *[f"c{i % 5}/new{i}.png" for i in range(200)])
    second = index_folder(tmp_path, val_fraction=0.25)
    after = dict(zip(ids(second), second.index.split.tolist(), strict=True))
    assert all(after[name] == value for name, value in before.items())


def test_val_per_class_takes_that_many_of_each_class(tmp_path):
    touch(tmp_path, *[f"c{i % 4}/{i}.png" for i in range(40)])
    index = index_folder(tmp_path, val_per_class=3).index
    np.testing.assert_array_equal(np.bincount(index.labels[index.rows("val")]), [3, 3, 3, 3])
    with pytest.raises(InputError, match="class 'c0' has 10 images; wanted more than"):
        index_folder(tmp_path, val_per_class=10)


@pytest.mark.parametrize(
    "options", [{"val_fraction": 1.0}, {"val_fraction": 0.1, "val_per_class": 1}]
)
def test_wrong_split_options_are_refused(tmp_path, options):
    with pytest.raises(InputError, match="val_fraction = "):
        index_folder(touch(tmp_path, "a/1.png"), **options)


def test_links_are_followed_loops_are_cut_and_dangling_links_are_kept(tmp_path):
    touch(tmp_path, "cat/1.png", "elsewhere/dog/2.png")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "cat").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "src" / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    assert ids(index_folder(tmp_path / "src")) == ["cat/1", "cat/gone", "dog/2"]


def test_a_pipe_with_an_image_name_is_not_read(tmp_path):
    touch(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "2.png")
    assert ids(index_folder(tmp_path)) == ["cat/1"]


def test_suffixes_are_those_of_image_formats_only():
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif"} <= image_suffixes()
    assert not {".pdf", ".eps", ".h5", ".mpg", ".txt"} & image_suffixes()


def test_a_link_to_what_is_above_a_class_brings_no_other_class_into_it(tmp_path):
    root = touch(tmp_path / "s", "a/1.png", "b/2.png", "b/3.png")
    (root / "a" / "up").symlink_to("..")
    (root / "b" / "top").symlink_to(tmp_path)
    source = index_folder(root)
    ids = [source.index.id(row) for row in range(source.index.n)]
    assert [i for i in ids if i.startswith("a/")] == ["a/1"]
