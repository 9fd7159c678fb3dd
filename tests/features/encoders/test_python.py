import sys

import pytest
import torch

from clusterbench import InputError
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.recipe import Preprocessing, Recipe


class PixelMeans(torch.nn.Module):
    def __init__(self, ndim=2):
        super().__init__()
        self.ndim = ndim
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, images):
        return images.mean(dim=(2, 3)) * self.scale if self.ndim == 2 else images


def python_recipe(**changes):
    values = {"library": "python", "model": f"{__name__}:PixelMeans", "dim": 3}
    return Recipe(name="means", preprocessing=Preprocessing(8), **{**values, **changes})


def test_a_python_module_is_an_encoder_with_and_without_weights(tmp_path):
    assert load_encoder(python_recipe()).dim == 3
    torch.save({"scale": torch.full((3,), 2.0)}, tmp_path / "w.pth")
    encoder = load_encoder(python_recipe(), tmp_path / "w.pth")
    assert encoder.module(torch.ones(1, 3, 8, 8)).tolist() == [[2.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "nowhere.at_all:f"}, "cannot import 'nowhere.at_all:f'"),
        ({"model": "torch"}, "cannot import 'torch'"),
        ({"model": "builtins:dict"}, "returned dict; wanted a torch.nn.Module"),
        ({"model_args": {"ndim": 4}}, r"returns \(1, 3, 8, 8\) for one image; wanted"),
        ({"dim": 4}, "gives 3 dimensions; its recipe says dim = 4"),
    ],
)
def test_a_python_module_that_is_no_encoder_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        load_encoder(python_recipe(**changes))


# python:package.module:function, without a recipe

SOURCE = """
import torch
{declared}
class Means(torch.nn.Module):
    def forward(self, images):
        return images.mean(dim=(2, 3))
def build():
    return Means()
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Write the module `toy_encoders` that a user might have, and its name on the command line."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(declared):
        (tmp_path / "toy_encoders.py").write_text(SOURCE.format(declared=declared))
        sys.modules.pop("toy_encoders", None)
        return "python:toy_encoders:build"

    yield write
    sys.modules.pop("toy_encoders", None)


@pytest.mark.parametrize(
    "declared",
    [
        "preprocessing = {'size': 8, 'crop': 'squash', 'mean': (0.1, 0.2, 0.3)}",
        "from clusterbench.features.encoders.recipe import Preprocessing\n"
        "preprocessing = Preprocessing(8, crop='squash', mean=(0.1, 0.2, 0.3))",
    ],
)
def test_a_function_is_an_encoder_by_its_name_with_the_pixels_its_module_declares(toy, declared):
    name = toy(declared)
    encoder = load_encoder(name)
    assert encoder.preprocessing == Preprocessing(8, crop="squash", mean=(0.1, 0.2, 0.3))
    assert (encoder.name, encoder.dim) == (name, 3)
    assert encoder.details()["model"] == "toy_encoders:build"


def test_a_recipe_wins_over_what_the_module_declares(toy):
    toy("preprocessing = {'size': 8}")
    found = load_encoder(
        Recipe("a", "python", "toy_encoders:build", preprocessing=Preprocessing(9))
    )
    assert found.preprocessing.size == 9


def test_without_preprocessing_the_error_shows_the_recipe_to_write(toy, tmp_path):
    with pytest.raises(InputError) as error:
        load_encoder(toy(""))
    message = str(error.value)
    assert "toy_encoders has no attribute `preprocessing`" in message
    assert "--encoder ./mine.toml" in message
    (tmp_path / "mine.toml").write_text(error.value.example)
    assert load_encoder(str(tmp_path / "mine.toml")).preprocessing.size == 224


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("preprocessing = 224", "`preprocessing` of toy_encoders is int; wanted a dict"),
        ("preprocessing = {'sise': 8}", "toy_encoders: unknown key 'sise'; did you mean size"),
        ("preprocessing = {'size': 0}", "toy_encoders: size = 0; wanted 1 to 4096"),
    ],
)
def test_wrong_preprocessing_of_a_module_is_refused(toy, declared, message):
    with pytest.raises(InputError, match=message):
        load_encoder(toy(declared))
