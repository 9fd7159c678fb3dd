"""A recipe: which model, which weights, which pixels make an encoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...errors import InputError

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


def minimal(library: str, model: str) -> str:
    """Text of the shortest recipe that says how images become the model's input."""
    return (
        f'library = "{library}"\nmodel = "{model}"\n\n[preprocessing]\nsize = 224\n'
        'crop = "center"\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]'
    )
