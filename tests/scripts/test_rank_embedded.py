"""The script that ranks the embedded data sets: which images, at which size, into which file."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rank_embedded

from clusterbench.benchmarks.difficulty.ranking_file import read_ranking
from clusterbench.errors import InputError
from clusterbench.features.encoders.recipes import load
from clusterbench.features.store.store import FeatureStore
from clusterbench.sources.dataset_index import DatasetIndex

DATASET = 'name = "emoji"\ndefault_encoder = "a"\npreset = "laptop"\n[stores]\na = "a"\n'


@pytest.fixture
def index(tmp_path: Path) -> DatasetIndex:
    """Of a data set `emoji` with a store, in `tmp_path/features`."""
    folder = tmp_path / "features" / "emoji"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(DATASET)
    classes = np.repeat(["x", "y", "z"], 7)
    ids = [f"{name}/{number:02d}" for number, name in enumerate(classes)]
    made: DatasetIndex = DatasetIndex.from_samples(ids, classes, ([0] * 5 + [1] * 2) * 3)[0]
    FeatureStore.write(folder / "a", features(made), made, encoder="a")
    return made


def features(index: DatasetIndex) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(0))
    return (rng.normal(size=(index.n, 4)) + 9 * np.eye(4)[index.labels]).astype(np.float32)


def extraction(index: DatasetIndex) -> Any:
    """Stands for `extract_images`: features of the index for any encoder."""

    def extract(images: Path, output: Path, workers: int, encoder: Any) -> FeatureStore:
        return FeatureStore.write(output, features(index), index, encoder=encoder.name)

    return extract


def test_encoders_see_the_drawings_at_their_own_size() -> None:
    lite0, lite1 = load("efficientnet-lite0"), load("efficientnet-lite1")
    drawn = rank_embedded.at_drawn_size(lite1)

    assert rank_embedded.at_drawn_size(lite0) is lite0
    assert (lite1.preprocessing.size, drawn.preprocessing.size) == (240, 112)
    assert drawn.preprocessing.crop_fraction == 1.0
    assert drawn.name == "efficientnet-lite1-112px"


def test_the_ranking_and_the_hashes_are_written_into_the_data_set(
    index: DatasetIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_embedded, "_FEATURES", tmp_path / "features")
    monkeypatch.setattr(rank_embedded, "extract_images", extraction(index))
    monkeypatch.setattr(sys, "argv", ["rank", str(tmp_path), "--dataset", "emoji"])

    rank_embedded.main()

    folder = tmp_path / "features" / "emoji"
    ranking = read_ranking(folder / "easiness.json")
    assert ranking.index_hash == index.hash
    assert ranking.encoders == (
        "efficientnet-lite0",
        "efficientnet-lite1-112px",
        "efficientnet-lite2-112px",
    )
    assert "  easiness.json\n" in (folder / "SHA256SUMS").read_text()


def test_other_images_than_the_data_sets_are_refused(
    index: DatasetIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = DatasetIndex.from_samples(["x/1", "y/1"], ["x", "y"], [0, 1])
    monkeypatch.setattr(rank_embedded, "extract_images", extraction(other))
    data = SimpleNamespace(name="emoji", index=index)

    with pytest.raises(InputError, match=r"of 2 images; data set 'emoji' has .* of 21: build the"):
        rank_embedded.full_features(data, tmp_path, tmp_path, "efficientnet-lite0", 1)
