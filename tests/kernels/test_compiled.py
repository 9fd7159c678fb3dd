import subprocess
import sys

import numba
import numpy as np

from clusterbench.kernels import compiled as module
from clusterbench.kernels.assignment import _augment
from clusterbench.kernels.contingency import _fill, _group, contingency
from clusterbench.metrics import score


def test_kernels_and_metrics_import_neither_torch_nor_scikit_learn():
    code = (
        "import sys, clusterbench.metrics as m; m.score([0, 1], [1, 1]);"
        "print([n for n in ('torch', 'sklearn', 'faiss', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_folder_for_the_cache_kernels_still_run(monkeypatch):
    njit = numba.njit

    def no_cache(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(module.numba, "njit", no_cache)
    assert module.compiled(lambda x: x + 1)(1) == 2


def test_kernels_are_compiled_for_two_label_widths_whatever_the_input_dtypes():
    frozen = np.array([0, 1, 1], np.int16)
    frozen.flags.writeable = False
    for targets in (frozen, frozen.astype(np.int32), frozen.astype(np.uint64), frozen[::-1]):
        for predictions in (np.array([0, 0, 2], np.uint8), np.array([0, 0, 2])):
            contingency(targets, predictions, 2, 3)
            score(targets, predictions)
    score(np.array([0.0, 1.0]), np.array([5, 10**12]))
    assert [len(kernel.signatures) for kernel in (_group, _fill, _augment)] == [4, 1, 1]
