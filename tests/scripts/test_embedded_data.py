"""The committed data sets are whole, as their cards say, and split as promised."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from clusterbench.benchmarks.difficulty.ranking_file import read_ranking
from clusterbench.datasets import registry
from clusterbench.files import sha256_file

FEATURES = Path(__file__).parents[2] / "features"
NAMES = ("emoji", "icons-wordnet")
MEGABYTE = 1_000_000


@pytest.fixture(params=NAMES)
def data(request: pytest.FixtureRequest) -> registry.Dataset:
    return registry.read(FEATURES / request.param)


def test_every_file_has_the_recorded_hash(data: registry.Dataset) -> None:
    lines = (data.folder / "SHA256SUMS").read_text("utf-8").splitlines()
    recorded = {name: digest for digest, name in (line.split("  ") for line in lines)}
    store = data.default_encoder

    files = {
        "dataset.toml",
        "tree.tsv",
        "easiness.json",
        f"{store}/store.json",
        f"{store}/index.h5",
    }
    assert files <= set(recorded)
    assert {name: sha256_file(data.folder / name) for name in recorded} == recorded


def test_store_is_sound(data: registry.Dataset) -> None:
    store = data.store()

    assert store.verify() == []
    assert store.dtype == np.float16
    assert store.dim == 128
    assert store.broken == 0
    assert np.isfinite(store.read()).all()


def test_the_ranking_belongs_to_the_data_and_comes_of_several_encoders(
    data: registry.Dataset,
) -> None:
    path = data.folder / "easiness.json"
    ranking = read_ranking(path)

    assert path.stat().st_size < 300_000
    assert ranking.index_hash == data.index.hash
    assert len(ranking.encoders) >= 2
    assert len(ranking.columns) == 2 * len(ranking.encoders)
    train = np.bincount(data.index.labels[data.index.rows("train")])
    enough = np.flatnonzero(train >= ranking.settings.images_per_class)
    assert ranking.classes == tuple(data.index.class_names[c] for c in enough)
    for measure in ("knn", "probe"):
        assert 0.2 < ranking.accuracy(measure, ranking.classes).mean() < 0.9


def test_the_folder_is_small_enough_to_ship(data: registry.Dataset) -> None:
    sizes = [path.stat().st_size for path in data.folder.rglob("*") if path.is_file()]

    assert max(sizes) < 10 * MEGABYTE
    assert sum(sizes) < 11 * MEGABYTE


def test_every_class_can_be_learnt_and_scored(data: registry.Dataset) -> None:
    index = data.index
    train = np.bincount(index.labels[index.rows("train")], minlength=index.n_classes)
    val = np.bincount(index.labels[index.rows("val")], minlength=index.n_classes)

    assert (train + val).min() >= 4
    assert train.min() >= 2
    assert val.min() >= 2
    assert 0.28 <= val.sum() / index.n <= 0.34


def test_val_images_are_those_with_the_lowest_hashes(data: registry.Dataset) -> None:
    index = data.index
    ranks = np.array([hashlib.sha256(bytes(i)).digest() for i in index.ids], dtype=object)
    for label in range(0, index.n_classes, 37):
        rows = np.flatnonzero(index.labels == label)
        ranked = sorted(rows, key=lambda row: ranks[row])
        n_val = int(index.split[rows].sum())

        assert n_val == max(2, int(0.3 * len(rows) + 0.5))
        assert set(ranked[:n_val]) == set(rows[index.split[rows] == 1])


def test_no_two_images_of_a_class_have_the_same_features(data: registry.Dataset) -> None:
    index, features = data.index, data.store().read(dtype=np.float16)
    keyed = np.hstack([index.labels.astype(np.int32)[:, None].view(np.float16), features])

    assert len(np.unique(keyed.view(np.uint16), axis=0)) == index.n


def test_every_class_is_a_node_of_the_tree(data: registry.Dataset) -> None:
    tree = data.tree  # raises when a class is missing

    assert tree is not None
    inner = set(tree.nodes) - set(data.index.class_names)
    parents = {tree.nodes[parent] for parent in tree.parents if parent >= 0}
    assert inner <= parents  # nothing hangs in the tree that no class needs


def test_icons_hang_under_entity() -> None:
    tree = registry.read(FEATURES / "icons-wordnet").tree

    assert tree is not None
    assert [node for node, parent in zip(tree.nodes, tree.parents, strict=True) if parent < 0] == [
        "n00001740"
    ]
    dog = tree.nodes.index("n02084071")
    assert tree.names[dog] == "dog"
    assert "n00015388" in {tree.nodes[node] for node in tree.chain(dog)}  # animal


def test_emoji_have_nine_groups_and_three_levels() -> None:
    data = registry.read(FEATURES / "emoji")
    tree = data.tree

    assert tree is not None
    groups = {node for node, parent in zip(tree.nodes, tree.parents, strict=True) if parent < 0}
    assert groups == {
        f"g/{name}"
        for name in (
            "Activities",
            "Animals & Nature",
            "Flags",
            "Food & Drink",
            "Objects",
            "People & Body",
            "Smileys & Emotion",
            "Symbols",
            "Travel & Places",
        )
    }
    assert set(tree.depth[tree.find(data.index.class_names)]) == {2}
    assert not any("1f3fb" in name for name in data.index.class_names)  # no skin tones


def test_the_card_counts_what_is_there(data: registry.Dataset) -> None:
    card = (data.folder / "card.md").read_text("utf-8")
    index = data.index
    table = dict(re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \|$", card, flags=re.MULTILINE))
    counts = {name: int(text.replace(",", "")) for name, text in table.items()}

    assert counts["images"] == index.n
    assert counts["train"] == len(index.rows("train"))
    assert counts["val"] == len(index.rows("val"))
    assert counts["classes"] == index.n_classes


def test_the_notice_counts_every_image_once(data: registry.Dataset) -> None:
    notice = (data.folder / "NOTICE.md").read_text("utf-8")
    rows = re.findall(r"^\| .* \| .* \| (\S+) \| ([\d,]+) \|$", notice, flags=re.MULTILINE)

    assert sum(int(count.replace(",", "")) for _, count in rows) == data.index.n
    assert not {"GPL", "NC", "SA", "MPL", "OFL"} & {
        word for licence, _ in rows for word in licence.split("-")
    }
