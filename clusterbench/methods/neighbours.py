"""Exact nearest neighbours by cosine similarity, the sample itself excluded."""

from __future__ import annotations

import torch

from ..feature_rows import to_unit_length

# Rows of the similarity block times columns held at a time: 256 MB of float32.
_BLOCK_ELEMENTS = 1 << 26
_BLOCK_COLUMNS = 1 << 16


def nearest_neighbours(features: torch.Tensor, k: int) -> torch.Tensor:
    """The k most similar other rows of each row.

    Row and column blocks with a running top-k: neither N x N nor a full row of similarities of
    many samples is held, and nothing leaves the device. The sample is excluded by its position,
    so a duplicate of it (similarity 1) is a neighbour and the sample itself never is.

    Args:
        features: (n, dim) float tensor; rows need not be normalised.
        k: neighbours wanted, 1 <= k < n.

    Returns:
        (n, k) int64 on the same device, most similar first.

    Raises:
        ValueError: k is out of range.
    """
    n = len(features)
    if not 1 <= k < n:
        raise ValueError(f"k={k} should be in 1..n_samples-1={n - 1}")
    unit = to_unit_length(features.float().clone())
    columns = min(n, _BLOCK_COLUMNS)
    rows = max(1, min(n, _BLOCK_ELEMENTS // columns))
    result = torch.empty((n, k), dtype=torch.int64, device=features.device)
    for top in range(0, n, rows):
        query = unit[top : top + rows]
        best = query.new_full((len(query), k), -torch.inf)
        where = torch.zeros((len(query), k), dtype=torch.int64, device=features.device)
        for left in range(0, n, columns):
            similarity = query @ unit[left : left + columns].T
            _exclude_self(similarity, top, left)
            width = similarity.shape[1]
            values, found = similarity.topk(min(k, width), dim=1)
            merged = torch.cat([best, values], dim=1)
            position = torch.cat([where, found + left], dim=1)
            best, order = merged.topk(k, dim=1)
            where = position.gather(1, order)
        result[top : top + rows] = where
    return result


def _exclude_self(similarity: torch.Tensor, top: int, left: int) -> None:
    """Set entry (i, j) to -inf where row top+i is column left+j."""
    height, width = similarity.shape
    first = max(top, left)
    last = min(top + height, left + width)
    if first < last:
        own = torch.arange(first, last, device=similarity.device)
        similarity[own - top, own - left] = -torch.inf
