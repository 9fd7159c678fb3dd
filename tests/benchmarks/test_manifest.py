"""Manifests: what is written is read, what was edited is refused, what differs is named."""

import json

import numpy as np
import pytest
from benchmark_toys import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks import manifest
from clusterbench.benchmarks.build import rebuild
from clusterbench.benchmarks.builders.scale import ScaleParams, scale_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.declaration import TaskDeclaration
from clusterbench.benchmarks.targets import Hierarchy, LabelSets
from clusterbench.benchmarks.task import Task
from clusterbench.errors import InputError
from clusterbench.files import sha256_json


def task(**changes):
    index = make_index([6] * 6)
    draft = scale_task(Pool(index, 0), ScaleParams(n_classes=4, images_per_class=5))
    labels = index.labels
    fields = {
        "name": "four",
        "benchmark": "b",
        "dataset": "toy",
        "index_hash": index.hash,
        "train_rows": draft.train_rows,
        "eval_rows": draft.eval_rows,
        "train_targets": draft.groups[labels[draft.train_rows]],
        "eval_targets": draft.groups[labels[draft.eval_rows]],
        "n_classes": 4,
        "class_names": draft.names,
        "factors": {"gini": 0.0, "effective_classes": 4.0},
        "recipe": {"builder": "scale", "n_classes": 4, "images_per_class": 5, "notes": {}},
    }
    return Task(**(fields | changes))


def test_what_is_written_is_read_and_is_the_same_task(tmp_path):
    built = task()
    path = manifest.path_of(tmp_path, "toy", "b", "four")
    manifest.write(built, path)
    assert path == tmp_path / "toy" / "b" / "four.json"
    known = manifest.read(path)
    assert known.content == built.manifest()
    assert known.full_name == "b/toy/four"
    assert known.differences(built) == []
    assert path.read_text().count("\n") == len(known.content) + 2  # a key on each line


def edits():
    """(key, value) pairs that change a manifest."""
    return [
        ("n_classes", 5),
        ("name", "five"),
        ("dataset", "other"),
        ("seed", 1),
        ("index_hash", "0" * 64),
        ("train", {"n": 1, "rows": "0" * 64, "targets": "0" * 64}),
        ("class_names", ["a", "b", "c", "d"]),
        ("eval_counts", [1, 1, 1, 1]),
        ("factors", {"gini": 0.5}),
        ("recipe", {"builder": "whole"}),
        ("manifest_hash", "1" * 64),
        ("n_ranks", 3),
    ]


@pytest.mark.parametrize(("key", "value"), edits())
def test_every_edit_is_seen(tmp_path, key, value):
    path = tmp_path / "t.json"
    manifest.write(task(), path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: value}))
    with pytest.raises(InputError, match="the file was edited or damaged; build it again"):
        manifest.read(path)


def test_a_new_hash_over_everything_does_not_hide_an_edited_identity(tmp_path):
    path = tmp_path / "t.json"
    content = task().manifest() | {"name": "five"}
    del content["sha256"]
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))
    with pytest.raises(InputError, match=r"manifest_hash is .* the file was edited"):
        manifest.read(path)


def test_files_that_are_no_manifests_are_refused(tmp_path):
    path = tmp_path / "t.json"
    with pytest.raises(InputError, match="no such file"):
        manifest.read(path)
    path.write_text('{"format": ')
    with pytest.raises(InputError, match="not whole JSON"):
        manifest.read(path)
    for content in ([], {}, {"format": "clusterbench-task/1"}):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match="wanted 'clusterbench-task/2'"):
            manifest.read(path)
    whole = task().manifest()
    for key in ("seed", "sha256", "class_names"):
        path.write_text(json.dumps({k: v for k, v in whole.items() if k != key}))
        with pytest.raises(InputError, match=f"lacks '{key}'"):
            manifest.read(path)
    path.write_text(json.dumps({**whole, "extra": 1}))
    with pytest.raises(InputError, match="unknown key 'extra'"):
        manifest.read(path)


def test_differences_are_named(tmp_path):
    path = tmp_path / "t.json"
    manifest.write(task(), path)
    known = manifest.read(path)
    rows = task().eval_rows[:-1]
    changed = task(eval_rows=rows, eval_targets=task().eval_targets[:-1], factors={"gini": 0.1})
    told = "; ".join(known.differences(changed))
    assert "eval differ in n, rows, targets" in told
    assert "eval_counts differ" in told
    assert "factors differ in effective_classes" in told
    assert known.differences(task(factors={"gini": 0.0, "effective_classes": 4.0 + 1e-12})) == []
    (difference,) = known.differences(task(factors={"gini": 0.0, "effective_classes": 3.0}))
    assert difference == "factor effective_classes is 4.0 there and 3.0 here"


def test_a_pinned_task_that_comes_out_otherwise_is_an_error(tmp_path):
    manifest.write(task(), manifest.path_of(tmp_path, "toy", "b", "four"))
    manifest.check_pinned(task(), tmp_path)
    manifest.check_pinned(task(name="three"), tmp_path)  # not pinned
    manifest.check_pinned(task(dataset="my-own-name"), tmp_path)  # the index identifies it
    targets = task().train_targets.copy()
    targets[[0, -1]] = targets[[-1, 0]]
    changed = task(train_targets=targets)
    with pytest.raises(InputError, match=r"four is pinned as .* train differ in targets"):
        manifest.check_pinned(changed, tmp_path)
    other_data = task(index_hash="2" * 64, train_targets=targets)
    manifest.check_pinned(other_data, tmp_path)


class Toy:
    """Stands for a registry Dataset."""

    name, tasks, tree = "toy", "", None
    index = make_index([6] * 6)


def test_a_task_is_rebuilt_from_the_recipe_of_its_manifest(tmp_path):
    from clusterbench.benchmarks.build import _task
    from clusterbench.benchmarks.builders.builder import Material

    declared = TaskDeclaration("four", "scale", {"n_classes": 4, "images_per_class": 5}, "here")
    built = _task(Material(Toy()), "b", declared)
    path = tmp_path / "t.json"
    manifest.write(built, path)
    again = rebuild(manifest.read(path), Toy())
    assert again.manifest() == built.manifest()


def test_hierarchy_and_label_sets_are_in_the_hash():
    plain = task()
    parents = np.array([-1, 0, 0, 0, 0])
    names = ("r", "a", "b", "c", "d")
    tree = task(hierarchy=Hierarchy(parents, np.arange(1, 5), names))
    moved = task(hierarchy=Hierarchy(np.array([-1, 0, 1, 0, 0]), np.arange(1, 5), names))
    n = len(plain.eval_rows)
    sets = task(label_sets=LabelSets(np.zeros(n, int), np.arange(n + 1), ("one", "two")))
    ranks = task(n_ranks=3)
    hashes = [t.manifest_hash for t in (plain, tree, moved, sets, ranks)]
    assert len(set(hashes)) == 5
    assert "hierarchy" not in plain.manifest()
    assert sets.manifest()["label_sets"]["n"] == n


@settings(max_examples=40)
@given(
    st.integers(1, 12), st.randoms(use_true_random=False), st.lists(st.integers(0, 11), max_size=9)
)
def test_chains_lead_from_the_class_to_its_root(n_nodes, random, targets):
    parents = np.array([random.randint(-1, i - 1) if i else -1 for i in range(n_nodes)])
    order = list(range(n_nodes))
    random.shuffle(order)
    hierarchy = Hierarchy(parents, np.array(order), tuple(map(str, range(n_nodes))))
    targets = np.array([t % n_nodes for t in targets], dtype=int)
    labels, offsets = hierarchy.chains(targets)
    for i, target in enumerate(targets.tolist()):
        chain = [order[target]]
        while parents[chain[-1]] >= 0:
            chain.append(int(parents[chain[-1]]))
        assert labels[offsets[i] : offsets[i + 1]].tolist() == chain
        assert hierarchy.depth[order[target]] == len(chain) - 1
    assert len(offsets) == len(targets) + 1 and offsets[-1] == len(labels)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parents": [1, 0]}, "parents of node 'a' form a cycle"),
        ({"parents": [-1, 2]}, "a parent lies outside -1..1"),
        ({"class_nodes": [0, 2]}, "a class has a node outside"),
        ({"class_nodes": [0, 0]}, "two classes have the same node"),
        ({"node_names": ("a",)}, "1 names for 2 nodes"),
        ({"parents": [0.5, 1.0]}, "parents are float64"),
    ],
)
def test_what_is_no_hierarchy_is_refused(fields, message):
    good = {"parents": [-1, 0], "class_nodes": [0, 1], "node_names": ("a", "b")}
    fields = {k: np.array(v) if k != "node_names" else v for k, v in (good | fields).items()}
    with pytest.raises(InputError, match=message):
        Hierarchy(**fields)


@pytest.mark.parametrize(
    ("labels", "offsets", "message"),
    [
        ([0, 1], [0, 1], "must run from 0 to the 2 labels"),
        ([0, 1], [1, 2], "must run from 0"),
        ([0, 1], [0, 2, 1, 2], "must not fall"),
        ([0, 2], [0, 2], "a label lies outside 0..1"),
    ],
)
def test_what_are_no_label_sets_is_refused(labels, offsets, message):
    with pytest.raises(InputError, match=message):
        LabelSets(np.array(labels), np.array(offsets), ("a", "b"))
