"""Leading eigenvectors of a graph's normalised adjacency, the same ones each time."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from ...cores import one_blas_thread
from ...estimator import TrainingError

#: Rows up to which all eigenvectors of the dense matrix are as quick.
_FEW = 500
#: Below this share of the rows, Lanczos vectors are fewer than all there could be.
_SPARSE = 4


def work_bytes(n: int, n_vectors: int) -> float:
    """Bytes that `leading` holds at its height: Lanczos vectors, eigenvectors, and a copy."""
    if _is_dense(n, n_vectors):
        return 8.0 * n * (3 * n + n_vectors)
    return 8.0 * n * (_lanczos(n, n_vectors) + 2 * n_vectors + 8)


def leading(
    graph: sparse.csr_array, parts: np.ndarray, n_vectors: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors of D^-1/2 W D^-1/2 with the largest eigenvalues (of I minus it the smallest).

    Those of eigenvalue 1 are known, one for each connected component, and are taken as they are:
    the root of each row's degree on one component, 0 elsewhere. The others are found by Lanczos'
    method from a vector of the seed, orthogonal to them, so that components do no harm. In each
    the number of largest magnitude is positive.

    Args:
        graph: (n, n) W, symmetric; each row has a neighbour.
        parts: (n,) int64, its components by number; no more than n_vectors.
        n_vectors: wanted, at most n.
        seed: of the start.

    Returns:
        (n_vectors,) float64 eigenvalues, descending, and (n, n_vectors) float64 vectors.

    Raises:
        TrainingError: the method does not converge.
    """
    n, n_parts = graph.shape[0], int(parts.max()) + 1
    root = np.sqrt(graph.sum(axis=1))
    inverse = sparse.diags_array(1.0 / root)
    normalised = sparse.csr_array(inverse @ graph @ inverse)
    known = np.zeros((n, n_parts))
    known[np.arange(n), parts] = root
    known /= np.linalg.norm(known, axis=0)
    wanted = n_vectors - n_parts
    values, vectors = np.ones(n_parts), known
    if wanted:
        with one_blas_thread():  # sums of several threads differ in their last bits
            found, more = _others(normalised, known, wanted, seed)
        values, vectors = np.concatenate([values, found]), np.hstack([known, more])
    largest = np.abs(vectors).argmax(axis=0)
    sign = np.sign(vectors[largest, np.arange(n_vectors)])
    return values, vectors * np.where(sign == 0, 1.0, sign)


def _others(
    normalised: sparse.csr_array, known: np.ndarray, wanted: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The next eigenvectors beside known ones of eigenvalue 1, which are moved down to -1."""
    n = len(known)
    if _is_dense(n, wanted):
        moved = normalised.toarray() - 2.0 * known @ known.T
        values, vectors = linalg.eigh(moved, subset_by_index=(n - wanted, n - 1))
        return values[::-1], vectors[:, ::-1]
    part = sparse.csr_array(known)

    def product(x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        result: np.ndarray = normalised @ x - 2.0 * (part @ (part.T @ x))
        return result

    rng = np.random.default_rng(seed)
    start = rng.normal(size=n)
    # A start in a small invariant space is drawn anew, by newer releases of SciPy from a generator
    # of their own, if they are given none.
    drawn: dict[str, Any] = {"rng": rng} if "rng" in inspect.signature(eigsh).parameters else {}
    operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
    try:
        values, vectors = eigsh(
            operator,
            wanted,
            which="LA",
            v0=start,
            ncv=_lanczos(n, wanted),
            maxiter=10_000,
            **drawn,
        )
    except ArpackError as error:
        raise TrainingError(f"the eigenvectors of the graph were not found: {error}") from error
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order]


def _is_dense(n: int, wanted: int) -> bool:
    return n <= _FEW or _SPARSE * wanted > n


def _lanczos(n: int, wanted: int) -> int:
    return min(n, max(2 * wanted + 1, 20))
