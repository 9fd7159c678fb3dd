"""Features and labels in PyTorch's files (.pt, .pth) and in .safetensors."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...doors import open_regular
from ...errors import InputError
from ...printable import shown
from .arrays import reading
from .matrix import AnyOrderFile, ArrayEntry, FeatureFile, checked_shape, choose_array
from .pickled_arrays import PickledArray, check_archive, stand_ins

if TYPE_CHECKING:
    import torch

_ENTRIES = 10_000  # of one file
_GLOBAL = re.compile(r"Unsupported global: GLOBAL ([\w.]+)|Unsupported class ([\w.]+)")


def load(path: Path) -> dict[str, Any]:
    """What a file holds by name, memory-mapped; a tensor, an array or a list alone is named "".

    Tensors stay tensors, NumPy arrays are arrays, anything else is as it was saved. The items of a
    list or tuple that are tensors, arrays or lists are named "0", "1", ...

    Raises InputError for a file that holds Python objects other than tensors, arrays, numbers,
    strings, lists and dicts (they are not loaded, since that could run code), for a file of
    PyTorch before 1.6, which cannot be mapped, and for a damaged one.
    """
    if path.suffix.lower() == ".safetensors":
        return _safetensors(path)
    content = _unwrapped(_torch(path))
    if isinstance(content, Mapping):
        if len(content) > _ENTRIES:
            raise InputError(f"{path}: holds more than {_ENTRIES:,} entries; save tensors")
        return {str(name): _unwrapped(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return _items([_unwrapped(item) for item in content])
    if isinstance(content, np.ndarray) or hasattr(content, "untyped_storage"):
        return {"": content}
    raise InputError(f"{path}: holds a {type(content).__name__}; wanted a tensor or a dict of them")


def _torch(path: Path) -> Any:
    with reading(path, "save it with torch.save"):
        with open_regular(path) as handle:
            start = handle.read(4)
            if start != b"PK\x03\x04":
                raise InputError(
                    f"{path}: not a file of torch.save since PyTorch 1.6, it starts with "
                    f"{start!r}; load it where it was made and save it again"
                )
        check_archive(path)
        import torch

        try:
            with torch.serialization.safe_globals(stand_ins()):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError as error:
            raise _refused(path, str(error)) from error


def _refused(path: Path, message: str) -> InputError:
    """Why a pickle is not loaded: which object, what that means, what to save."""
    reason = message.partition("WeightsUnpickler error:")[2] or message
    match = _GLOBAL.search(reason)
    name = (match[1] or match[2]) if match else ""
    if name.startswith("torch.nn.") or (name and "." in name and "nn.modules" in reason):
        return InputError(
            f"{path}: holds a whole model ({shown(name, 80)}), which is not loaded, since that "
            "could run code; wanted the features that it gave: save them as a tensor"
        )
    what = shown(name, 80) if name else shown(" ".join(reason.split()), 120)
    return InputError(
        f"{path}: holds pickled objects ({what}), which are not loaded, since that could run code; "
        "save tensors, NumPy arrays of numbers, or lists of them"
    )


def _safetensors(path: Path) -> dict[str, Any]:
    with open_regular(path) as handle:
        if not handle.read(1):
            raise InputError(f"{path}: is empty; wanted an array (n, dim) of features")
    from safetensors import safe_open

    with reading(path, "save it with safetensors"), safe_open(path, framework="pt") as file:
        names = list(file.keys())
        if len(names) > _ENTRIES:
            raise InputError(f"{path}: holds more than {_ENTRIES:,} tensors")
        return {name: file.get_tensor(name) for name in names}


def _unwrapped(value: Any) -> Any:
    return value.array if isinstance(value, PickledArray) else value


def _items(items: list[Any]) -> dict[str, Any]:
    """A list or tuple by position; one of plain values, or of rows, is one thing without a name."""
    shapes = [tuple(item.shape) if hasattr(item, "shape") else None for item in items]
    if not items or not any(
        shape is not None or isinstance(item, (list, tuple))
        for shape, item in zip(shapes, items, strict=True)
    ):
        return {"": items}  # plain values
    lengths = {len(item) if isinstance(item, (list, tuple)) else -1 for item in items}
    numbers = len(lengths) == 1 and -1 not in lengths
    rows = len(set(shapes)) == 1 and shapes[0] is not None and len(shapes[0]) == 1
    if len(items) > 2 and (numbers or rows):
        return {"": items}
    return {str(number): item for number, item in enumerate(items)}


def tensor_entries(path: Path) -> dict[str, ArrayEntry]:
    """The tensors, arrays and lists of a file; one alone has the name ""."""
    found = {}
    for name, value in load(path).items():
        if hasattr(value, "shape"):
            kind = str(value.dtype).removeprefix("torch.")
            found[name] = ArrayEntry(tuple(value.shape), kind)
        elif isinstance(value, (list, tuple)) and value:  # of values, or of rows
            first = _unwrapped(value[0])
            inner: tuple[int, ...] = ()
            if hasattr(first, "shape"):
                inner = tuple(first.shape)
            elif isinstance(first, (list, tuple)):
                inner = (len(first),)
            kind = str(getattr(first, "dtype", type(first).__name__)).removeprefix("torch.")
            found[name] = ArrayEntry((len(value), *inner), kind)
    return found


def open_tensor(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """One tensor, array or list of rows of a file."""
    import torch

    content = load(path)
    entries = tensor_entries(path)
    alone = set(content) == {""}
    if alone and array is not None:
        raise InputError(f"{path}: holds one tensor, which has no name; leave --array out")
    shapes = {name: entry.shape for name, entry in entries.items()}
    name = "" if alone and shapes else choose_array(path, shapes, array, used)
    where = f"{path}: {shown(repr(name))}" if name else str(path)
    value = content[name]
    if not torch.is_tensor(value):
        rows = value if isinstance(value, np.ndarray) else _stacked(value, where)
        kind = str(rows.dtype.newbyteorder("=").name)
        return _HeldRows(path, name or None, *checked_shape(where, rows.shape, kind), kind, rows)
    tensor: torch.Tensor = value
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided:
        raise InputError(f"{where}: is a sparse tensor; save its to_dense()")
    if tensor.is_quantized:
        raise InputError(f"{where}: is a quantized tensor; save its dequantize()")
    if tensor.device.type != "cpu":
        raise InputError(f"{where}: is on the device {tensor.device.type!r} and holds no numbers")
    n, dim = checked_shape(where, shapes[name], kind)
    if n * dim * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(
            f"{where}: has shape {(n, dim)}, but {tensor.untyped_storage().nbytes():,} bytes of "
            "numbers: its rows overlap; save its contiguous()"
        )
    return _TensorRows(path, name or None, n, dim, kind)


@dataclass(frozen=True, eq=False)
class _HeldRows(AnyOrderFile):
    rows: np.ndarray

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.rows[rows])


class _TensorRows(AnyOrderFile):
    def _read(self, rows: np.ndarray) -> np.ndarray:
        import torch

        tensor = load(self.path)[self.array or ""].detach()
        if self.kind == "bfloat16":
            tensor = tensor.view(torch.int16)
        if rows[-1] - rows[0] + 1 == len(rows):
            taken = tensor[int(rows[0]) : int(rows[-1]) + 1].numpy()
        else:
            taken = tensor[torch.from_numpy(rows)].numpy()
        if self.kind == "bfloat16":  # the upper half of a float32
            wide: np.ndarray = (taken.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            return wide
        return np.array(taken)


def _stacked(value: Any, where: str) -> np.ndarray:
    """A list of rows, which are tensors, arrays or lists of numbers, as one array (n, dim)."""
    import torch

    if not isinstance(value, (list, tuple)) or not value:
        raise InputError(f"{where}: holds a {type(value).__name__}; wanted a tensor (n, dim)")
    rows = [_unwrapped(row) for row in value]
    if all(torch.is_tensor(row) for row in rows):
        if len({(row.shape, row.dtype, row.layout) for row in rows}) > 1:
            raise InputError(f"{where}: holds tensors of several shapes; wanted one (n, dim)")
        _check_memory(rows[0].numel() * rows[0].element_size() * len(rows), where)
        stacked = torch.stack(rows).detach()
        rows = [stacked.float() if stacked.dtype == torch.bfloat16 else stacked]
        return np.asarray(rows[0].numpy())
    if all(isinstance(row, np.ndarray) for row in rows) and len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    plain = all(
        isinstance(row, (list, tuple)) and all(type(x) in (float, int) for x in row) for row in rows
    )
    if not plain or len({len(row) for row in rows}) > 1:
        raise InputError(f"{where}: is a list of other things; wanted rows of one length")
    return np.array(rows, dtype=np.float64)


def tensor_vector(path: Path, name: str) -> np.ndarray:
    """A tensor, array or list of labels or ids; InputError for anything else."""
    import torch

    content = load(path)
    if name not in content:
        raise InputError(f"{path}: holds no {shown(name) or 'tensor'}")
    value = content[name]
    where = f"{path}: {shown(repr(name))}" if name else str(path)
    if torch.is_tensor(value):
        if value.dtype == torch.bfloat16 or value.is_complex() or value.is_quantized:
            raise InputError(f"{where}: holds {value.dtype}; wanted whole numbers")
        if value.layout != torch.strided or value.device.type != "cpu":
            raise InputError(f"{where}: is no plain tensor of numbers; wanted whole numbers")
        _check_memory(value.numel() * value.element_size(), where)
        return _plain(np.array(value.detach().numpy()))
    if isinstance(value, np.ndarray):
        return _plain(value)
    if isinstance(value, (list, tuple)) and value:
        items = [_unwrapped(item) for item in value]
        if all(hasattr(item, "shape") and tuple(item.shape) in ((), (1,)) for item in items):
            items = [item.item() for item in items]
        kinds = {type(item) for item in items}
        if len(kinds) == 1 and kinds <= {int, float, str, bool}:
            return _plain(np.array(items))
    raise InputError(
        f"{where}: holds a {type(value).__name__}; wanted a tensor or a list, one per sample"
    )


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int8) if values.dtype.kind == "b" else values


def _check_memory(size: int, where: str) -> None:
    from ...limits import UNPACKED

    if size > UNPACKED:
        raise InputError(f"{where}: takes {size / 1e6:,.0f} MB; save one tensor (n, dim) of floats")
