"""Label files in every format, and how tests read them."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from clusterbench import InputError
from clusterbench.labels.reading import TARGET_NAMES, read_labels

FORMATS = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".json")


def write_text(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def write_json(path, content):
    return write_text(path, json.dumps(content))


def write_parquet(path, /, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def write(path, labels, ids=None):
    """The same labels, with ids where the format has a place for them, in the format of `path`."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, np.array(labels))
    elif suffix == ".npz":
        extra = {} if ids is None else {"ids": np.array(ids)}
        np.savez(path, targets=np.array(labels), **extra)
    elif suffix in (".csv", ".tsv"):
        delimiter = "," if suffix == ".csv" else "\t"
        rows = [["target"], *([label] for label in labels)]
        if ids is not None:
            rows = [[name, *row] for name, row in zip(["id", *ids], rows, strict=True)]
        write_text(path, "".join(delimiter.join(map(str, row)) + "\n" for row in rows))
    elif suffix == ".parquet":
        extra = {} if ids is None else {"id": ids}
        write_parquet(path, target=labels, **extra)
    else:
        write_json(path, labels if ids is None else dict(zip(ids, labels, strict=True)))
    return path


def read(path, column=None, *, known=TARGET_NAMES, **options):
    return read_labels(path, known, column, **options)


def refused(path, message, column=None, **options):
    """The text of the error: a short line that names the path and matches `message`."""
    with pytest.raises(InputError, match=message) as caught:
        read(path, column, **options)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and len(text) < 600
    return text


def sets_of(labels):
    return [part.tolist() for part in np.split(labels.values, labels.offsets[1:-1])]
