"""Encoders of timm and open_clip, with weights from their hub or from a local file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .. import catalog
from ..errors import InputError
from .recipe import INTERPOLATIONS, Preprocessing, Recipe
from .weights import hub_errors, load_strictly, read_state_dict


def build_timm(
    recipe: Recipe, weights: Path | None
) -> tuple[torch.nn.Module, Preprocessing, str | None]:
    """timm model without its classifier, its preprocessing and the pooling it uses."""
    import timm

    model, _, tag = recipe.model.partition(".")
    if not timm.is_model(model):
        raise catalog.unknown_name("timm model", model, timm.list_models())
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        raise catalog.unknown_name(f"weights of timm model {model}:", tag, tags)
    arguments: dict[str, Any] = {"num_classes": 0, **recipe.model_args}
    if recipe.pooling:
        arguments["global_pool"] = recipe.pooling
    if weights is None:
        if not tags:
            raise InputError(
                f"timm model {model!r} has no published weights; pass a file with --weights FILE"
            )
        with hub_errors(f"timm model {recipe.model!r}"):
            module = timm.create_model(recipe.model, pretrained=True, **arguments)
    else:
        module = timm.create_model(recipe.model, pretrained=False, **arguments)
        _load_timm(module, read_state_dict(weights), str(weights))
    pooling = recipe.pooling or getattr(module, "global_pool", None)
    return (
        module,
        recipe.preprocessing or _timm_preprocessing(module),
        pooling if isinstance(pooling, str) else None,
    )


def build_open_clip(recipe: Recipe, weights: Path | None) -> tuple[torch.nn.Module, Preprocessing]:
    """Image tower of an open_clip model; its output is the projected image embedding."""
    import open_clip

    models = open_clip.list_models()
    if recipe.model not in models:
        raise catalog.unknown_name("open_clip model", recipe.model, models)
    tags = open_clip.list_pretrained_tags_by_model(recipe.model)
    tag = recipe.weights
    if weights is None:
        if tag is None:
            raise InputError(
                f"open_clip:{recipe.model} does not say which weights; wanted "
                f"open_clip:{recipe.model}/PRETRAINED with one of {', '.join(tags) or 'none'}, "
                "or --weights FILE"
            )
        if tag not in tags:
            raise catalog.unknown_name(f"weights of open_clip model {recipe.model}:", tag, tags)
        with hub_errors(f"open_clip model {recipe.model}/{tag}"):
            model = open_clip.create_model(recipe.model, pretrained=tag, **recipe.model_args)
        return model.visual, recipe.preprocessing or _open_clip_preprocessing(model.visual)
    with hub_errors(f"open_clip model {recipe.model}"):  # a text tower may need its own files
        model = open_clip.create_model(recipe.model, load_weights=False, **recipe.model_args)
    tensors = read_state_dict(weights)
    image = {
        name.removeprefix("visual."): value
        for name, value in tensors.items()
        if name.startswith("visual.")
    }
    load_strictly(model.visual, image or tensors, str(weights))
    return model.visual, recipe.preprocessing or _open_clip_preprocessing(model.visual)


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


def _timm_preprocessing(module: torch.nn.Module) -> Preprocessing:
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


def _open_clip_preprocessing(visual: torch.nn.Module) -> Preprocessing:
    data: dict[str, Any] = visual.preprocess_cfg  # type: ignore[assignment]
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
