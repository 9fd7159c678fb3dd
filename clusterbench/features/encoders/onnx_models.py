"""Encoders in ONNX files, run by ONNX Runtime and wrapped as a torch module."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import catalog
from ...doors import require_regular
from ...errors import InputError
from .libraries import Built, Library
from .onnx_files import digest
from .recipe import Recipe

POOLINGS = ("none", "mean", "token")
CHANNELS = ("rgb", "bgr")
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxModule(torch.nn.Module):
    """An ONNX model from (b, 3, s, s) float32 to (b, dim) float32, on the images' device.

    output:    name of the output, by default the first
    pooling:   "none": the output is (b, dim), axes of length 1 aside. "mean": over the tokens of
               (b, tokens, dim) or the pixels of (b, dim, h, w). "token": the first token.
    channels:  order of the colours that the model takes; images always come as RGB

    ONNX Runtime uses CUDA for images there if its CUDA provider is installed, else the CPU. A
    model of a fixed batch size gets batches filled up with zeros. The state dict holds the SHA-256
    of the model's files, so that `hash_state` tells models apart by content.
    """

    file_sha256: torch.Tensor

    def __init__(
        self, path: Path, output: str | None = None, pooling: str = "none", channels: str = "rgb"
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("pooling", pooling, POOLINGS),
            ("channels", channels, CHANNELS),
        ):
            if value not in known:
                raise InputError(f"{name} = {value!r}; wanted one of {', '.join(known)}")
        sha256 = torch.frombuffer(bytearray.fromhex(digest(path)), dtype=torch.uint8)
        self.register_buffer("file_sha256", sha256)
        self.path, self.pooling, self.channels = path, pooling, channels
        self._sessions: dict[str, Any] = {}
        session = self._session(torch.device("cpu"))
        self.input, self.dtype, self.batch_size = _input(path, session)
        outputs = [found.name for found in session.get_outputs()]
        if output is not None and output not in outputs:
            raise catalog.unknown_name(f"output of {path.name}:", output, outputs)
        self.output = output or outputs[0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, s, s) to (b, dim) float32; RuntimeError if the model does not take them."""
        session = self._session(images.device)
        if self.channels == "bgr":
            images = images.flip(1)
        array = np.ascontiguousarray(images.detach().float().cpu().numpy(), dtype=self.dtype)
        step = self.batch_size or max(len(array), 1)
        parts = []
        for start in range(0, len(array), step):
            part = array[start : start + step]
            rows = len(part)
            if self.batch_size and rows < step:
                part = np.concatenate([part, np.zeros((step - rows, *part.shape[1:]), self.dtype)])
            try:
                (found,) = session.run([self.output], {self.input: part})
            except Exception as error:  # ONNX Runtime's errors share no public class
                raise RuntimeError(str(error).strip().partition("\n")[0]) from error
            parts.append(np.asarray(found, dtype=np.float32)[:rows])
        return self._pool(torch.from_numpy(np.concatenate(parts))).to(images.device)

    def _pool(self, found: torch.Tensor) -> torch.Tensor:
        shape = tuple(found.shape)
        if self.pooling == "token" and found.ndim == 3:
            return found[:, 0]
        if self.pooling == "mean" and found.ndim in (3, 4):
            return found.mean(dim=1 if found.ndim == 3 else (2, 3))
        if self.pooling == "none" and found.ndim >= 2:
            flat = found.reshape(len(found), -1)
            if flat.shape[1] == max(shape[1:]):
                return flat
        wanted = {
            "none": "(b, dim), or pooling = 'mean' or 'token'",
            "mean": "(b, tokens, dim) or (b, dim, h, w)",
            "token": "(b, tokens, dim)",
        }[self.pooling]
        raise InputError(
            f"{self.path}: output {self.output!r} is {shape}; with pooling = {self.pooling!r} "
            f"wanted {wanted}"
        )

    def _session(self, device: torch.device) -> Any:
        runtime = _runtime()
        on_cuda = device.type == "cuda" and (
            "CUDAExecutionProvider" in runtime.get_available_providers()
        )
        key = f"cuda:{device.index or 0}" if on_cuda else "cpu"
        if key not in self._sessions:
            self._sessions[key] = _open(self.path, device.index or 0 if on_cuda else None)
        return self._sessions[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}  # sessions are opened again in a copy


def build(recipe: Recipe, weights: Path | None) -> tuple[torch.nn.Module, Recipe]:
    """The module, and the recipe with all [model_args] said and the file's name left out.

    The file is `weights` or else the recipe's model. Its content is in the module's state, so
    that a copy of the file elsewhere gives the same features under the same identity.
    """
    if weights is None and not recipe.model:
        raise InputError(
            f"encoder {recipe.name!r} names no file; pass one with --weights FILE.onnx"
        )
    path = weights or Path(recipe.model)
    if os.path.lexists(path):
        require_regular(path)
    else:
        raise InputError(
            f"encoder {recipe.name!r}: no ONNX file at {path}; pass one with --weights FILE.onnx"
        )
    arguments = {"output": None, "pooling": "none", "channels": "rgb"}
    for key, value in recipe.model_args.items():
        if key not in arguments:
            known = ", ".join(sorted(arguments))
            raise InputError(f"encoder {recipe.name!r}: unknown model_args {key!r}; known: {known}")
        if not isinstance(value, str):
            raise InputError(f"encoder {recipe.name!r}: {key} = {value!r}; wanted text")
        arguments[key] = value
    try:
        module = OnnxModule(path, **arguments)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"encoder {recipe.name!r}: {error}") from error
    said = {"output": module.output, "pooling": module.pooling, "channels": module.channels}
    return module, replace(recipe, model="file", model_args=said)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "ONNX files need the package onnxruntime; pip install 'clusterbench[onnx]' "
            "(for an NVIDIA GPU onnxruntime-gpu in its place)"
        ) from error
    return onnxruntime


def _open(path: Path, cuda: int | None) -> Any:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    # On a CPU `Forward` runs passes side by side, each in one thread; more of them would spin.
    options.intra_op_num_threads = 1
    providers: list[Any] = ["CPUExecutionProvider"]
    if cuda is not None:
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": cuda}))
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: ONNX Runtime cannot open it ({reason})") from error


def _input(path: Path, session: Any) -> tuple[str, Any, int | None]:
    """Name, dtype and fixed batch size, if any, of the model's only input."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(found.name for found in inputs) or "none"
        raise InputError(f"{path}: has {len(inputs)} inputs ({names}); wanted one, of images")
    (found,) = inputs
    shape = list(found.shape)
    if found.type not in _DTYPES:
        raise InputError(f"{path}: takes {found.type}; wanted {' or '.join(_DTYPES)}")
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise InputError(f"{path}: takes images of shape {shape}; wanted (b, 3, height, width)")
    return found.name, _DTYPES[found.type], shape[0] if isinstance(shape[0], int) else None


def _built(recipe: Recipe, weights: Path | None) -> Built:
    module, settled = build(recipe, weights)
    return Built(module, settled.preprocessing, settled)


LIBRARY = Library("onnx", _built, needs_preprocessing=True)
