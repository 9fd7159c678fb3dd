"""What the name of a column or an array says it is for; one that has a role is never a feature."""

from __future__ import annotations

import re

from ...labels.reading import TARGET_NAMES

#: Names of labels beside features, the surest first. A single letter counts only where it can mean
#: nothing else (`columns.find_labels`).
LABEL_NAMES = (
    *dict.fromkeys(
        (
            *TARGET_NAMES,
            *("ytrue", "y_train", "ytrain", "train_y", "train_labels", "train_targets"),
            *("y_val", "yval", "y_test", "ytest", "test_labels", "test_targets"),
            *("ground_truth", "groundtruth", "gt", "y"),
        )
    ),
)
ID_NAMES = ("id", "ids", "path", "file", "filename")
SPLIT_NAMES = ("split", "splits")

#: Roles that are known, though no one reads them: what they hold is no feature.
_OTHER = {
    "labels": (
        *("class_id", "class_name", "class_index", "class_label", "label_id", "label_name"),
        *("label_index", "category", "categories", "category_id", "wnid", "synset", "species"),
        *("fine_label", "fine_labels", "coarse_label", "coarse_labels", "superclass"),
    ),
    "predictions": (
        *("predictions", "prediction", "clusters", "cluster", "y_pred", "ypred", "cluster_id"),
    ),
    "ids": (
        *("image_id", "sample_id", "image_path", "filepath", "file_path", "file_name"),
        *("uid", "uuid", "image_ids", "sample_ids", "paths", "files", "filenames"),
    ),
    "split": ("fold", "folds", "subset", "partition", "is_train", "is_val", "is_test"),
    "row numbers": ("index", "level_0", "rownames", "row_id"),
    "weights of a model": ("weight", "bias", "running_mean", "running_var"),
}
#: Names of labels that are taken where none of `LABEL_NAMES` is there, and one of these.
FURTHER_LABEL_NAMES = _OTHER["labels"]
_ROLES = {name: role for role, names in _OTHER.items() for name in names}
_ROLES |= dict.fromkeys(LABEL_NAMES, "labels")
_ROLES |= dict.fromkeys(ID_NAMES, "ids") | dict.fromkeys(SPLIT_NAMES, "split")
_ROW_NUMBERS = re.compile(r"__index_level_\d+__|unnamed:? ?\d+(_level_\d+)?")
_PARAMETER = re.compile(r".*\.(weight|bias|running_mean|running_var)")
_NUMBERED = re.compile(r"(.{2,}?)[_\-. ]*\d+")


def plain_name(name: str) -> str:
    """A name without the HDF5 groups it is in, and without its case."""
    return name.rpartition("/")[2].strip().casefold()


def role_of(name: str) -> str | None:
    """What a column or array of this name is for, other than features; None for no role.

    One of several that are numbered (`label_0`, `target1`) has the role of the name.
    """
    plain = plain_name(name)
    if _ROW_NUMBERS.fullmatch(plain) or not plain:
        return "row numbers"
    if _PARAMETER.fullmatch(plain):
        return "weights of a model"
    if role := _ROLES.get(plain):
        return role
    numbered = _NUMBERED.fullmatch(plain)
    return _ROLES.get(numbered[1]) if numbered else None
