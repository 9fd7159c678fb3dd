"""Each row of docs/layouts.md: the ids and splits of a layout, from every kind of source."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_toys import contents, write_module, write_tar

from clusterbench import InputError
from clusterbench.sources.folder_layout import ANNOTATIONS
from clusterbench.sources.opening import detect, open_location, open_source
from clusterbench.sources.saved import load_source, save_source

KINDS = ("folder", "tar", "class-tars", "shards", "csv", "tsv", "parquet", "arrow", "torch")
FOLDERS = ("folder", "tar")  # those that have to find the class folders


@dataclass(frozen=True)
class Image:
    """An image as a folder holds it; its bytes are its path. split: the word for it, or none."""

    path: str
    label: str
    split: str = ""

    @property
    def name(self) -> str:
        """The path from the class on, else the file's name: what other kinds know of it."""
        parts = self.path.split("/")
        return "/".join(parts[parts.index(self.label) + 1 if self.label in parts else -1 :])


@dataclass(frozen=True)
class Row:
    """A layout: its images, and id -> (split, path). kinds: those that can express it."""

    images: tuple[Image, ...]
    expected: dict[str, tuple[int, str]]
    note: str = ""
    kinds: tuple[str, ...] = KINDS
    texts: dict[str, str] = field(default_factory=dict)


def of(*paths: str, classes_at: int = 0, split_at: int | None = None) -> tuple[Image, ...]:
    """Images whose class, and perhaps split, are parts of their paths."""
    images = []
    for path in paths:
        parts = path.split("/")
        split = "" if split_at is None else parts[split_at]
        images.append(Image(path, parts[classes_at], split))
    return tuple(images)


SPLIT_KINDS = tuple(kind for kind in KINDS if kind != "torch")
TINY = (
    Image("train/n01/images/n01_0.JPEG", "n01", "train"),
    Image("train/n02/images/n02_0.JPEG", "n02", "train"),
    Image("val/images/val_0.JPEG", "n02", "val"),
    Image("val/images/val_1.JPEG", "n01", "val"),
)
BOXES = "val_0.JPEG\tn02\t0\t0\t62\t62\nval_1.JPEG\tn01\t1\t1\t9\t9\n"

ROWS = {
    "classes": Row(
        of("cat/1.jpg", "dog/2.png", "dog/x.y.jpg"),
        {"cat/1": (0, "cat/1.jpg"), "dog/2": (0, "dog/2.png"), "dog/x.y": (0, "dog/x.y.jpg")},
        kinds=tuple(kind for kind in KINDS if kind not in ("tar", "shards")),  # a key ends at a dot
    ),
    "classes, plain names": Row(
        of("cat/1.jpg", "dog/2.png"), {"cat/1": (0, "cat/1.jpg"), "dog/2": (0, "dog/2.png")}
    ),
    "train alone": Row(
        of("train/cat/1.jpg", "train/dog/2.jpg", classes_at=1, split_at=0),
        {"cat/1": (0, "train/cat/1.jpg"), "dog/2": (0, "train/dog/2.jpg")},
        kinds=SPLIT_KINDS,
    ),
    **{
        f"{train} and {val}": Row(
            of(f"{train}/cat/1.jpg", f"{val}/cat/2.jpg", classes_at=1, split_at=0),
            {"cat/1": (0, f"{train}/cat/1.jpg"), "cat/2": (1, f"{val}/cat/2.jpg")},
            kinds=SPLIT_KINDS,
        )
        for train, val in (
            ("train", "val"),
            ("training", "validation"),
            ("Train", "valid"),
            ("TRAIN", "TEST"),
            ("train", "test"),
            ("training", "testing"),
            ("train", "dev"),
            ("train", "eval"),
        )
    },
    "a common beginning": Row(
        of("imagenet21k_train/cat/1.jpg", "imagenet21k_val/cat/2.jpg", classes_at=1),
        {
            "cat/1": (0, "imagenet21k_train/cat/1.jpg"),
            "cat/2": (1, "imagenet21k_val/cat/2.jpg"),
        },
        kinds=("folder", "tar", "class-tars"),
    ),
    "train, val and test": Row(
        of("train/cat/1.jpg", "val/cat/2.jpg", "test/cat/3.jpg", classes_at=1, split_at=0),
        {"cat/1": (0, "train/cat/1.jpg"), "cat/2": (1, "val/cat/2.jpg")},
        "left out",
        SPLIT_KINDS,
    ),
    "names in train and test": Row(
        of(
            *("train/airplane/0338.jpg", "train/airplane/0001.jpg", "train/cat/0002.jpg"),
            *("test/airplane/0338.jpg", "test/cat/0009.jpg"),
            classes_at=1,
            split_at=0,
        ),
        {
            "airplane/train/0001": (0, "train/airplane/0001.jpg"),
            "airplane/train/0338": (0, "train/airplane/0338.jpg"),
            "airplane/val/0338": (1, "test/airplane/0338.jpg"),
            "cat/train/0002": (0, "train/cat/0002.jpg"),
            "cat/val/0009": (1, "test/cat/0009.jpg"),
        },
        "names occur in train and in val, so every id holds its split",
        SPLIT_KINDS,
    ),
    "one suffix beside another": Row(
        of("cat/1.jpg", "cat/1.png", "cat/2.png"),
        {"cat/1.jpg": (0, "cat/1.jpg"), "cat/1.png": (0, "cat/1.png"), "cat/2": (0, "cat/2.png")},
        "2 ids hold their suffix",
        tuple(kind for kind in KINDS if kind not in ("tar", "shards")),  # images of one sample
    ),
    "Tiny ImageNet": Row(
        (*TINY, Image("test/images/test_0.JPEG", "", "test")),
        {
            "n01/images/n01_0": (0, "train/n01/images/n01_0.JPEG"),
            "n01/val_1": (1, "val/images/val_1.JPEG"),
            "n02/images/n02_0": (0, "train/n02/images/n02_0.JPEG"),
            "n02/val_0": (1, "val/images/val_0.JPEG"),
        },
        "left out",
        ("folder", "tar", "csv", "tsv"),
        {f"val/{ANNOTATIONS}": BOXES, "wnids.txt": "n01\nn02\n", "train/n01/n01_boxes.txt": "x"},
    ),
    "class folders in images/": Row(
        of("images/cat/1.jpg", "images/dog/2.jpg", classes_at=1),
        {"cat/1": (0, "images/cat/1.jpg"), "dog/2": (0, "images/dog/2.jpg")},
        texts={"annotations/1.xml": "x", "README": "x"},
    ),
    "class folders in images/ of each split": Row(
        of("train/images/cat/1.jpg", "val/images/cat/2.jpg", classes_at=2, split_at=0),
        {"cat/1": (0, "train/images/cat/1.jpg"), "cat/2": (1, "val/images/cat/2.jpg")},
        kinds=tuple(kind for kind in SPLIT_KINDS if kind != "class-tars"),
    ),
    "a folder around all": Row(
        of("set/train/cat/1.jpg", "set/val/cat/2.jpg", classes_at=2, split_at=1),
        {"cat/1": (0, "set/train/cat/1.jpg"), "cat/2": (1, "set/val/cat/2.jpg")},
        kinds=SPLIT_KINDS,
    ),
    "Caltech": Row(
        of("caltech/101_Object/ant/1.jpg", "caltech/101_Object/bee/1.jpg", classes_at=2),
        {
            "ant/1": (0, "caltech/101_Object/ant/1.jpg"),
            "bee/1": (0, "caltech/101_Object/bee/1.jpg"),
        },
        texts={"caltech/Annotations/ant/1.mat": "x"},
    ),
    "folders in class folders": Row(
        of("train/animal/dog/1.jpg", "train/plant/oak/1.jpg", classes_at=1, split_at=0),
        {
            "animal/dog/1": (0, "train/animal/dog/1.jpg"),
            "plant/oak/1": (0, "train/plant/oak/1.jpg"),
        },
        kinds=SPLIT_KINDS,
    ),
    "what systems leave": Row(
        of("cat/1.jpg", "dog/2.jpg"),
        {"cat/1": (0, "cat/1.jpg"), "dog/2": (0, "dog/2.jpg")},
        kinds=(*FOLDERS, "class-tars"),
        texts={
            f"{folder}/{name}": "x"
            for folder in ("", "cat", "dog")
            for name in (
                *(".git/1.jpg", ".ipynb_checkpoints/1.jpg", "__MACOSX/cat/1.jpg", "@eaDir/1.jpg"),
                *("#recycle/1.jpg", "$RECYCLE.BIN/1.jpg", "System Volume Information/1.jpg"),
                *(".thumbnails/1.jpg", "Thumbs.db", ".DS_Store", "._1.jpg", "lost+found/1.jpg"),
                *("~$1.jpg", "1.jpg.tmp"),
            )
            if folder or "/" in name
        },
    ),
}


def write(kind, root, row, monkeypatch):
    """The location of the images of a row as a kind of source."""
    root.mkdir()
    images = [image for image in row.images if image.label or kind in (*FOLDERS, "csv", "tsv")]
    if kind in ("folder", "torch"):
        write_tree(root / "tree", row)
        if kind == "folder":
            return root / "tree"
        top = images[0].path.split(f"{images[0].label}/")[0]
        text = (
            "import torchvision.datasets as s\n"
            f"def data():\n    return s.ImageFolder({str(root / 'tree' / top)!r})\n"
        )
        write_module(root, monkeypatch, "toy_layout", text)
        return "torch:toy_layout:data"
    if kind == "tar":
        texts = [(name.lstrip("/"), text.encode()) for name, text in row.texts.items()]
        files = [(image.path, image.path.encode()) for image in images]
        return write_tar(root / "all.tar", texts + files)
    if kind == "class-tars":
        members = defaultdict(list)
        for image in images:
            top = image.path.split(f"{image.label}/")[0]
            members[f"{top}{image.label}.tar"].append((image.name, image.path.encode()))
        for name, text in row.texts.items():
            folder, _, rest = name.partition("/")
            if folder and f"{folder}.tar" in members:
                members[f"{folder}.tar"].append((rest, text.encode()))
        for name, some in members.items():
            write_tar(root / "tars" / name, some)
        return root / "tars"
    if kind == "shards":
        shards = defaultdict(list)
        for image in images:
            shards[image.split or "part"].append(
                (f"{image.label}/{image.name}", image.path.encode())
            )
        for split, some in shards.items():
            write_tar(root / f"{split}-000000.tar", some)
        return root
    if kind in ("csv", "tsv"):
        write_tree(root, row)
        mark = "," if kind == "csv" else "\t"
        split = any(image.split for image in images)
        lines = [mark.join(["path", "label", *(["split"] if split else [])])]
        lines += [mark.join([i.path, i.label, *([i.split] if split else [])]) for i in images]
        (root / f"list.{kind}").write_text("\n".join(lines) + "\n")
        return root / f"list.{kind}"
    for split in {image.split for image in images}:
        some = [image for image in images if image.split == split]
        table = pa.table(
            {
                "image": [image.path.encode() for image in some],
                "label": [image.label for image in some],
                "filename": [image.path for image in some],
            }
        )
        file = root / f"{split or 'data'}-00000.{kind}"
        if kind == "parquet":
            pq.write_table(table, file)
        else:
            with pa.ipc.new_file(str(file), table.schema) as writer:
                writer.write_table(table)
    return root


def write_tree(root, row):
    for name, text in [*row.texts.items(), *((i.path, i.path) for i in row.images)]:
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, row in ROWS.items() for kind in row.kinds]
)
def test_a_layout_gives_its_ids_and_splits_from_every_kind(name, kind, tmp_path, monkeypatch):
    row = ROWS[name]
    location = write(kind, tmp_path / "data", row, monkeypatch)
    source = open_source(location)
    found = {
        source.index.id(at): (int(source.index.split[at]), source.read(at).decode())
        for at in range(source.index.n)
    }
    assert found == row.expected
    if row.note:
        assert any(row.note in note for note in source.report.notes), source.report.notes
    assert open_location(source.location()).index.hash == source.index.hash
    assert detect(location) == source.FORMAT
    save_source(source, tmp_path / "index.h5")
    again = load_source(tmp_path / "index.h5")
    assert again.index.hash == source.index.hash and contents(again) == contents(source)
    assert again.report == source.report


REFUSED = {
    "val flat": (
        ["train/n01/a.jpg", "val/ILSVRC2012_val_1.JPEG"],
        r"1 image in val/ lies in no class folder \(for example ILSVRC2012_val_1.JPEG\), and "
        r"val/val_annotations.txt is not there; put them into val/<class>/, or list",
    ),
    "val/images flat": (["train/n01/a.jpg", "val/images/1.JPEG"], "in val/images/ lies in no"),
    "train flat": (["train/1.jpg", "val/cat/1.jpg"], "1 image in train/ lies in no class folder"),
    "train/images flat": (
        ["train/images/1.jpg", "train/images/2.jpg", "val/cat/1.jpg"],
        "2 images in train/images/ lie in no class folder",
    ),
    "no train": (
        ["val/cat/1.jpg", "test/cat/2.jpg"],
        "look like splits, but none of them is train",
    ),
    "two of a split": (
        ["train/cat/1.jpg", "training/cat/2.jpg", "val/cat/3.jpg"],
        "train/ and training/, which both mean train; keep one",
    ),
    "splits and classes": (
        ["train/cat/1.jpg", "val/cat/2.jpg", "dog/3.jpg"],
        "train/ and val/ and also dog/, which holds images too",
    ),
    "a class that train lacks": (
        ["train/cat/1.jpg", "val/cat/2.jpg", "val/owl/3.jpg"],
        r"val has 1 class that train lacks \('owl'\)",
    ),
    "beside the classes": (["train/cat/1.jpg", "train/2.jpg", "val/cat/3.jpg"], "lies beside"),
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_says_no_class_or_split_is_refused(name, kind, tmp_path):
    paths, message = REFUSED[name]
    row = Row(tuple(Image(path, "x") for path in paths), {})
    with pytest.raises(InputError, match=message):
        open_source(write(kind, tmp_path / "data", row, None))


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val_0.JPEG\tn02\n", r"val_annotations.txt: 1 image without a line \(for example val_1"),
        ("val_0.JPEG\tn02\nval_1.JPEG\n", "line 2 has no class; wanted file<TAB>class"),
        ("val_0.JPEG\tn02\nval_0.JPEG\tn01\n", "line 2 gives 'val_0.JPEG' another class"),
        ("val_0.JPEG\tn02\nval_1.JPEG\tn09\n", r"val has 1 class that train lacks \('n09'\)"),
    ],
)
def test_a_list_of_classes_that_does_not_fit_is_refused(kind, text, message, tmp_path):
    row = Row(TINY, {}, texts={f"val/{ANNOTATIONS}": text})
    with pytest.raises(InputError, match=message):
        open_source(write(kind, tmp_path / "data", row, None))


def test_a_class_without_val_image_is_a_note(tmp_path):
    row = Row(of("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg"), {})
    source = open_source(write("folder", tmp_path / "data", row, None))
    assert "1 class has no val image (for example dog)" in source.report.notes


def test_hidden_and_system_files_are_counted(tmp_path):
    row = ROWS["what systems leave"]
    counts = {k: open_source(write(k, tmp_path / k, row, None)).report.ignored for k in row.kinds}
    # A folder counts once, its files are not looked for; a tar's members count each.
    assert counts == {"folder": 28, "tar": 37, "class-tars": 28}


def test_labels_decide_where_the_folders_of_a_tar_are_splits(tmp_path):
    members = [
        (f"{split}/{number}.{suffix}", content)
        for number, (split, label) in enumerate(
            (("train", "cat"), ("train", "dog"), ("val", "dog"), ("test", "cat"))
        )
        for suffix, content in (("jpg", b"x"), ("cls.txt", label.encode()))
    ]
    source = open_source(write_tar(tmp_path / "all.tar", members))
    found = [(source.index.id(row), int(source.index.split[row])) for row in range(3)]
    assert found == [("cat/0", 0), ("dog/1", 0), ("dog/2", 1)] and source.index.n == 3
    assert "test/ left out: val is there, and evaluates" in source.report.notes


def test_tars_of_folder_trees_named_by_split_are_not_class_tars(tmp_path):
    for split in ("train", "val"):
        write_tar(tmp_path / f"{split}.tar", [(f"{split}/n01/{split}.jpg", b"x")])
    source = open_source(tmp_path)
    assert [source.index.id(row) for row in range(2)] == ["n01/train", "n01/val"]
    assert source.index.split.tolist() == [0, 1]
