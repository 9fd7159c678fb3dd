"""Triton kernels of `triton_tiles.pair_gradient`: rows in registers, or in blocks of columns.

Programs, shifts and pairs beyond the last are as in `survey_kernels`. scale: log2(e) / student's
temperature. other_scale: beta * log2(e) / teacher's. rate: 1 / student's temperature.
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
def _one_way(
    x,
    other,
    other_shift,
    log_p,
    slopes,
    half,
    scale,
    other_scale,
    beta,
    rate,
    MARGINAL: tl.constexpr,
    SLOPE: tl.constexpr,
):
    """Gradient of rows x that learn from rows `other`, and log2 of the sum in their loss."""
    shift = tl.max(x, axis=1) * scale
    level = x * scale - shift[:, None]
    e = tl.exp2(level)
    z = tl.sum(e, axis=1)
    inner = level * beta + (other * other_scale - other_shift[:, None])
    if MARGINAL:
        inner -= log_p[None, :]
    top = tl.max(inner, axis=1)
    f = tl.exp2(inner - top[:, None])
    y = tl.sum(f, axis=1)
    weight = half * (beta * rate)
    gradient = e * (weight / z)[:, None] - f * (weight / y)[:, None]
    if SLOPE:
        mean = tl.sum(e * slopes[None, :], axis=1) / z
        gradient += e * (rate / z)[:, None] * (slopes[None, :] - mean[:, None])
    return gradient, top + tl.log2(y) - beta * tl.log2(z)


@triton.jit(do_not_specialize=["pairs", "steps"])
def gradient_whole(
    student,
    teacher,
    teacher_lse,
    log_marginal,
    weight,
    slope,
    losses,
    pairs,
    steps,
    scale,
    other_scale,
    beta,
    rate,
    K: tl.constexpr,
    MARGINAL: tl.constexpr,
    WEIGHT: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One program: `steps` blocks of pairs, whole rows."""
    head = tl.program_id(1).to(tl.int64)
    columns = tl.arange(0, BLOCK_K)
    inside = columns < K
    log_p = tl.zeros((BLOCK_K,), tl.float32)
    if MARGINAL:
        log_p = tl.load(log_marginal + head * K + columns, mask=inside, other=0.0) * _LOG2E
    slope_a = tl.zeros((BLOCK_K,), tl.float32)
    slope_b = tl.zeros((BLOCK_K,), tl.float32)
    if SLOPE:
        slope_a = tl.load(slope + head * 2 * K + columns, mask=inside, other=0.0)
        slope_b = tl.load(slope + (head * 2 + 1) * K + columns, mask=inside, other=0.0)
    start = tl.program_id(0) * steps * BLOCK_P
    blocks = tl.minimum(steps, tl.cdiv(pairs - start, BLOCK_P))
    for step in tl.range(0, blocks, num_stages=STAGES):
        pair = start + step * BLOCK_P + tl.arange(0, BLOCK_P)
        there = pair < pairs
        pair = tl.minimum(pair, pairs - 1)
        row = head * 2 * pairs + pair
        at_a = row[:, None] * K + columns[None, :]
        at_b = (row + pairs)[:, None] * K + columns[None, :]
        here = inside[None, :]
        s_a = tl.load(student + at_a, mask=here, other=float("-inf")).to(tl.float32)
        s_b = tl.load(student + at_b, mask=here, other=float("-inf")).to(tl.float32)
        t_a = tl.load(teacher + at_a, mask=here, other=0.0).to(tl.float32)
        t_b = tl.load(teacher + at_b, mask=here, other=0.0).to(tl.float32)
        lse_a = tl.load(teacher_lse + row) * (beta * _LOG2E)
        lse_b = tl.load(teacher_lse + row + pairs) * (beta * _LOG2E)
        half = tl.full((BLOCK_P,), 0.5, tl.float32)
        if WEIGHT:
            half *= tl.load(weight + pair)
        gradient_a, log_a = _one_way(
            s_a, t_b, lse_b, log_p, slope_a, half, scale, other_scale, beta, rate, MARGINAL, SLOPE
        )
        gradient_b, log_b = _one_way(
            s_b, t_a, lse_a, log_p, slope_b, half, scale, other_scale, beta, rate, MARGINAL, SLOPE
        )
        here = there[:, None] & inside[None, :]
        tl.store(student + at_a, gradient_a.to(student.dtype.element_ty), mask=here)
        tl.store(student + at_b, gradient_b.to(student.dtype.element_ty), mask=here)
        tl.store(losses + head * pairs + pair, half * (log_a + log_b) * -_LN2, mask=there)


@triton.jit
def _inner(x, other, other_shift, log_p, scale, other_scale, beta, MARGINAL: tl.constexpr):
    """The exponent of r but for a constant of the row, in powers of two."""
    inner = x * (beta * scale) + (other * other_scale - other_shift[:, None])
    if MARGINAL:
        inner -= log_p[None, :]
    return inner


@triton.jit
def _add_block(x, inner, slopes, shift, z, dot, top, y, scale, SLOPE: tl.constexpr):
    """A further block of columns of each row, in lanes that are summed at the end."""
    new = tl.maximum(shift, tl.max(x, axis=1) * scale)
    shrink = tl.exp2(shift - new)[:, None]
    e = tl.exp2(x * scale - new[:, None])
    if SLOPE:
        dot = dot * shrink + e * slopes[None, :]
    new_top = tl.maximum(top, tl.max(inner, axis=1))
    y = y * tl.exp2(top - new_top)[:, None] + tl.exp2(inner - new_top[:, None])
    return new, z * shrink + e, dot, new_top, y


@triton.jit
def _gradient_block(
    x, inner, slopes, shift, z, mean, top, y, weight, scale, rate, SLOPE: tl.constexpr
):
    e = tl.exp2(x * scale - shift[:, None])
    f = tl.exp2(inner - top[:, None])
    gradient = e * (weight / z)[:, None] - f * (weight / y)[:, None]
    if SLOPE:
        gradient += e * (rate / z)[:, None] * (slopes[None, :] - mean[:, None])
    return gradient


@triton.jit(do_not_specialize=["pairs"])
def gradient_blocks(
    student,
    teacher,
    teacher_lse,
    log_marginal,
    weight,
    slope,
    losses,
    pairs,
    scale,
    other_scale,
    beta,
    rate,
    K: tl.constexpr,
    MARGINAL: tl.constexpr,
    WEIGHT: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One program: a block of pairs, a block of columns after the other."""
    head = tl.program_id(1).to(tl.int64)
    pair = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    there = pair < pairs
    pair = tl.minimum(pair, pairs - 1)
    row = head * 2 * pairs + pair
    from_a, from_b = row[:, None] * K, (row + pairs)[:, None] * K
    lse_a = tl.load(teacher_lse + row) * (beta * _LOG2E)
    lse_b = tl.load(teacher_lse + row + pairs) * (beta * _LOG2E)
    log_p = tl.zeros((BLOCK_K,), tl.float32)
    slope_a = tl.zeros((BLOCK_K,), tl.float32)
    slope_b = tl.zeros((BLOCK_K,), tl.float32)
    shift_a = tl.full((BLOCK_P,), _LOW, tl.float32)
    shift_b = tl.full((BLOCK_P,), _LOW, tl.float32)
    top_a = tl.full((BLOCK_P,), _LOW, tl.float32)
    top_b = tl.full((BLOCK_P,), _LOW, tl.float32)
    z_a = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    z_b = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    dot_a = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    dot_b = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    y_a = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    y_b = tl.zeros((BLOCK_P, BLOCK_K), tl.float32)
    for start in tl.range(0, K, BLOCK_K, num_stages=STAGES):
        columns = start + tl.arange(0, BLOCK_K)
        inside = columns < K
        here = inside[None, :]
        at_a, at_b = from_a + columns[None, :], from_b + columns[None, :]
        s_a = tl.load(student + at_a, mask=here, other=float("-inf")).to(tl.float32)
        s_b = tl.load(student + at_b, mask=here, other=float("-inf")).to(tl.float32)
        t_a = tl.load(teacher + at_a, mask=here, other=0.0).to(tl.float32)
        t_b = tl.load(teacher + at_b, mask=here, other=0.0).to(tl.float32)
        if MARGINAL:
            log_p = tl.load(log_marginal + head * K + columns, mask=inside, other=0.0) * _LOG2E
        if SLOPE:
            slope_a = tl.load(slope + head * 2 * K + columns, mask=inside, other=0.0)
            slope_b = tl.load(slope + (head * 2 + 1) * K + columns, mask=inside, other=0.0)
        inner_a = _inner(s_a, t_b, lse_b, log_p, scale, other_scale, beta, MARGINAL)
        inner_b = _inner(s_b, t_a, lse_a, log_p, scale, other_scale, beta, MARGINAL)
        shift_a, z_a, dot_a, top_a, y_a = _add_block(
            s_a, inner_a, slope_a, shift_a, z_a, dot_a, top_a, y_a, scale, SLOPE
        )
        shift_b, z_b, dot_b, top_b, y_b = _add_block(
            s_b, inner_b, slope_b, shift_b, z_b, dot_b, top_b, y_b, scale, SLOPE
        )
    sum_a, sum_b = tl.sum(z_a, axis=1), tl.sum(z_b, axis=1)
    mean_a, mean_b = tl.sum(dot_a, axis=1) / sum_a, tl.sum(dot_b, axis=1) / sum_b
    part_a, part_b = tl.sum(y_a, axis=1), tl.sum(y_b, axis=1)
    half = tl.full((BLOCK_P,), 0.5, tl.float32)
    if WEIGHT:
        half *= tl.load(weight + pair)
    log_a = top_a + tl.log2(part_a) - beta * (shift_a + tl.log2(sum_a))
    log_b = top_b + tl.log2(part_b) - beta * (shift_b + tl.log2(sum_b))
    tl.store(losses + head * pairs + pair, half * (log_a + log_b) * -_LN2, mask=there)
    half *= beta * rate
    last = (K - 1) // BLOCK_K * BLOCK_K
    for back in tl.range(0, K, BLOCK_K, num_stages=STAGES):
        # From the last block on: what was read last is the likeliest to be in the cache still.
        columns = last - back + tl.arange(0, BLOCK_K)
        inside = columns < K
        here = inside[None, :]
        at_a, at_b = from_a + columns[None, :], from_b + columns[None, :]
        s_a = tl.load(student + at_a, mask=here, other=float("-inf")).to(tl.float32)
        s_b = tl.load(student + at_b, mask=here, other=float("-inf")).to(tl.float32)
        t_a = tl.load(teacher + at_a, mask=here, other=0.0).to(tl.float32)
        t_b = tl.load(teacher + at_b, mask=here, other=0.0).to(tl.float32)
        if MARGINAL:
            log_p = tl.load(log_marginal + head * K + columns, mask=inside, other=0.0) * _LOG2E
        if SLOPE:
            slope_a = tl.load(slope + head * 2 * K + columns, mask=inside, other=0.0)
            slope_b = tl.load(slope + (head * 2 + 1) * K + columns, mask=inside, other=0.0)
        inner_a = _inner(s_a, t_b, lse_b, log_p, scale, other_scale, beta, MARGINAL)
        inner_b = _inner(s_b, t_a, lse_a, log_p, scale, other_scale, beta, MARGINAL)
        gradient_a = _gradient_block(
            s_a, inner_a, slope_a, shift_a, sum_a, mean_a, top_a, part_a, half, scale, rate, SLOPE
        )
        gradient_b = _gradient_block(
            s_b, inner_b, slope_b, shift_b, sum_b, mean_b, top_b, part_b, half, scale, rate, SLOPE
        )
        here = there[:, None] & inside[None, :]
        tl.store(student + at_a, gradient_a.to(student.dtype.element_ty), mask=here)
        tl.store(student + at_b, gradient_b.to(student.dtype.element_ty), mask=here)
