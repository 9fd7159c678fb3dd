"""Chains of the class tree and ReaL labels: nothing is lost, nothing is invented."""

import hashlib

import numpy as np
import pytest
from benchmark_toys import MemoryDataset, binary_tree, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.build import build_declaration
from clusterbench.benchmarks.builders import imagenet_real
from clusterbench.benchmarks.builders.granularity import granularity_task
from clusterbench.benchmarks.builders.imagenet_real import image_numbers, read_real_labels
from clusterbench.benchmarks.builders.multilabel import (
    ChainsParams,
    RealParams,
    chains_task,
    real_task,
)
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.declaration import BenchmarkDeclaration, TaskDeclaration
from clusterbench.errors import InputError
from clusterbench.metrics import score_label_sets
from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.taxonomy import Tree


def built(builder, dataset, **params):
    declared = TaskDeclaration("task", builder, params, "here")
    declaration = BenchmarkDeclaration(
        "multilabel", "t", "q", "d", {dataset.name: (declared,)}, "here.toml"
    )
    (task,) = build_declaration(declaration, dataset)
    return task


@st.composite
def worlds(draw):
    """(index, tree): classes anywhere in a random forest, some above others."""
    n_nodes = draw(st.integers(4, 30))
    nodes = [f"c{i:03d}" for i in range(n_nodes)]
    parents = {
        node: None if i == 0 else draw(st.sampled_from([None, *nodes[:i]]))
        for i, node in enumerate(nodes)
    }
    used = draw(st.sets(st.sampled_from(nodes), min_size=3))
    ids = [f"{node}/{s}" for node in sorted(used) for s in range(7)]
    classes = [name.split("/")[0] for name in ids]
    split = [int(s >= 4) for _ in sorted(used) for s in range(7)]
    return DatasetIndex.from_samples(ids, classes, split)[0], Tree.from_parents(parents)


class TestChains:
    @settings(max_examples=60)
    @given(worlds(), st.integers(0, 99), st.booleans())
    def test_every_class_keeps_its_chain_of_the_tree(self, world, seed, drawn):
        index, tree = world
        params = {"seed": seed, "images_per_class": 3, "eval_per_class": 2}
        params |= {"n_classes": index.n_classes - 1} if drawn else {}
        task = built("chains", MemoryDataset(index, tree), **params)

        assert task.n_classes == index.n_classes - int(drawn)
        assert task.n_ranks == 5
        assert (np.bincount(task.train_targets, minlength=task.n_classes) == 3).all()
        assert (np.bincount(task.eval_targets, minlength=task.n_classes) == 2).all()
        assert not len(np.intersect1d(task.train_rows, task.eval_rows))
        for row, target in zip(task.train_rows, task.train_targets, strict=True):
            assert index.class_names[index.labels[row]] == task.class_names[target]

        names = task.hierarchy.node_names
        labels, offsets = task.hierarchy.chains(np.arange(task.n_classes))
        seen = set()
        for c, name in enumerate(task.class_names):
            chain = [names[i] for i in labels[offsets[c] : offsets[c + 1]]]
            assert chain == [tree.nodes[i] for i in tree.chain(int(tree.find([name])[0]))]
            seen.update(chain)
        assert seen == set(names)  # the pruned tree holds the chains and nothing else
        again = built("chains", MemoryDataset(index, tree), **params)
        assert again.manifest_hash == task.manifest_hash

    @settings(max_examples=30)
    @given(worlds())
    def test_sets_are_nested_along_the_chain(self, world):
        task = built("chains", MemoryDataset(*world))
        labels, offsets = task.hierarchy.chains(np.arange(task.n_classes))
        sets = [set(labels[offsets[c] : offsets[c + 1]].tolist()) for c in range(task.n_classes)]
        node_of = task.hierarchy.class_nodes.tolist()
        for c, own in enumerate(sets):
            for other, node in enumerate(node_of):
                if node in own:  # a class above has a part of the set
                    assert sets[other] <= sets[c]
        assert task.factors["labels_per_image"] == pytest.approx(np.mean([len(s) for s in sets]))
        assert task.factors["n_nodes"] == len(set().union(*sets))
        inner = {node for c, own in enumerate(sets) for node in own - {node_of[c]}} & set(node_of)
        assert task.factors["n_inner_classes"] == len(inner)

    def test_images_are_those_of_granularity_without_a_cut(self):
        pool, tree = Pool(make_index([9] * 32), 3), binary_tree(32)
        params = ChainsParams(n_classes=20, images_per_class=6, eval_per_class=2, seed=3)
        chains, plain = (
            chains_task(pool, tree, params),
            granularity_task(pool, tree, params.classes),
        )
        for name in ("train_rows", "eval_rows", "groups"):
            np.testing.assert_array_equal(getattr(chains, name), getattr(plain, name))
        assert chains.names == plain.names

    def test_leaves_only_leaves_out_what_is_above(self):
        tree = Tree.from_parents({"root": None, "c000": "root", "c001": "c000", "c002": "root"})
        data = MemoryDataset(make_index([5, 5, 5]), tree)
        assert built("chains", data).class_names == ("c000", "c001", "c002")
        assert built("chains", data, leaves_only=True).class_names == ("c001", "c002")

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"n_ranks": 1}, "here: n_ranks=1 should be >= 2"),
            ({"n_classes": 1}, "here: n_classes=1 should be >= 2"),
            ({"eval_per_class": 1}, "here: eval_per_class=1"),
            ({"n_rank": 5}, "did you mean n_ranks"),
            ({"n_classes": 40}, "here: 32 classes .* 40 are needed"),
        ],
    )
    def test_bad_parameters_are_refused(self, params, message):
        with pytest.raises(InputError, match=message):
            built("chains", MemoryDataset(make_index([5] * 32), binary_tree(32)), **params)

    def test_a_data_set_without_a_tree_is_refused(self):
        with pytest.raises(InputError, match="no class tree, and chains are made of one"):
            built("chains", MemoryDataset(make_index([5] * 4)))


REAL = read_real_labels()


def real_sets(numbers):
    """The sets of images by number, from 1."""
    return [REAL.labels[REAL.offsets[n - 1] : REAL.offsets[n]].tolist() for n in numbers]


def imagenet(numbers, classes=None, form="ILSVRC2012_val_{:08d}") -> MemoryDataset:
    """Val images with real file names, of the class that ReaL names first, and train images."""
    if classes is None:
        classes = [REAL.wnids[found[0]] if found else REAL.wnids[0] for found in real_sets(numbers)]
    ids = [f"{c}/{form.format(n)}" for c, n in zip(classes, numbers, strict=True)]
    split = [1] * len(ids)
    for wnid in sorted(set(classes)):
        ids += [f"{wnid}/{wnid}_{s}" for s in range(3)]
        classes, split = [*classes, *[wnid] * 3], [*split, 0, 0, 0]
    return MemoryDataset(DatasetIndex.from_samples(ids, classes, split)[0], name="imagenet1k")


class TestReal:
    def test_the_file_of_timm(self):
        assert len(REAL.wnids) == 1000 and len(REAL.offsets) == imagenet_real.N_IMAGES + 1
        assert int((np.diff(REAL.offsets) == 0).sum()) == 3163  # counted in the file
        assert real_sets([2]) == [[970, 795]]

    @settings(max_examples=25)
    @given(
        st.lists(st.integers(1, 50_000), min_size=5, max_size=60, unique=True),
        st.sampled_from(["ILSVRC2012_val_{:08d}", "ILSVRC2012_val_{:08d}_n01440764"]),
    )
    def test_each_row_has_the_labels_of_its_number(self, numbers, form):
        data = imagenet([*numbers, 2, 3] if not {2, 3} & set(numbers) else numbers, form=form)
        try:
            task = built("real", data)
        except InputError as error:  # a draw without two images of a class, or of one class
            assert "evaluation image" in str(error) or "should be >= 2" in str(error)
            return
        sets = task.label_sets
        assert sets.names == REAL.wnids and task.n_ranks == 5 and task.hierarchy is None
        for i, row in enumerate(task.eval_rows):
            number = int(data.index.id(int(row)).split("_val_")[1][:8])
            assert (
                sets.labels[sets.offsets[i] : sets.offsets[i + 1]].tolist()
                == (real_sets([number])[0])
            )
        assert task.class_names == data.index.class_names
        assert not len(np.intersect1d(task.train_rows, task.eval_rows))
        assert built("real", data).manifest_hash == task.manifest_hash

    def test_images_without_a_label_are_rows_that_label_sets_leave_out(self):
        assert real_sets([1, 2, 18]) == [[], [970, 795], real_sets([18])[0]]
        data = imagenet([1, *range(2, 400)])
        task = built("real", data)
        empty = int((np.diff(task.label_sets.offsets) == 0).sum())
        assert empty >= 1 and len(task.eval_rows) == 399
        assert task.factors["n_unlabelled"] == empty
        clusters = task.eval_targets[:, None]
        scores = score_label_sets(
            task.label_sets.labels, task.label_sets.offsets, clusters, n_labels=1000
        )
        assert (scores.n, scores.n_unlabelled) == (399 - empty, empty)
        assert scores.any_label_acc == 1.0  # made of the classes that ReaL names

    def test_draws_are_per_class(self):
        wanted = [n for n, found in enumerate(real_sets(range(1, 5000)), 1) if found == [1]]
        wanted += [n for n, found in enumerate(real_sets(range(1, 5000)), 1) if found == [7]]
        task = built("real", imagenet(wanted), images_per_class=2, eval_per_class=2)
        assert np.bincount(task.train_targets).tolist() == [2, 2]
        assert np.bincount(task.eval_targets).tolist() == [2, 2]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (
                MemoryDataset(make_index([3] * 4)),
                "4 of 4 classes are no ImageNet-1K wnids .first: 'c000'.*'n01440764'",
            ),
            (
                imagenet(range(2, 60), form="image-{}"),
                r"58 of 58 val images have no original file name \(first: 'n.*ILSVRC2012_val_0000",
            ),
            (
                imagenet([*range(2, 60), 50_001], ["n01440764"] * 30 + ["n01443537"] * 29),
                "has number 50001; the validation images are numbered 1 to 50000",
            ),
            (
                imagenet([2, 2, 3, 4], ["n01440764", "n01443537", "n01440764", "n01443537"]),
                "are the same validation image",
            ),
            (
                imagenet(range(2, 60), ["n01440764"] * 29 + ["n01443537"] * 29),
                "the ReaL labels name the class of 0 of 5. labelled val images",
            ),
        ],
    )
    def test_other_data_sets_are_refused(self, data, message):
        with pytest.raises(InputError, match=message):
            real_task(Pool(data.index, 0), RealParams())

    def test_too_few_images_are_refused(self):
        data = imagenet(range(2, 60))
        with pytest.raises(InputError, match="fewer than 9 training or 1 val images"):
            real_task(Pool(data.index, 0), RealParams(images_per_class=9))

    def test_numbers(self):
        ids = np.array([b"n1/ILSVRC2012_val_00050000", b"n1/ILSVRC2012_val_00000001_n01440764"])
        assert image_numbers(ids).tolist() == [49_999, 0]


class TestTimm:
    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        """A stand-in for the installed package, with a copy of its files."""
        folder = tmp_path / "timm" / "data" / "_info"
        folder.mkdir(parents=True)
        names = (imagenet_real._LABELS, imagenet_real._WNIDS)
        for name in names:
            (folder / name).write_bytes(imagenet_real._content(name))
        found = replace_spec(str(tmp_path / "timm"))
        monkeypatch.setattr(imagenet_real.importlib.util, "find_spec", lambda name: found)
        return folder

    def test_a_copy_is_read(self, package):
        again = read_real_labels()
        assert hashlib.sha256(again.labels.tobytes()).digest() == (
            hashlib.sha256(REAL.labels.tobytes()).digest()
        )

    def test_changed_labels_are_refused(self, package):
        path = package / imagenet_real._LABELS
        path.write_bytes(path.read_bytes().replace(b"970", b"971", 1))
        with pytest.raises(InputError, match=r"labels.json: SHA-256 .*wanted d83e9bff374c; this"):
            read_real_labels()

    def test_a_missing_file_is_refused(self, package):
        (package / imagenet_real._WNIDS).unlink()
        with pytest.raises(InputError, match=r"synsets.txt: no such file.*install timm"):
            read_real_labels()

    def test_no_timm_is_refused(self, monkeypatch):
        monkeypatch.setattr(imagenet_real.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(InputError, match="install timm"):
            read_real_labels()


def replace_spec(folder):
    class Spec:
        submodule_search_locations = (folder,)

    return Spec()
