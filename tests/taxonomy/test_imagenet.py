"""The shipped ImageNet lists and trees against the published ones, counted there."""

import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clusterbench import catalog
from clusterbench.errors import InputError
from clusterbench.taxonomy import cuts, imagenet, synsets

FOLDER = catalog.shipped("benchmarks") / "taxonomy"
DEPTHS = [302, 1067, 1823, 2486, 2165, 1353, 710, 289, 146, 82, 26, 1]
LEAF_DEPTHS = [249, 794, 1335, 1892, 1734, 1101, 588, 246, 113, 75, 25, 1]
ROOTS = {
    "artifact": 4623,
    "animal": 2228,
    "plant": 1648,
    "food": 513,
    "beverage": 215,
    "vegetable": 112,
    "fungus": 110,
    "person": 105,
}
# depth of the cut -> labels of all classes, of the leaves only
LABELS = [
    (302, 302),
    (1369, 1316),
    (3192, 2866),
    (5678, 4864),
    (7843, 6435),
    (9196, 7357),
    (9906, 7815),
    (10195, 7982),
    (10341, 8085),
    (10423, 8134),
    (10449, 8153),  # by hand: one class is at depth 11, and its parent is no leaf
]


@pytest.fixture(scope="module")
def winter():
    return imagenet.load("imagenet21k-p")


def test_the_files_are_small_and_those_of_the_builder():
    sums = (FOLDER / "SHA256SUMS").read_text("utf-8").split()
    packed = (FOLDER / synsets.FILE).read_bytes()
    assert sums == [hashlib.sha256(packed).hexdigest(), synsets.FILE]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000
    notice = (FOLDER / "NOTICE.md").read_text("utf-8")
    for owner in ("Princeton University", "Joachim Folz", "Ross Wightman"):
        assert owner in notice


@pytest.mark.parametrize(
    ("name", "n_classes", "n_nodes", "n_leaves", "n_roots", "height"),
    [
        ("imagenet1k", 1000, 1817, 1000, 1, 17),
        ("imagenet21k-p", 10450, 10450, 8153, 302, 11),
        ("imagenet21k-p-fall11", 11221, 11221, 8804, 302, 11),
        ("imagenet21k", 21841, 21841, 17293, 531, 13),
        ("wordnet", 23547, 23547, 17337, 1, 18),
    ],
)
def test_sizes_of_the_trees(name, n_classes, n_nodes, n_leaves, n_roots, height):
    tree, classes = imagenet.load(name), imagenet.classes(name)
    assert name in imagenet.names()
    assert (len(classes), len(tree), len(tree.leaves())) == (n_classes, n_nodes, n_leaves)
    assert (len(tree.roots), tree.height) == (n_roots, height)
    assert list(classes) == sorted(set(classes))
    assert set(classes) <= set(tree.nodes)


def test_lists_are_those_of_timm():
    info = pytest.importorskip("timm").__path__[0] + "/data/_info/"
    for name, file in [
        ("imagenet1k", "imagenet_synsets.txt"),
        ("imagenet21k-p", "imagenet21k_miil_w21_synsets.txt"),
        ("imagenet21k-p-fall11", "imagenet21k_miil_synsets.txt"),
        ("imagenet21k", "imagenet22k_synsets.txt"),
    ]:
        assert list(imagenet.classes(name)) == Path(info + file).read_text().split()


def test_winter21_has_the_published_shape(winter):
    leaf = winter.is_leaf
    assert (int(leaf.sum()), int((~leaf).sum()), len(winter.roots)) == (8153, 2297, 302)
    assert int(leaf[winter.roots].sum()) == 249
    assert np.bincount(winter.depth).tolist() == DEPTHS
    assert np.bincount(winter.depth[leaf]).tolist() == LEAF_DEPTHS
    assert round(float((winter.depth + 1).mean()), 2) == 4.45


def test_winter21_has_the_published_roots(winter):
    sizes = np.bincount(winter.cut(0), minlength=len(winter))
    biggest = np.argsort(-sizes, kind="stable")[: len(ROOTS)]
    assert {winter.names[root]: int(sizes[root]) for root in biggest} == ROOTS


@pytest.mark.parametrize("depth", range(len(LABELS)))
def test_winter21_has_the_published_labels_per_cut(winter, depth):
    labels = winter.cut(depth)
    assert (len(set(labels)), len(set(labels[winter.is_leaf]))) == LABELS[depth]


def test_winter21_leaves_have_2434_parents(winter):
    # A leaf without a parent is a label of its own.
    leaves = winter.leaves()
    parents = winter.parents[leaves]
    assert len(set(np.where(parents < 0, leaves, parents).tolist())) == 2434


def test_winter21_holds_991_of_imagenet1k(winter):
    shared = winter.find(sorted(set(imagenet.classes("imagenet1k")) & set(winter.nodes)))
    assert (len(shared), int(winter.is_leaf[shared].sum())) == (991, 725)


def test_winter21_is_the_tree_of_datadings(winter):
    """The hash is of the lines "wnid parent" of `class_tree_list` (datadings 3.4.7)."""
    lines = [
        f"{node} {winter.nodes[parent] if parent >= 0 else '-'}\n"
        for node, parent in zip(winter.nodes, winter.parents.tolist(), strict=True)
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest == "8c0edf8f8208d59b4e7911a798c86f4cd3b7120736c41105e89d1cec22853d63"


def test_every_class_hangs_from_its_nearest_listed_ancestor_in_wordnet():
    whole = imagenet.load("wordnet")
    for name in imagenet.names():
        tree = imagenet.load(name)
        for i in range(0, len(tree), 7):
            above = [whole.nodes[j] for j in whole.chain(whole.find([tree.nodes[i]])[0])]
            wanted = [node for node in above if node in tree]
            assert [tree.nodes[j] for j in tree.chain(i)] == wanted


def test_parents_are_the_hypernyms_of_wordnet_the_principal_one_first():
    dog = imagenet.synset("n02084071")
    assert (dog.lemma, dog.lemmas[1]) == ("dog", "domestic dog")
    assert dog.definition.startswith("a member of the genus Canis")
    assert dog.parents == ("n01317541", "n02083346")  # domestic animal, canine
    assert imagenet.synset("n00001740").parents == ()
    whole = imagenet.load("wordnet")
    for i in range(0, len(whole), 11):
        parents = imagenet.synset(whole.nodes[i]).parents
        assert set(parents) <= set(whole.nodes)
        above = whole.parents[i]
        assert parents[:1] == (() if above < 0 else (whole.nodes[above],))


def test_the_classes_of_imagenet1k_can_be_cut_into_kinds():
    tree = imagenet.load("imagenet1k")
    classes = tree.find(imagenet.classes("imagenet1k"))
    assert tree.is_leaf[classes].all()
    groups = cuts.cut_into(tree, classes, 40)
    assert {"bird", "dog", "reptile"} <= {tree.names[group] for group in groups}


def test_the_smallest_list_with_all_classes_is_found():
    of = imagenet.classes
    for name in imagenet.names():
        assert imagenet.containing(of(name)) == name
    assert imagenet.containing(["n01440764", "n01443537"]) == "imagenet1k"
    only_fall11 = set(of("imagenet21k-p-fall11")) - set(of("imagenet21k-p"))
    assert imagenet.containing([*only_fall11, "n01440764"]) == "imagenet21k-p-fall11"
    assert imagenet.containing(["n00001740", "n01440764"]) == "wordnet"
    for others in ([], ["cat", "dog"], ["n01440764", "n99999999"], ["n01440764", "unlabelled"]):
        assert imagenet.containing(others) is None


def test_unknown_names_get_suggestions():
    with pytest.raises(InputError, match="class tree 'imagenet-21k-p'; did you mean imagenet21k-p"):
        imagenet.load("imagenet-21k-p")
    with pytest.raises(InputError, match="unknown class tree 'imagenet2k'"):
        imagenet.classes("imagenet2k")
    with pytest.raises(InputError, match=r"unknown synset 'n02084072'; did you mean .*n02084071"):
        imagenet.synset("n02084072")
    with pytest.raises(InputError, match="unknown tree node 'n02084072'"):
        imagenet.load("imagenet21k").find(["n02084072"])


def test_a_missing_or_broken_table_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "shipped", lambda kind: tmp_path)
    path = tmp_path / "taxonomy" / synsets.FILE
    path.parent.mkdir()
    read = synsets.table.__wrapped__
    with pytest.raises(InputError, match="no such file; it is part of clusterbench"):
        read()
    path.write_bytes(b"version https://git-lfs")
    with pytest.raises(InputError, match="not the table of synsets"):
        read()
    path.write_bytes(lzma.compress("\t".join(synsets.COLUMNS).encode() + b"\nn1\tp\n"))
    with pytest.raises(InputError, match="line 2: 2 cells; wanted 6"):
        read()
    path.write_bytes(lzma.compress(b"a\tb\n"))
    with pytest.raises(InputError, match="header 'a"):
        read()


def test_loading_needs_no_heavy_library():
    code = (
        "import sys; from clusterbench.taxonomy import imagenet; imagenet.load('imagenet21k-p');"
        "assert not {'torch', 'timm', 'h5py', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr
