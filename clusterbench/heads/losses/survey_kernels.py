"""Triton kernels of `triton_tiles.survey`: rows in registers, or in blocks of columns.

A program has some pairs of one head, both rows of each. Exponentials are powers of two, so `scale`
is log2(e) / temperature. A row is shifted by its highest scaled logit, rounded once: whatever the
rounding did cancels between an exponential and the sum that it is divided by. A pair beyond the
last is the last one again, and nothing of it is stored or summed.
"""

# Triton compiles annotations too, so kernels have none but `tl.constexpr`, and these as they are.
# mypy: allow-untyped-defs, allow-incomplete-defs
import triton
import triton.language as tl

#: log2(e), log(2), and what is below every logit but one of minus infinity: a first shift that
#: can be subtracted from minus infinity.
_LOG2E = tl.constexpr(1.4426950408889634)
_LN2 = tl.constexpr(0.6931471805599453)
_LOW = tl.constexpr(-1e30)


@triton.jit
def _first_highest(x, columns, K: tl.constexpr):
    """The highest of each row and the first column that has it; any column if one is NaN."""
    high = tl.max(x, axis=1)
    at = tl.min(tl.where(x == high[:, None], columns[None, :], K), axis=1)
    return high, tl.minimum(at, K - 1)


@triton.jit(do_not_specialize=["pairs", "steps"])
def survey_whole(
    logits,
    lse_out,
    best_out,
    agreement_out,
    sums_out,
    pairs,
    steps,
    scale,
    K: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One program: `steps` blocks of pairs, whole rows. sums_out: (heads, programs, 2, K)."""
    head = tl.program_id(1).to(tl.int64)
    columns = tl.arange(0, BLOCK_K)
    inside = columns < K
    sums_a = tl.zeros((BLOCK_K,), tl.float32)
    sums_b = tl.zeros((BLOCK_K,), tl.float32)
    start = tl.program_id(0) * steps * BLOCK_P
    blocks = tl.minimum(steps, tl.cdiv(pairs - start, BLOCK_P))
    for step in tl.range(0, blocks, num_stages=STAGES):
        pair = start + step * BLOCK_P + tl.arange(0, BLOCK_P)
        there = pair < pairs
        row = head * 2 * pairs + tl.minimum(pair, pairs - 1)
        at = logits + row[:, None] * K + columns[None, :]
        a = tl.load(at, mask=inside[None, :], other=float("-inf")).to(tl.float32)
        at = logits + (row + pairs)[:, None] * K + columns[None, :]
        b = tl.load(at, mask=inside[None, :], other=float("-inf")).to(tl.float32)
        high_a, best_a = _first_highest(a, columns, K)
        high_b, best_b = _first_highest(b, columns, K)
        shift_a, shift_b = high_a * scale, high_b * scale
        e_a = tl.exp2(a * scale - shift_a[:, None])
        e_b = tl.exp2(b * scale - shift_b[:, None])
        z_a, z_b = tl.sum(e_a, axis=1), tl.sum(e_b, axis=1)
        agreement = tl.sum(e_a * e_b, axis=1) / (z_a * z_b)
        sums_a += tl.sum(e_a * tl.where(there, 1.0 / z_a, 0.0)[:, None], axis=0)
        sums_b += tl.sum(e_b * tl.where(there, 1.0 / z_b, 0.0)[:, None], axis=0)
        tl.store(lse_out + row, (shift_a + tl.log2(z_a)) * _LN2, mask=there)
        tl.store(lse_out + row + pairs, (shift_b + tl.log2(z_b)) * _LN2, mask=there)
        tl.store(best_out + row, best_a, mask=there)
        tl.store(best_out + row + pairs, best_b, mask=there)
        tl.store(agreement_out + head * pairs + pair, agreement, mask=there)
    out = sums_out + (head * tl.num_programs(0) + tl.program_id(0)) * 2 * K + columns
    tl.store(out, sums_a, mask=inside)
    tl.store(out + K, sums_b, mask=inside)


@triton.jit
def _survey_block(x, columns, shift, z, best, best_at, scale):
    """A further block of columns of each row, in lanes that are summed at the end."""
    higher = x > best
    best_at = tl.where(higher, columns[None, :], best_at)
    best = tl.where(higher, x, best)
    new = tl.maximum(shift, tl.max(x, axis=1) * scale)
    e = tl.exp2(x * scale - new[:, None])
    shrink = tl.exp2(shift - new)
    return e, shrink, new, z * shrink[:, None] + e, best, best_at


@triton.jit(do_not_specialize=["pairs"])
def survey_blocks(
    logits,
    lse_out,
    best_out,
    agreement_out,
    pairs,
    scale,
    K: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One program: a block of pairs, a block of columns after the other. No sums of columns."""
    head = tl.program_id(1).to(tl.int64)
    pair = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    there = pair < pairs
    row = head * 2 * pairs + tl.minimum(pair, pairs - 1)
    at_a = logits + row[:, None] * K
    at_b = logits + (row + pairs)[:, None] * K
    shift_a = tl.full((BLOCK_P,), _LOW, tl.float32)
    shift_b = tl.full((BLOCK_P,), _LOW, tl.float32)
    z_a = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    z_b = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    both = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    top_a = tl.full((BLOCK_P, BLOCK_K), float("-inf"), tl.float32)
    top_b = tl.full((BLOCK_P, BLOCK_K), float("-inf"), tl.float32)
    at_top_a = tl.zeros((BLOCK_P, BLOCK_K), tl.int32)
    at_top_b = tl.zeros((BLOCK_P, BLOCK_K), tl.int32)
    for start in tl.range(0, K, BLOCK_K, num_stages=STAGES):
        columns = start + tl.arange(0, BLOCK_K)
        inside = (columns < K)[None, :]
        a = tl.load(at_a + columns[None, :], mask=inside, other=float("-inf")).to(tl.float32)
        b = tl.load(at_b + columns[None, :], mask=inside, other=float("-inf")).to(tl.float32)
        e_a, shrink_a, shift_a, z_a, top_a, at_top_a = _survey_block(
            a, columns, shift_a, z_a, top_a, at_top_a, scale
        )
        e_b, shrink_b, shift_b, z_b, top_b, at_top_b = _survey_block(
            b, columns, shift_b, z_b, top_b, at_top_b, scale
        )
        both = both * (shrink_a * shrink_b)[:, None] + e_a * e_b
    sum_a, sum_b = tl.sum(z_a, axis=1), tl.sum(z_b, axis=1)
    best_a = tl.min(tl.where(top_a == tl.max(top_a, axis=1)[:, None], at_top_a, K), axis=1)
    best_b = tl.min(tl.where(top_b == tl.max(top_b, axis=1)[:, None], at_top_b, K), axis=1)
    tl.store(lse_out + row, (shift_a + tl.log2(sum_a)) * _LN2, mask=there)
    tl.store(lse_out + row + pairs, (shift_b + tl.log2(sum_b)) * _LN2, mask=there)
    tl.store(best_out + row, tl.minimum(best_a, K - 1), mask=there)
    tl.store(best_out + row + pairs, tl.minimum(best_b, K - 1), mask=there)
    agreement = tl.sum(both, axis=1) / (sum_a * sum_b)
    tl.store(agreement_out + head * pairs + pair, agreement, mask=there)


@triton.jit(do_not_specialize=["pairs", "steps"])
def column_sums(
    logits,
    lse,
    sums_out,
    pairs,
    steps,
    scale,
    K: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One program: a block of columns, `steps` blocks of pairs. sums_out: (heads, axis 1, 2, K)."""
    head = tl.program_id(2).to(tl.int64)
    columns = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    inside = columns < K
    sums_a = tl.zeros((BLOCK_K,), tl.float32)
    sums_b = tl.zeros((BLOCK_K,), tl.float32)
    start = tl.program_id(1) * steps * BLOCK_P
    blocks = tl.minimum(steps, tl.cdiv(pairs - start, BLOCK_P))
    for step in tl.range(0, blocks, num_stages=STAGES):
        pair = start + step * BLOCK_P + tl.arange(0, BLOCK_P)
        there = pair < pairs
        row = head * 2 * pairs + tl.minimum(pair, pairs - 1)
        shift_a = tl.load(lse + row, mask=there, other=float("inf")) * _LOG2E
        shift_b = tl.load(lse + row + pairs, mask=there, other=float("inf")) * _LOG2E
        at = logits + row[:, None] * K + columns[None, :]
        a = tl.load(at, mask=inside[None, :], other=float("-inf")).to(tl.float32)
        at = logits + (row + pairs)[:, None] * K + columns[None, :]
        b = tl.load(at, mask=inside[None, :], other=float("-inf")).to(tl.float32)
        sums_a += tl.sum(tl.exp2(a * scale - shift_a[:, None]), axis=0)
        sums_b += tl.sum(tl.exp2(b * scale - shift_b[:, None]), axis=0)
    out = sums_out + (head * tl.num_programs(1) + tl.program_id(1)) * 2 * K + columns
    tl.store(out, sums_a, mask=inside)
    tl.store(out + K, sums_b, mask=inside)
