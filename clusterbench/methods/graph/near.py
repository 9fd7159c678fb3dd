"""Nearest neighbours, as the methods of this room ask for them: the one door to the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...devices import resolve_device
from ...feature_rows import to_unit_length

#: Similarities held at a time, and rows searched at a time.
_PAIRS, _COLUMNS = 1 << 26, 1 << 16


@dataclass(frozen=True, eq=False)
class Graph:
    """The nearest rows of each row by cosine similarity.

    ids: (n, k) int32, numbers of rows, most similar first. similarities: (n, k) float32.
    """

    ids: np.ndarray
    similarities: np.ndarray


def search_bytes(n: int, dim: int) -> float:
    """Bytes that `graph` of n rows holds at its height: two copies, and similarities."""
    return 8.0 * n * dim + 5.0 * min(float(n) * n, _PAIRS)


def graph(features: np.ndarray, k: int, device: str) -> Graph:
    """The k nearest other rows of each row.

    Args:
        features: (n, dim) float32; rows need not be normalised.
        k: 1 <= k < n.
        device: "auto", "cpu" or "cuda[:N]".
    """
    import torch

    from ..neighbours import nearest_neighbours

    x = torch.tensor(features, device=resolve_device(device))
    ids = nearest_neighbours(x, k)
    unit = to_unit_length(x)
    similarities = torch.stack(
        [torch.einsum("nd,nd->n", unit, unit[ids[:, j]]) for j in range(k)], dim=1
    )
    return Graph(ids.int().cpu().numpy(), similarities.cpu().numpy())


def nearest_of(queries: np.ndarray, base: np.ndarray, k: int, device: str) -> Graph:
    """The k nearest rows of `base` for each row of `queries`, which are other ones.

    Args:
        queries: (m, dim) float32; rows need not be normalised.
        base: (n, dim) float32, likewise.
        k: 1 <= k <= n.
        device: as of `graph`.

    Returns:
        ids and similarities of shape (m, k).
    """
    import torch

    where = resolve_device(device)
    unit = to_unit_length(torch.tensor(base, device=where))
    columns = min(len(base), _COLUMNS)
    step = max(1, _PAIRS // columns)
    ids = np.empty((len(queries), k), dtype=np.int32)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    for top in range(0, len(queries), step):
        rows = to_unit_length(torch.tensor(queries[top : top + step], device=where))
        best = rows.new_full((len(rows), k), -torch.inf)
        number = torch.zeros((len(rows), k), dtype=torch.int64, device=where)
        for left in range(0, len(base), columns):
            product = rows @ unit[left : left + columns].T
            values, found = product.topk(min(k, product.shape[1]), dim=1)
            best, order = torch.cat([best, values], dim=1).topk(k, dim=1)
            number = torch.cat([number, found + left], dim=1).gather(1, order)
        ids[top : top + step] = number.int().cpu().numpy()
        similarities[top : top + step] = best.cpu().numpy()
    return Graph(ids, similarities)
