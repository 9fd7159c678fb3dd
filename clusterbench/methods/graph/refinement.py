"""Clusters told anew by three witnesses: neighbours' votes, a discriminant, and what was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .links import Links

#: Part of the scatter within clusters that is put equally on all directions.
SHRINKAGE = 0.1
#: Numbers of a table of rows, their candidates and dimensions that are held at a time.
_NUMBERS = 1 << 22


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Fisher's linear discriminant of clusters, with a scatter that all have in common.

    A row x belongs to cluster c by x W m_c - m_c W m_c / 2, where m_c is the mean of the cluster
    and W the inverse of the scatter within clusters, of which the part `SHRINKAGE` is replaced by
    its mean over directions (Friedman, JASA 84, 1989). Clusters without rows have none.

    Attributes:
        directions: (n_clusters, dim) float32.
        offsets: (n_clusters,) float32, -inf of an empty cluster.
    """

    directions: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, rows: np.ndarray, labels: np.ndarray, n_clusters: int) -> Discriminant | None:
        """Learn it of (n, dim) float32 rows in (n,) clusters; None where these have no scatter.

        Sums are float64, in blocks of rows and one order.
        """
        dim = rows.shape[1]
        sizes = np.bincount(labels, minlength=n_clusters)
        means = np.zeros((n_clusters, dim))
        second = np.zeros((dim, dim))
        for start in range(0, len(rows), 8192):
            block = rows[start : start + 8192].astype(np.float64)
            np.add.at(means, labels[start : start + 8192], block)
            second += block.T @ block
        means /= np.maximum(sizes, 1)[:, None]
        scatter = (second - (means * sizes[:, None]).T @ means) / len(rows)
        size = float(np.trace(scatter)) / dim
        if not size > np.finfo(np.float32).eps * max(float(np.trace(second)) / len(rows), 0.0):
            return None
        scatter *= 1.0 - SHRINKAGE
        scatter.flat[:: dim + 1] += SHRINKAGE * size
        directions = np.linalg.solve(scatter, means.T)
        offsets = -0.5 * np.einsum("cd,dc->c", means, directions)
        offsets[sizes == 0] = -np.inf
        return cls(
            torch.from_numpy(np.ascontiguousarray(directions.T, dtype=np.float32)),
            torch.from_numpy(offsets.astype(np.float32)),
        )

    def shares(self, rows: Tensor, candidates: Tensor) -> Tensor:
        """Probabilities of some clusters of each row, as of normal clouds of one size.

        Args:
            rows: (m, dim) float32.
            candidates: (m, k) int64; one that stands twice has its share twice.

        Returns:
            (m, k) float32, which sum to 1 over the different candidates of a row.
        """
        directions = self.directions.to(rows.device)[candidates]
        logits = torch.einsum("mkd,md->mk", directions, rows)
        logits += self.offsets.to(rows.device)[candidates]
        same = candidates[:, :, None] == candidates[:, None, :]
        again = torch.tril(same, diagonal=-1).any(dim=2)
        whole = torch.logsumexp(logits.masked_fill(again, -torch.inf), dim=1, keepdim=True)
        return torch.exp(logits - whole)


@dataclass(frozen=True, eq=False)
class Witnesses:
    """What is asked about a row.

    Attributes:
        clusters: (n,) int64, of the training rows, which neighbours vote for.
        discriminant: of these clusters; None where there is none.
        spread: of similarities, see `spread_of`.
        n_clusters: K.
        weights: what the shares of votes, discriminant and what was said count for.
    """

    clusters: np.ndarray
    discriminant: Discriminant | None
    spread: float
    n_clusters: int
    weights: tuple[float, float, float]

    def scores(
        self, rows: np.ndarray, links: Links, said: np.ndarray, device: torch.device
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Clusters that come into question for rows, and their scores, a block of rows at a time.

        These are the neighbours' clusters and those that were said; the discriminant decides among
        them, so that the work does not grow with the number of clusters.

        Args:
            rows: (m, dim) float32.
            links: their nearest training rows, k of each.
            said: (m,) clusters that they are said to be of; or (m, n), best first, of which the
                first counts and the others come into question.
            device: where it is computed.

        Yields:
            Which rows; clusters, (block, k + n) int64; and their scores, float32, the same for a
            cluster that stands twice.
        """
        votes, discriminant, once = self.weights
        said = said.reshape(len(said), -1).astype(np.int64)
        width = links.ids.shape[1] + said.shape[1]
        size = max(1, _NUMBERS // (width * max(rows.shape[1], width)))
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            weights = vote_weights(links.similarities[block], links.counted[block], self.spread)
            voted = torch.from_numpy(self.clusters[links.ids[block]]).to(device)
            told = torch.from_numpy(said[block]).to(device)
            counts = torch.zeros(len(told), width, device=device)
            counts[:, : weights.shape[1]] = votes * torch.from_numpy(weights).to(device)
            counts[:, weights.shape[1]] = once
            candidates = torch.cat([voted, told], dim=1)
            same = candidates[:, :, None] == candidates[:, None, :]
            score = (same * counts[:, None, :]).sum(dim=2)
            if self.discriminant is not None:
                there = torch.from_numpy(rows[block]).to(device)
                score += discriminant * self.discriminant.shares(there, candidates)
            yield block, candidates, score

    def told(
        self, rows: np.ndarray, links: Links, said: np.ndarray, device: torch.device
    ) -> np.ndarray:
        """The cluster of the highest score, the lowest of equal ones: (m,) int64; see `scores`."""
        result = np.empty(len(rows), dtype=np.int64)
        for block, candidates, score in self.scores(rows, links, said, device):
            first = score == score.max(dim=1, keepdim=True).values
            lowest = torch.where(first, candidates, self.n_clusters).min(dim=1).values
            result[block] = lowest.cpu().numpy()
        return result

    def ranked(
        self, rows: np.ndarray, links: Links, said: np.ndarray, n: int, device: torch.device
    ) -> np.ndarray:
        """The n clusters of the highest scores, best first: (m, n) int64.

        said: (m, n) different clusters, best first; they fill the places behind the neighbours'.
        """
        result = np.empty((len(rows), n), dtype=np.int64)
        for block, candidates, score in self.scores(rows, links, said, device):
            same = candidates[:, :, None] == candidates[:, None, :]
            again = torch.tril(same, diagonal=-1).any(dim=2)
            order = score.masked_fill(again, -torch.inf).topk(n, dim=1).indices
            result[block] = candidates.gather(1, order).cpu().numpy()
        return result


def vote_weights(similarities: np.ndarray, counted: np.ndarray, spread: float) -> np.ndarray:
    """Weights of neighbours, (m, k) float32, which sum to 1 in a row that has any.

    Proportional to exp(similarity / spread), alike for a spread of 0.
    """
    if not similarities.shape[1]:
        return np.zeros(similarities.shape, dtype=np.float32)
    near = np.where(counted, similarities.astype(np.float32), -np.inf)
    best = near.max(axis=1, keepdims=True)
    best[~np.isfinite(best)] = 0.0
    weights = np.exp((near - best) / spread) if spread > 0 else counted.astype(np.float32)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-30))
    result: np.ndarray = weights.astype(np.float32)
    return result


def spread_of(links: Links) -> float:
    """How far the similarities of a row's first and last neighbour lie apart, in the mean."""
    several = links.counted.sum(axis=1) > 1
    if not several.any():
        return 0.0
    similarities, counted = links.similarities[several].astype(np.float32), links.counted[several]
    most = np.where(counted, similarities, -np.inf).max(axis=1)
    least = np.where(counted, similarities, np.inf).min(axis=1)
    return float((most - least).mean(dtype=np.float64))
