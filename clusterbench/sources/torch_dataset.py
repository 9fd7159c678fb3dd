"""A map-style torch data set as a source, from its targets and items."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .class_names import check_twice, resolve
from .image_files import FileSource
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .once import refuse_again
from .sample_ids import id_from_path, suffix_of
from .source import BrokenImage, ImageSource, SourceReport

_CHUNK = 1 << 16
_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


@dataclass(frozen=True, eq=False)
class TorchFilesSource(FileSource):
    """Files of a torch data set that knows their paths, such as torchvision's ImageFolder."""

    COLUMNS = ("file",)
    FORMAT = "torch"

    spec: str
    file: np.ndarray  # (n,) bytes S<width>

    def path(self, row: int) -> Path:
        """The file of one sample."""
        return Path(os.fsdecode(bytes(self.file[row])))

    def location(self) -> dict[str, Any]:
        """Format and torch:MODULE:FUNCTION; InputError for a data set given as an object."""
        return _location(self.spec)


@dataclass(frozen=True, eq=False)
class TorchItemsSource(ImageSource):
    """Items of a torch data set, encoded without loss: PNG, or TIFF for modes PNG has not.

    `item` is the number of each sample in the data set. The data set is pickled with the source.
    """

    COLUMNS = ("item",)
    FORMAT = "torch"

    spec: str
    dataset: Any
    item: np.ndarray  # (n,) int64

    def read(self, row: int) -> bytes:
        """One item's image, encoded: the same pixels, whatever the data set stores.

        Raises InputError for an item that is not (image, ...) with an image that `encode` takes,
        BrokenImage for one that the data set fails to give.
        """
        number = int(self.item[row])
        try:
            found = self.dataset[number]
        except Exception as error:  # whatever the user's code runs into
            text = " ".join(str(error).split())[:200]
            raise BrokenImage(f"the data set raised {type(error).__name__}: {text}") from error
        image = found[0] if isinstance(found, (tuple, list)) else found
        return encode(image, f"{self.spec or 'torch data set'}, item {number}")

    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Zeros: neither is known, and a change of an image cannot be seen."""
        return np.zeros(stop - start, np.int64), np.zeros(stop - start, np.int64)

    def location(self) -> dict[str, Any]:
        """Format and torch:MODULE:FUNCTION; InputError for a data set given as an object."""
        return _location(self.spec)

    def reading_order(self, rows: np.ndarray) -> np.ndarray:
        """By number."""
        return np.argsort(self.item[rows], kind="stable")


def index_torch(
    dataset: Any, *, class_names: Sequence[str] | None = None
) -> TorchFilesSource | TorchItemsSource:
    """Index a map-style data set: an object, or `torch:package.module:function` that returns it.

    Targets are `samples` or `imgs` (path, target), else `targets` or `labels`; class names are
    `class_names` or `classes`. With paths the files are read directly and ids are
    made of the paths; otherwise the id is class/number. All samples are split train. Raises
    InputError for a function that cannot be imported, a data set without targets, or a target
    that is no class.
    """
    spec = dataset if isinstance(dataset, str) else ""
    where = spec or f"torch data set {type(dataset).__name__}"
    if spec:
        dataset = build_dataset(spec)
    paths, targets = _samples(dataset, where)
    names = class_names if class_names is not None else getattr(dataset, "classes", None)
    if names is not None:
        names = [str(name) for name in names]
        check_twice(names, where)
    texts = list(dict.fromkeys(map(str, targets)))
    numeric = all(isinstance(label, int) for label in targets)
    class_of = dict(zip(texts, resolve(texts, names, where) if numeric else texts, strict=True))
    root = str(getattr(dataset, "root", "") or "")
    builder = IndexBuilder({"file": "S1"} if paths is not None else {"item": np.int64}, where)
    width = len(str(max(len(targets) - 1, 0)))
    for start in range(0, len(targets), _CHUNK):
        stop = min(start + _CHUNK, len(targets))
        classes = [class_of[str(label)] for label in targets[start:stop]]
        if paths is None:
            ids = [f"{c}/{i:0{width}d}" for i, c in zip(range(start, stop), classes, strict=True)]
            builder.add(ids, classes, item=np.arange(start, stop))
            continue
        some = [os.fspath(path) for path in paths[start:stop]]
        below = [path.removeprefix(root).replace(os.sep, "/") for path in some]
        ids = [id_from_path(path, c) for path, c in zip(below, classes, strict=True)]
        files = [os.fsencode(Path(path).absolute()) for path in some]
        builder.add(ids, classes, 0, [suffix_of(path) for path in some], file=files)
    if not builder.n:
        raise InputError(f"{where}: no samples")
    index, columns = builder.finish(
        lambda sample: (
            os.fsdecode(bytes(sample["file"])) if "file" in sample else f"item {sample['item']}"
        )
    )
    report = SourceReport(notes=builder.notes)
    if paths is not None:
        refuse_again(columns["file"], index, lambda row: f"sample {index.id(row)!r}")
        return TorchFilesSource(index, report, spec, **columns)
    return TorchItemsSource(index, report, spec, dataset, **columns)


def encode(image: Any, where: str) -> bytes:
    """A file with exactly the pixels of a PIL image, an array or a tensor.

    image: PIL; (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) uint8 array; (1|3|4, h, w) tensor, uint8
    or floating point in [0, 1]. Raises InputError for anything else.
    """
    from PIL import Image

    picture = image if isinstance(image, Image.Image) else _picture(image, where)
    buffer = io.BytesIO()
    if picture.mode in _PNG_MODES:
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "TIFF")
    return buffer.getvalue()


def _picture(image: Any, where: str) -> Any:
    import torch
    from PIL import Image

    if isinstance(image, torch.Tensor):
        pixels = image.detach().cpu()
        if pixels.ndim != 3 or pixels.shape[0] not in (1, 3, 4):
            raise InputError(
                f"{where}: a tensor of shape {tuple(pixels.shape)}; wanted (3, height, width)"
            )
        if pixels.is_floating_point():
            low, high = (float(pixels.min()), float(pixels.max())) if pixels.numel() else (0, 0)
            if not 0 <= low <= high <= 1:
                raise InputError(
                    f"{where}: a tensor with values from {low:g} to {high:g}; wanted 0 to 1: leave "
                    "Normalize out of the data set's transforms, the encoder has its own"
                )
            pixels = (pixels * 255).round()
        elif pixels.dtype != torch.uint8:
            raise InputError(f"{where}: a tensor of {pixels.dtype}; wanted uint8 or floats")
        image = pixels.to(torch.uint8).permute(1, 2, 0).numpy()
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"{where}: its image is a {type(image).__name__}; wanted a PIL image, an array or a "
            "tensor, as the first part of the item"
        )
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if flat.dtype != np.uint8 or not (
        flat.ndim == 2 or (flat.ndim == 3 and flat.shape[2] in (3, 4))
    ):
        raise InputError(
            f"{where}: an array of {image.dtype} with shape {image.shape}; wanted uint8, "
            "(height, width) or (height, width, 3)"
        )
    return Image.fromarray(np.ascontiguousarray(flat))


def _samples(dataset: Any, where: str) -> tuple[list[Any] | None, list[Any]]:
    """(paths or None, targets): whole numbers or texts."""
    for name in ("samples", "imgs"):
        pairs = getattr(dataset, name, None)
        if isinstance(pairs, (list, tuple)) and pairs and _is_pair(pairs[0]):
            return [pair[0] for pair in pairs], [_target(pair[1], where) for pair in pairs]
    for name in ("targets", "labels"):
        targets = getattr(dataset, name, None)
        if targets is not None and not callable(targets):
            listed = targets.tolist() if hasattr(targets, "tolist") else list(targets)
            if len(listed) != len(dataset):
                raise InputError(f"{where}: {len(listed)} {name} for {len(dataset)} items")
            return None, [_target(target, where) for target in listed]
    raise InputError(
        f"{where}: a {type(dataset).__name__} without samples, imgs, targets or labels; wanted one "
        "of them, to know the classes without reading the images"
    )


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) >= 2
        and isinstance(value[0], (str, os.PathLike))
    )


def _target(value: Any, where: str) -> int | str:
    if isinstance(value, str):
        return value
    try:
        return int(value.__index__())
    except (AttributeError, TypeError) as error:
        raise InputError(f"{where}: target {value!r}; wanted a whole number or a text") from error


def _location(spec: str) -> dict[str, Any]:
    if not spec:
        raise InputError(
            "a torch data set that was given as an object has no place to load it from; give "
            "torch:package.module:function"
        )
    return {"format": "torch", "source": spec}


def build_dataset(spec: str) -> Any:
    """What `torch:package.module:function` returns; InputError when it cannot be imported."""
    module, _, function = spec.removeprefix("torch:").partition(":")
    if not (spec.startswith("torch:") and module and function):
        raise InputError(f"source {spec}: wanted torch:package.module:function")
    if module.split(".")[0] in sys.stdlib_module_names:
        # An index names what to call: nothing of the system's may be in its reach.
        raise InputError(f"source {spec}: a module of Python's own has no data set")
    try:
        build = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"source {spec}: {error}; the module must be installed or on PYTHONPATH"
        ) from error
    try:
        return build()
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"source {spec}: it raised {type(error).__name__}: {text}") from error


KIND = SourceKind(
    "torch",
    index_torch,
    takes=("class_names",),
    prefix="torch:",
    saved={"TorchFilesSource": ".torch_dataset", "TorchItemsSource": ".torch_dataset"},
)
