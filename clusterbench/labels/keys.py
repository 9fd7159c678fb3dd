"""Columns by which the rows of two files can be matched: their names, and their values as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

#: Reads a column when rows are to be matched by it: (n,) str, or None for a column that cannot be
#: a key (floats, lists, missing values).
KeyLoader: TypeAlias = Callable[[], "np.ndarray | None"]

#: Columns that LabelFile.ids is read from.
ID_NAMES = ("id", "ids")
#: Columns that say which sample a row is, whatever their values; spelled as `plain` spells them.
KEY_NAMES = (
    *ID_NAMES,
    *("sampleid", "sampleids", "imageid", "imageids", "imgid", "fileid", "uid", "uuid", "guid"),
    *("filename", "filenames", "filepath", "filepaths", "file", "files", "fname", "path", "paths"),
    *("imagename", "imagepath", "imagefile", "imagefilename", "imgname", "imgpath", "image"),
    *("images", "img", "key", "keys", "samplename", "sample", "url", "uri", "name", "names"),
)
#: Names of a counter of rows, as pandas writes its index.
COUNTER_NAMES = ("", "unnamed0", "indexlevel0", "index", "row", "rows")
#: May be what a class is called.
_MAY_BE_CLASSES = ("name", "names")

_SUFFIXES = frozenset(
    ("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "ppm", "pgm", "jp2", "avif", "heic")
)


def plain(name: str) -> str:
    """A column's name without case, blanks, hyphens and the like: `Image_ID` is `image id`."""
    return "".join(c for c in name.casefold() if c.isalnum())


def identifies(name: str) -> bool:
    """Whether a column of this name says which sample or row it is, and nothing of classes."""
    found = plain(name)
    return found in COUNTER_NAMES or (found in KEY_NAMES and found not in _MAY_BE_CLASSES)


def without_suffixes(keys: np.ndarray) -> np.ndarray:
    """Keys without the suffix of an image file."""
    texts = []
    for key in keys.tolist():
        stem, dot, suffix = key.rpartition(".")
        texts.append(stem if dot and suffix.lower() in _SUFFIXES else key)
    return np.array(texts, dtype=np.str_)
