"""One small data set, written in every form that a source can read."""

import io
import json
import sys
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

CLASSES = ("ant", "bee", "cat-fish", "dog")
PER_CLASS = 15


def toy_images(seed=0):
    """[(class, name, bytes)]: 60 images in an order that is not that of the index."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(PER_CLASS * len(CLASSES)):
        buffer = io.BytesIO()
        pixels = rng.integers(0, 255, (5, 4 + number % 3, 3), dtype=np.uint8)
        suffix = ("png", "bmp")[number % 2]
        Image.fromarray(pixels).save(buffer, suffix.upper())
        images.append((CLASSES[number % 4], f"x{number}.{suffix}", buffer.getvalue()))
    return [images[i] for i in rng.permutation(len(images))]


def write_folder(root, images):
    for cls, name, content in images:
        (root / cls).mkdir(parents=True, exist_ok=True)
        (root / cls / name).write_bytes(content)
    return root


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write_tar(path, members):
    """A tar of (name, bytes) in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            add(tar, name, content)
    return path


def write_class_tars(root, images, prefix=""):
    """prefix: of the members, with {cls} for the class."""
    for cls in sorted({cls for cls, _, _ in images}):
        some = [(prefix.format(cls=cls) + n, c) for k, n, c in images if k == cls]
        write_tar(root / f"{cls}.tar", some)
    return root


def write_shards(root, images, label="folder", per_shard=25):
    """WebDataset shards; label: folder, cls (numbers), text (names) or json."""
    for shard in range(-(-len(images) // per_shard)):
        members = []
        for cls, name, content in images[shard * per_shard : (shard + 1) * per_shard]:
            stem = name.split(".")[0]
            number = str(sorted(CLASSES).index(cls))
            members.append((f"{cls}/{name}" if label == "folder" else name, content))
            if label == "cls":
                members.append((f"{stem}.cls", number.encode()))
            elif label == "text":
                members.append((f"{stem}.cls.txt", f"{cls}\n".encode()))
            elif label == "json":
                members.insert(-1, (f"{stem}.json", json.dumps({"synset": cls}).encode()))
        write_tar(root / f"part-{shard:06d}.tar", members)
    if label == "cls":
        (root / "classnames.txt").write_text("\n".join(sorted(CLASSES)) + "\n")
    return root


def hf_schema(image_type=None):
    """A schema with ClassLabel names, as Hugging Face writes it."""
    image_type = image_type or pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(CLASSES), "_type": "ClassLabel"},
    }
    return pa.schema(
        [("image", image_type), ("label", pa.int64())],
        {b"huggingface": json.dumps({"info": {"features": features}}).encode()},
    )


def hf_table(images):
    return pa.table(
        {
            "image": [{"bytes": content, "path": name} for _, name, content in images],
            "label": [CLASSES.index(cls) for cls, _, _ in images],
        },
        schema=hf_schema(),
    )


def write_parquet(root, images, group=7):
    (root / "data").mkdir(parents=True)
    half = len(images) // 2
    for number, some in enumerate((images[:half], images[half:])):
        name = f"train-{number:05d}-of-00002.parquet"
        pq.write_table(hf_table(some), root / "data" / name, row_group_size=group)
    return root


def write_arrow(root, images, stream=False):
    root.mkdir(parents=True)
    table = hf_table(images)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(str(root / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=11)
    return root


def write_csv(root, images, delimiter=","):
    """A CSV in root beside a tree of files."""
    write_folder(root / "tree", images)
    path = root / ("list.csv" if delimiter == "," else "list.tsv")
    lines = [delimiter.join(("label", "path"))]
    lines += [delimiter.join((cls, f"tree/{cls}/{name}")) for cls, name, _ in images]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_module(folder, monkeypatch, name, text):
    """A module that can be imported in this test."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)


def ids(source):
    return [source.index.id(row) for row in range(source.index.n)]


def contents(source):
    return {source.index.id(row): source.read(row) for row in range(source.index.n)}


class Items(torch.utils.data.Dataset):
    """Three grey images with targets, the form asked for."""

    classes = ("b", "a")

    def __init__(self, form=None):
        self.targets = torch.tensor([0, 1, 0])
        self.form = form

    def __len__(self):
        return 3

    def __getitem__(self, i):
        pixels = np.full((2, 3, 3), 40 * i, np.uint8)
        forms = {
            "pil": lambda: Image.fromarray(pixels),
            "cmyk": lambda: Image.fromarray(pixels).convert("CMYK"),
            "array": lambda: pixels,
            "grey": lambda: pixels[:, :, 0],
            "uint8": lambda: torch.from_numpy(pixels).permute(2, 0, 1),
            "float": lambda: torch.from_numpy(pixels).permute(2, 0, 1) / 255,
        }
        return forms[self.form or "pil"](), int(self.targets[i])
