"""The graph of nearest neighbours as a sparse symmetric matrix, and its connected parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .links import Links

if TYPE_CHECKING:
    from scipy import sparse


def adjacency(links: Links, n: int) -> sparse.csr_array:
    """(A + A^T) / 2 of the neighbours that count: (n, n) float64, of rows 0 to n - 1.

    A is 1 where j is among the neighbours of i: so an edge weighs 1 where both have each other
    among theirs, and 1/2 where one has. No row is joined to itself.
    """
    degree = links.counted.sum(axis=1)
    indptr = np.concatenate([[0], np.cumsum(degree)])
    from scipy import sparse

    one_way = sparse.csr_array(
        (np.ones(int(indptr[-1])), links.ids[links.counted], indptr), shape=(n, n)
    )
    both = sparse.csr_array((one_way + one_way.T) / 2)
    both.sort_indices()
    return both


def components(graph: sparse.csr_array) -> tuple[int, np.ndarray]:
    """Connected components: how many, and of each row the number, (n,) int64.

    They are numbered by their lowest row.
    """
    from scipy import sparse

    count, found = sparse.csgraph.connected_components(graph, directed=False)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    place = np.empty(count, dtype=np.int64)
    place[np.argsort(first)] = np.arange(count)
    return int(count), place[inverse]
