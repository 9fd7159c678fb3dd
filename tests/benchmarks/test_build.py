import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmark_toys import (
    MemoryDataset,
    MemoryStore,
    binary_tree,
    clustered_features,
    make_index,
)

from clusterbench.benchmarks import build, declaration, names
from clusterbench.benchmarks.build import build_declaration
from clusterbench.errors import InputError

TOY = """
name = "toy"
title = "T"
question = "Q?"
description = "D"
[datasets.toy]
tasks = [
  { name = "ratio-1", builder = "ratio", ratio = 1, series = [1, 5], n_classes = 8, images_per_class = 10 },
  { name = "ratio-5", builder = "ratio", ratio = 5, series = [1, 5], n_classes = 8, images_per_class = 10 },
  { name = "window", builder = "window", half_width = 20 },
  { name = "nodes", builder = "window", half_width = 50, depth = 3 },
  { name = "coarse", builder = "granularity", depth = 2, n_classes = 12 },
  { name = "easiest", builder = "easy", which = "easiest", n_classes = 5, images_per_class = 10 },
  { name = "hardest", builder = "easy", which = "hardest", n_classes = 5, images_per_class = 10 },
]
"""  # noqa: E501


def toy_dataset(val_counts=4):
    index = make_index(np.arange(32) % 7 * 5 + 10, val_counts)
    features = clustered_features(index, np.linspace(0.1, 4, 32))
    return MemoryDataset(index, binary_tree(32), MemoryStore(features))


def toy_tasks(folder, text=TOY, only=None):
    path = Path(folder) / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return build_declaration(declaration.read(path), toy_dataset(), only)


def test_every_builder_gives_sound_tasks(tmp_path):
    index = toy_dataset().index
    tasks = {task.name: task for task in toy_tasks(tmp_path)}
    assert list(tasks) == ["ratio-1", "ratio-5", "window", "nodes", "coarse", "easiest", "hardest"]
    for task in tasks.values():
        task.verify(index)
        assert (task.benchmark, task.dataset, task.index_hash) == ("toy", "toy", index.hash)
        sizes = np.bincount(task.train_targets, minlength=task.n_classes)
        assert sizes.min() >= 1
        assert set(task.eval_targets) == set(range(task.n_classes))
        assert task.factors["imbalance_ratio"] == sizes.max() / sizes.min()
        assert json.loads(json.dumps(task.manifest(), allow_nan=False)) == task.manifest()
        if task.recipe.get("depth") is None:
            for part in ("train", "eval"):
                rows, targets = getattr(task, f"{part}_rows"), getattr(task, f"{part}_targets")
                named = [task.class_names[t] for t in targets]
                assert named == [index.class_names[c] for c in index.labels[rows]]
    assert tasks["ratio-5"].factors["imbalance_ratio"] == pytest.approx(5, rel=0.25)
    assert tasks["easiest"].recipe["notes"]["ranked_by"] == "memory"
    for name, depth in (("coarse", 2), ("nodes", 3)):
        task = tasks[name]
        assert task.recipe["depth"] == depth
        for row, target in zip(task.train_rows, task.train_targets, strict=True):
            leaf = index.labels[row]
            assert task.class_names[target] == f"r{leaf >> (5 - depth):0{depth}b}"


def test_some_tasks_are_the_same_alone(tmp_path):
    every = {task.name: task.manifest_hash for task in toy_tasks(tmp_path)}
    (alone,) = toy_tasks(tmp_path, only=["hardest"])
    assert alone.manifest_hash == every["hardest"]
    with pytest.raises(InputError, match="unknown task of toy/toy 'hard'; did you mean hardest"):
        toy_tasks(tmp_path, only=["hard"])


@pytest.mark.slow
def test_another_process_with_another_hash_seed_builds_the_same_tasks(tmp_path):
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_build import toy_tasks\n"
        "print(*[task.manifest_hash for task in toy_tasks(sys.argv[1])])"
    )
    found = []
    for seed, threads in (("1", "1"), ("2", "2")):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        here = Path(__file__).parent
        command = [sys.executable, "-c", script, str(folder), str(here), str(here.parent / "toys")]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        found.append(result.stdout.split())
    assert found[0] == found[1] == [task.manifest_hash for task in toy_tasks(tmp_path)]


def test_the_seed_moves_the_draws(tmp_path):
    (first,) = toy_tasks(tmp_path, only=["ratio-5"])
    moved = TOY.replace("ratio = 5, series", "seed = 1, ratio = 5, series")
    (second,) = toy_tasks(tmp_path, moved, only=["ratio-5"])
    assert second.seed == 1
    assert first.train_rows.tolist() != second.train_rows.tolist()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"window", half_width', '"windows", half_width', "unknown builder 'windows'; did you"),
        ("half_width = 20", "width = 20", "task 'window': unknown key 'width'; did you mean half"),
        ("half_width = 20", "half_width = 0", "task 'window': half_width=0.0 should be in"),
        (
            "half_width = 20",
            "half_width = 20, n_classes = 30",
            "task 'window': half_width=20 leave",
        ),
        ("depth = 2,", "depth = 0,", "task 'coarse': the cut leaves 1 label"),
    ],
)
def test_mistakes_name_the_file_and_the_task(tmp_path, old, new, message):
    assert old in TOY
    with pytest.raises(InputError, match=message) as caught:
        toy_tasks(tmp_path, TOY.replace(old, new))
    assert str(tmp_path / "toy.toml") in str(caught.value)


def test_one_evaluation_image_per_class_is_refused(tmp_path):
    path = tmp_path / "toy.toml"
    path.write_text(TOY, encoding="utf-8")
    with pytest.raises(InputError, match="'window': no class has more than one evaluation image"):
        build_declaration(declaration.read(path), toy_dataset(1), ["window"])


def test_unknown_benchmarks_and_data_sets_are_refused_with_what_there_is():
    with pytest.raises(InputError, match="unknown benchmark 'imbalance'; did you mean imbalanced"):
        build("imbalance", toy_dataset())
    with pytest.raises(
        InputError,
        match=r"declares no tasks for dataset 'toy'; choose --dataset among imagenet21k-p",
    ):
        build("imagenet21k", toy_dataset())
    assert {"easy", "granularity", "imbalanced"} <= set(names())


def test_tasks_are_found_by_name_then_by_kind_then_for_any(tmp_path):
    path = tmp_path / "own.toml"
    task = '[datasets.{0}]\ntasks = [{{ name = "of-{0}", builder = "whole" }}]\n'
    head = 'name = "own"\ntitle = "T"\nquestion = "Q?"\ndescription = "D"\n'
    path.write_text(head + "".join(task.format(name) for name in ("toy", "birds", "any")))
    declared = declaration.read(path)
    data = toy_dataset()
    data.tasks = "birds"
    assert build_declaration(declared, data)[0].name == "of-toy"
    data.name, data.tasks = "mine", "birds"
    assert build_declaration(declared, data)[0].name == "of-birds"
    data.tasks = "fish"
    assert build_declaration(declared, data)[0].name == "of-any"
    path.write_text(head + task.format("toy"))
    with pytest.raises(InputError, match=r"no tasks for dataset 'mine'; .* among toy"):
        build_declaration(declaration.read(path), data)


@pytest.mark.parametrize("family", ["imbalanced", "granularity", "scale", "whole"])
def test_any_data_set_has_tasks_of_every_family(family):
    tasks = build(family, toy_dataset())
    assert tasks and all(task.index_hash == toy_dataset().index.hash for task in tasks)
    for task in tasks:
        if task.recipe.get("evaluation") == "natural":
            balanced = next(t for t in tasks if t.name == task.name.removesuffix("-natural"))
            assert task.train_rows.tolist() == balanced.train_rows.tolist()


def test_a_data_sets_name_moves_no_hash():
    data = toy_dataset()
    mine = build("whole", data)[0]
    data.name = "another-name"
    assert build("whole", data)[0].manifest_hash == mine.manifest_hash
