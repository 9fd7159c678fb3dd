"""From images to a store in one call of Python: the same store as the command line makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from extraction_toys import make_images, shard_bytes

import clusterbench as cb
from clusterbench.features.extract.job import ExtractionJob
from clusterbench.features.extract.origin import Origin
from clusterbench.sources.selection import Selection

RECIPE = """
library = "python"
model = "extraction_toys:Flat"
dim = 12
[preprocessing]
size = 8
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 images of 4 classes in birds/, a recipe flat.toml, and the working directory."""
    make_images(tmp_path / "birds")
    (tmp_path / "flat.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_call_from_images_to_a_store_as_the_command_makes_it(here, cli, monkeypatch):
    monkeypatch.chdir(here)
    done = cb.extract("birds", "flat.toml", device="cpu", workers=0, val_per_class=2)
    assert (done.n_new, done.store.path.name) == (40, "birds-flat")
    assert len(done.store.index.rows("val")) == 8
    words = ("--device", "cpu", "--workers", "0", "--val-per-class", "2", "--output", "by-command")
    assert cli("extract", "--source", "birds", "--encoder", "flat.toml", *words)[0] == 0
    assert shard_bytes(here / "by-command") == shard_bytes(here / "birds-flat")
    again = cb.extract("birds", "flat.toml", device="cpu", workers=0, val_per_class=2)
    assert (again.n_new, again.n_before) == (0, 40)


def test_a_source_is_opened_and_selected_from_in_one_call(here):
    whole = cb.open_source("birds")
    some = cb.open_source(here / "birds", selection=Selection(val_per_class=2))
    assert (whole.index.n, whole.index.n_classes, len(whole.index.rows("val"))) == (40, 4, 0)
    assert len(some.index.rows("val")) == 8
    assert whole.read(0)[:4] == some.read(0)[:4]
    with pytest.raises(cb.InputError, match=r"root \(--root\) has no meaning for format folder"):
        cb.open_source("birds", root=here)
    with pytest.raises(cb.InputError, match="unknown format 'foldr'; did you mean folder"):
        cb.open_source("birds", "foldr")


def test_class_names_come_as_a_list_or_as_a_file(here):
    np.savetxt(
        here / "y.csv", [["birds/c0/000.png", "1"]], "%s", ",", header="path,class", comments=""
    )
    (here / "names.txt").write_text("ant\nbee\n")
    for names in (["ant", "bee"], Path("names.txt")):
        assert cb.open_source("y.csv", class_names=names).index.class_names == ("bee",)


def test_a_plan_refuses_before_anything_is_written(here):
    origin = Origin.of(
        {"location": "birds", "format": "auto", "class_names": None, "root": None,
         "allow_damaged": False, "val_per_class": 2, "imagenet21k_p": True},
        "flat.toml", None, {}, 8,
    )  # fmt: skip
    with pytest.raises(cb.InputError, match="--imagenet21k-p is a choice"):
        ExtractionJob(origin, here / "st").plan()
    with pytest.raises(cb.InputError, match="device 'tpu' is unknown"):
        cb.extract("birds", "flat.toml", "st", device="tpu")
    assert not (here / "st").exists()
