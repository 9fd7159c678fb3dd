"""Features and labels in PyTorch's files (.pt, .pth): tensors, or dicts of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from .arrays import reading
from .matrix import AnyOrderFile, FeatureFile, checked_shape, choose_array

if TYPE_CHECKING:
    import torch


def load(path: Path) -> dict[str, Any]:
    """What a file holds by name, memory-mapped; a tensor or a list alone has the name "".

    Raises InputError for a file that holds Python objects other than tensors, numbers, strings,
    lists and dicts (they are not loaded, since that could run code), for a file of PyTorch before
    1.6, which cannot be mapped, and for a damaged one.
    """
    import torch

    with reading(path, "save it with torch.save"):
        with path.open("rb") as handle:
            start = handle.read(4)
        if start != b"PK\x03\x04":
            raise InputError(
                f"{path}: not a file of torch.save since PyTorch 1.6, it starts with {start!r}; "
                "load it where it was made and save it again"
            )
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError as error:
            reason = str(error).partition("WeightsUnpickler error:")[2] or str(error)
            raise InputError(
                f"{path}: holds pickled objects ({' '.join(reason.split())[:120]}), which are not "
                "loaded, since that could run code; save tensors"
            ) from error
    if isinstance(content, dict):
        return {str(name): value for name, value in content.items()}
    if isinstance(content, (list, torch.Tensor)):
        return {"": content}
    raise InputError(f"{path}: holds a {type(content).__name__}; wanted a tensor or a dict of them")


def open_tensor(path: Path, array: str | None) -> FeatureFile:
    """One tensor of a file of torch.save."""
    import torch

    content = load(path)
    shapes = {name: tuple(value.shape) for name, value in content.items() if torch.is_tensor(value)}
    if set(content) == {""} and array is not None:
        raise InputError(f"{path}: holds one tensor, which has no name; leave --array out")
    name = "" if set(content) == {""} and shapes else choose_array(path, shapes, array)
    tensor: torch.Tensor = content[name]
    kind = str(tensor.dtype).removeprefix("torch.")
    where = f"{path}: {name!r}" if name else str(path)
    if tensor.layout != torch.strided:
        raise InputError(f"{where}: is a sparse tensor; save its to_dense()")
    n, dim = checked_shape(where, shapes[name], kind)
    return _TensorRows(path, name or None, n, dim, kind)


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


def vector(path: Path, value: Any, name: str) -> np.ndarray:
    """A tensor (n,) or a list of a file as an array in memory; InputError for anything else."""
    import torch

    where = f"{path}: {name!r}" if name else str(path)
    if torch.is_tensor(value):
        if value.dtype == torch.bfloat16 or value.is_complex():
            raise InputError(f"{where}: holds {value.dtype}; wanted whole numbers")
        return np.array(value.detach().numpy())
    if isinstance(value, (list, tuple)) and len({type(item) for item in value}) == 1:
        return np.array(value)
    raise InputError(
        f"{where}: holds a {type(value).__name__}; wanted a tensor or a list, one per sample"
    )
