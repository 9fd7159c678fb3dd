"""The parts in which a step looks at the logits of a batch.

All logits of all heads can be many GB (50 heads, 2 x 1,024 rows, 10,450 clusters: 4.3), so they
are made in tiles of some heads and some pairs, used, and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: Numbers in the logits of a tile, of the student and of the teacher alike. A CPU's tile is as
#: large as matrix products need to be fast, a GPU's as large as memory allows without regret.
#: They move sums by rounding, so they depend on nothing but the kind of the device.
TILE_NUMBERS = {"cpu": 1 << 24, "cuda": 1 << 28}


@dataclass(frozen=True)
class Tile:
    """Some heads of a stack and some pairs of a batch."""

    heads: slice
    pairs: slice

    @property
    def n_heads(self) -> int:
        """Heads in it."""
        return int(self.heads.stop - self.heads.start)

    @property
    def n_pairs(self) -> int:
        """Pairs in it."""
        return int(self.pairs.stop - self.pairs.start)


@dataclass(frozen=True)
class Tiling:
    """How a batch is cut: groups of heads one after the other, in each all pairs.

    n_heads, n_pairs, n_clusters: of the whole. heads, pairs: of a tile at most.
    """

    n_heads: int
    n_pairs: int
    n_clusters: int
    heads: int
    pairs: int

    @classmethod
    def of(cls, n_heads: int, n_pairs: int, n_clusters: int, numbers: int) -> Tiling:
        """As few tiles as hold no more than `numbers` logits each: first by heads, then by pairs.

        A tile has one head and one pair at least.
        """
        of_pair = 2 * n_clusters
        heads = min(n_heads, max(1, numbers // (of_pair * n_pairs)))
        pairs = min(n_pairs, max(1, numbers // of_pair)) if heads == 1 else n_pairs
        return cls(n_heads, n_pairs, n_clusters, _even(n_heads, heads), _even(n_pairs, pairs))

    @property
    def numbers(self) -> int:
        """Logits of the largest tile."""
        return self.heads * 2 * self.pairs * self.n_clusters

    @property
    def single(self) -> bool:
        """Whether one tile is the whole batch."""
        return self.heads == self.n_heads and self.pairs == self.n_pairs

    def groups(self) -> Iterator[slice]:
        """The groups of heads."""
        return _slices(self.n_heads, self.heads)

    def tiles(self, heads: slice) -> list[Tile]:
        """The tiles of a group of heads."""
        return [Tile(heads, pairs) for pairs in _slices(self.n_pairs, self.pairs)]


def _even(n: int, at_most: int) -> int:
    """The size of parts as equal as can be, of which none is larger than `at_most`."""
    parts = -(-n // at_most)
    return -(-n // parts)


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
