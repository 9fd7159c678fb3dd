"""What lies between the matrix products of a head, a row at a time while it is in cache; float32.

The definitions are those of `heads.layers`. Sums may be taken in any order of their terms: in
which, depends on the machine and on the sizes, never on the number of threads.

GELU(x) is x Phi(x) (Hendrycks and Gimpel, arXiv:1606.08415), with the normal distribution's
upper tail Q(a) = 1 - Phi(a) = exp(-a^2 / 2) T(a) for a = |x|. T(a) is a polynomial in
1 / (1 + c a), as in Abramowitz and Stegun 26.2.17, with more terms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .compiled import compiled
from .pair_tiles import ONE, ZERO, dot, fusing

#: Rows whose columns are summed one after the other.
BLOCK = 64
#: Columns of a weight that are taken together: they stay in cache between two looks.
COLUMNS = 512

#: exp(-a^2 / 2) is 2 to the power of this times a^2.
POWER = np.float32(-0.5 * math.log2(math.e))
#: Squares of more are taken for NO_SQUARE: Q(a) is below e^-69 there. NO_SQUARE is so large that
#: the power has no exponent left, and is 0.
LARGEST_SQUARE = np.float32(2 * 69)
NO_SQUARE = np.float32(127 / (0.5 * math.log2(math.e)))
#: Added to a small number it leaves in the lowest bits the nearest whole number and the 127 that
#: exponents begin with.
TO_EXPONENT = np.float32(1.5 * 2**23 + 127)
#: Least relative error, 9.1e-8, of 1 + r (E1 + E2 r + ...) to 2^r for |r| <= 1 / 2.
E1 = np.float32(0.6931470036506653)
E2 = np.float32(0.24022242426872253)
E3 = np.float32(0.05550733581185341)
E4 = np.float32(0.009671512991189957)
E5 = np.float32(0.001326472731307149)
#: Density of the normal distribution at 0.
DENSITY = np.float32(1 / math.sqrt(2 * math.pi))
#: With t = 1 / (1 + TAIL a), t (T0 + T1 t + ...) exp(-a^2 / 2) has the least error to Q(a) for
#: 0 <= a < 12 among those of its degree: 5.5e-9.
TAIL = np.float32(0.33)
T0 = np.float32(0.1327490657567978)
T1 = np.float32(0.11841537803411484)
T2 = np.float32(0.18440762162208557)
T3 = np.float32(-0.09511986374855042)
T4 = np.float32(0.3368396461009979)
T5 = np.float32(-0.22343869507312775)
T6 = np.float32(0.04614687338471413)


@fusing
def bell(a: np.float32) -> Any:
    """exp(-a^2 / 2) of a float32, within 1e-7 + 6e-8 a^2 of itself; that of NaN is NaN."""
    square = a * a
    square = NO_SQUARE if square > LARGEST_SQUARE else square
    shifted = square * POWER + TO_EXPONENT
    r = square * POWER - (shifted - TO_EXPONENT)
    p = (((E5 * r + E4) * r + E3) * r + E2) * r + E1
    bits = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    return (p * r + ONE) * bits.view(np.float32)


@fusing
def upper_tail(a: np.float32, e: np.float32) -> Any:
    """Q(a) of a float32 that is not below 0, where e is exp(-a^2 / 2)."""
    t = ONE / (ONE + TAIL * a)
    p = ((((T6 * t + T5) * t + T4) * t + T3) * t + T2) * t + T1
    return e * t * (p * t + T0)


@fusing
def gelu(row: np.ndarray, bias: np.ndarray) -> None:
    """Overwrite a (width,) float32 row with GELU(row + bias).

    Errors are at most 2e-7 max(1, |x|); Q(a) below e^-69 counts as 0. Infinite and NaN give NaN.
    """
    for j in range(len(row)):
        x = row[j] + bias[j]
        a = abs(x)
        row[j] = (x if x > ZERO else ZERO) - a * upper_tail(a, bell(a))


@fusing
def gelu_and_slope(row: np.ndarray, bias: np.ndarray, to: np.ndarray) -> None:
    """Put GELU(row + bias) into `to`, and its derivative into `row`; all (width,) float32.

    Errors of the derivative are at most 2e-7; else as `gelu`.
    """
    for j in range(len(row)):
        x = row[j] + bias[j]
        a = abs(x)
        e = bell(a)
        tail = upper_tail(a, e)
        rest = tail - a * (e * DENSITY)
        to[j] = (x if x > ZERO else ZERO) - a * tail
        row[j] = ONE - rest if x > ZERO else rest


@compiled
def gelu_rows(product: np.ndarray, bias: np.ndarray, first: int, last: int) -> None:
    """`gelu` of the rows [first, last) of (heads, rows, width), of all heads one after the other.

    Args:
        product: (heads, rows, width) float32; overwritten.
        bias: (heads, 1, width) float32.
        first: number of a row.
        last: number of the row after the last.
    """
    rows = product.shape[1]
    for number in range(first, last):
        head = number // rows
        gelu(product[head, number % rows], bias[head, 0])


@compiled
def gelu_and_slope_rows(
    product: np.ndarray, bias: np.ndarray, active: np.ndarray, first: int, last: int
) -> None:
    """`gelu_and_slope`, as `gelu_rows`, into `active` of the shape of `product`."""
    rows = product.shape[1]
    for number in range(first, last):
        head, i = number // rows, number % rows
        gelu_and_slope(product[head, i], bias[head, 0], active[head, i])


@fusing
def multiply_and_count(row: np.ndarray, factors: np.ndarray, sums: np.ndarray) -> None:
    """Multiply a (width,) float32 row by factors, and add it to sums."""
    for j in range(len(row)):
        product = row[j] * factors[j]
        row[j] = product
        sums[j] += product


@compiled
def multiply_blocks(
    rows: np.ndarray, factors: np.ndarray, first: int, last: int, partial_sums: np.ndarray
) -> None:
    """Multiply the blocks [first, last) of rows by factors, of all heads one after the other.

    A block is of BLOCK rows, the last one of a head of those that are left.

    Args:
        rows: (heads, rows, width) float32; overwritten.
        factors: the same shape.
        first: number of a block.
        last: number of the block after the last.
        partial_sums: (heads * blocks, width) float32, zeros; the column sums of each block.
    """
    n = rows.shape[1]
    blocks = -(-n // BLOCK)
    for number in range(first, last):
        head, start = number // blocks, (number % blocks) * BLOCK
        for i in range(start, min(start + BLOCK, n)):
            multiply_and_count(rows[head, i], factors[head, i], partial_sums[number])


@compiled
def add_to(row: np.ndarray, bias: np.ndarray) -> None:
    """Add a bias to a (width,) float32 row."""
    for j in range(len(row)):
        row[j] += bias[j]


@compiled
def unit_rows(
    product: np.ndarray,
    bias: np.ndarray,
    shortest: np.float32,
    first: int,
    last: int,
    length: np.ndarray,
) -> None:
    """Overwrite the rows [first, last) of a product, of all heads, with (row + bias) / length.

    Args:
        product: (heads, rows, width) float32; overwritten.
        bias: (heads, 1, width) float32.
        shortest: the least length that counts.
        first: number of a row.
        last: number of the row after the last.
        length: (heads, rows, 1) float32; written to.
    """
    rows = product.shape[1]
    for number in range(first, last):
        head, i = number // rows, number % rows
        row = product[head, i]
        add_to(row, bias[head, 0])
        long = np.float32(math.sqrt(dot(row, row)))
        long = shortest if long < shortest else long  # NaN stays
        length[head, i, 0] = long
        for j in range(len(row)):
            row[j] = row[j] / long


@fusing
def leave_and_count(
    row: np.ndarray, unit: np.ndarray, along: np.float32, factor: np.float32, sums: np.ndarray
) -> None:
    """Overwrite a (width,) float32 row with (row - along * unit) * factor, and add it to sums."""
    for j in range(len(row)):
        across = (row[j] - along * unit[j]) * factor
        row[j] = across
        sums[j] += across


@compiled
def unit_back_blocks(
    of_unit: np.ndarray,
    unit: np.ndarray,
    length: np.ndarray,
    scale: np.float32,
    first: int,
    last: int,
    partial_sums: np.ndarray,
) -> None:
    """Make the gradient by rows of that by unit rows, in blocks as `multiply_blocks` has them.

    Args:
        of_unit: (heads, rows, width) float32; overwritten.
        unit: the same shape.
        length: (heads, rows, 1) float32.
        scale: that the gradient is multiplied by.
        first: number of a block.
        last: number of the block after the last.
        partial_sums: (heads * blocks, width) float32, zeros; the column sums of each block.
    """
    n = unit.shape[1]
    blocks = -(-n // BLOCK)
    for number in range(first, last):
        head, start = number // blocks, (number % blocks) * BLOCK
        for i in range(start, min(start + BLOCK, n)):
            row, of_row = unit[head, i], of_unit[head, i]
            factor = np.float32(scale / length[head, i, 0])
            leave_and_count(of_row, row, dot(of_row, row), factor, partial_sums[number])


@fusing
def count_squares(row: np.ndarray, sums: np.ndarray) -> None:
    """Add the squares of a (width,) float32 row to sums."""
    for j in range(len(row)):
        sums[j] += row[j] * row[j]


@fusing
def count_products(a: np.ndarray, b: np.ndarray, sums: np.ndarray) -> None:
    """Add a * b of (width,) float32 to sums."""
    for j in range(len(a)):
        sums[j] += a[j] * b[j]


@compiled
def roots(squares: np.ndarray, shortest: np.float32) -> None:
    """Overwrite (width,) float32 squares with their roots, or with `shortest` if that is more."""
    for j in range(len(squares)):
        root = np.float32(math.sqrt(squares[j]))
        squares[j] = shortest if root < shortest else root  # NaN stays


@compiled
def multiply_to(a: np.ndarray, b: np.ndarray, to: np.ndarray) -> None:
    """Put a * b of (width,) float32 into `to`."""
    for j in range(len(a)):
        to[j] = a[j] * b[j]


@compiled
def weight_columns(
    direction: np.ndarray,
    gain: np.ndarray,
    shortest: np.float32,
    first: int,
    last: int,
    weight: np.ndarray,
) -> None:
    """Put gain times unit columns into the blocks [first, last) of columns, of all heads.

    A block is of COLUMNS columns, the last one of a head of those that are left.

    Args:
        direction: (heads, bottleneck, n_clusters) float32.
        gain: (heads, 1, n_clusters) float32.
        shortest: the least length that counts.
        first: number of a block.
        last: number of the block after the last.
        weight: the shape of `direction`; written to.
    """
    depth, k = direction.shape[1:]
    blocks = -(-k // COLUMNS)
    for number in range(first, last):
        head, start = number // blocks, (number % blocks) * COLUMNS
        stop = min(start + COLUMNS, k)
        factor = np.zeros(stop - start, np.float32)
        for i in range(depth):
            count_squares(direction[head, i, start:stop], factor)
        roots(factor, shortest)
        for j in range(len(factor)):
            factor[j] = gain[head, 0, start + j] / factor[j]
        for i in range(depth):
            multiply_to(direction[head, i, start:stop], factor, weight[head, i, start:stop])


@fusing
def leave_columns(
    row: np.ndarray, direction: np.ndarray, along: np.ndarray, factor: np.ndarray
) -> None:
    """Overwrite a (width,) float32 row with (row - along * direction) * factor."""
    for j in range(len(row)):
        row[j] = (row[j] - along[j] * direction[j]) * factor[j]


@compiled
def weight_back_columns(
    of_weight: np.ndarray,
    direction: np.ndarray,
    gain: np.ndarray,
    shortest: np.float32,
    scale: np.float32,
    first: int,
    last: int,
    of_gain: np.ndarray,
) -> None:
    """Make the gradients by direction and gain of that by the weight, in blocks of columns.

    Args:
        of_weight: (heads, bottleneck, n_clusters) float32; overwritten with that by direction.
        direction: the same shape.
        gain: (heads, 1, n_clusters) float32.
        shortest: the least length that counts.
        scale: that the gradient is multiplied by.
        first: number of a block.
        last: number of the block after the last.
        of_gain: (heads, 1, n_clusters) float32; written to.
    """
    depth, k = direction.shape[1:]
    blocks = -(-k // COLUMNS)
    for number in range(first, last):
        head, start = number // blocks, (number % blocks) * COLUMNS
        stop = min(start + COLUMNS, k)
        length = np.zeros(stop - start, np.float32)
        along = np.zeros(stop - start, np.float32)
        for i in range(depth):
            row = direction[head, i, start:stop]
            count_squares(row, length)
            count_products(row, of_weight[head, i, start:stop], along)
        roots(length, shortest)
        for j in range(len(length)):
            along[j] = along[j] / length[j]
            of_gain[head, 0, start + j] = along[j] * scale
            along[j] = along[j] / length[j]
            length[j] = gain[head, 0, start + j] * (scale / length[j])
        for i in range(depth):
            leave_columns(
                of_weight[head, i, start:stop], direction[head, i, start:stop], along, length
            )
