"""Kernels that may fuse or reorder come to the same bits wherever their arrays lie in memory.

LLVM asks of short arrays whether they lie close together, and takes other instructions then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from clusterbench.kernels import adamw, head_layers, pair_tiles

F = np.float32
Kernel = Callable[..., object]


def laid(arrays: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Copies of arrays in one buffer: in every order, next to each other and apart."""
    room = sum(map(len, arrays)) + 400 * len(arrays)
    for order in itertools.permutations(range(len(arrays))):
        for gap, at in itertools.product((0, 1, 3, 16, 300), (0, 1)):
            buffer, found = np.zeros(room + 8, arrays[0].dtype), [arrays[0]] * len(arrays)
            for i in order:
                found[i] = buffer[at : at + len(arrays[i])]
                found[i][:] = arrays[i]
                at += len(arrays[i]) + gap
            yield found


#: How many arrays a kernel takes, and how it is called with them.
ROWS: dict[str, tuple[int, Kernel]] = {
    "put_exponentials": (2, lambda a, b: pair_tiles.put_exponentials(a, F(2), F(1.3), F(-80), b)),
    "sum_of": (1, pair_tiles.sum_of),
    "dot": (2, pair_tiles.dot),
    "count_both": (4, lambda a, b, *s: pair_tiles.count_both(a, b, F(0.3), F(0.7), *s)),
    "inner_terms": (
        4,
        lambda a, b, m, to: pair_tiles.inner_terms(
            a, b, F(0.3), F(0.7), F(1.1), F(0.2), F(0.6), m, to
        ),
    ),
    "difference": (3, lambda a, b, to: pair_tiles.difference(a, b, F(0.3), F(0.7), to)),
    "add_slope": (3, lambda a, b, to: pair_tiles.add_slope(a, b, F(0.3), F(0.7), to)),
    "gelu": (2, head_layers.gelu),
    "gelu_and_slope": (3, head_layers.gelu_and_slope),
    "multiply_and_count": (3, head_layers.multiply_and_count),
    "add_to": (2, head_layers.add_to),
    "leave_and_count": (
        3, lambda a, b, s: head_layers.leave_and_count(a, b, F(0.3), F(0.7), s)
    ),
    "count_squares": (2, head_layers.count_squares),
    "count_products": (3, head_layers.count_products),
    "leave_columns": (4, head_layers.leave_columns),
    "adamw_and_follow": (
        5,
        lambda g, p, m, v, t: adamw.adamw_and_follow(
            g, p, m, v, t, F(0.99), F(0.1), F(0.999), F(0.001), F(0.3), F(1e-8), F(0.01), F(0.1)
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_row_comes_to_the_same_bits_wherever_it_lies(name: str) -> None:
    count, kernel = ROWS[name]
    rng = np.random.default_rng(0)
    for k in (1, 3, 4, 7, 8, 13, 15, 17, 25, 31, 33, 64, 65):
        rows = [np.abs(rng.normal(size=k)).astype(F) for _ in range(count)]
        found = {
            (kernel(*each), *(row.tobytes() for row in each)) for each in laid(rows)
        }  # fmt: skip
        assert len(found) == 1, f"{name} of {k} numbers comes to {len(found)} answers"
