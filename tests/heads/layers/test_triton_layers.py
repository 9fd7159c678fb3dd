"""The fused layers against their definitions in float64.

They run in Triton's interpreter, in a process of its own, and on a real device where there is one.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clusterbench.heads import layers as room
from clusterbench.heads.engines import layer_engine
from clusterbench.heads.layers import torch_layers as layers
from clusterbench.heads.layers import triton_layers

HERE = Path(__file__)
#: What rounding to a dtype may move a number by, as a share of it and in itself.
ROUNDING = {torch.bfloat16: (2.0**-8, 0.0), torch.float16: (2.0**-11, 2.0**-25)}
#: What float32 may move a number by, as a share of what it is summed up of.
SLACK = 2.0**-20
SCALE = 1.0 / (1024 * 50)
#: (heads, rows, width) and (heads, bottleneck, n_clusters): a width or column that is the least,
#: that is odd, that fills a block, that needs several, that is in a block of columns in part.
BETWEEN = [(2, 3, 1), (3, 70, 5), (2, 33, 64), (1, 70, 512), (2, 9, 1100)]
LAST = [(2, 5, 1), (1, 1, 37), (2, 64, 33), (1, 256, 70), (2, 700, 20), (1, 5, 2001)]


@dataclass
class Sides:
    """A product with its bias, and gradients by what is made of it."""

    product: Tensor
    bias: Tensor
    of_active: Tensor
    of_unit: Tensor


def sides(shape: tuple[int, int, int], device: str = "cpu", kind: str = "normal") -> Sides:
    generator = torch.Generator().manual_seed(sum(shape))

    def normal(*of: int) -> Tensor:
        return torch.randn(of, generator=generator)

    heads, _, width = shape
    product, bias = 3.0 * normal(*shape), normal(heads, 1, width)
    of_active, of_unit = normal(*shape), normal(*shape)
    if kind == "extreme":
        product *= 1e4
    if kind == "zero":
        product[:, 1:], bias[:] = 0.0, 0.0
    if kind == "broken":
        product[0, 1, width // 2] = torch.nan
        of_active[-1, 0, width - 1] = torch.nan
        of_unit[-1, 0, width - 1] = torch.nan
    product, of_active = product.bfloat16(), of_active.bfloat16()
    return Sides(*(part.to(device) for part in (product, bias, of_active, of_unit)))


def close(found: Tensor, true: Tensor, slack: Tensor | float) -> None:
    """Equal to the rounding of the dtype and `slack`, NaN where the other is."""
    assert found.shape == true.shape
    share, least = ROUNDING.get(found.dtype, (0.0, 0.0))
    if found.dtype == torch.bfloat16 and found.device.type == "cpu":
        share *= 2  # Triton's interpreter cuts bfloat16 off, where a device rounds to the nearest
    assert torch.equal(found.isnan(), true.isnan())
    off = (found.double() - true).abs().nan_to_num(0.0)
    assert bool((off <= (share * true.abs() + least + slack).nan_to_num(0.0)).all()), off.max()


def same(found: Tensor, before: Tensor) -> None:
    torch.testing.assert_close(found, before, rtol=0, atol=0, equal_nan=True)


def of_rows(terms: Tensor) -> Tensor:
    """What float32 may move sums over the rows by."""
    return SLACK * terms.abs().sum(dim=1, keepdim=True)


def layers_are_as_defined(of: Sides) -> None:
    product, bias = of.product.clone(), of.bias.clone()
    kept, active = triton_layers.activated(of.product, of.bias)
    assert kept is of.product and active.dtype == torch.bfloat16
    same(kept, product)
    before, true = layers.activated(product.double(), bias.double())
    close(active, true, SLACK * before.abs())

    gradient = of.of_active.double()
    found, of_bias = triton_layers.activated_back(of.of_active.clone(), kept, bias)
    true, of_bias_true = layers.activated_back(gradient, before, bias.double())
    assert (found.dtype, of_bias.dtype) == (torch.bfloat16, torch.float32)
    close(found, true, SLACK * gradient.abs())
    close(of_bias, of_bias_true, of_rows(gradient))

    rows, length = triton_layers.unit(product, bias, torch.float16)
    assert (rows.dtype, length.dtype) == (torch.float16, torch.float32)
    rows_true, length_true = layers.unit(of.product.double(), bias.double(), torch.float64)
    close(rows, rows_true, SLACK)
    close(length, length_true, SLACK * length_true)

    gradient = of.of_unit.double()
    unit = rows.clone()
    found, of_bias = triton_layers.unit_back(
        of.of_unit.clone(), rows, length, SCALE, torch.bfloat16
    )
    true, of_bias_true = layers.unit_back(
        gradient.clone(), rows.double(), length.double(), SCALE, torch.float64
    )
    assert (found.dtype, of_bias.dtype) == (torch.bfloat16, torch.float32)
    # Of a row the part along its unit row goes, which may be all of it.
    terms = gradient.norm(dim=2, keepdim=True) * SCALE / length_true
    close(found, true, SLACK * terms)
    close(of_bias, of_bias_true, of_rows(terms))
    for now, then in ((of.product, product), (of.bias, bias), (rows, unit)):
        same(now, then)


@dataclass
class Weights:
    """What the weight of the last layer is made of, and a gradient by it."""

    direction: Tensor
    gain: Tensor
    of_weight: Tensor


def weights(shape: tuple[int, int, int], device: str = "cpu", kind: str = "normal") -> Weights:
    generator = torch.Generator().manual_seed(sum(shape))
    heads, bottleneck, n_clusters = shape
    # One head more, so that what is given is a slice of a stack.
    direction = torch.randn((heads + 1, bottleneck, n_clusters), generator=generator)
    gain = 1.0 + torch.rand((heads + 1, 1, n_clusters), generator=generator)
    of_weight = torch.randn(shape, generator=generator)
    if kind == "zero":
        direction[:, :, n_clusters // 2] = 0.0
    if kind == "broken":
        direction[1, bottleneck // 2, 0] = torch.nan
        gain[-1, 0, n_clusters - 1] = torch.nan
        of_weight[0, bottleneck - 1, n_clusters // 2] = torch.nan
    return Weights(direction.to(device)[1:], gain.to(device)[1:], of_weight.to(device))


def weight_is_as_defined(of: Weights) -> None:
    direction, gain = of.direction.clone(), of.gain.clone()
    wide = direction.double(), gain.double()
    found = triton_layers.last_weight(of.direction, of.gain, torch.float16)
    assert found.dtype == torch.float16
    close(found, layers.last_weight(*wide, torch.float64), SLACK)
    of_direction, of_gain = triton_layers.last_weight_back(
        of.of_weight.clone(), of.direction, of.gain, SCALE
    )
    gradient = of.of_weight.double()
    true = layers.last_weight_back(gradient.clone(), *wide, SCALE)
    assert of_direction.dtype == of_gain.dtype == torch.float32
    size = gradient.norm(dim=1, keepdim=True) * SCALE
    length = wide[0].norm(dim=1, keepdim=True).clamp_min(layers.SHORTEST)
    close(of_direction, true[0], SLACK * size * wide[1] / length)
    close(of_gain, true[1], SLACK * size)
    same(of.direction, direction)
    same(of.gain, gain)


KINDS = ("extreme", "zero", "broken")
CUTS = [name for name, cut in vars(triton_layers).items() if type(cut) is triton_layers.LayerCut]


def interpreted() -> None:
    """What the subprocess below runs: the kernels in Triton's interpreter."""
    for shape in BETWEEN:
        layers_are_as_defined(sides(shape))
    for shape in LAST:
        weight_is_as_defined(weights(shape))
    print("sizes")
    # Rows and columns in several blocks, programs with several of them and fewer at the end.
    for name in CUTS:
        cut = replace(getattr(triton_layers, name), elements=64, columns=16)
        setattr(triton_layers, name, replace(cut, rows=min(cut.rows, 16)))
    for kind in ("normal", *KINDS):
        layers_are_as_defined(sides((2, 21, 23), kind=kind))
        weight_is_as_defined(weights((2, 37, 9), kind=kind))
        weight_is_as_defined(weights((2, 13, 23), kind=kind))
    print("cuts")
    none = sides((2, 0, 5))
    layers_are_as_defined(none)
    found, of_bias = triton_layers.activated_back(none.of_active, none.product, none.bias)
    assert found.shape == (2, 0, 5) and not of_bias.any()
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
    assert found.stdout.split() == ["sizes", "cuts", "empty"]


def test_without_triton_the_layers_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in ("layer_kernels", "triton_layers"):
        monkeypatch.delitem(sys.modules, f"clusterbench.heads.layers.{name}", raising=False)
        monkeypatch.delattr(room, name, raising=False)
    fresh = importlib.import_module("clusterbench.heads.layers.triton_layers")
    with pytest.raises(ImportError):
        fresh.activated(torch.zeros((1, 2, 3)), torch.zeros((1, 1, 3)))


def test_on_the_cpu_and_in_full_precision_the_definitions_are_taken() -> None:
    for dtype in (torch.bfloat16, torch.float64):
        assert layer_engine(torch.device("cpu"), dtype) is layers
    assert layer_engine(torch.device("cuda"), torch.float32) is layers


def test_tensors_that_the_kernels_would_misread_are_refused() -> None:
    pytest.importorskip("triton")
    good, bias = torch.zeros((2, 4, 3)), torch.zeros((2, 1, 3))
    length = torch.ones((2, 4, 1))
    half, wide = torch.bfloat16, bias.double()
    bad: list[tuple[Callable[[], object], str]] = [
        (lambda: triton_layers.activated(good.mT, bias), "use contiguous"),
        (lambda: triton_layers.activated(good, wide), "float64"),
        (lambda: triton_layers.unit(good, bias[:, :, :2], half), r"use contiguous float32 \(2, 1"),
        (lambda: triton_layers.activated_back(good, good[:, :3], bias), r"\(2, 3, 3\) beside"),
        (lambda: triton_layers.unit_back(good, good, length[:1], 1.0, half), "length is"),
        (lambda: triton_layers.last_weight_back(good, good, bias[:1], 1.0), "bias or gain"),
    ]
    for call, message in bad:
        with pytest.raises(ValueError, match=message):
            call()


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("kind", ["normal", *KINDS])
@pytest.mark.parametrize("shape", [*BETWEEN, (3, 2048, 512), (3, 2048, 256), (2, 333, 3000)])
def test_on_a_cuda_device_layers_are_as_defined(shape: tuple[int, int, int], kind: str) -> None:
    pytest.importorskip("triton")
    layers_are_as_defined(sides(shape, "cuda", kind))


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize("kind", ["normal", *KINDS[1:]])
@pytest.mark.parametrize("shape", [*LAST, (3, 256, 1000), (2, 256, 20941), (2, 3000, 77)])
def test_on_a_cuda_device_the_weight_is_as_defined(shape: tuple[int, int, int], kind: str) -> None:
    pytest.importorskip("triton")
    weight_is_as_defined(weights(shape, "cuda", kind))


@pytest.mark.cuda
@on_cuda
def test_on_a_cuda_device_the_same_layers_have_the_same_bits() -> None:
    pytest.importorskip("triton")
    of, last = sides((4, 2000, 300), "cuda"), weights((4, 256, 1001), "cuda")
    found = []
    for _ in range(5):
        kept, active = triton_layers.activated(of.product, of.bias)
        rows, length = triton_layers.unit(of.product, of.bias, torch.float16)
        found.append([
            active, rows, length,
            *triton_layers.activated_back(of.of_active.clone(), kept, of.bias),
            *triton_layers.unit_back(of.of_unit, rows, length, SCALE, torch.bfloat16),
            triton_layers.last_weight(last.direction, last.gain, torch.float16),
            *triton_layers.last_weight_back(
                last.of_weight.clone(), last.direction, last.gain, SCALE
            ),
        ])  # fmt: skip
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.cuda
@on_cuda
def test_on_a_cuda_device_offsets_of_layers_may_exceed_32_bits() -> None:
    pytest.importorskip("triton")
    if torch.cuda.mem_get_info()[0] < 24 * 2**30:
        pytest.skip("needs 24 GiB of the device's memory")
    of = sides((1, 1024, 512), "cuda")
    heads = 2**31 // of.product.numel() + 2
    product = torch.zeros((heads, 1024, 512), dtype=torch.bfloat16, device="cuda")
    product[-1:] = of.product
    bias = of.bias.expand(heads, 1, 512).contiguous()
    alone = triton_layers.activated(of.product, of.bias)[1]
    active = triton_layers.activated(product, bias)[1]
    assert torch.equal(active[-1:], alone)
    rows, length = triton_layers.unit(product, bias, torch.float16)
    lone = triton_layers.unit(of.product, of.bias, torch.float16)
    assert torch.equal(rows[-1:], lone[0]) and torch.equal(length[-1:], lone[1])
    found = triton_layers.activated_back(active, product, bias)
    lone = triton_layers.activated_back(alone, of.product, of.bias)
    assert all(torch.equal(a[-1:], b) for a, b in zip(found, lone, strict=True))


if __name__ == "__main__":
    interpreted()
