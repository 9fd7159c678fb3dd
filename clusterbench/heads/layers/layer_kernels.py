"""Triton kernels of `triton_layers`: each reads its inputs once and writes its outputs once.

A program has some rows, or some columns of the last layer's weight, of one head. Everything is
computed in float32. Sums over rows are those of a program each, which torch sums up: gradients are
summed before they are rounded.
"""

# Triton compiles annotations too, so kernels have none but `tl.constexpr`, and these as they are.
# mypy: allow-untyped-defs, allow-incomplete-defs
import triton
import triton.language as tl

#: 1 / sqrt(2 pi), log2(e) / 2, and `torch_layers.SHORTEST`.
_INV_SQRT_2PI = tl.constexpr(0.3989422804014327)
_HALF_LOG2E = tl.constexpr(0.7213475204444817)
_SHORTEST = tl.constexpr(1e-12)


@triton.jit
def _normal(x):
    """The normal density at x, and the share of the distribution beyond |x|.

    The share is within 7.5e-8 (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17),
    what float32 makes of 1 - erf as well, in half the instructions: with erf, they would take as
    long as the memory.
    """
    density = tl.exp2(x * x * -_HALF_LOG2E) * _INV_SQRT_2PI
    t = 1.0 / (1.0 + 0.2316419 * tl.abs(x))
    series = t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    return density, density * (t * (0.319381530 + series))


@triton.jit
def _length(squares):
    """Root of a sum of squares, at least the shortest; `tl.maximum` would lose a NaN."""
    length = tl.sqrt_rn(squares)
    return tl.where(length < _SHORTEST, _SHORTEST, length)


@triton.jit(do_not_specialize=["rows"])
def activate(
    product, bias, active, rows, W: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_W: tl.constexpr
):
    """One program: a block of rows and of columns."""
    head = tl.program_id(2).to(tl.int64)
    row = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    column = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    inside = column < W
    here = (row < rows)[:, None] & inside[None, :]
    at = (head * rows + row)[:, None] * W + column[None, :]
    shift = tl.load(bias + head * W + column, mask=inside, other=0.0)
    x = tl.load(product + at, mask=here, other=0.0).to(tl.float32) + shift[None, :]
    _, beyond = _normal(x)
    y = tl.maximum(x, 0.0) - tl.abs(x) * beyond  # of a NaN, the second is one
    tl.store(active + at, y.to(active.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=["rows", "steps"])
def activate_back(
    of_active,
    kept,
    bias,
    sums_out,
    rows,
    steps,
    W: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    """One program: `steps` blocks of rows, a block of columns. sums_out: (heads, axis 0, W)."""
    head = tl.program_id(2).to(tl.int64)
    column = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    inside = column < W
    shift = tl.load(bias + head * W + column, mask=inside, other=0.0)
    sums = tl.zeros((BLOCK_R, BLOCK_W), tl.float32)
    start = tl.program_id(0) * steps * BLOCK_R
    blocks = tl.minimum(steps, tl.cdiv(rows - start, BLOCK_R))
    for step in range(blocks):
        row = start + step * BLOCK_R + tl.arange(0, BLOCK_R)
        here = (row < rows)[:, None] & inside[None, :]
        at = (head * rows + row)[:, None] * W + column[None, :]
        x = tl.load(kept + at, mask=here, other=0.0).to(tl.float32) + shift[None, :]
        gradient = tl.load(of_active + at, mask=here, other=0.0).to(tl.float32)
        density, beyond = _normal(x)
        gradient *= tl.where(x > 0.0, 1.0 - beyond, beyond) + x * density
        tl.store(of_active + at, gradient.to(of_active.dtype.element_ty), mask=here)
        sums += gradient
    out = sums_out + (head * tl.num_programs(0) + tl.program_id(0)) * W + column
    tl.store(out, tl.sum(sums, axis=0), mask=inside)


@triton.jit(do_not_specialize=["rows"])
def make_unit(
    product,
    bias,
    unit_out,
    length_out,
    rows,
    W: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    """One program: a block of whole rows."""
    head = tl.program_id(2).to(tl.int64)
    row = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    column = tl.arange(0, BLOCK_W)
    there, inside = row < rows, column < W
    here = there[:, None] & inside[None, :]
    row = head * rows + row
    at = row[:, None] * W + column[None, :]
    shift = tl.load(bias + head * W + column, mask=inside, other=0.0)
    x = tl.load(product + at, mask=here, other=0.0).to(tl.float32) + shift[None, :]
    length = _length(tl.sum(x * x, axis=1))
    x *= (1.0 / length)[:, None]
    tl.store(unit_out + at, x.to(unit_out.dtype.element_ty), mask=here)
    tl.store(length_out + row, length, mask=there)


@triton.jit(do_not_specialize=["rows", "steps"])
def make_unit_back(
    of_unit,
    unit,
    lengths,
    product_out,
    sums_out,
    rows,
    steps,
    scale,
    W: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    """One program: `steps` blocks of whole rows. sums_out: (heads, axis 0, W)."""
    head = tl.program_id(2).to(tl.int64)
    column = tl.arange(0, BLOCK_W)
    inside = column < W
    sums = tl.zeros((BLOCK_R, BLOCK_W), tl.float32)
    start = tl.program_id(0) * steps * BLOCK_R
    blocks = tl.minimum(steps, tl.cdiv(rows - start, BLOCK_R))
    for step in range(blocks):
        row = start + step * BLOCK_R + tl.arange(0, BLOCK_R)
        there = row < rows
        here = there[:, None] & inside[None, :]
        row = head * rows + row
        at = row[:, None] * W + column[None, :]
        z = tl.load(unit + at, mask=here, other=0.0).to(tl.float32)
        gradient = tl.load(of_unit + at, mask=here, other=0.0).to(tl.float32)
        rate = scale / tl.load(lengths + row, mask=there, other=1.0)
        along = tl.sum(gradient * z, axis=1)
        gradient = (gradient - z * along[:, None]) * rate[:, None]
        tl.store(product_out + at, gradient.to(product_out.dtype.element_ty), mask=here)
        sums += gradient
    out = sums_out + (head * tl.num_programs(0) + tl.program_id(0)) * W + column
    tl.store(out, tl.sum(sums, axis=0), mask=inside)


@triton.jit
def weigh(
    direction,
    gain,
    weight_out,
    B: tl.constexpr,
    K: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One program: a block of columns, in registers if it fits, else read twice."""
    head = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    inside = column < K
    factor = tl.load(gain + head * K + column, mask=inside, other=0.0)
    row = tl.arange(0, BLOCK_B)
    here = (row < B)[:, None] & inside[None, :]
    at = (head * B + row)[:, None] * K + column[None, :]
    d = tl.load(direction + at, mask=here, other=0.0)
    if B <= BLOCK_B:
        factor /= _length(tl.sum(d * d, axis=0))
        tl.store(weight_out + at, (d * factor[None, :]).to(weight_out.dtype.element_ty), mask=here)
    else:
        squares = d * d
        for start in range(BLOCK_B, B, BLOCK_B):
            row = start + tl.arange(0, BLOCK_B)
            here = (row < B)[:, None] & inside[None, :]
            at = (head * B + row)[:, None] * K + column[None, :]
            d = tl.load(direction + at, mask=here, other=0.0)
            squares += d * d
        factor /= _length(tl.sum(squares, axis=0))
        for start in range(0, B, BLOCK_B):
            row = start + tl.arange(0, BLOCK_B)
            here = (row < B)[:, None] & inside[None, :]
            at = (head * B + row)[:, None] * K + column[None, :]
            d = tl.load(direction + at, mask=here, other=0.0) * factor[None, :]
            tl.store(weight_out + at, d.to(weight_out.dtype.element_ty), mask=here)


@triton.jit
def weigh_back(
    of_weight,
    direction,
    gain,
    gain_out,
    scale,
    B: tl.constexpr,
    K: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """As `weigh`; the gradient by the direction takes the place of that by the weight."""
    head = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    inside = column < K
    factor = tl.load(gain + head * K + column, mask=inside, other=0.0) * scale
    row = tl.arange(0, BLOCK_B)
    here = (row < B)[:, None] & inside[None, :]
    at = (head * B + row)[:, None] * K + column[None, :]
    d = tl.load(direction + at, mask=here, other=0.0)
    g = tl.load(of_weight + at, mask=here, other=0.0)
    if B <= BLOCK_B:
        length = _length(tl.sum(d * d, axis=0))
        along = tl.sum(d * g, axis=0) / length
        g = (g - d * (along / length)[None, :]) * (factor / length)[None, :]
        tl.store(of_weight + at, g, mask=here)
    else:
        squares, products = d * d, d * g
        for start in range(BLOCK_B, B, BLOCK_B):
            row = start + tl.arange(0, BLOCK_B)
            here = (row < B)[:, None] & inside[None, :]
            at = (head * B + row)[:, None] * K + column[None, :]
            d = tl.load(direction + at, mask=here, other=0.0)
            squares += d * d
            products += d * tl.load(of_weight + at, mask=here, other=0.0)
        length = _length(tl.sum(squares, axis=0))
        along = tl.sum(products, axis=0) / length
        for start in range(0, B, BLOCK_B):
            row = start + tl.arange(0, BLOCK_B)
            here = (row < B)[:, None] & inside[None, :]
            at = (head * B + row)[:, None] * K + column[None, :]
            d = tl.load(direction + at, mask=here, other=0.0)
            g = tl.load(of_weight + at, mask=here, other=0.0)
            g = (g - d * (along / length)[None, :]) * (factor / length)[None, :]
            tl.store(of_weight + at, g, mask=here)
    tl.store(gain_out + head * K + column, along * scale, mask=inside)
