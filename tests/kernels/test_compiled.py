import subprocess
import sys

import numba
import numpy as np
import pytest

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

    monkeypatch.setattr(numba, "njit", no_cache)
    assert module.compiled(lambda x: x + 1)(1) == 2


def test_numba_is_loaded_by_the_first_call_and_calls_settle_what_they_call():
    code = (
        "import sys, clusterbench, clusterbench.cli.main, clusterbench.metrics, clusterbench.runs;"
        "from clusterbench.kernels import assignment, contingency, nearest, draws;"
        "print('numba' in sys.modules, 'scipy' in sys.modules, 'torch' in sys.modules);"
        "clusterbench.metrics.score([0, 1], [1, 1]);"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False", "True"]


@module.compiled
def _tripled(x):
    return 3 * x


@module.compiled
def _of_another(x):
    return _tripled(x) + 1


def test_a_kernel_calls_another_and_one_that_it_closes_over():
    five = module.compiled(lambda: 5)

    def closing(x):
        return _of_another(x) + five()

    assert module.compiled(closing)(2) == 12
    assert _tripled(2) == 6 and _tripled.__name__ == "_tripled"
    assert module.compiled(lambda x: 1.0 / x, error_model="numpy")(0.0) == float("inf")
    with pytest.raises(ZeroDivisionError):
        module.compiled(lambda x: 1.0 / x, error_model="python")(0.0)


def test_many_threads_may_call_first():
    from concurrent.futures import ThreadPoolExecutor

    kernel = module.compiled(lambda x: x * 2)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(kernel, range(64))) == [2 * x for x in range(64)]


def test_kernels_are_compiled_for_two_label_widths_whatever_the_input_dtypes():
    frozen = np.array([0, 1, 1], np.int16)
    frozen.flags.writeable = False
    for targets in (frozen, frozen.astype(np.int32), frozen.astype(np.uint64), frozen[::-1]):
        for predictions in (np.array([0, 0, 2], np.uint8), np.array([0, 0, 2])):
            contingency(targets, predictions, 2, 3)
            score(targets, predictions)
    score(np.array([0.0, 1.0]), np.array([5, 10**12]))
    assert [len(kernel.machine.signatures) for kernel in (_group, _fill, _augment)] == [4, 1, 1]
