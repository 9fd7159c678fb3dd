"""A store that the command line extracted, and the verbs of `clusterbench cache`."""

import pytest
from cache_toys import ENCODER
from extraction_toys import make_images

RECIPE = """
library = "python"
model = "extraction_toys:Flat"
dim = 12
[preprocessing]
size = 8
interpolation = "{name}"
"""


@pytest.fixture
def recipe(tiny_world, monkeypatch, tmp_path):
    """Write the recipe `flat` of a user."""
    home = tmp_path / "home"
    (home / "features").mkdir(parents=True)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))

    def write(name="bicubic"):
        (home / "features" / "flat.toml").write_text(RECIPE.format(name=name))

    write()
    return write


@pytest.fixture
def st(cli, recipe, tmp_path):
    """40 images in 5 shards, image 3 broken, extracted by the command line."""
    (make_images(tmp_path / "birds") / "c3" / "003.png").write_bytes(b"broken")
    code, _, err = cli(
        "extract", "--source", "birds", "--output", "st", "--max-broken", "0.03", *ENCODER
    )
    assert (code, err) == (0, "")
    return tmp_path / "st"


@pytest.fixture
def cache(cli):
    return lambda *words: cli("cache", *map(str, words))
