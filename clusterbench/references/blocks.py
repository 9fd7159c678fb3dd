"""Rows of features on a device, a block at a time, and the first classes of each row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..feature_rows import to_unit_length

if TYPE_CHECKING:
    import torch

#: Numbers of one block of rows times classes: 64 MB of float32.
ELEMENTS = 1 << 24


def row_blocks(n: int, width: int, elements: int = ELEMENTS) -> Iterator[slice]:
    """Slices that cover n rows, each of at most `elements` numbers.

    Args:
        n: rows.
        width: numbers of one row.
        elements: numbers of one block; a block has at least one row.
    """
    step = max(1, elements // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def on_device(features: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy of (n, dim) float32 rows on the device; the features themselves stay as they are."""
    import torch

    return torch.tensor(features, dtype=torch.float32, device=device)


def unit_rows(features: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy of (n, dim) rows on the device, each of length 1; a row of zeros stays zero."""
    return to_unit_length(on_device(features, device))


def first_columns(scores: torch.Tensor, n: int) -> np.ndarray:
    """Columns of the n largest scores of each row, best first, the lower of equals first.

    Args:
        scores: (rows, columns).
        n: 1 to the number of columns.

    Returns:
        (rows, n) int64.
    """
    import torch

    if n == 1:
        order = scores.argmax(dim=1, keepdim=True)  # documented to be the first of equals
    else:
        order = torch.sort(scores, dim=1, descending=True, stable=True).indices[:, :n]
    found: np.ndarray = order.cpu().numpy()
    return found
