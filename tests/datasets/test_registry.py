import numpy as np
import pytest

from clusterbench.datasets import registry
from clusterbench.errors import InputError
from clusterbench.features.store.store import FeatureStore
from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.taxonomy import imagenet

DECLARATION = """
name = "toy"
description = "Two classes"
licence = "MIT"
default_encoder = "one"
preset = "laptop"
tree = "tree.tsv"
[stores]
one = "one"
two = "elsewhere/two"
"""
TREE = "node\tparent\tname\ncat\tpet\tCat\ndog\tpet\tDog\npet\t\tPet\n"


def make_index(n=6):
    ids = [f"{'cat' if i % 2 else 'dog'}/{i}" for i in range(n)]
    split = (np.arange(n) % 3 == 0).astype(np.uint8)
    return DatasetIndex.from_samples(ids, [i.split("/")[0] for i in ids], split)[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with data set `toy`: two encoders, a tree."""
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    folder = tmp_path / "features" / "toy"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(DECLARATION, encoding="utf-8")
    (folder / "tree.tsv").write_text(TREE, encoding="utf-8")
    index = make_index()
    for name, dim in (("one", 3), ("elsewhere/two", 4)):
        features = np.ones((index.n, dim), dtype=np.float32)
        FeatureStore.write(folder / name, features, index, encoder=name.split("/")[-1])
    return folder


def test_a_data_set_is_found_by_name_and_opens_its_stores(folder):
    assert "toy" in registry.names()
    dataset = registry.load("toy")
    assert (dataset.name, dataset.preset, dataset.licence) == ("toy", "laptop", "MIT")
    assert dataset.index.hash == make_index().hash
    assert dataset.store().dim == 3
    assert dataset.store("two").dim == 4
    assert dataset.tree.names == ("Cat", "Dog", "Pet")


def test_unknown_names_get_suggestions(folder):
    with pytest.raises(InputError, match="unknown dataset 'toyy'; did you mean toy"):
        registry.load("toyy")
    with pytest.raises(InputError, match="unknown encoder 'tow'; did you mean two"):
        registry.load("toy").store("tow")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence", "license", "unknown key 'license'; did you mean licence"),
        ('preset = "laptop"\n', "", "the key 'preset' is missing"),
        ('"toy"', '"tox"', "name = 'tox'; it must be the folder's, 'toy'"),
        ('one = "one"\n', "", "default_encoder: unknown encoder 'one'"),
        ('one = "one"', "one = 1", "stores = .* should be a table"),
        ('"tree.tsv"', '"wood.tsv"', "tree = 'wood.tsv'; there is no such file"),
        ('"tree.tsv"', '"imagenet-21k"', "class tree 'imagenet-21k'; did you mean imagenet21k"),
        ('"laptop"', "3", "preset = 3 should be a text"),
        ("[stores]", "[stores", "not valid TOML"),
    ],
)
def test_mistakes_name_the_file_and_the_key(folder, old, new, message):
    path = folder / "dataset.toml"
    assert old in DECLARATION
    path.write_text(DECLARATION.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        registry.load("toy")
    assert str(path) in str(caught.value)


def test_a_class_that_is_not_in_the_tree_is_an_error(folder):
    (folder / "tree.tsv").write_text(TREE.replace("cat\tpet\tCat\n", ""), encoding="utf-8")
    with pytest.raises(InputError, match=r"1 of 2 classes .* are not nodes \(first: 'cat'\)"):
        registry.load("toy").tree  # noqa: B018


def test_a_data_set_without_a_tree_has_none(folder):
    text = DECLARATION.replace('tree = "tree.tsv"\n', "")
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    assert registry.load("toy").tree is None


def test_a_shipped_tree_has_a_name_and_more_nodes_than_the_data_set_has_classes(folder):
    fish = DatasetIndex.from_samples(*[["n01440764", "n01443537"]] * 2, np.array([0, 1]))[0]
    FeatureStore.write(folder / "fish", np.ones((2, 3), dtype=np.float32), fish, encoder="one")
    text = DECLARATION.replace('one = "one"', 'one = "fish"').replace("tree.tsv", "imagenet1k")
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    tree = registry.load("toy").tree
    assert len(tree) == 1817 and tree is imagenet.load("imagenet1k")


def test_the_classes_must_be_in_the_shipped_tree(folder):
    text = DECLARATION.replace("tree.tsv", "imagenet21k-p")
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    message = r"class tree 'imagenet21k-p': 2 of 2 classes of data set 'toy' .* \(first: 'cat'\)"
    with pytest.raises(InputError, match=message):
        registry.load("toy").tree  # noqa: B018


def test_a_file_of_a_shipped_trees_name_is_taken_first(folder):
    (folder / "imagenet1k").write_text(TREE, encoding="utf-8")
    text = DECLARATION.replace("tree.tsv", "imagenet1k")
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    assert registry.load("toy").tree.names == ("Cat", "Dog", "Pet")


def test_a_store_of_other_samples_is_refused(folder):
    index = make_index(8)
    features = np.ones((index.n, 2), dtype=np.float32)
    FeatureStore.write(folder / "other", features, index, encoder="two")
    text = DECLARATION.replace("elsewhere/two", "other")
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="must hold the same samples"):
        registry.load("toy").store("two")


def test_a_folder_without_a_declaration_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        registry.read(tmp_path)
