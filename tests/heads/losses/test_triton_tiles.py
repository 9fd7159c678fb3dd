"""The fused kernels against their definitions in float64.

They run in Triton's interpreter, in a process of its own, and on a real device where there is one.
"""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from clusterbench import heads as room
from clusterbench.heads.losses import torch_tiles, triton_tiles

HERE = Path(__file__)
DTYPES = [torch.float32, torch.float16]
#: (log_marginal, weight, slope): which of them there are.
EVERY = list(itertools.product((False, True), repeat=3))
NONE_AND_ALL = [EVERY[0], EVERY[-1]]
SCALES = (7.0, 11.0)
BETA = 0.6


@dataclass
class Problem:
    """What both functions take."""

    student: Tensor
    teacher: Tensor
    log_marginal: Tensor
    weight: Tensor
    slope: Tensor

    def slack(self) -> float:
        """What float32 may make of a probability, as a share of it, and of a log-sum or a loss.

        An exponent of size m is off by m 2^-24 each time that it is rounded: eight times, at most.
        """
        both = torch.cat([self.student, self.teacher]).double()
        return 2.0**-21 * (1.0 + max(SCALES) * both[both.isfinite()].abs().max().item())


def problem(
    n_clusters: int,
    dtype: torch.dtype,
    kind: str = "normal",
    device: str = "cpu",
    heads: int = 2,
    pairs: int = 5,
) -> Problem:
    generator = torch.Generator().manual_seed(n_clusters)
    shape = heads, 2 * pairs, n_clusters
    logits = [torch.randn(shape, generator=generator) for _ in range(2)]
    if kind == "extreme":
        logits = [1000.0 * part for part in logits]
    if kind == "ties":
        logits = [part.round().clamp(max=1.0) for part in logits]
    if kind == "broken":
        logits[0][0, 1, 0] = torch.nan
        logits[0][1, pairs + 2, n_clusters - 1] = torch.inf
        logits[1][1, 0, n_clusters // 2] = torch.inf
        logits[1][0, 3] = torch.nan
        logits[0][0, 4, n_clusters // 2] = -torch.inf
        logits[1][0, 4, n_clusters // 3] = -torch.inf
    student, teacher = (part.to(dtype).to(device) for part in logits)
    return Problem(
        student,
        teacher,
        torch.randn((heads, n_clusters), generator=generator).log_softmax(dim=1).to(device),
        torch.rand(pairs, generator=generator).to(device),
        torch.randn((heads, 2, n_clusters), generator=generator).to(device),
    )


def close(found: Tensor, true: Tensor, rtol: float, atol: float) -> None:
    torch.testing.assert_close(found.double(), true, rtol=rtol, atol=atol, equal_nan=True)


def survey_is_as_defined(of: Problem) -> None:
    before = of.student.clone()
    found = triton_tiles.survey(of.student, SCALES[0])
    # Where a logit is plus infinity, all of its row is NaN, not its own probability alone.
    logits = of.student.double()
    true = torch_tiles.survey(torch.where(logits.isposinf(), torch.nan, logits), SCALES[0])
    torch.testing.assert_close(of.student, before, rtol=0, atol=0, equal_nan=True)
    slack, usual = of.slack(), ~true.lse.isnan()
    close(found.lse, true.lse, slack, slack)
    first = logits.cpu().numpy().argmax(axis=2)
    assert found.best.dtype == torch.int32
    np.testing.assert_array_equal(found.best[usual].cpu(), first[usual.cpu().numpy()])
    assert found.best.min() >= 0 and found.best.max() < of.student.shape[2]
    close(found.sums, true.sums, slack, 1e-7)
    close(found.agreement, true.agreement, 2 * slack, 1e-7)


def gradient_is_as_defined(of: Problem, given: tuple[bool, bool, bool]) -> None:
    rest = (of.log_marginal, of.weight, of.slope)
    optional = [part if there else None for part, there in zip(rest, given, strict=True)]
    wide = [None if part is None else part.double() for part in optional]
    student, gradient, teacher = of.student.clone(), of.student.double(), of.teacher.clone()
    lse = torch_tiles.survey(of.teacher.double(), SCALES[1]).lse
    losses = triton_tiles.pair_gradient(
        student, of.teacher, *SCALES, lse.float(), optional[0], BETA, *optional[1:]
    )
    true = torch_tiles.pair_gradient(
        gradient, of.teacher.double(), *SCALES, lse, wide[0], BETA, *wide[1:]
    )
    torch.testing.assert_close(of.teacher, teacher, rtol=0, atol=0, equal_nan=True)
    slack = of.slack()
    close(losses, true, slack, slack)
    steepest = 1.0 + (2.0 * of.slope.abs().max().item() if given[2] else 0.0)
    of_dtype = 2.0**-10 if student.dtype == torch.float16 else 0.0
    close(student, gradient, of_dtype, SCALES[0] * steepest * slack)


def both_are_as_defined(of: Problem, combinations: list[tuple[bool, bool, bool]]) -> None:
    survey_is_as_defined(of)
    for given in combinations:
        gradient_is_as_defined(of, given)


def interpreted() -> None:
    """What the subprocess below runs: the kernels in Triton's interpreter."""
    for n_clusters, dtype in itertools.product((1, 3, 17, 1000, 5000), DTYPES):
        every = (n_clusters, dtype) == (1000, torch.float32)
        fewer = NONE_AND_ALL if n_clusters < 5000 else NONE_AND_ALL[1:]
        both_are_as_defined(problem(n_clusters, dtype), EVERY if every else fewer)
    print("sizes")
    is_cut = triton_tiles.TileCut
    cuts = {name: cut for name, cut in vars(triton_tiles).items() if isinstance(cut, is_cut)}
    for whole in (64, 16):  # a row in one block, and in three
        triton_tiles._WHOLE, triton_tiles._INTERPRETED = whole, 4 * whole
        for name, cut in cuts.items():
            setattr(triton_tiles, name, replace(cut, columns=whole, pairs=min(cut.pairs, 8)))
        for kind, dtype in zip(("extreme", "ties", "broken"), 2 * DTYPES, strict=False):
            both_are_as_defined(problem(37, dtype, kind), NONE_AND_ALL[1:])
        # Several programs for a head, of which the last has fewer blocks and a pair too few.
        of = problem(37, torch.float16, pairs=19)
        both_are_as_defined(of, EVERY[::2] if whole < 37 else EVERY[1::2])
        print("cuts")
    empty = triton_tiles.survey(torch.empty((2, 0, 37)), 1.0)
    assert (empty.lse.shape, empty.agreement.shape) == ((2, 0), (2, 0))
    assert not empty.sums.any()
    print("empty")


@pytest.mark.slow
def test_in_the_interpreter_they_are_as_defined() -> None:
    triton = pytest.importorskip("triton")
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 8):
        pytest.skip("older interpreters cannot loop with today's NumPy")
    found = subprocess.run(
        [sys.executable, str(HERE)],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HERE.parents[3])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["sizes", "cuts", "cuts", "empty"]


def test_without_triton_the_module_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in ("survey_kernels", "triton_tiles"):
        monkeypatch.delitem(sys.modules, f"clusterbench.heads.{name}", raising=False)
        monkeypatch.delattr(room, name, raising=False)
    fresh = importlib.import_module("clusterbench.heads.losses.triton_tiles")
    with pytest.raises(ImportError):
        fresh.survey(torch.zeros((1, 2, 3)), 1.0)


def test_logits_that_the_kernels_would_misread_are_refused() -> None:
    pytest.importorskip("triton")
    good = torch.zeros((1, 2, 3))
    for bad, message in (
        (good.double(), "float64; use float32 or float16"),
        (torch.zeros((3, 2, 1)).transpose(0, 2), "use contiguous"),
        (torch.zeros((1, 3, 3)), "use contiguous"),
    ):
        with pytest.raises(ValueError, match=message):
            triton_tiles.survey(bad, 1.0)
    with pytest.raises(ValueError, match="teacher is"):
        triton_tiles.pair_gradient(
            good, torch.zeros((1, 2, 4)), 1.0, 1.0, torch.zeros((1, 2)), None, 1.0, None, None
        )


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_clusters", [1, 3, 17, 1000, 4096, 5000, 10450])
def test_on_a_cuda_device_they_are_as_defined(n_clusters: int, dtype: torch.dtype) -> None:
    pytest.importorskip("triton")
    combinations = EVERY if n_clusters in (1000, 5000) else NONE_AND_ALL
    both_are_as_defined(problem(n_clusters, dtype, device="cuda", heads=3, pairs=77), combinations)


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("kind", ["extreme", "ties", "broken"])
@pytest.mark.parametrize("n_clusters", [1000, 5000])
def test_on_a_cuda_device_unusual_logits_are_as_defined(n_clusters: int, kind: str) -> None:
    pytest.importorskip("triton")
    for dtype in DTYPES:
        both_are_as_defined(problem(n_clusters, dtype, kind, device="cuda"), NONE_AND_ALL)


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("n_clusters", [1000, 10450])
def test_on_a_cuda_device_the_same_input_has_the_same_bits(n_clusters: int) -> None:
    pytest.importorskip("triton")
    of = problem(n_clusters, torch.float16, device="cuda", heads=4, pairs=300)
    found = []
    for _ in range(5):
        seen, student = triton_tiles.survey(of.student, SCALES[0]), of.student.clone()
        losses = triton_tiles.pair_gradient(
            student, of.teacher, *SCALES, seen.lse, of.log_marginal, BETA, of.weight, of.slope
        )
        found.append([seen.lse, seen.best, seen.sums, seen.agreement, losses, student])
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("n_clusters", [1000, 10450])
def test_on_a_cuda_device_offsets_may_exceed_32_bits(n_clusters: int) -> None:
    pytest.importorskip("triton")
    pairs = 512
    heads = 2**31 // (2 * pairs * n_clusters) + 2
    if torch.cuda.mem_get_info()[0] < 12 * 2**30:
        pytest.skip("needs 12 GiB of the device's memory")
    student, teacher = (
        torch.zeros((heads, 2 * pairs, n_clusters), dtype=torch.float16, device="cuda")
        for _ in range(2)
    )
    of = problem(n_clusters, torch.float16, device="cuda", heads=1, pairs=pairs)
    student[-1:], teacher[-1:] = of.student, of.teacher
    seen = triton_tiles.survey(student, SCALES[0])
    alone = triton_tiles.survey(of.student, SCALES[0])
    for name in ("lse", "best", "sums", "agreement"):
        assert torch.equal(getattr(seen, name)[-1:], getattr(alone, name)), name
    lse = triton_tiles.survey(teacher, SCALES[1]).lse
    losses = triton_tiles.pair_gradient(student, teacher, *SCALES, lse, None, BETA, None, None)
    lone = triton_tiles.pair_gradient(
        of.student, of.teacher, *SCALES, lse[-1:], None, BETA, None, None
    )
    assert torch.equal(losses[-1:], lone)
    assert torch.equal(student[-1:], of.student)


if __name__ == "__main__":
    interpreted()
