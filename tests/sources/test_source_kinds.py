"""The same images are the same data set, whatever holds them."""

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from source_toys import (
    contents,
    toy_images,
    write_arrow,
    write_class_tars,
    write_csv,
    write_folder,
    write_module,
    write_parquet,
    write_shards,
)

from clusterbench.sources.folder import index_folder
from clusterbench.sources.opening import detect, open_location, open_source
from clusterbench.sources.saved import load_source, save_source

IMAGE_FOLDER = """
import torchvision.datasets as sets

def data():
    return sets.ImageFolder({root!r})
"""


def write_torch(root, images, monkeypatch):
    write_folder(root, images)
    write_module(root.parent, monkeypatch, "toy_sets", IMAGE_FOLDER.format(root=str(root)))
    return "torch:toy_sets:data"


WRITERS = {
    "folder": lambda root, images, _: write_folder(root, images),
    "class-tars": lambda root, images, _: write_class_tars(root, images),
    "class-tars with class/": lambda root, images, _: write_class_tars(root, images, "./{cls}/"),
    "webdataset folders": lambda root, images, _: write_shards(root, images),
    "webdataset cls": lambda root, images, _: write_shards(root, images, "cls"),
    "webdataset text": lambda root, images, _: write_shards(root, images, "text"),
    "webdataset json": lambda root, images, _: write_shards(root, images, "json"),
    "parquet": lambda root, images, _: write_parquet(root, images),
    "parquet arrow": lambda root, images, _: write_arrow(root, images),
    "parquet stream": lambda root, images, _: write_arrow(root, images, stream=True),
    "csv": lambda root, images, _: write_csv(root, images),
    "csv tabs": lambda root, images, _: write_csv(root, images, "\t"),
    "torch": write_torch,
}


@pytest.fixture(params=list(WRITERS))
def kind(request):
    return request.param


@pytest.fixture
def location(kind, tmp_path, monkeypatch):
    return WRITERS[kind](tmp_path / "data set", toy_images(), monkeypatch)


@pytest.fixture
def reference(tmp_path):
    return index_folder(write_folder(tmp_path / "reference", toy_images()))


def test_index_and_bytes_are_those_of_the_folder(kind, location, reference):
    assert detect(location) == kind.split(" ")[0]
    source = open_source(location)
    assert kind.split(" ")[0] == source.FORMAT
    assert source.index.hash == reference.index.hash
    for row in range(60):
        assert source.read(row) == reference.read(row)


def test_stamps_are_sizes_and_times_of_a_range(kind, location, reference):
    source = open_source(location)
    sizes, times = source.stamps(10, 25)
    assert sizes.dtype == times.dtype == np.int64 and len(times) == 15
    assert (times > 1e18).all()
    if kind.startswith("parquet"):
        assert (sizes == 0).all()
    else:
        assert sizes.tolist() == [len(reference.read(row)) for row in range(10, 25)]


def test_reading_order_is_a_permutation(location):
    rows = np.array([50, 3, 20, 41, 7])
    assert sorted(open_source(location).reading_order(rows).tolist()) == [0, 1, 2, 3, 4]


def test_a_part_keeps_the_bytes_of_its_samples(location, reference):
    rows = np.array([0, 7, 20, 59])
    part = open_source(location).take(rows, np.array([0, 1, 0, 0], np.uint8))
    assert part.index.class_names == ("ant", "bee", "dog")
    assert contents(part) == {reference.index.id(row): reference.read(row) for row in rows}


def _all(source):
    return [source.read(row) for row in range(source.index.n)]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_pickles_and_forks_read_the_same(kind, location, reference, method):
    if method == "spawn" and kind not in ("class-tars", "parquet"):
        pytest.skip("one of each family is enough for the slow way")
    source = open_source(location)
    source.read(0)  # opened before the fork
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.apply(_all, (source,))
    assert found == _all(reference)
    assert pickle.loads(pickle.dumps(source)).read(3) == reference.read(3)


def test_threads_read_the_same(location, reference):
    source = open_source(location)
    rows = np.random.default_rng(0).integers(0, 60, 600).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, rows))
    assert found == [reference.read(row) for row in rows]


def test_saved_and_loaded_it_is_the_same_without_scanning(location, reference, tmp_path):
    save_source(open_source(location), tmp_path / "index.h5")
    again = load_source(tmp_path / "index.h5")
    assert again.index.hash == reference.index.hash
    assert contents(again) == contents(reference)
    opened = open_source(tmp_path / "index.h5")
    assert detect(tmp_path / "index.h5") == "index" and opened.index.hash == again.index.hash


def test_its_location_opens_it_again(location, reference):
    source = open_source(location)
    assert open_location(source.location()).index.hash == source.index.hash
