"""Predictions put in the order of the targets, by sample id."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from .reading import LabelFile


def align(targets: LabelFile, predictions: LabelFile) -> LabelFile:
    """The predictions with their samples in the order of the targets.

    Where only one of the files has ids, or none, rows correspond as they are and `predictions` is
    returned. Otherwise both must hold the same ids, each once; values (n,) or (n, m) and ids are
    put in order.

    Raises InputError for an id that occurs twice or in one file only, and for predictions that
    are label sets.
    """
    if predictions.offsets is not None:
        raise InputError(
            f"{predictions.path}: label sets found; "
            "predictions are one cluster per sample, or ranked lists of the same length"
        )
    if targets.ids is None or predictions.ids is None:
        return predictions
    target_order, prediction_order = _order(targets), _order(predictions)
    ids = targets.ids[target_order]
    if not np.array_equal(ids, predictions.ids[prediction_order]):
        raise _difference(targets, predictions)
    rows = np.empty(len(ids), np.int64)
    rows[target_order] = prediction_order
    return replace(predictions, values=predictions.values[rows], ids=targets.ids)


def _order(labels: LabelFile) -> np.ndarray:
    """(n,) int64: the rows sorted by id; InputError for an id that occurs twice."""
    ids = np.asarray(labels.ids)
    if (ids[1:] > ids[:-1]).all():
        return np.arange(len(ids))
    order = np.argsort(ids, kind="stable")
    twice = ids[order[1:]] == ids[order[:-1]]
    if twice.any():
        row = int(order[1:][twice].min())  # stable: the later row of each pair
        raise InputError(
            f"{labels.path}: id {str(ids[row])!r} occurs again in row {row}; "
            "ids identify samples, so each may occur once"
        )
    return order


def _difference(targets: LabelFile, predictions: LabelFile) -> InputError:
    """The error for two files of different ids: how many the first lacks, and the first of them."""
    for lacking, full in ((predictions, targets), (targets, predictions)):
        ids, others = np.asarray(full.ids), np.asarray(lacking.ids)
        missing = np.flatnonzero(~np.isin(ids, others))
        if len(missing):
            break
    return InputError(
        f"{lacking.path}: lacks {len(missing)} of the {len(ids)} sample ids of {full.path}, first "
        f"{str(ids[missing[0]])!r} (row {missing[0]}); its own first id is {str(others[0])!r}. "
        "Both files need the same ids"
    )
