"""A kernel that is translated wrongly is found before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve()


def interpreted() -> None:
    """What the subprocess below runs: Triton's kernels in its interpreter."""
    import torch

    from clusterbench.heads import kernel_check
    from clusterbench.heads.layers import triton_layers
    from clusterbench.heads.losses import triton_tiles

    cpu = torch.device("cpu")
    print(repr(kernel_check.unlike(cpu)))
    for module, name in ((triton_tiles, "pair_gradient"), (triton_layers, "last_weight")):
        original = getattr(module, name)
        setattr(module, name, lambda *given, right=original: 1.1 * right(*given))
        print(kernel_check.unlike(cpu))
        setattr(module, name, original)


def test_wrong_kernels_are_named() -> None:
    pytest.importorskip("triton")
    found = subprocess.run(
        [sys.executable, str(HERE)],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HERE.parents[2])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    right, tiles, layers = found.stdout.splitlines()
    assert right == "''"
    assert tiles.startswith("pair_gradient is ") and tiles.endswith(" from its definition")
    assert layers.startswith("last_weight is ")


if __name__ == "__main__":
    interpreted()
