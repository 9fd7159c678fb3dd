"""Which words name a split, and which splits become train and val."""

from __future__ import annotations

import re
from collections.abc import Iterable

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation", "dev", "eval", "evaluation")
TEST = ("test", "testing")
#: Images that data sets give without a class.
UNLABELLED = ("unlabeled", "unlabelled")

_OF_WORD = {
    **dict.fromkeys(TRAIN, "train"),
    **dict.fromkeys(VAL, "val"),
    **dict.fromkeys(TEST, "test"),
    **dict.fromkeys(UNLABELLED, "unlabelled"),
}
_NO_LETTERS = re.compile(r"[^A-Za-z]+")
_BEGINNING = re.compile(r"(.*[-_.])([A-Za-z]+)")


def split_of_word(word: str) -> str:
    """`train`, `val`, `test` or `unlabelled` when a word says so, in any case; else ""."""
    return _OF_WORD.get(word.lower(), "")


def split_of(name: str) -> str:
    """`train`, `val` or `test` when a folder or the first word of a file's name says so, else "".

    `train-00000-of-00010.parquet`, `validation/0001.tar`, `data/imagenet_val_03.tar`.
    """
    *folders, file = name.split("/")
    for word in (*reversed(folders), *_NO_LETTERS.split(file)):
        if (split := split_of_word(word)) and split != "unlabelled":
            return split
    return ""


def of_folder(name: str) -> tuple[str, str]:
    """(what is before the word, split) of a folder; `imagenet21k_val` is ("imagenet21k_", "val").

    The split is "" where the name ends in no such word.
    """
    if split := split_of_word(name):
        return "", split
    match = _BEGINNING.fullmatch(name)
    split = split_of_word(match[2]) if match else ""
    return (match[1], split) if match and split else ("", "")


def evaluated(splits: Iterable[str]) -> str:
    """Which split evaluates: val where there is one, else test."""
    return "val" if "val" in splits else "test"


def container_splits(names: list[str]) -> dict[str, int]:
    """Container -> 0 (train) or 1 (val), from the names; those of a third split are left out.

    Where there are val and test files, the test files are left out; where there is no val, test
    is the val split. Files whose names say nothing are train.
    """
    found = {name: split_of(name) for name in names}
    val = evaluated(found.values())
    return {name: int(split == val) for name, split in found.items() if split in ("", "train", val)}


def left_out_note(names: list[str], used: dict[str, int], what: str) -> tuple[str, ...]:
    """A note on containers that `container_splits` leaves out, none where it takes all."""
    out = [name for name in names if name not in used]
    if not out:
        return ()
    return (
        f"{len(out):,} {what} of the test split left out, since val evaluates (first: {out[0]})",
    )
