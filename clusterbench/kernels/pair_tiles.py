"""Losses over pairs on tiles of logits, a row at a time while it is in cache; float32.

The definitions are those of `heads.losses.torch_tiles`. Loops are written so that LLVM makes vector
instructions of them. Sums may be taken in any order of their terms: in which, depends on the
machine and on the length of a row, never on the number of threads. The steps of `exponential` keep
their order.

A loop that sums freely must not store: before it stores into one array what it reads in another,
LLVM's code asks whether the two lie close together, and takes the terms one by one if they do. The
sum would depend on where memory happened to be free.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from .compiled import compiled

LOG2_E = np.float32(math.log2(math.e))
#: log 2 in two parts, the first so short that its products with whole numbers are exact.
LOG_2_HIGH = np.float32(0.693359375)
LOG_2_LOW = np.float32(math.log(2) - 0.693359375)
#: Added to a small number it leaves the nearest whole number in the lowest bits.
TO_WHOLE = np.float32(1.5 * 2**23)
#: Least relative error, 3.1e-9, of 1 + r + r^2 (C2 + C3 r + ...) to exp r for |r| <= log(2) / 2.
C2 = np.float32(0.49999994)
C3 = np.float32(0.16666521)
C4 = np.float32(0.04166839)
C5 = np.float32(0.008368745)
C6 = np.float32(0.001381454)
ONE = np.float32(1)
ZERO = np.float32(0)
INFINITE = np.float32(np.inf)
#: There the power of two of an exponential has no exponent left, and is 0.
NOTHING = np.float32(-88)
#: Exponentials of less are taken for 0. Numbers below 1.2e-38 make processors slow: none is an
#: exponential, and hardly one that times its factor is part of a gradient.
LEAST = np.float32(-87)
LEAST_OF_GRADIENT = np.float32(-69)
#: Changes the order of negative numbers, as integers, to that of all.
OTHER_BITS = np.int32(0x7FFFFFFF)
#: Logits compared together, when their place is looked for.
CHUNK = 64
#: Pairs whose probabilities are summed one after the other.
BLOCK = 64

summing = partial(compiled, fastmath={"reassoc", "contract"})
fusing = partial(compiled, fastmath={"contract"})


@fusing
def exponential(x: np.float32, least: np.float32) -> Any:
    """exp x of a float32 that is not above 0, within 2 units in the last place; 0 below `least`.

    least is -87 or more. exp 0 is 1, that of NaN is NaN.
    """
    x = NOTHING if x < least else x
    shifted = x * LOG2_E + TO_WHOLE
    n = shifted - TO_WHOLE
    r = (x - n * LOG_2_HIGH) - n * LOG_2_LOW
    p = (((C6 * r + C5) * r + C4) * r + C3) * r + C2
    bits = np.int32((np.float32(shifted).view(np.int32) + np.int32(127)) << np.int32(23))
    return ((p * r + ONE) * r + ONE) * bits.view(np.float32)


@compiled
def extremes(row: np.ndarray) -> tuple[Any, Any]:
    """Lowest and highest of a (k,) float32 row; where it has a NaN, that is one of them.

    As integers, so that it takes vector instructions, in which NaN is beyond the infinities.
    """
    bits = row.view(np.int32)
    low, high = np.int32(0x7FFFFFFF), np.int32(-0x80000000)
    for j in range(len(bits)):
        key = np.int32(bits[j] ^ ((bits[j] >> np.int32(31)) & OTHER_BITS))
        low = key if key < low else low
        high = key if key > high else high
    low = np.int32(low ^ ((low >> np.int32(31)) & OTHER_BITS))
    high = np.int32(high ^ ((high >> np.int32(31)) & OTHER_BITS))
    return low.view(np.float32), high.view(np.float32)


@compiled
def place_of(row: np.ndarray, value: np.float32) -> int:
    """The first place of a value in a (k,) float32 row; 0 where it has none."""
    k = len(row)
    whole = k - k % CHUNK
    for start in range(0, whole, CHUNK):
        chunk = row[start : start + CHUNK]
        found = 0
        for j in range(CHUNK):
            found += chunk[j] == value
        if found:
            for j in range(CHUNK):
                if chunk[j] == value:
                    return start + j
    for j in range(whole, k):
        if row[j] == value:
            return j
    return 0


@fusing
def put_exponentials(
    row: np.ndarray, high: np.float32, scale: np.float32, least: np.float32, to: np.ndarray
) -> None:
    """Put exp(scale (row - high)) of (k,) float32 into `to`, another array."""
    for j in range(len(row)):
        to[j] = exponential((row[j] - high) * scale, least)


@summing
def sum_of(row: np.ndarray) -> Any:
    """Sum of a (k,) float32 row."""
    total = ZERO
    for j in range(len(row)):
        total += row[j]
    return total


@summing
def dot(a: np.ndarray, b: np.ndarray) -> Any:
    """Sum of products of (k,) float32.

    Each is added in the instruction that makes it, if the machine can: it may be tiny.
    """
    total = ZERO
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@fusing
def count_both(
    a: np.ndarray,
    b: np.ndarray,
    of_a: np.float32,
    of_b: np.float32,
    sums_a: np.ndarray,
    sums_b: np.ndarray,
) -> None:
    """Add a * of_a to sums_a and b * of_b to sums_b, all (k,) float32."""
    for j in range(len(a)):
        sums_a[j] += a[j] * of_a
        sums_b[j] += b[j] * of_b


@compiled
def survey_blocks(
    logits: np.ndarray,
    scale: np.float32,
    first: int,
    last: int,
    lse: np.ndarray,
    best: np.ndarray,
    partial_sums: np.ndarray,
    agreement: np.ndarray,
) -> None:
    """Survey the blocks [first, last) of pairs of a tile, of all heads one after the other.

    A block is of BLOCK pairs, the last one of a head of those that are left.

    Args:
        logits: (heads, 2 * pairs, k) float32.
        scale: 1 / temperature.
        first: number of a block.
        last: number of the block after the last.
        lse: (heads, 2 * pairs) float32; written to, NaN where a logit is not finite.
        best: (heads, 2 * pairs) int32; written to.
        partial_sums: (heads * blocks, 2, k) float32, zeros; the column sums of each block.
        agreement: (heads, pairs) float32; written to.
    """
    pairs, k = logits.shape[1] // 2, logits.shape[2]
    blocks = -(-pairs // BLOCK)
    e = np.empty((2, k), np.float32)
    share = np.empty(2, np.float32)
    for number in range(first, last):
        head = number // blocks
        start = (number % blocks) * BLOCK
        for pair in range(start, min(start + BLOCK, pairs)):
            for view in range(2):
                i = view * pairs + pair
                row = logits[head, i]
                low, high = extremes(row)
                put_exponentials(row, high, scale, LEAST, e[view])
                total = sum_of(e[view])
                if not (low > -INFINITE and high < INFINITE):
                    total = np.float32(np.nan)
                best[head, i] = place_of(row, high)
                lse[head, i] = np.float64(high) * scale + math.log(np.float64(total))
                share[view] = ONE / total
            sums = partial_sums[number]
            agreement[head, pair] = dot(e[0], e[1]) * share[0] * share[1]
            count_both(e[0], e[1], share[0], share[1], sums[0], sums[1])


@fusing
def inner_terms(
    student: np.ndarray,
    teacher: np.ndarray,
    high: np.float32,
    student_scale: np.float32,
    teacher_scale: np.float32,
    teacher_lse: np.float32,
    beta: np.float32,
    log_marginal: np.ndarray,
    to: np.ndarray,
) -> None:
    """Put beta (log q_s + log q_t) - log p, up to a constant of the student, into `to`.

    All rows are (k,) float32.
    """
    for j in range(len(student)):
        log_q = (student[j] - high) * student_scale
        log_t = teacher[j] * teacher_scale - teacher_lse
        to[j] = beta * (log_q + log_t) - log_marginal[j]


@fusing
def difference(
    q: np.ndarray, r: np.ndarray, of_q: np.float32, of_r: np.float32, to: np.ndarray
) -> None:
    """Put q * of_q - r * of_r of (k,) float32 into `to`."""
    for j in range(len(q)):
        to[j] = q[j] * of_q - r[j] * of_r


@fusing
def add_slope(
    q: np.ndarray, slope: np.ndarray, mean: np.float32, of_q: np.float32, to: np.ndarray
) -> None:
    """Add q * of_q * (slope - mean) of (k,) float32 to `to`."""
    for j in range(len(q)):
        to[j] += q[j] * of_q * (slope[j] - mean)


@compiled
def gradient_rows(
    student: np.ndarray,
    teacher: np.ndarray,
    student_scale: np.float32,
    teacher_scale: np.float32,
    teacher_lse: np.ndarray,
    log_marginal: np.ndarray,
    beta: np.float32,
    half: np.ndarray,
    slope: np.ndarray,
    first: int,
    last: int,
    losses: np.ndarray,
) -> None:
    """Losses and gradients of the rows [first, last) of a tile, of all heads one after the other.

    Args:
        student: (heads, 2 * pairs, k) float32 logits; overwritten with the gradient.
        teacher: the same shape.
        student_scale: 1 / temperature.
        teacher_scale: of the teacher.
        teacher_lse: (heads, 2 * pairs) float32.
        log_marginal: (heads, k) float32; zeros for none.
        beta: exponent.
        half: (pairs,) float32, half the weight of each pair.
        slope: (heads, 2, k) float32; (0, 2, k) for none.
        first: number of a row.
        last: number of the row after the last.
        losses: (heads, 2 * pairs) float32, half the weighted l of each row; written to, NaN where
            a logit is not finite.
    """
    rows, k = student.shape[1:]
    pairs = rows // 2
    inner, q, r = np.empty(k, np.float32), np.empty(k, np.float32), np.empty(k, np.float32)
    for number in range(first, last):
        head, i = number // rows, number % rows
        view, pair = i // pairs, i % pairs
        partner = (1 - view) * pairs + pair
        row = student[head, i]
        low, high = extremes(row)
        put_exponentials(row, high, student_scale, LEAST_OF_GRADIENT, q)
        total = sum_of(q)
        if not (low > -INFINITE and high < INFINITE):
            total = np.float32(np.nan)
        inner_terms(
            row, teacher[head, partner], high, student_scale, teacher_scale,
            teacher_lse[head, partner], beta, log_marginal[head], inner,
        )  # fmt: skip
        highest = extremes(inner)[1]
        put_exponentials(inner, highest, ONE, LEAST_OF_GRADIENT, r)
        inner_total = sum_of(r)
        log_sum = math.log(np.float64(inner_total)) - beta * math.log(np.float64(total))
        losses[head, i] = -half[pair] * (highest + log_sum)
        factor = half[pair] * beta * student_scale
        difference(q, r, factor / total, factor / inner_total, row)
        if len(slope):
            mean = dot(q, slope[head, view]) / total
            add_slope(q, slope[head, view], mean, student_scale / total, row)
