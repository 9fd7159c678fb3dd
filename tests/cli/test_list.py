"""`clusterbench list`: a line each on a narrow terminal, everything as JSON."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from clusterbench.cli.main import app
from clusterbench.features.encoders import recipes
from clusterbench.taxonomy import imagenet


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    return tmp_path


def listed(*arguments: str, kind: str = "encoders") -> str:
    result = CliRunner().invoke(app, ["list", kind, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_with_a_line_per_encoder_that_fits_100_columns():
    heading, *lines = listed().splitlines()
    wanted = ["name", "library", "pixels", "dim", "parameters", "(M)", "licence"]
    assert heading.split() == wanted
    assert [line.split()[0] for line in lines] == recipes.names()
    assert max(map(len, [heading, *lines])) <= 100
    (line,) = (line for line in lines if line.startswith("dinov2-vitb14 "))
    assert line.split() == ["dinov2-vitb14", "timm", "224", "768", "85.7", "Apache-2.0"]
    assert len({line.index(name) for name, line in [("licence", heading), ("Apache", line)]}) == 1


def test_what_a_recipe_does_not_say_is_a_dash(home):
    (home / "features").mkdir()
    (home / "features" / "mine.toml").write_text('library = "timm"\nmodel = "resnet18"\n')
    (line,) = (line for line in listed().splitlines() if line.startswith("mine "))
    assert line.split() == ["mine", "timm", "-", "-", "-"]


def test_json_has_every_column_and_what_the_encoder_is():
    entries = {entry["name"]: entry for entry in json.loads(listed("--json"))}
    assert sorted(entries) == recipes.names()
    assert entries["clip-vit-b32"] == {
        "name": "clip-vit-b32",
        "about": "CLIP ViT-B/32, OpenAI weights, image embedding",
        "library": "open_clip",
        "model": "ViT-B-32-quickgelu",
        "weights": "openai",
        "pixels": 224,
        "dim": 512,
        "parameters": 87.8,
        "licence": "MIT",
    }


def test_trees_are_a_table_of_their_sizes():
    heading, *lines = listed(kind="trees").splitlines()
    wanted = ["name", "classes", "nodes", "leaves", "roots", "depth", "about"]
    assert heading.split() == wanted
    assert max(map(len, [heading, *lines])) <= 100
    rows = {line.split()[0]: line.split()[1:6] for line in lines}
    assert list(rows) == imagenet.names()
    assert rows["imagenet21k-p"] == ["10450", "10450", "8153", "302", "11"]


def test_trees_as_json():
    entries = json.loads(listed("--json", kind="trees"))
    assert [entry["name"] for entry in entries] == imagenet.names()
    assert entries[0] == {
        "name": "imagenet1k",
        "about": "ImageNet-1K and the synsets above it",
        "classes": 1000,
        "nodes": 1817,
        "leaves": 1000,
        "roots": 1,
        "depth": 17,
    }
