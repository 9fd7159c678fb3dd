"""The Triton kernel of `triton_adamw`: each number that moves is read once and written once."""

# Triton compiles annotations too, so kernels have none but `tl.constexpr`, and these as they are.
# mypy: allow-untyped-defs, allow-incomplete-defs
import triton
import triton.language as tl


# `numbers` is specialised: loads are made of several numbers at a time only where the compiler
# knows that a multiple of 16 is inside. Floats never are.
@triton.jit
def move_and_follow(
    gradient,
    student,
    exp_avg,
    exp_avg_sq,
    teacher,
    student_half,
    teacher_half,
    numbers,
    shrink,
    of_gradient,
    beta_2,
    of_square,
    root_correction,
    eps,
    step_size,
    toward,
    MOVES: tl.constexpr,
    HALVES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One program: a block of numbers. Without MOVES the student is only read."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    here = at < numbers
    p = tl.load(student + at, mask=here)
    q = tl.load(teacher + at, mask=here)
    if MOVES:
        g = tl.load(gradient + at, mask=here)
        m = tl.load(exp_avg + at, mask=here)
        v = tl.load(exp_avg_sq + at, mask=here)
        m += of_gradient * (g - m)
        v = beta_2 * v + of_square * g * g
        # Roots and divisions as exact as torch's: Triton's own are approximate, and the memory
        # takes longer than either.
        denominator = tl.div_rn(tl.sqrt_rn(v), root_correction) + eps
        p = p * shrink - tl.div_rn(step_size * m, denominator)
        tl.store(exp_avg + at, m, mask=here)
        tl.store(exp_avg_sq + at, v, mask=here)
        tl.store(student + at, p, mask=here)
    q += toward * (p - q)
    tl.store(teacher + at, q, mask=here)
    if HALVES:
        tl.store(student_half + at, p.to(student_half.dtype.element_ty), mask=here)
        tl.store(teacher_half + at, q.to(teacher_half.dtype.element_ty), mask=here)
