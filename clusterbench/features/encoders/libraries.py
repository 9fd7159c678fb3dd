"""The libraries that encoders are built by: a row each, kept in the file of the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...catalog import Registry

if TYPE_CHECKING:
    import torch

    from .recipe import Preprocessing, Recipe


class Built(NamedTuple):
    """A module from (b, 3, size, size) to (b, dim), and its recipe with all that was settled.

    preprocessing: None where neither the recipe nor the model says it.
    """

    module: torch.nn.Module
    preprocessing: Preprocessing | None
    recipe: Recipe


def _whole(text: str) -> tuple[str, str | None]:
    return text, None


@dataclass(frozen=True)
class Library:
    """One library, as `LIBRARIES` lists it.

    build: the module of a recipe, from a local weight file or else the library's own weights; it
    raises InputError for what cannot be had. spelled: `NAME:MODEL` stands for an encoder without a
    recipe. model_and_weights: what such a MODEL means. needs_preprocessing: a recipe must say it,
    the model cannot.
    """

    name: str
    build: Callable[[Recipe, Path | None], Built]
    spelled: bool = True
    model_and_weights: Callable[[str], tuple[str, str | None]] = _whole
    needs_preprocessing: bool = False


#: Entry points of the group `clusterbench.encoders` (name -> a `Library`) join them.
LIBRARIES: Registry[Library] = Registry(
    "library",
    {
        "efficientnet-lite": "efficientnet_lite:LIBRARY",
        "onnx": "onnx_models:LIBRARY",
        "open_clip": "hub_models:OPEN_CLIP",
        "python": "python_models:LIBRARY",
        "timm": "hub_models:TIMM",
    },
    package=__package__,
    base="libraries:Library",
    entry_points="clusterbench.encoders",
)
