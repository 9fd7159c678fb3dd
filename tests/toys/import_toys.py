"""Features, labels and ids in the files that people have, and what an import made of them."""

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from clusterbench import InputError
from clusterbench.features.importing import Request, plan_import, write_import

N, DIM = 60, 7

rng = np.random.default_rng(0)
X = rng.standard_normal((N, DIM)).astype(np.float32)
Y = rng.integers(0, 5, N)


def write(path, features=X, **columns):
    """Features, and columns beside them, in the format of `path`."""
    suffix = path.suffix
    if suffix == ".npy":
        assert not columns
        np.save(path, features)
    elif suffix == ".npz":
        np.savez(path, features=features, **columns)
    elif suffix in (".pt", ".pth"):
        tensor = torch.as_tensor(features)
        content = {"features": tensor} | {
            name: torch.as_tensor(column)
            if np.asarray(column).dtype.kind == "i"
            else list(map(str, column))
            for name, column in columns.items()
        }
        torch.save(content if columns else tensor, path)
    elif suffix == ".parquet":
        rows = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), features.shape[1])
        table = pa.table({"features": rows, **{k: pa.array(v) for k, v in columns.items()}})
        parquet.write_table(table, path, row_group_size=17)
    else:
        with h5py.File(path, "w") as file:
            chunks = (max(8, len(features) // 100), 3)
            file.create_dataset("group/features", data=features, chunks=chunks, compression="gzip")
            for name, column in columns.items():
                text = np.asarray(column).dtype.kind == "U"
                data = np.asarray(column, dtype=object) if text else column
                file.create_dataset(name, data=data, dtype=h5py.string_dtype() if text else None)
    return path


def make(path, output=None, *, name="enc", **options):
    """The store that an import makes."""
    request = Request(path, name=name, **options)
    return write_import(plan_import(request), output or path.parent / "store")[0]


def refused(message, path, output=None, **options):
    """The import fails with one line that matches `message`, and no store is there."""
    output = output or path.parent / "store"
    with pytest.raises(InputError, match=message) as caught:
        make(path, output, **options)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    assert not output.exists()
    return text


def by_id(store):
    """Sample id -> (class name, split, features) of a store."""
    index, rows = store.index, store.read()
    return {
        index.id(row): (index.class_names[index.labels[row]], int(index.split[row]), rows[row])
        for row in range(store.n)
    }


def check(store, features=X, classes=None, ids=None, split=None):
    """Each sample of the input is in the store once, with its class, split and features."""
    found = by_id(store)
    assert len(found) == store.n == len(features)
    classes = [str(label) for label in Y] if classes is None else classes
    ids = [f"{c}/{row:02d}" for row, c in enumerate(classes)] if ids is None else ids
    for row, sample in enumerate(ids):
        name, in_val, numbers = found[sample]
        assert name == classes[row]
        assert in_val == (0 if split is None else split[row])
        np.testing.assert_array_equal(numbers, features[row])


def save(folder, **arrays):
    """`name__test=array` becomes name-test.pt."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        torch.save(torch.tensor(array), folder / f"{name.replace('__', '-')}.pt")
    return folder


def temi(tmp_path, **more):
    """A folder as TEMI leaves it: 40 training and 20 test images."""
    arrays = {
        "embeddings": X[:40],
        "label": Y[:40],
        "embeddings__test": X[40:],
        "label__test": Y[40:],
    }
    arrays |= {"knn": np.zeros((40, 3), int), "mean": X.mean(0), **more}
    return save(tmp_path / "IN1K-dino_vitb16", **arrays)


def clip(folder, split, features, targets, piece=None, infix="_cache_"):
    """One split, or a numbered piece of it, as CLIP_benchmark leaves it."""
    end = split if piece is None else f"{split}{infix}{piece}"
    return save(folder, **{f"features_{end}": features, f"targets_{end}": targets})
