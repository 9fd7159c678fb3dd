import hashlib

import numpy as np
import pytest
from source_toys import contents, toy_images, write_class_tars, write_folder

from clusterbench import InputError
from clusterbench.sources.folder import index_folder
from clusterbench.sources.selection import IMAGENET21K_P, Selection, select
from clusterbench.sources.tars import index_class_tars


def write_counts(root, **counts):
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}.png").write_bytes(b"")
    return index_folder(root)


def val_ids(source):
    return [source.index.id(row) for row in source.index.rows("val")]


def test_the_first_of_each_class_are_in_the_byte_order_that_ls_lists(tmp_path):
    source = select(write_counts(tmp_path, a=12, b=3), Selection(val_first=2))
    assert val_ids(source) == ["a/0", "a/1", "b/0", "b/1"]
    three = select(source.take(np.arange(12), np.zeros(12, np.uint8)), Selection(val_first=3))
    assert val_ids(three) == ["a/0", "a/1", "a/10"]  # not a/2


def test_val_by_hash_is_the_documented_choice_for_any_source(tmp_path):
    images = toy_images()
    folder = index_folder(write_folder(tmp_path / "f", images), val_per_class=4)
    tars = select(index_class_tars(write_class_tars(tmp_path / "t", images)), Selection(0, 4))
    assert folder.index.hash == tars.index.hash
    ants = [folder.index.id(row) for row in range(15)]
    lowest = sorted(ants, key=lambda i: hashlib.sha256(i.encode()).digest())[:4]
    assert val_ids(tars)[:4] == sorted(lowest)
    half = select(index_class_tars(tmp_path / "t"), Selection(val_fraction=0.5))
    expected = [i for i in ants if hashlib.sha256(i.encode()).digest()[0] < 128]
    assert [i for i in val_ids(half) if i.startswith("ant/")] == expected


def test_small_classes_are_left_out_before_val_is_chosen(tmp_path):
    source = write_counts(tmp_path, a=5, b=4, c=6)
    found = select(source, Selection(val_first=4, min_per_class=5))
    assert found.index.class_names == ("a", "c")
    np.testing.assert_array_equal(np.bincount(found.index.labels), [5, 6])
    assert len(val_ids(found)) == 8
    assert [found.path(row).name for row in range(2)] == ["0.png", "1.png"]
    with pytest.raises(InputError, match=r"no class has 7 images .*the largest, 'c', has 6"):
        select(source, Selection(min_per_class=7))


def test_imagenet21k_p_keeps_more_than_500_and_takes_the_first_50(tmp_path):
    found = select(write_counts(tmp_path, a=500, b=501), IMAGENET21K_P)
    assert found.index.class_names == ("b",)
    assert val_ids(found) == sorted(f"b/{i}" for i in range(501))[:50]


def test_files_are_found_where_they_are_when_the_split_is_another(tmp_path):
    images = toy_images()
    write_folder(tmp_path / "train", images[:40])
    write_folder(tmp_path / "val", images[40:])
    source = index_folder(tmp_path)
    turned = source.take(np.arange(60), 1 - source.index.split)
    assert contents(turned) == contents(source)


def test_nothing_asked_for_changes_nothing(tmp_path):
    source = write_counts(tmp_path, a=2)
    assert select(source, Selection()) is source


def test_a_source_with_a_val_split_takes_no_other(tmp_path):
    source = select(write_counts(tmp_path, a=5), Selection(val_first=1))
    with pytest.raises(InputError, match="has its own val split"):
        select(source, Selection(val_first=2))
    assert select(source, Selection(min_per_class=5)).index.split.tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_fraction": 1.0}, "val_fraction = 1.0"),
        ({"val_fraction": 0.1, "val_per_class": 1}, "not both"),
        ({"val_first": 1, "val_per_class": 1}, "wanted one way to choose"),
        ({"val_first": -1}, "val_first = -1"),
        ({"min_per_class": -1}, "min_per_class = -1"),
    ],
)
def test_wrong_selections_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Selection(**options)


@pytest.mark.parametrize("option", ["val_first", "val_per_class"])
def test_a_class_needs_an_image_to_train_on(tmp_path, option):
    source = write_counts(tmp_path, a=5)
    with pytest.raises(InputError, match=f"class 'a' has 5 images; wanted more than {option} = 5"):
        select(source, Selection(**{option: 5}))
