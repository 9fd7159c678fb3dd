"""Every shipped recipe, built: its library's own configuration, size, dimensions, features.

No pretrained weights of timm and open_clip are needed: architectures get random weights, large
ones none (torch's meta device computes shapes only).
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from clusterbench import catalog
from clusterbench.features.encoders import hub_models, recipes
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.images import to_pixels
from clusterbench.features.encoders.recipe import Preprocessing

ROOT = Path(__file__).resolve().parents[3]
RECIPES = {p.stem: recipes.parse(p) for p in sorted(catalog.shipped("features").glob("*.toml"))}
OF_HUBS = sorted(n for n, r in RECIPES.items() if r.library in ("timm", "open_clip"))
PACKAGED = sorted(n for n, r in RECIPES.items() if r.library == "efficientnet-lite")

RUN_UP_TO = 95.0  # million parameters: these compute features of an image
FILE_UP_TO = 30.0  # and these load their weights from a file, as users do

AUTHORS_EVALUATION = "shorter side 256, then 224, as the authors evaluate"
# Keys of a recipe's preprocessing that deliberately are not the library's, and why.
EXCEPTIONS = {
    "dino-vits16": ({"crop_fraction"}, AUTHORS_EVALUATION),
    "dino-vitb16": ({"crop_fraction"}, AUTHORS_EVALUATION),
    "mae-vitb16": ({"crop_fraction"}, AUTHORS_EVALUATION),
    "mae-vitl16": ({"crop_fraction"}, AUTHORS_EVALUATION),
    "siglip-vitb16": ({"crop_fraction"}, "whole shorter side, neither cut nor squashed"),
    **{
        f"dinov2-vit{size}14{registers}": (
            {"size", "crop_fraction"},
            f"{AUTHORS_EVALUATION}; timm has the 518 of the last training phase",
        )
        for size in "sblg"
        for registers in ("", "-reg")
    },
    "efficientnet-lite0": (
        {"size", "crop_fraction", "mean", "std"},
        "small for laptops; normalised with 127 and 128 as the port of the package is",
    ),
    "efficientnet-lite1": ({"mean", "std"}, "normalised with 127 and 128 as the package is"),
    "efficientnet-lite2": ({"mean", "std"}, "normalised with 127 and 128 as the package is"),
}
# Licences that timm states differently, and why the recipe's holds.
LICENCES = {
    "convnext-b-in1k": "facebookresearch/ConvNeXt is released under the MIT licence",
    "convnext-b-in21k": "facebookresearch/ConvNeXt is released under the MIT licence",
}


def architecture(name, device="cpu"):
    build = {
        "timm": hub_models.timm_architecture,
        "open_clip": hub_models.open_clip_architecture,
    }[RECIPES[name].library]
    torch.manual_seed(0)
    with torch.device(device):
        return build(RECIPES[name]).eval()


def millions(module):
    return round(sum(p.numel() for p in module.parameters()) / 1e6, 1)


def differing(ours, theirs):
    one, two = ({"crop_fraction": None, **p.identity()} for p in (ours, theirs))
    return {key for key in one if one[key] != two[key]}


@pytest.fixture(scope="module")
def photo():
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("china.jpg"))


def batch(encoder, photo):
    pixels = to_pixels(photo, encoder.preprocessing)
    return encoder.normalise(torch.from_numpy(pixels.copy())[None])


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_complete(name):
    found = RECIPES[name]
    assert found.name == name and found.preprocessing is not None
    assert found.description and found.licence
    if found.library != "onnx":  # its file says the rest
        assert found.dim and found.parameters and "arXiv:" in found.citation


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_a_model_and_weights_that_exist(name):
    import open_clip
    import timm

    found = RECIPES[name]
    if found.library == "open_clip":
        assert found.weights in open_clip.list_pretrained_tags_by_model(found.model)
    elif found.library == "timm":
        assert found.model in timm.list_pretrained()
    elif found.library == "efficientnet-lite":
        assert timm.is_model(found.model)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_HUBS)
def test_size_pixels_and_dimensions_are_those_of_the_library(name):
    found = RECIPES[name]
    module = architecture(name, "meta")
    size = found.preprocessing.size
    output = module(torch.empty(1, 3, size, size, device="meta"))
    assert (tuple(output.shape), millions(module)) == ((1, found.dim), found.parameters)
    if found.library == "timm":
        library = hub_models.timm_preprocessing(module)
    else:
        library = hub_models.open_clip_preprocessing(module, replace(found, preprocessing=None))
    keys, why = EXCEPTIONS.get(name, (set(), ""))
    assert differing(found.preprocessing, library) == keys, why


@pytest.mark.parametrize("name", PACKAGED)
def test_pixels_of_packaged_weights_are_those_of_timm(name):
    import timm

    module = timm.create_model(RECIPES[name].model)
    keys, why = EXCEPTIONS[name]
    library = hub_models.timm_preprocessing(module)
    assert differing(RECIPES[name].preprocessing, library) == keys, why


def test_a_recipe_that_differs_from_its_library_says_so():
    assert EXCEPTIONS.keys() <= RECIPES.keys()
    for name in EXCEPTIONS:
        text = (catalog.shipped("features") / f"{name}.toml").read_text(encoding="utf-8")
        assert "\n# " in text, name


@pytest.mark.parametrize("name", [n for n in OF_HUBS if RECIPES[n].library == "open_clip"])
def test_the_activation_is_the_one_that_the_weights_were_trained_with(name):
    import open_clip

    found = RECIPES[name]
    weights = open_clip.get_pretrained_cfg(found.model, found.weights)
    model = open_clip.get_model_config(found.model)
    assert model.get("quick_gelu", False) == weights.get("quick_gelu", False)


@pytest.mark.parametrize("name", [n for n in OF_HUBS if RECIPES[n].library == "timm"])
def test_the_licence_is_the_one_that_timm_states(name):
    import timm

    stated = timm.get_pretrained_cfg(RECIPES[name].model).license
    ours = RECIPES[name].licence.lower().replace(" ", "-")
    assert (ours == stated) != (name in LICENCES), LICENCES.get(name)


def one_of_each_library(names):
    """The first recipe of each library; the others are run by `-m exhaustive`."""
    found, seen = [], set()
    for name in names:
        marks = [pytest.mark.exhaustive] if RECIPES[name].library in seen else []
        seen.add(RECIPES[name].library)
        found.append(pytest.param(name, marks=marks))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", one_of_each_library(n for n in OF_HUBS if RECIPES[n].parameters <= FILE_UP_TO)
)
def test_small_encoders_load_a_weight_file_and_see_an_image(name, tmp_path, photo):
    torch.save(architecture(name).state_dict(), tmp_path / "weights.pth")
    encoder = load_encoder(name, tmp_path / "weights.pth")
    assert encoder.preprocessing == RECIPES[name].preprocessing
    assert encoder.details()["pooling"] == RECIPES[name].pooling
    with torch.inference_mode():
        features = encoder.module(batch(encoder, photo))
    assert features.shape == (1, encoder.dim) and features.isfinite().all() and features.std() > 0


def once_per_architecture(names):
    """The first recipe of each network: weights, random here, make no difference."""
    found = {}
    for name in names:
        r = RECIPES[name]
        network = (r.model.partition(".")[0], r.pooling, str(r.model_args), r.preprocessing.size)
        found.setdefault(network, name)
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    one_of_each_library(
        once_per_architecture(n for n in OF_HUBS if FILE_UP_TO < RECIPES[n].parameters <= RUN_UP_TO)
    ),
)
def test_base_sized_encoders_see_an_image(name, photo):
    pixels: Preprocessing = RECIPES[name].preprocessing
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (pixels.mean, pixels.std))
    image = torch.from_numpy(to_pixels(photo, pixels).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        features = architecture(name)((image / 255 - mean) / std)
    assert features.shape == (1, RECIPES[name].dim)
    assert features.isfinite().all() and features.std() > 0


@pytest.mark.parametrize("name", PACKAGED)
def test_encoders_with_packaged_weights_see_an_image(name, photo):
    encoder = load_encoder(name)
    with torch.inference_mode():
        features = encoder.module(batch(encoder, photo))
    assert features.shape == (1, 1280) and features.isfinite().all() and features.std() > 0
    assert millions(encoder.module) == RECIPES[name].parameters


def test_the_documents_table_is_the_one_of_the_recipes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("encoder_table")
    text = script.DOCUMENT.read_text(encoding="utf-8")
    assert text == script.documents.with_block(text, "encoders", script.table()), (
        "docs/encoders.md is not up to date: run python scripts/encoder_table.py --write"
    )
