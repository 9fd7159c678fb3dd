"""Encoders: a recipe made into a torch module, with everything that identifies its features."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...doors import require_regular
from ...errors import InputError
from .libraries import LIBRARIES
from .recipe import Preprocessing, Recipe, minimal
from .recipes import load
from .weights import hash_state

PRECISIONS = ("fp32", "bf16", "fp16")

# Version of decoding, resizing and normalising as implemented in `images.py`: raised whenever
# a change there changes features.
PIXELS_VERSION = 1


@dataclass(frozen=True, eq=False)
class Encoder:
    """A module in evaluation mode from (b, 3, size, size) float32 to (b, dim)."""

    recipe: Recipe
    module: torch.nn.Module
    preprocessing: Preprocessing
    dim: int
    weights_sha256: str

    @property
    def name(self) -> str:
        """A recipe's name, or what was asked for instead: `timm:MODEL` and the like."""
        return self.recipe.name

    def details(self, precision: str = "fp32") -> dict[str, Any]:
        """What changes its features, as JSON. Weights count by content, not by name."""
        return {
            "library": self.recipe.library,
            "model": self.recipe.model,
            "model_args": self.recipe.model_args,
            "weights_sha256": self.weights_sha256,
            "pooling": self.recipe.pooling,
            "dim": self.dim,
            "precision": precision,
            "preprocessing": {**self.preprocessing.identity(), "version": PIXELS_VERSION},
        }

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """(b, size, size, 3) uint8 to the module's (b, 3, size, size) float32, same device."""
        mean = torch.tensor(self.preprocessing.mean, device=pixels.device).view(1, 3, 1, 1)
        std = torch.tensor(self.preprocessing.std, device=pixels.device).view(1, 3, 1, 1)
        return (pixels.permute(0, 3, 1, 2).to(torch.float32) / 255 - mean) / std


def load_encoder(name: str | Recipe, weights: Path | str | None = None) -> Encoder:
    """Build an encoder on the CPU; `weights` is a local file that replaces the hub's.

    Raises InputError for an unknown encoder or model (with the nearest names), weights that cannot
    be had or do not fit, and a model whose output is not (b, dim) as the recipe says.
    """
    recipe = name if isinstance(name, Recipe) else load(name)
    file = None if weights is None else Path(weights)
    if file is not None:
        if not os.path.lexists(file):
            raise InputError(f"--weights {file}: no such file")
        require_regular(file)
    library = LIBRARIES.get(recipe.library)
    if library.needs_preprocessing and recipe.preprocessing is None:
        raise _without_preprocessing(recipe)
    module, preprocessing, recipe = library.build(recipe, file)
    if preprocessing is None:
        raise _without_preprocessing(recipe)
    module.eval().requires_grad_(False)
    dim = _probe(module, preprocessing.size, recipe)
    return Encoder(recipe, module, preprocessing, dim, hash_state(module))


def _without_preprocessing(recipe: Recipe) -> InputError:
    where = ""
    if recipe.library == "python":
        where = f"{recipe.model.partition(':')[0]} has no attribute `preprocessing` and "
    error = InputError(
        f"encoder {recipe.name!r}: {where}no recipe says how images become its input; write one "
        "with a [preprocessing] table, such as mine.toml for --encoder ./mine.toml"
    )
    error.example = minimal(recipe.library, recipe.model)
    return error


def _probe(module: torch.nn.Module, size: int, recipe: Recipe) -> int:
    try:
        with torch.inference_mode():
            output = module(torch.zeros(1, 3, size, size))
    except InputError:
        raise
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"encoder {recipe.name!r} does not take images of {size} x {size} pixels: {error}"
        ) from error
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != 1:
        raise InputError(
            f"encoder {recipe.name!r} returns {shape} for one image; wanted a tensor (1, dim)"
        )
    if recipe.dim is not None and output.shape[1] != recipe.dim:
        raise InputError(
            f"encoder {recipe.name!r} gives {output.shape[1]} dimensions; "
            f"its recipe says dim = {recipe.dim}"
        )
    return int(output.shape[1])
