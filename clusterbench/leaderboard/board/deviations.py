"""Deviations of a score on subsets of its images, as an entry holds them: text."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from ...metrics.uncertainty.subsets import N_SUBSETS

_TYPE = np.dtype("<f2")


def encoded(deviations: np.ndarray) -> str:
    """(N_SUBSETS,) floats as little-endian float16 in base64: 536 characters.

    A half keeps 11 bits, so a deviation of 0.01 is kept to 5e-6.
    """
    return base64.b64encode(np.asarray(deviations).astype(_TYPE).tobytes()).decode("ascii")


def decoded(text: str) -> np.ndarray:
    """The (N_SUBSETS,) float64 of a text that `encoded` has made.

    Raises ValueError for any other text.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"resampled is no base64 ({error})") from None
    if len(raw) != N_SUBSETS * _TYPE.itemsize:
        raise ValueError(f"resampled holds {len(raw)} bytes; wanted {N_SUBSETS} float16 numbers")
    values = np.frombuffer(raw, _TYPE).astype(np.float64)
    if not (np.abs(values) <= 2).all():  # NaN fails the comparison; AMI lies in [-1, 1]
        raise ValueError("resampled holds a number that no deviation of an AMI can be")
    return values


def _checked(text: str) -> str:
    decoded(text)
    return text


#: A field of a stored entry.
Resampled = Annotated[str, AfterValidator(_checked)]
