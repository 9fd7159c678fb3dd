"""Path lists, torch data sets, and opening by name."""

import io
import pickle
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image
from source_toys import Items, contents, ids, toy_images, write_csv, write_folder, write_module

from clusterbench import InputError
from clusterbench.sources.folder import FolderSource, index_folder
from clusterbench.sources.opening import detect, open_location, open_source
from clusterbench.sources.paths import index_paths
from clusterbench.sources.saved import load_source, save_source
from clusterbench.sources.source import BrokenImage
from clusterbench.sources.torch_dataset import encode, index_torch


def write(tmp_path, text, *files):
    for name in files or ("a.png",):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_ids_are_the_id_column_or_the_path_from_the_class_on(tmp_path):
    files = ("x/cat/deep/1.png", "y/2.x.png", "y/\u00e4 3.PNG")
    rows = [f'"{f}",cat' for f in files]
    path = write(tmp_path, "\ufefffile,class_name\n" + "\n".join(rows), *files)
    source = open_source(path)
    assert ids(source) == ["cat/2.x", "cat/deep/1", "cat/\u00e4 3"]
    assert source.read(0) == b"y/2.x.png" and source.read(2) == "y/ä 3.PNG".encode()
    keyed = [f'"{f}",cat,k{i}' for i, f in enumerate(files)]
    path = write(tmp_path, "file,class,id\n" + "\n".join(keyed), *files)
    assert ids(open_source(path)) == ["cat/k0", "cat/k1", "cat/k2"]


def test_folders_above_the_root_mean_nothing_to_ids(tmp_path):
    root = tmp_path / "cat" / "data"
    path = write(root, f"path,label\n{root}/cat/1.png,cat\n", "cat/1.png")
    assert ids(index_paths(path)) == ["cat/1"]


def test_split_root_and_class_names(tmp_path):
    write_folder(tmp_path / "tree", [("c", "1.png", b"1"), ("c", "2.png", b"2")])
    path = write(tmp_path, "image,label,split\nc/1.png,1,val\nc/2.png,1,train\n")
    source = index_paths(path, root=tmp_path / "tree", class_names=["zebra", "ant"])
    assert ids(source) == ["ant/1", "ant/2"] and source.index.split.tolist() == [1, 0]
    assert contents(source) == {"ant/1": b"1", "ant/2": b"2"}
    save_source(source, tmp_path / "i.h5")
    assert contents(load_source(tmp_path / "i.h5")) == contents(source)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match=r"files changed .*list\.csv"):
        load_source(tmp_path / "i.h5")


def test_a_missing_file_is_broken_but_a_wrong_root_is_an_error(tmp_path):
    path = write(tmp_path, "path,label\ngone.png,c\na.png,c\n")
    source = index_paths(path)
    with pytest.raises(BrokenImage, match="no such file"):
        source.read(1)
    assert source.stamps(0, 2)[0].tolist() == [5, -1]
    with pytest.raises(InputError, match=r"none of its first 2 files is there .*--root"):
        index_paths(path, root=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its header is empty; wanted a path column"),
        ("path,kind\na.png,c\n", "its header is path, kind; wanted a class column"),
        ("path,label,path\na.png,c,b\n", "a column twice"),
        ("path,label\n", "no rows below its header"),
        ("path,label\na.png,c\nb.png,\n", "no label in row 1"),
        ("path,label,split\na.png,c,dev7\n", "split 'dev7' in row 0, counted from 0; wanted"),
        ("path,label,split\na.png,c,val\n", "no training images"),
        ("path,label\na.png,c\nb.png,c,d\n", "Expected 2 columns, got 3"),
        ("path,label\na.png,c\nx/a.png,c\n", r"one id 'c/a.*': row 0 of .*list\.csv and row 1 of"),
        (b"path,label\na.png,\xff\n", "UTF8"),
        ('path,label\n"a\nb.png",c\na.png,c\n', "line break"),
    ],
)
def test_lists_that_are_not_a_data_set_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        index_paths(write(tmp_path, text))


@pytest.mark.parametrize("form", ["pil", "cmyk", "array", "grey", "uint8", "float"])
def test_items_become_files_with_exactly_their_pixels(form):
    source = index_torch(Items(form))
    assert ids(source) == ["a/1", "b/0", "b/2"]
    assert source.stamps(0, 3)[0].tolist() == [0, 0, 0]
    for row, item in ((0, 1), (1, 0), (2, 2)):
        image = Image.open(io.BytesIO(source.read(row)))
        assert image.size == (3, 2)
        np.testing.assert_array_equal(np.asarray(image.convert("L")), 40 * item)
    assert pickle.loads(pickle.dumps(source)).read(0) == source.read(0)


def test_every_value_of_a_float_tensor_survives():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    content = encode(pixels / 255, "x")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels[0])
    between = encode(torch.full((1, 1, 1), 0.4999), "x")  # 127.47, of which the nearest is 127
    above = encode(torch.full((1, 1, 1), 0.4995 + 0.002), "x")  # 127.88
    values = [np.asarray(Image.open(io.BytesIO(c))).item() for c in (between, above)]
    assert values == [127, 128]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.randn(3, 4, 4), r"x: a tensor with values from -.*; wanted 0 to 1: leave Normalize"),
        (torch.full((3, 4, 4), torch.nan), "values from nan"),
        (torch.zeros(7, 4, 4), r"shape \(7, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "a tensor of torch.int64"),
        (np.zeros((4, 4, 3)), "an array of float64"),
        ("a.png", "its image is a str"),
    ],
)
def test_items_that_are_no_image_are_refused(image, message):
    with pytest.raises(InputError, match=message):
        encode(image, "x")


def test_torch_data_sets_without_usable_targets_are_refused():
    with pytest.raises(InputError, match="without samples, imgs, targets or labels"):
        index_torch([1, 2, 3])
    wrong = Items()
    wrong.targets = torch.tensor([0.5, 1, 0])
    with pytest.raises(InputError, match=r"target 0\.5; wanted"):
        index_torch(wrong)
    wrong.targets = [0, 1]
    with pytest.raises(InputError, match="2 targets for 3 items"):
        index_torch(wrong)
    wrong.targets = [0, 1, 2]
    with pytest.raises(InputError, match="label 2, but there are 2 class names"):
        index_torch(wrong)


def test_a_torch_data_set_by_name_is_saved_and_one_given_as_an_object_is_not(tmp_path, monkeypatch):
    module = "from source_toys import Items\ndef make():\n    return Items()\n"
    write_module(tmp_path, monkeypatch, "toy_items", module)
    source = open_source("torch:toy_items:make")
    assert detect("torch:toy_items:make") == "torch"
    save_source(source.take(np.array([0, 2])), tmp_path / "i.h5")
    assert contents(load_source(tmp_path / "i.h5")) == {
        "a/1": source.read(0),
        "b/2": source.read(2),
    }
    assert open_location(source.location()).index.hash == source.index.hash
    monkeypatch.setattr(Items, "classes", ("b", "other"))
    with pytest.raises(InputError, match=r"i\.h5: torch:toy_items:make gives other items now"):
        load_source(tmp_path / "i.h5")
    with pytest.raises(InputError, match="given as an object"):
        save_source(index_torch(Items()), tmp_path / "j.h5")
    for spec in ("torch:toy_items", "torch:toy_items:gone", "torch:no_such_module:x"):
        with pytest.raises(InputError, match="source torch:"):
            open_source(spec)


def test_places_that_say_no_format_are_refused(tmp_path):
    (tmp_path / "x.stone").write_bytes(b"")
    with pytest.raises(InputError, match=r"suffix \.stone says no format; say which with --format"):
        open_source(tmp_path / "x.stone")
    with pytest.raises(InputError, match="unknown format 'parket'; did you mean parquet"):
        open_source(tmp_path, "parket")
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "gone")
    with pytest.raises(InputError, match="no images in it, and no class folder"):
        (tmp_path / "empty").mkdir()
        open_source(tmp_path / "empty")
    with pytest.raises(InputError, match="has no meaning for format folder"):
        open_source(tmp_path, allow_damaged=True)


def test_an_index_without_a_place_and_a_damaged_file_are_refused(tmp_path):
    source = open_source(write_csv(tmp_path / "d", toy_images()))
    source.index.save(tmp_path / "only.h5")
    with pytest.raises(InputError, match="an index without the place of its images"):
        open_source(tmp_path / "only.h5")
    save_source(source, tmp_path / "i.h5")
    content = bytearray((tmp_path / "i.h5").read_bytes())
    (tmp_path / "i.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        open_source(tmp_path / "i.h5")


def test_a_class_that_no_kind_lists_is_not_saved(tmp_path):
    """Nobody could read it again."""
    write_folder(tmp_path / "birds", toy_images())

    class OwnSource(FolderSource):
        pass

    source = index_folder(tmp_path / "birds")
    own = OwnSource(**{field.name: getattr(source, field.name) for field in fields(source)})
    with pytest.raises(InputError, match="OwnSource: no kind of source lists it"):
        save_source(own, tmp_path / "own.h5")
    assert not (tmp_path / "own.h5").exists()
