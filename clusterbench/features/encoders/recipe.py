"""Encoder recipes: which model, which weights, which pixels; read from TOML files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ... import catalog
from ...declared import from_table
from ...errors import InputError
from .libraries import LIBRARIES

INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "nearest")


@dataclass(frozen=True)
class Preprocessing:
    """From a decoded RGB image to the encoder's input.

    `crop = "center"`: the shorter side is resized to floor(size / crop_fraction), then the
    middle size x size is cut out. `crop = "squash"`: the image is resized to size x size. Then
    (pixel / 255 - mean) / std per channel.
    """

    size: int
    crop: str = "center"
    crop_fraction: float = 1.0
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 4096:
            raise InputError(f"size = {self.size}; wanted 1 to 4096 pixels")
        if self.crop not in ("center", "squash"):
            raise InputError(f"crop = {self.crop!r}; wanted 'center' or 'squash'")
        if not 0 < self.crop_fraction <= 1:
            raise InputError(f"crop_fraction = {self.crop_fraction}; wanted above 0, at most 1")
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"interpolation = {self.interpolation!r}; wanted one of {', '.join(INTERPOLATIONS)}"
            )
        for name in ("mean", "std"):
            value = tuple(float(v) for v in getattr(self, name))
            if len(value) != 3 or (name == "std" and min(value) <= 0):
                raise InputError(f"{name} = {value}; wanted three numbers, std above 0")
            object.__setattr__(self, name, value)

    @property
    def resize(self) -> int:
        """Pixels of the shorter side before the crop."""
        return int(self.size / self.crop_fraction + 1e-6)

    def identity(self) -> dict[str, Any]:
        """The fields as JSON; those that `squash` does not use are left out."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        if self.crop == "squash":
            del values["crop_fraction"]
        return values


@dataclass(frozen=True)
class Recipe:
    """One encoder. `dim` and `preprocessing` are None where the model itself says (timm:MODEL).

    library:     efficientnet-lite | timm | open_clip | python (model = "package.module:function",
                 which returns a torch module from (b, 3, size, size) to (b, dim)) | onnx (model =
                 a file, relative to the recipe's folder; "" where --weights FILE names it)
    weights:     name of the weights in the library's hub; a local file takes their place
    pooling:     timm's `global_pool` ("token", "avg", ...); other libraries have one output each
    parameters:  millions of parameters of the image tower, for information
    model_args:  further arguments of the model's constructor
    """

    name: str
    library: str
    model: str
    weights: str | None = None
    pooling: str | None = None
    dim: int | None = None
    parameters: float | None = None
    preprocessing: Preprocessing | None = None
    model_args: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        if self.library not in LIBRARIES:
            raise InputError(
                f"library = {self.library!r}; wanted one of {', '.join(LIBRARIES.names())}"
            )


def load(name: str) -> Recipe:
    """The recipe of an encoder: a shipped or own recipe's name, or where to find the model.

    `PATH/mine.toml` is a recipe file; `timm:MODEL`, `open_clip:MODEL/PRETRAINED`,
    `python:package.module:function` and `onnx:FILE` need none. Raises InputError for a name that
    is not there, with the nearest names, and for a file with an unknown key, a missing one or a
    wrong value, naming file and key.
    """
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise InputError(f"--encoder {name}: no such recipe file")
        return parse(Path(name))
    library, colon, model = name.partition(":")
    if colon and library in LIBRARIES and (row := LIBRARIES.get(library)).spelled:
        model, weights = row.model_and_weights(model)
        return Recipe(name, library, model, weights=weights)
    files = _files()
    if name not in files:
        raise catalog.unknown_name("encoder", name, files)
    return parse(files[name])


def names() -> list[str]:
    """Names of all recipes, the user's and the shipped ones."""
    return sorted(_files())


def parse(path: Path) -> Recipe:
    """Read one recipe file; its name is the file's name without `.toml`."""
    table = catalog.read_toml(path)
    found = from_table(Recipe, table, str(path), given={"name": path.stem})
    if found.library == "onnx" and found.model:
        return replace(found, model=str(path.parent / found.model))
    return found


def minimal(library: str, model: str) -> str:
    """Text of the shortest recipe that says how images become the model's input."""
    return (
        f'library = "{library}"\nmodel = "{model}"\n\n[preprocessing]\nsize = 224\n'
        'crop = "center"\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]'
    )


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in catalog.folders("features"):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found
