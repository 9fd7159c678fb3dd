"""Encoders that a Python function builds: `python:package.module:function`, or in a recipe."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from ...declared import from_table
from ...errors import InputError
from .libraries import Built, Library
from .recipe import Preprocessing, Recipe
from .weights import load_strictly, read_state_dict


def build(recipe: Recipe, weights: Path | None) -> tuple[torch.nn.Module, Preprocessing | None]:
    """The torch module that the function returns, and its preprocessing where that is said.

    The recipe's [preprocessing] comes first, then an attribute `preprocessing` of the torch module
    or of the function's Python module: a Preprocessing, or a dict with its keys. Raises InputError
    for what cannot be imported, is no torch module, or does not fit the weights.
    """
    module_name, _, attribute = recipe.model.partition(":")
    try:
        package = importlib.import_module(module_name)
        function = getattr(package, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"encoder {recipe.name!r}: cannot import {recipe.model!r} ({error}); wanted "
            '"package.module:function", installed or in a folder of PYTHONPATH'
        ) from error
    module = function(**recipe.model_args)
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"encoder {recipe.name!r}: {recipe.model} returned {type(module).__name__}; "
            "wanted a torch.nn.Module"
        )
    source = weights or (Path(recipe.weights) if recipe.weights else None)
    if source is not None:
        load_strictly(module, read_state_dict(source), str(source))
    return module, recipe.preprocessing or _declared(recipe, module, package)


def _declared(recipe: Recipe, *owners: Any) -> Preprocessing | None:
    for owner in owners:
        found = getattr(owner, "preprocessing", None)
        if found is None or isinstance(found, Preprocessing):
            if found is not None:
                return found
            continue
        where = f"encoder {recipe.name!r}: `preprocessing` of {recipe.model.partition(':')[0]}"
        if not isinstance(found, dict):
            raise InputError(
                f"{where} is {type(found).__name__}; wanted a dict such as "
                "{'size': 224, 'mean': [0.5, 0.5, 0.5], 'std': [0.5, 0.5, 0.5]}"
            )
        return from_table(Preprocessing, found, where)
    return None


def _built(recipe: Recipe, weights: Path | None) -> Built:
    module, preprocessing = build(recipe, weights)
    return Built(module, preprocessing, recipe)


LIBRARY = Library("python", _built)
