"""AdamW, the teacher and the copies in half precision in one kernel, against torch's own.

The kernel runs in Triton's interpreter, in a process of its own, and on a real device where there
is one.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.adamw import adamw

from clusterbench.heads import updates as room
from clusterbench.heads.body import backward, forward
from clusterbench.heads.engines import adamw_engine
from clusterbench.heads.footprint import training_bytes
from clusterbench.heads.losses.objectives import TemiObjective
from clusterbench.heads.losses.tiling import TILE_NUMBERS, Tiling
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import HeadStack, is_halved, new_heads
from clusterbench.heads.trainer import Trained, train_heads
from clusterbench.heads.training_rows import HeldRows
from clusterbench.heads.training_state import Kept
from clusterbench.heads.updates import optimiser as optimisers
from clusterbench.heads.updates import triton_adamw
from clusterbench.heads.updates.optimiser import HeadOptimiser

HERE = Path(__file__)
DECAY, MOMENTUM, STEPS = 0.3, 0.9, 12
LAST = {"direction", "gain"}
#: Of a block, of one number, of multiples of 16 and of none, in one block and in several.
SHAPES = {
    "weight_1": (3, 32, 64), "bias_1": (1, 1, 1), "weight_2": (2, 37, 41), "bias_2": (2, 1, 5),
    "direction": (2, 16, 32), "gain": (3, 1, 7),
}  # fmt: skip
#: The largest error of float32 in all steps, as a share and in itself: of each, some roundings of
#: numbers near 1.
TOLERANCE = 2e-6


def stack(seed: int, device: str) -> HeadStack:
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(s, generator=generator).to(device) for n, s in SHAPES.items()}


def gradients(step: int, device: str, resting: int) -> dict[str, Tensor | None]:
    """Of a step, from tiny to large; the last layer has none in the first `resting` steps."""
    found = {n: t * 10.0 ** (step % 7 - 5) for n, t in stack(100 + step, device).items()}
    return {n: None if n in LAST and step < resting else t for n, t in found.items()}


def rate_of(step: int) -> float:
    return 0.02 * (step + 1) / STEPS


def rounded(half: Tensor, full: Tensor) -> None:
    assert half.dtype == torch.bfloat16 and half.shape == full.shape
    if half.device.type == "cuda":
        assert torch.equal(half, full.bfloat16())
    else:  # Triton's interpreter cuts off, where a device rounds to the nearest
        assert bool(((half.double() - full.double()).abs() <= 2.0**-7 * full.double().abs()).all())


class Plain:
    """torch's AdamW in float64, one tensor at a time in its plain form, and a moving average."""

    def __init__(self, device: str) -> None:
        self.student = {n: t.double() for n, t in stack(0, device).items()}
        self.teacher = {n: t.double() for n, t in stack(1, device).items()}
        self.exp_avg = {n: torch.zeros_like(t) for n, t in self.student.items()}
        self.exp_avg_sq = {n: torch.zeros_like(t) for n, t in self.student.items()}
        self.count = {n: torch.tensor(0.0) for n in SHAPES}

    def step(self, given: dict[str, Tensor | None], rate: float) -> None:
        for name, gradient in given.items():
            if gradient is not None:
                adamw(
                    [self.student[name]], [gradient.double()], [self.exp_avg[name]],
                    [self.exp_avg_sq[name]], [], [self.count[name]], foreach=False, fused=False,
                    amsgrad=False, maximize=False, lr=rate, beta1=0.9, beta2=0.999, eps=1e-8,
                    weight_decay=0.0 if "bias" in name else DECAY,
                )  # fmt: skip
            self.teacher[name].lerp_(self.student[name], 1 - MOMENTUM)


def steps_are_those_of_torch(device: str, resting: int) -> None:
    student, teacher, plain = stack(0, device), stack(1, device), Plain(device)
    optimiser = HeadOptimiser(student, teacher, DECAY, half=True)
    for step in range(STEPS):
        given = gradients(step, device, resting)
        optimiser.step(given, rate_of(step), MOMENTUM)
        plain.step(given, rate_of(step))

    for name in SHAPES:
        assert optimiser.updates[name] == plain.count[name]
        for found, right in (
            (student[name], plain.student[name]),
            (teacher[name], plain.teacher[name]),
            (optimiser.state[f"exp_avg.{name}"], plain.exp_avg[name]),
            (optimiser.state[f"exp_avg_sq.{name}"], plain.exp_avg_sq[name]),
        ):
            torch.testing.assert_close(
                found.double(), right, rtol=TOLERANCE, atol=TOLERANCE, msg=name
            )
        for multiplied, full in zip(optimiser.multiplied, (student, teacher), strict=True):
            if is_halved(name):
                rounded(multiplied[name], full[name])
            else:
                assert multiplied[name] is full[name]


def one_that_rests_is_followed(device: str) -> None:
    for shape in ((3, 700), (2, 5)):
        generator = torch.Generator().manual_seed(0)
        p, q, *halves = (torch.randn(shape, generator=generator).to(device) for _ in range(4))
        student, teacher = p.clone(), q.clone()
        copies = halves[0].bfloat16(), halves[1].bfloat16()
        triton_adamw.follow(student, teacher, None, 0.25)
        assert torch.equal(student, p)
        right = 0.75 * q.double() + 0.25 * p.double()
        torch.testing.assert_close(teacher.double(), right, rtol=TOLERANCE, atol=TOLERANCE)
        again = q.clone()
        triton_adamw.follow(student, again, copies, 0.25)
        assert torch.equal(student, p) and torch.equal(again, teacher)
        rounded(copies[0], student)
        rounded(copies[1], teacher)


def what_lies_beyond_stays(device: str) -> None:
    """A kernel writes into its tensors alone, and a NaN into no other number."""
    n = 1500
    wide = torch.ones((5, 2 * n), device=device)
    wide[0, 3] = torch.nan
    halves = torch.ones((2, 2 * n), dtype=torch.bfloat16, device=device)
    numbers = (0.9, 0.1, 0.999, 0.001, 0.5, 1e-8, 0.1, 0.25)
    triton_adamw.adamw_and_follow(*wide[:, :n], (halves[0, :n], halves[1, :n]), *numbers)
    for changed in (*wide[1:], *halves):
        assert bool((changed[n:] == 1).all()) and bool((changed[:n] != 1).sum() >= 1)
        assert changed.isnan().nonzero().tolist() == [[3]]
    empty = torch.ones((5, 0), device=device)
    triton_adamw.adamw_and_follow(*empty, None, *numbers)


class MemoryKeeper:
    """Keeps the state after one step, and gives it to every later training."""

    def __init__(self, at: int) -> None:
        self._at, self._kept = at, None

    def load(self, heads: slice) -> Kept | None:
        return self._kept

    def due(self, step: int) -> bool:
        return step == self._at

    def save(self, step: int, heads: slice, tensors: Any, shared: Any, history: Any) -> None:
        copies = {name: tensor.clone() for name, tensor in tensors.items()}
        self._kept = Kept(copies, shared, list(history))


def trained(device: str, precision: str, keeper: MemoryKeeper | None = None) -> Trained:
    drawing = torch.Generator().manual_seed(3)
    features = torch.randn(64, 16, generator=drawing)
    table = torch.randint(64, (64, 5), generator=drawing)
    schedule = Schedule(
        n_heads=2, epochs=3, batch_size=16, hidden=16, bottleneck=8, learning_rate=0.05,
        weight_decay=0.1, momentum=0.9, warmup_epochs=1,
    )  # fmt: skip
    rows = HeldRows(features.to(device), table.to(device))
    objective = TemiObjective(0.6, 0.9, True)
    return train_heads(rows, 4, objective, schedule, 7, precision=precision, keeper=keeper)


def trains(device: str) -> None:
    """In half precision nearly as in float32."""
    half, full = trained(device, "bf16"), trained(device, "float32")
    torch.testing.assert_close(half.losses, full.losses, rtol=0.01, atol=0.01)
    assert bool((half.losses != full.losses).all())
    assert all(tensor.dtype == torch.float32 for tensor in half.teacher.values())


def interpreted() -> None:
    """What the subprocess below runs, in Triton's interpreter: the kernel, and a training by it."""
    optimisers.adamw_engine = lambda device, dtype: triton_adamw
    for resting in (0, 5):
        steps_are_those_of_torch("cpu", resting)
    one_that_rests_is_followed("cpu")
    what_lies_beyond_stays("cpu")
    print(json.dumps(trained("cpu", "bf16").losses.tolist()))


@pytest.mark.slow
def test_in_the_interpreter_it_is_as_defined() -> None:
    triton = pytest.importorskip("triton")
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 8):
        pytest.skip("older interpreters do not go with today's NumPy")
    found = subprocess.run(
        [sys.executable, str(HERE)],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HERE.parents[3])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    losses = torch.tensor(json.loads(found.stdout), dtype=torch.float64)
    torch.testing.assert_close(losses, trained("cpu", "bf16").losses, rtol=0.01, atol=0.01)


def test_without_triton_it_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in ("adamw_kernels", "triton_adamw"):
        monkeypatch.delitem(sys.modules, f"clusterbench.heads.updates.{name}", raising=False)
        monkeypatch.delattr(room, name, raising=False)
    fresh = importlib.import_module("clusterbench.heads.updates.triton_adamw")
    with pytest.raises(ImportError):
        fresh.follow(torch.zeros(3), torch.zeros(3), None, 0.5)


def test_on_the_cpu_and_in_other_precisions_torch_or_numba_moves() -> None:
    assert adamw_engine(torch.device("cpu"), torch.float32) is None
    assert adamw_engine(torch.device("cuda"), torch.float64) is None


def test_tensors_that_the_kernel_would_misread_are_refused() -> None:
    pytest.importorskip("triton")
    good = torch.zeros((4, 3))
    wide, turned, half = good.double(), torch.zeros((3, 4)).mT, good.bfloat16()
    bad: list[tuple[Callable[[], object], str]] = [
        (lambda: triton_adamw.follow(turned, good, None, 0.5), r"use contiguous \(4, 3\) on cpu"),
        (lambda: triton_adamw.follow(good, good[:2], None, 0.5), r"is \(2, 3\) on cpu"),
        (lambda: triton_adamw.follow(good, wide, None, 0.5), "float64; use float32"),
        (lambda: triton_adamw.follow(good, good, (half, half[:1]), 0.5), r"is \(1, 3\) on cpu"),
        (
            lambda: triton_adamw.adamw_and_follow(half, *[good] * 4, None, *[0.5] * 8),
            "bfloat16; use float32",
        ),
    ]
    for call, message in bad:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_copies_are_those_of_the_last_step_where_torch_or_numba_moves(dtype: torch.dtype) -> None:
    student, teacher = ({n: t.to(dtype) for n, t in stack(s, "cpu").items()} for s in (0, 1))
    optimiser = HeadOptimiser(student, teacher, DECAY, half=True)
    for step in range(3):
        for multiplied, full in zip(optimiser.multiplied, (student, teacher), strict=True):
            for name, tensor in full.items():
                if is_halved(name):
                    assert torch.equal(multiplied[name], tensor.bfloat16())
                else:
                    assert multiplied[name] is tensor
        given = {n: None if t is None else t.to(dtype) for n, t in gradients(4, "cpu", 0).items()}
        optimiser.step(given, rate_of(step), MOMENTUM)
    for multiplied, full in zip(
        HeadOptimiser(student, teacher, DECAY).multiplied, (student, teacher), strict=True
    ):
        assert all(multiplied[name] is tensor for name, tensor in full.items())


def test_copies_go_through_the_layers_as_what_they_are_of() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = new_heads(3, 9, 4, generator, hidden=7, bottleneck=5)
    x, of_rows = torch.randn(8, 9, generator=generator), torch.randn(3, 8, 5, generator=generator)
    copies, _ = HeadOptimiser(heads, {n: t.clone() for n, t in heads.items()}, 0.1, True).multiplied
    found = []
    for given, rows in ((heads, x), (copies, x.bfloat16())):
        passed = forward(given, rows, half=True)
        found.append({"rows": passed.rows, **backward(given, passed, of_rows.clone(), 0.1)})
    assert set(found[0]) == {"rows", "weight_1", "bias_1", "weight_2", "bias_2"}
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_memory_of_the_copies_is_counted() -> None:
    schedule = Schedule(n_heads=3, batch_size=16, hidden=16, bottleneck=8)
    full, half = (
        training_bytes(schedule, 100, 20, 6, 3, "float32", 20, 5, "cuda", precision)
        for precision in ("float32", "bf16")
    )
    heads = new_heads(3, 20, 6, torch.Generator(), 16, 8)
    stacks = HeadOptimiser(heads, {n: t.clone() for n, t in heads.items()}, 0.1, True).multiplied
    copies = sum(stack[name].nbytes for stack in stacks for name in stack if is_halved(name))
    logits = 2 * 2 * Tiling.of(3, 16, 6, TILE_NUMBERS["cuda"]).numbers  # two bytes less for each
    layers = (4.0 - 2.5) * 32 * (3 * (3 * 16 + 5 * 8) + 2 * 20)  # and what lies between them
    assert half - full == copies - logits - layers


cuda = pytest.param(
    "cuda",
    marks=[
        pytest.mark.cuda,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ],
)


@pytest.mark.parametrize("device", ["cpu", cuda])
def test_a_training_in_half_precision_is_near_that_in_float32(device: str) -> None:
    trains(device)


@pytest.mark.parametrize("at", [2, 4, 9])
@pytest.mark.parametrize("device", ["cpu", cuda])
def test_a_training_in_half_precision_has_the_same_bits_again(device: str, at: int) -> None:
    # Given states of the middle of the first epoch, of its end, and of the middle of the last
    keeper = MemoryKeeper(at)
    wanted = trained(device, "bf16")
    for resumed in (0, at):
        found = trained(device, "bf16", keeper)
        assert found.resumed == resumed
        assert torch.equal(found.losses, wanted.losses)
        assert all(torch.equal(found.teacher[n], t) for n, t in wanted.teacher.items())


@pytest.mark.parametrize("device", [cuda])
def test_on_a_cuda_device_it_is_as_defined(device: str) -> None:
    pytest.importorskip("triton")
    assert adamw_engine(torch.device(device), torch.float32) is triton_adamw
    for resting in (0, 5):
        steps_are_those_of_torch(device, resting)
    one_that_rests_is_followed(device)
    what_lies_beyond_stays(device)


@pytest.mark.parametrize("device", [cuda])
def test_on_a_cuda_device_offsets_may_exceed_32_bits(device: str) -> None:
    pytest.importorskip("triton")
    if torch.cuda.mem_get_info()[0] < 30 * 2**30:
        pytest.skip("needs 30 GiB of the device's memory")
    n = 2**31 + 5000
    student, teacher = torch.ones(n, device=device), torch.zeros(n, device=device)
    halves = tuple(torch.zeros(n, dtype=torch.bfloat16, device=device) for _ in range(2))
    triton_adamw.follow(student, teacher, (halves[0], halves[1]), 0.25)
    for found, right in ((teacher, 0.25), (halves[0], 1.0), (halves[1], 0.25)):
        assert found.min() == found.max() == right


if __name__ == "__main__":
    interpreted()
