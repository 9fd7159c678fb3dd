"""Every shipped benchmark on the shipped data: what must move moves, the rest stands still."""

import importlib
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from clusterbench import catalog
from clusterbench.benchmarks import declaration
from clusterbench.benchmarks.build import build_declaration
from clusterbench.datasets import registry

CUTS = ("depth", "n_coarse", "coarse_share")
ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    (path.stem, dataset)
    for path in sorted(catalog.shipped("benchmarks").glob("*.toml"))
    for dataset in declaration.read(path).datasets
    if (catalog.shipped("features") / dataset / registry.DECLARATION).is_file()
]


def folder_of(dataset):
    return catalog.shipped("features") / dataset


@cache
def tasks_of(family, dataset):
    declared = declaration.read(catalog.shipped("benchmarks") / f"{family}.toml")
    return build_declaration(declared, registry.read(folder_of(dataset)))


def by_builder(tasks, builder):
    return [task for task in tasks if task.recipe["builder"] == builder]


def same(tasks, *fields):
    for task in tasks[1:]:
        for field in fields:
            assert np.array_equal(getattr(task, field), getattr(tasks[0], field)), task.full_name


@pytest.mark.parametrize(("family", "dataset"), PAIRS)
def test_tasks_are_sound_and_only_their_factor_moves(family, dataset):
    tasks = tasks_of(family, dataset)
    assert len({task.manifest_hash for task in tasks}) == len(tasks)
    index = registry.read(folder_of(dataset)).index
    for task in tasks:
        task.verify(index)

    if every := by_builder(tasks, "ratio"):
        ratios = [task for task in every if task.recipe["evaluation"] == "balanced"]
        same(every, "class_names")
        same(ratios, "eval_rows", "eval_targets")
        assert len({len(task.train_rows) for task in ratios}) == 1
        assert ratios[0].factors["eval_smallest_class"] == ratios[0].factors["eval_largest_class"]
        for task in ratios:
            assert task.factors["imbalance_ratio"] == pytest.approx(task.recipe["ratio"], rel=0.25)
    for task in tasks:
        if task.recipe.get("evaluation") == "natural":
            balanced = next(t for t in tasks if t.name == task.name.removesuffix("-natural"))
            same([balanced, task], "train_rows", "train_targets", "class_names")
            assert task.factors["eval_gini"] == pytest.approx(task.factors["gini"], abs=0.05)
    if family == "granularity":
        same(tasks, "train_rows", "eval_rows")
        cuts = [task for task in tasks if task.recipe["merge"] == "tree"]
        assert len({task.n_classes for task in cuts}) == len(cuts)
        for task in tasks:
            if task.recipe["merge"] == "random":
                (cut,) = (t for t in cuts if all(t.recipe[k] == task.recipe[k] for k in CUTS))
                assert task.n_classes == cut.n_classes
                sizes = [sorted(np.bincount(t.train_targets)) for t in (task, cut)]
                assert sizes[0] == sizes[1]
                assert not np.array_equal(task.train_targets, cut.train_targets)
    if family == "scale":
        by_size = sorted(tasks, key=lambda task: (task.n_classes, len(task.train_rows)))
        for small, large in pairwise(by_size):
            assert set(small.class_names) <= set(large.class_names)
            if small.factors["images_per_class"] <= large.factors["images_per_class"]:
                assert set(small.train_rows) <= set(large.train_rows)
            assert set(small.eval_rows) <= set(large.eval_rows)
    if easy := by_builder(tasks, "easy"):
        assert len({(t.n_classes, len(t.train_rows), len(t.eval_rows)) for t in easy}) == 1
        assert {task.factors["imbalance_ratio"] for task in easy} == {1.0}
        accuracy = {task.recipe["which"]: task.factors["knn_accuracy"] for task in easy}
        assert accuracy["easiest"] > accuracy["random"] > accuracy["hardest"]
    windows = [t for t in by_builder(tasks, "window") if t.recipe["evaluation"] == "balanced"]
    if windows:
        windows.sort(key=lambda task: task.recipe["half_width"])
        measured = [task.factors["gini"] for task in windows]
        assert measured == sorted(measured)


def test_the_documents_table_is_the_one_of_the_tasks(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("benchmark_table")
    text = script.DOCUMENT.read_text(encoding="utf-8")
    assert text == script.documents.with_block(text, "tasks", script.table()), (
        "docs/benchmarks.md is not up to date: run python scripts/benchmark_table.py --write"
    )


def test_chains_are_scored_on_the_images_of_the_fine_granularity():
    chains = tasks_of("multilabel", "icons-wordnet")[0]
    fine = next(t for t in tasks_of("granularity", "icons-wordnet") if t.name == "fine")
    same([chains, fine], "train_rows", "eval_rows", "train_targets", "eval_targets", "class_names")
