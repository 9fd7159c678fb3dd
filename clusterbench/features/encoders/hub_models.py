"""Encoders of timm and open_clip, with weights from their hub or from a local file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ... import catalog
from ...errors import InputError
from .libraries import Built, Library
from .recipe import INTERPOLATIONS, Preprocessing, Recipe
from .weights import hub_errors, load_strictly, read_state_dict


def timm_architecture(recipe: Recipe, pretrained: bool = False) -> torch.nn.Module:
    """timm model without its classifier, with random weights unless `pretrained`.

    On the meta device inside `with torch.device("meta")`. Raises InputError for a model or a
    weights' tag that timm does not have, with the nearest names.
    """
    import timm

    model, _, tag = recipe.model.partition(".")
    if not timm.is_model(model):
        raise catalog.unknown_name("timm model", model, timm.list_models())
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        raise catalog.unknown_name(f"weights of timm model {model}:", tag, tags)
    if pretrained and not tags:
        raise InputError(
            f"timm model {model!r} has no published weights; pass a file with --weights FILE"
        )
    arguments: dict[str, Any] = {"num_classes": 0, **recipe.model_args}
    if recipe.pooling:
        arguments["global_pool"] = recipe.pooling
    module: torch.nn.Module = timm.create_model(recipe.model, pretrained=pretrained, **arguments)
    return module


def build_timm(
    recipe: Recipe, weights: Path | None
) -> tuple[torch.nn.Module, Preprocessing, str | None]:
    """timm model without its classifier, its preprocessing and the pooling it uses."""
    if weights is None:
        with hub_errors(f"timm model {recipe.model!r}"):
            module = timm_architecture(recipe, pretrained=True)
    else:
        module = timm_architecture(recipe)
        _load_timm(module, read_state_dict(weights), str(weights))
    pooling = recipe.pooling or getattr(module, "global_pool", None)
    return (
        module,
        recipe.preprocessing or timm_preprocessing(module),
        pooling if isinstance(pooling, str) else None,
    )


def open_clip_architecture(recipe: Recipe, pretrained: bool = False) -> torch.nn.Module:
    """Image tower of an open_clip model, with random weights unless `pretrained`.

    On the meta device inside `with torch.device("meta")`. Raises InputError for a model or a
    weights' tag that open_clip does not have, with the nearest names.
    """
    import open_clip

    models = open_clip.list_models()
    if recipe.model not in models:
        raise catalog.unknown_name("open_clip model", recipe.model, models)
    tags = open_clip.list_pretrained_tags_by_model(recipe.model)
    tag = recipe.weights
    if tag is not None and tag not in tags:
        raise catalog.unknown_name(f"weights of open_clip model {recipe.model}:", tag, tags)
    if not pretrained:
        device = torch.get_default_device()
        tower: torch.nn.Module = open_clip.create_model(
            recipe.model, load_weights=False, device=device, **recipe.model_args
        ).visual
        return tower
    if tag is None:
        raise InputError(
            f"open_clip:{recipe.model} does not say which weights; wanted "
            f"open_clip:{recipe.model}/PRETRAINED with one of {', '.join(tags) or 'none'}, "
            "or --weights FILE"
        )
    tower = open_clip.create_model(recipe.model, pretrained=tag, **recipe.model_args).visual
    return tower


def build_open_clip(recipe: Recipe, weights: Path | None) -> tuple[torch.nn.Module, Preprocessing]:
    """Image tower of an open_clip model; its output is the projected image embedding."""
    what = "/".join(filter(None, (recipe.model, recipe.weights)))
    with hub_errors(f"open_clip model {what}"):  # a text tower may need files of its own
        tower = open_clip_architecture(recipe, pretrained=weights is None)
    if weights is not None:
        tensors = read_state_dict(weights)
        image = {
            name.removeprefix("visual."): value
            for name, value in tensors.items()
            if name.startswith("visual.")
        }
        load_strictly(tower, image or tensors, str(weights))
    return tower, recipe.preprocessing or open_clip_preprocessing(tower, recipe)


def _load_timm(module: torch.nn.Module, tensors: dict[str, torch.Tensor], source: str) -> None:
    own = module.state_dict()
    fits = all(name in tensors and tensors[name].shape == own[name].shape for name in own)
    convert = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    if not fits and convert is not None:
        # Names of the original publication, position embeddings of another image size.
        try:
            converted = convert(tensors, module)
        except (KeyError, RuntimeError, ValueError, AttributeError, IndexError):
            converted = tensors  # not of this family: load_strictly says what is wrong
        tensors = dict(converted) if isinstance(converted, Mapping) else tensors
    load_strictly(module, tensors, source)


def timm_preprocessing(module: torch.nn.Module) -> Preprocessing:
    """What timm's configuration of the module's weights says."""
    from timm.data import config

    data = config.resolve_model_data_config(module)
    height, width = data["input_size"][1:]
    if height != width:
        raise InputError(f"model takes images of {height} x {width}; wanted square ones")
    return Preprocessing(
        size=int(height),
        crop="squash" if data.get("crop_mode") == "squash" else "center",
        crop_fraction=float(data.get("crop_pct") or 1.0),
        interpolation=_interpolation(data.get("interpolation")),
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
    )


def open_clip_preprocessing(tower: torch.nn.Module, recipe: Recipe) -> Preprocessing:
    """What open_clip's configuration of the model says, and of its weights where they are named.

    Weights from a file count as those named: `open_clip:ViT-B-16-SigLIP/webli` takes SigLIP's mean.
    """
    import open_clip

    data: dict[str, Any] = dict(tower.preprocess_cfg)  # type: ignore[arg-type]
    if recipe.weights:
        named = open_clip.get_pretrained_cfg(recipe.model, recipe.weights)
        data |= {key: value for key, value in named.items() if key in data}
    size = data["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise InputError(f"model takes images of {height} x {width}; wanted square ones")
    return Preprocessing(
        size=int(height),
        crop="squash" if data.get("resize_mode") == "squash" else "center",
        interpolation=_interpolation(data.get("interpolation")),
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
    )


def _interpolation(name: str | None) -> str:
    return name if name in INTERPOLATIONS else "bicubic"


def _timm(recipe: Recipe, weights: Path | None) -> Built:
    module, preprocessing, pooling = build_timm(recipe, weights)
    return Built(module, preprocessing, replace(recipe, pooling=pooling))


def _open_clip(recipe: Recipe, weights: Path | None) -> Built:
    module, preprocessing = build_open_clip(recipe, weights)
    return Built(module, preprocessing, replace(recipe, pooling=recipe.pooling or "projection"))


def _model_and_weights(text: str) -> tuple[str, str | None]:
    """`MODEL/PRETRAINED`."""
    model, _, weights = text.partition("/")
    return model, weights or None


TIMM = Library("timm", _timm)
OPEN_CLIP = Library("open_clip", _open_clip, model_and_weights=_model_and_weights)
