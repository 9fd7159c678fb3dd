"""Folders that TEMI, CLIP_benchmark and clip-retrieval wrote."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from import_toys import X, Y, check, clip, make, refused, save, temi
from pyarrow import parquet

from clusterbench.features.importing import Request, plan_import


def ids(labels, part):
    width = len(str(len(labels) - 1))
    return [f"{label}/{part}-{row:0{width}d}" for row, label in enumerate(labels)]


@pytest.mark.parametrize("layout", ["auto", "temi"])
def test_temi_train_and_test_and_the_encoder_from_the_folder(tmp_path, layout):
    store = make(temi(tmp_path), tmp_path / "store", name=None, layout=layout)
    assert store.encoder == "dino_vitb16"
    check(store, ids=ids(Y[:40], "train") + ids(Y[40:], "test"), split=[0] * 40 + [1] * 20)
    details = store.fields["details"]
    assert (details["made_by"], details["layout"]) == ("import", "temi")
    assert details["files"]["test-features"]["name"] == "embeddings-test.pt"


def test_temi_without_a_test_set_says_so(tmp_path):
    folder = save(tmp_path / "x-arch", embeddings=X, label=Y)
    plan = plan_import(Request(folder))
    assert plan.notes == ("no embeddings-test.pt: the store has no val samples",)
    check(make(folder, tmp_path / "store"))


def test_temi_whose_test_set_is_the_train_set_is_refused(tmp_path):
    folder = temi(tmp_path, embeddings__test=X[:40], label__test=Y[:40])
    first, second = folder / "embeddings.pt", folder / "embeddings-test.pt"
    assert first.read_bytes() != second.read_bytes()  # torch.save puts the name into the file
    refused("test holds the features of train", folder, tmp_path / "store")


def test_temi_files_without_their_partner_are_refused(tmp_path):
    folder = temi(tmp_path)
    (folder / "label-test.pt").unlink()
    refused("embeddings-test.pt is there, but label-test.pt is not", folder, tmp_path / "s")
    (folder / "embeddings.pt").unlink()
    torch.save(torch.tensor(Y[40:]), folder / "label-test.pt")
    refused("has embeddings-test.pt, but no embeddings.pt", folder, tmp_path / "s")


@pytest.mark.parametrize("evaluation", ["val", "test"])
def test_clip_benchmark_of_both_ages(tmp_path, evaluation):
    folder = clip(tmp_path / "ViT-B-32", "train", X[:40], Y[:40])
    clip(folder, evaluation, X[40:], Y[40:])
    store = make(folder, tmp_path / "store", name=None)
    assert store.encoder == "ViT-B-32"
    check(store, ids=ids(Y[:40], "train") + ids(Y[40:], evaluation), split=[0] * 40 + [1] * 20)


def test_clip_benchmark_with_three_splits_evaluates_on_test(tmp_path):
    folder = clip(tmp_path / "m", "train", X[:30], Y[:30])
    clip(folder, "val", X[30:40], Y[30:40])
    clip(folder, "test", X[40:], Y[40:])
    assert "is in train; test is val" in plan_import(Request(folder)).notes[0]
    all_ids = ids(Y[:30], "train") + ids(Y[30:40], "val") + ids(Y[40:], "test")
    check(make(folder, tmp_path / "s"), ids=all_ids, split=[0] * 40 + [1] * 20)


@pytest.mark.parametrize("infix", ["_cache_", "_"])
def test_pieces_are_joined_in_the_order_of_their_numbers(tmp_path, infix):
    folder = tmp_path / "m"
    for piece in range(12):  # 10 comes after 9, not after 1
        rows = slice(5 * piece, 5 * piece + 5)
        clip(folder, "train", X[rows], Y[rows], piece, infix)
    plan = plan_import(Request(folder))
    assert "train is in pieces (12)" in plan.notes[0] and "stopped before the last" in plan.notes[0]
    check(make(folder, tmp_path / "s"))


def test_a_missing_piece_is_named(tmp_path):
    folder = tmp_path / "m"
    for piece in (0, 1, 3):
        clip(folder, "train", X[:5] + piece, Y[:5], piece)
    refused("piece 2 of features_train is missing", folder, tmp_path / "s")
    clip(folder, "train", X[:5] + 9, Y[:5], 2)
    (folder / "targets_train_cache_2.pt").unlink()
    refused(
        "features_train_cache_2.pt is there, but targets_train_cache_2.pt is not",
        folder,
        tmp_path / "s",
    )


def test_series_that_cannot_be_told_apart_are_refused(tmp_path):
    folder = clip(tmp_path / "a", "train", X, Y)
    clip(folder, "train", X[:5], Y[:5], 0)
    refused("holds features_train.pt and pieces of it", folder, tmp_path / "s")
    folder = clip(tmp_path / "b", "train", X[:5], Y[:5], 0)
    clip(folder, "train", X[:5], Y[:5], 1, "_")
    refused("are two series", folder, tmp_path / "s")
    folder = clip(tmp_path / "c", "val", X, Y)
    refused("has no features_train.pt", folder, tmp_path / "s")


def test_pieces_of_one_split_that_repeat_another_are_refused(tmp_path):
    folder = clip(tmp_path / "m", "test", X, Y)
    for piece in range(2):
        rows = slice(30 * piece, 30 * piece + 30)
        clip(folder, "train", X[rows], Y[rows], piece)
    refused("test holds the features of train", folder, tmp_path / "s")


def test_pieces_with_other_numbers_of_labels_are_refused(tmp_path):
    folder = clip(tmp_path / "m", "train", X, Y[:-1])
    refused("targets_train.pt: holds 59 labels; .*features_train.pt has 60", folder, tmp_path / "s")


def test_an_empty_and_an_unknown_folder_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    refused("holds no files; wanted embeddings.pt", tmp_path / "empty", tmp_path / "s")
    folder = save(tmp_path / "other", features=X)
    refused("holds features.pt; wanted embeddings.pt", folder, tmp_path / "s")


def test_mixed_layouts_need_a_choice(tmp_path):
    folder = clip(temi(tmp_path), "train", 2 * X[:40], Y[:40])
    refused("holds both .* choose with --layout", folder, tmp_path / "s")
    store = make(folder, tmp_path / "s", layout="clip-benchmark")
    np.testing.assert_array_equal(np.sort(store.read(), 0), np.sort(2 * X[:40], 0))


def test_options_for_files_are_refused_with_a_folder(tmp_path):
    folder = temi(tmp_path)
    refused("--labels goes with a file", folder, tmp_path / "s", labels=folder / "label.pt")
    refused("--layout arrays wants a file", folder, tmp_path / "s", layout="arrays")
    refused("--layout 'tmi'; wanted one of auto", folder, tmp_path / "s", layout="tmi")
    np.save(tmp_path / "x.npy", X)
    refused("--layout temi wants a folder", tmp_path / "x.npy", layout="temi")
    refused("--name is missing", tmp_path / "x.npy", name=None)


def test_class_names_go_with_a_layout(tmp_path):
    (tmp_path / "names.txt").write_text("e\nd\nc\nb\na\n")
    store = make(temi(tmp_path), tmp_path / "s", class_names=tmp_path / "names.txt")
    assert store.index.class_names == ("a", "b", "c", "d", "e")


def retrieval(folder, pieces=3, digits=1, **columns):
    """A folder as clip-retrieval's inference leaves it: pieces of embeddings, tables beside."""
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    (folder / "text_emb").mkdir()
    step = len(X) // pieces
    for piece in range(pieces):
        rows = slice(piece * step, (piece + 1) * step)
        name = f"{piece:0{digits}d}"
        np.save(folder / "img_emb" / f"img_emb_{name}.npy", X[rows].astype(np.float16))
        np.save(folder / "text_emb" / f"text_emb_{name}.npy", X[rows].astype(np.float16))
        table = {"image_path": PATHS[rows], "caption": ["a photo"] * step}
        table |= {key: values[rows] for key, values in columns.items()}
        parquet.write_table(pa.table(table), folder / "metadata" / f"metadata_{name}.parquet")
    return folder


PATHS = [f"/data/photos/{row * 7 % len(X):03d}.jpg" for row in range(len(X))]


@pytest.mark.parametrize(("pieces", "digits"), [(1, 1), (3, 1), (12, 1), (12, 2)])
def test_clip_retrieval_pieces_with_their_tables(tmp_path, pieces, digits):
    folder = retrieval(tmp_path / "ViT-B-32", pieces, digits, label=Y)
    store = make(folder, tmp_path / "s", name=None)
    assert store.encoder == "ViT-B-32"
    check(store, X.astype(np.float16), ids=PATHS)
    names = store.fields["details"]["files"]
    assert {"ids", "ids-0"} & names.keys() and {"labels", "labels-0"} & names.keys()


def test_clip_retrieval_labels_by_column_or_file(tmp_path):
    folder = retrieval(tmp_path / "m", species=Y)
    half = X.astype(np.float16)
    check(make(folder, tmp_path / "a", label_column="species"), half, ids=PATHS)
    np.save(tmp_path / "y.npy", Y)
    check(make(folder, tmp_path / "b", labels=tmp_path / "y.npy"), half, ids=PATHS)
    plan = plan_import(Request(folder))
    assert plan.samples.n_unlabelled == len(X)
    assert plan.notes == (
        "3 pieces of embeddings",
        "text_emb, the embeddings of the captions, is left out",
    )
    refused("--split goes with a file", folder, tmp_path / "s", split=tmp_path / "y.npy")


def test_clip_retrieval_with_a_piece_or_a_table_missing(tmp_path):
    folder = retrieval(tmp_path / "m")
    (folder / "metadata" / "metadata_2.parquet").unlink()
    refused("img_emb_2.npy is there, but metadata_2.parquet is not", folder, tmp_path / "s")
    (folder / "img_emb" / "img_emb_1.npy").unlink()
    refused("img_emb_1.npy is missing, while img_emb_2.npy is there", folder, tmp_path / "s")
    folder = retrieval(tmp_path / "short")
    table = folder / "metadata" / "metadata_1.parquet"
    parquet.write_table(parquet.read_table(table).slice(1), table)
    refused("metadata_1.parquet: holds 19 ids; .*img_emb_1.npy has 20", folder, tmp_path / "s")
