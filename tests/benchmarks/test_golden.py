"""Tasks are the same on every machine: hashes of a made-up data set's, and of the shipped ones.

A change here is a change of every user's tasks. It is right only where a builder or a recipe was
meant to change: then `python scripts/pages/pin_manifests.py` writes the shipped manifests anew.
"""

import numpy as np
import pytest
from benchmark_toys import MemoryDataset, MemoryStore, binary_tree, make_index

from clusterbench import catalog
from clusterbench.benchmarks import declaration, manifest
from clusterbench.benchmarks.build import build_declaration
from clusterbench.benchmarks.verify import verify
from clusterbench.taxonomy import Tree

SHIPPED = catalog.shipped("benchmarks") / "manifests"

TASKS = """
name = "golden"
title = "T"
question = "Q?"
description = "D"
[datasets.toy]
tasks = [
  { name = "ratio", builder = "ratio", ratio = 5, series = [1, 5], zipf_series = [3], n_classes = 8, images_per_class = 10 },
  { name = "zipf", builder = "ratio", ratio = 3, shape = "zipf", series = [1, 5], zipf_series = [3], n_classes = 8, images_per_class = 10 },
  { name = "natural", builder = "ratio", ratio = 5, series = [1, 5], evaluation = "natural", seed = 3 },
  { name = "window", builder = "window", half_width = 20 },
  { name = "nodes", builder = "window", half_width = 50, depth = 2, evaluation = "natural" },
  { name = "coarse", builder = "granularity", depth = 2, n_classes = 12 },
  { name = "random", builder = "granularity", n_coarse = 5, n_classes = 12, merge = "random" },
  { name = "inner", builder = "granularity", inner = "nearest-mean" },
  { name = "easiest", builder = "easy", which = "easiest", n_classes = 5, images_per_class = 9 },
  { name = "hardest", builder = "easy", which = "hardest", n_classes = 5, images_per_class = 9 },
  { name = "chains", builder = "chains", n_classes = 12, n_ranks = 3 },
  { name = "scale", builder = "scale", n_classes = 12, images_per_class = 7 },
  { name = "whole", builder = "whole" },
]
"""  # noqa: E501

GOLDEN = {
    "ratio": "9b9b46d7db283c15",
    "zipf": "35877b19105d0563",
    "natural": "369c432507537a41",
    "window": "75cacef7a928daf2",
    "nodes": "f3ae5b1b0115f33b",
    "coarse": "f95fb10dce4d5b43",
    "random": "a8a8fb51df189592",
    "inner": "8dc20e9071658cb4",
    "easiest": "2915bdb0cb2fb2bb",
    "hardest": "ef559017e0bdba78",
    "chains": "2f0c29fc8d4e36d6",
    "scale": "177ffe4c32499e8a",
    "whole": "9fca9bf0b56121a7",
}


def golden_dataset():
    """32 classes of 10 to 40 images, one of them above two others; features of small integers."""
    index = make_index(np.arange(32) % 7 * 5 + 10, 4)
    heap = binary_tree(32)
    parents = {
        node: heap.nodes[p] if p >= 0 else None
        for node, p in zip(heap.nodes, heap.parents.tolist(), strict=True)
    }
    parents |= {"c001": "c000", "c002": "c000"}
    row = np.arange(index.n)
    step = index.labels % 6 + 1  # classes differ in how far their images lie from the centre
    columns = [
        np.where(index.labels % 16 == d, 9, 0) + (row * (2 * d + 3) % 11 - 5) * step // 3
        for d in range(16)
    ]
    features = np.stack(columns, axis=1).astype(np.float32)
    return MemoryDataset(index, Tree.from_parents(parents), MemoryStore(features))


def golden_tasks(tmp_path):
    (tmp_path / "golden.toml").write_text(TASKS)
    return build_declaration(declaration.read(tmp_path / "golden.toml"), golden_dataset())


def test_the_made_up_data_set_has_these_tasks(tmp_path):
    assert {t.name: t.manifest_hash[:16] for t in golden_tasks(tmp_path)} == GOLDEN


@pytest.mark.parametrize("dataset", sorted(p.name for p in SHIPPED.iterdir()))
def test_the_shipped_tasks_are_the_pinned_ones(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    files = sorted((SHIPPED / dataset).glob("*/*.json"))
    assert [(v.path.name, v.message) for v in verify(files) if v.status != "same"] == []
    declared = {
        (path.stem, task.name)
        for path in catalog.shipped("benchmarks").glob("*.toml")
        for task in declaration.read(path).datasets.get(dataset, ())
    }
    assert {(path.parent.name, path.stem) for path in files} == declared
    assert all(manifest.read(path).content["dataset"] == dataset for path in files)
