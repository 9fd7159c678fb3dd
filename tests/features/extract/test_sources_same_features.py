"""The same images in every form that people hold them in: the same index, the same store."""

import io
import json
import random
import tarfile
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from extraction_toys import flat_encoder, shard_bytes
from PIL import Image

from clusterbench import FeatureStore
from clusterbench.features.encoders.images import decode, to_pixels
from clusterbench.features.extract.extraction import extract
from clusterbench.features.extract.job import staged
from clusterbench.sources import parquet
from clusterbench.sources.opening import open_source
from clusterbench.sources.parquet import ParquetSource
from clusterbench.sources.saved import save_source
from clusterbench.sources.staging import StagedSource

N, CLASSES, SHARD = 5_000, 40, 1024
OPTIONS = {"device": "cpu", "batch_size": 256, "shard_rows": SHARD, "dtype": "float32"}
FORMATS = ("class-tars", "webdataset", "parquet", "arrow", "csv", "torch", "index")


def draw(n, classes, seed=0):
    """[(class, file name, bytes)] of n noise images, PNG and JPEG, in a mixed-up order.

    Classes are of unequal size, and named as in ImageNet-21K.
    """
    rng, images = np.random.default_rng(seed), []
    for number in range(n):
        label = min(int(rng.integers(classes)), int(rng.integers(classes)))
        suffix, kind = (("JPEG", "JPEG"), ("png", "PNG"))[number % 2]
        buffer = io.BytesIO()
        pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, kind)
        name = f"n{label:08d}"
        images.append((name, f"{name}_{(number * 7919) % 100_003}.{suffix}", buffer.getvalue()))
    random.Random(seed).shuffle(images)
    return images


def write_tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_folder(root, images):
    for label in {label for label, _, _ in images}:
        (root / label).mkdir(parents=True)
    for label, name, content in images:
        (root / label / name).write_bytes(content)
    return root


def write_class_tars(root, images):
    """A tar per class with bare members, as the winter21 release comes."""
    for label in {label for label, _, _ in images}:
        write_tar(root / f"{label}.tar", [(name, c) for k, name, c in images if k == label])
    return root


def write_webdataset(root, images):
    """Shards of 700 samples, with numbers for classes and a list of names beside them."""
    names = sorted({label for label, _, _ in images})
    for shard, start in enumerate(range(0, len(images), 700)):
        members = []
        for label, name, content in images[start : start + 700]:
            members.append((name.lower(), content))
            members.append((f"{name.split('.')[0]}.cls", str(names.index(label)).encode()))
        write_tar(root / f"imagenet-{shard:06d}.tar", members)
    (root / "classnames.txt").write_text("\n".join(names) + "\n")
    return root


def write_parquet(root, images):
    """Two files as Hugging Face writes them, rows in a mixed-up order, ClassLabel names."""
    names = sorted({label for label, _, _ in images})
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
        ],
        {b"huggingface": json.dumps({"info": {"features": features}}).encode()},
    )
    (root / "data").mkdir(parents=True)
    half = len(images) // 2
    for number, some in enumerate((images[:half], images[half:])):
        rows = [
            {"image": {"bytes": content, "path": name}, "label": names.index(label)}
            for label, name, content in some
        ]
        table = pa.Table.from_pylist(rows, schema)
        file = root / "data" / f"train-{number:05d}-of-00002.parquet"
        pq.write_table(table, file, row_group_size=100)
    return root


def write_arrow(root, images):
    """One Arrow file with other columns: bytes, the synset as text, a path."""
    root.mkdir(parents=True)
    table = pa.table(
        {
            "jpg": [content for _, _, content in images],
            "synset": [label for label, _, _ in images],
            "filename": [f"images/{name}" for _, name, _ in images],
        }
    )
    file = str(root / "data.arrow")
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
    return root


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The images in all forms (`locations`), and the store of the folder's (`store`)."""
    root = tmp_path_factory.mktemp("world")
    images = draw(N, CLASSES)
    folder = write_folder(root / "folder", images)
    lines = [f"folder/{label}/{name},{label}" for label, name, _ in images]
    (root / "images.csv").write_text("path,class\n" + "\n".join(lines) + "\n")
    (root / "image_folder_of_a_test.py").write_text(
        "from torchvision.datasets import ImageFolder\n"
        f"def build():\n    return ImageFolder({str(folder)!r})\n"
    )
    save_source(open_source(folder), root / "images.h5")
    locations = {
        "class-tars": write_class_tars(root / "tars", images),
        "webdataset": write_webdataset(root / "shards", images),
        "parquet": write_parquet(root / "parquet", images),
        "arrow": write_arrow(root / "arrow", images),
        "csv": root / "images.csv",
        "torch": "torch:image_folder_of_a_test:build",
        "index": root / "images.h5",
    }
    source = open_source(folder)
    store = extract(source, flat_encoder(), root / "store", workers=0, **OPTIONS).store
    return SimpleNamespace(root=root, images=images, locations=locations, store=store)


@pytest.fixture
def importable(world, monkeypatch):
    monkeypatch.syspath_prepend(str(world.root))


def test_a_folder_gives_the_sorted_index_and_the_features_of_its_files(world):
    """The other forms are compared with this one."""
    by_id = {f"{label}/{name.split('.')[0]}": content for label, name, content in world.images}
    ids = [world.store.index.id(row) for row in range(world.store.n)]
    assert ids == sorted(by_id, key=str.encode) and len(ids) == N
    assert (world.store.index.n_classes, len(world.store.shards)) == (CLASSES, 5)
    encoder = flat_encoder()
    pixels = [to_pixels(decode(by_id[name]), encoder.preprocessing) for name in ids]
    with torch.inference_mode():
        expected = encoder.module(encoder.normalise(torch.from_numpy(np.stack(pixels)))).numpy()
    np.testing.assert_array_equal(world.store.read(), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_each_form_gives_the_same_index_and_the_same_store(world, importable, tmp_path, form):
    source = open_source(world.locations[form])
    assert {"arrow": "parquet", "index": "folder"}.get(form, form) == source.FORMAT
    np.testing.assert_array_equal(source.index.ids, world.store.index.ids)
    assert source.index.hash == world.store.index.hash
    workers = int(form in ("class-tars", "parquet", "torch"))  # pickled into another process
    store = extract(source, flat_encoder(), tmp_path / "st", workers=workers, **OPTIONS).store
    assert store.identity == world.store.identity
    np.testing.assert_array_equal(store.read(), world.store.read())
    assert [s.sha256 for s in store.shards] == [s.sha256 for s in world.store.shards]
    assert shard_bytes(tmp_path / "st") == shard_bytes(world.store.path)


def test_tables_in_another_order_are_staged_into_the_same_store(world, tmp_path, monkeypatch):
    """Given rows that blocks of the index would read again and again, as 11 million would be."""
    monkeypatch.setattr(parquet, "_CACHE_BYTES", 1)
    source = open_source(world.locations["parquet"])
    assert isinstance(source, ParquetSource) and source.needs_staging()
    said: list[str] = []
    flat = staged(source, tmp_path / "st", said.append)
    assert len(said) == 1 and "copying the images once" in said[0]
    assert isinstance(flat, StagedSource)
    files = sorted(path.suffix for path in (tmp_path / "st.images").glob("[!.]*"))
    assert files == [".bin", ".bin", ".h5", ".h5"]
    store = extract(flat, flat_encoder(), tmp_path / "st", workers=1, **OPTIONS).store
    assert shard_bytes(store.path) == shard_bytes(world.store.path)


# Through the command line, with an encoder of a real recipe


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """60 images of 6 unequal classes as a folder, as tars and as tables."""
    root = tmp_path_factory.mktemp("few")
    images = draw(60, 6, seed=1)
    write_folder(root / "folder", images)
    write_class_tars(root / "tars", images)
    write_parquet(root / "parquet", images)
    return root


@pytest.fixture
def one_thread():
    """Beside other processes, two threads wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_lite0_through_the_command_line_sees_no_difference(few, one_thread, cli, tmp_path):
    """As --imagenet21k-p does it: large classes only, the first images of each for evaluation."""
    choice = ("--min-per-class", "8", "--val-first", "2")
    how = ("--encoder", "efficientnet-lite0", "--device", "cpu", "--workers", "0")
    how = (*how, "--shard-rows", "20", "--batch-size", "20")

    def store(name, source, *more):
        code, out, err = cli(
            "extract", "--source", str(source), "--output", str(tmp_path / name), *how, *more
        )
        assert code == 0, err
        return out.splitlines()[0].partition(": ")[2], FeatureStore.open(tmp_path / name)

    line, expected = store("a", few / "folder", *choice)
    counts = np.bincount(open_source(few / "folder").index.labels)
    large = counts[counts >= 8]
    assert 0 < len(large) < 6  # some classes are left out, and some are not
    assert (expected.n, expected.index.n_classes) == (large.sum(), len(large))
    assert len(expected.index.rows("val")) == 2 * len(large)

    code, out, err = cli("index", str(few / "tars"), "--output", str(tmp_path / "few.h5"), *choice)
    assert code == 0, err
    assert out.endswith(f"hash {expected.index.hash}\n")

    others = {
        "tars": (few / "tars", *choice),
        "parquet": (few / "parquet", *choice),
        "saved": (tmp_path / "few.h5",),
    }
    for name, words in others.items():
        text, found = store(name, *words)
        assert text == line
        assert found.identity == expected.identity
        files, wanted = shard_bytes(found.path), shard_bytes(expected.path)
        assert files.pop("origin.json") != wanted.pop("origin.json")  # it says where, not what
        assert files == wanted
