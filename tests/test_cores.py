"""What is forked from a process that has computed computes, too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import faulthandler, os, sys
import numpy as np
import clusterbench as cb
from clusterbench.methods import METHODS
from clusterbench.neighbours import neighbours_of

rng = np.random.default_rng(0)
y = np.arange(3000) % 20
x = (rng.normal(size=(20, 64))[y] + rng.normal(size=(3000, 64))).astype(np.float32)
few = {"epochs": 2, "n_heads": 2, "n_neighbors": 5}
settings = {"temi": few, "icon": few}

def computed(name):
    fitted = METHODS.get(name)(20, 0, "cpu", **settings.get(name, {})).fit(x)
    return fitted, fitted.labels_, neighbours_of(x, 3).ids, cb.score(y, fitted.labels_).ami

names = sys.argv[1].split(",")
before = {name: computed(name) for name in names}
child = os.fork()
if not child:
    faulthandler.dump_traceback_later(60, exit=True)
    for name, (fitted, *wanted) in before.items():
        predicted = fitted.predict(x)
        assert (predicted == fitted.labels_).all(), name
        for one, other in zip(computed(name)[1:], wanted):
            np.testing.assert_array_equal(one, other)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize(
    "names", ["stable-kmeans,temi", pytest.param("kmeans,spectral,icon", marks=pytest.mark.slow)]
)
def test_a_forked_process_computes_what_its_parent_does(names: str) -> None:
    """Threads of OpenMP do not come along, and torch would wait for them for ever."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, names],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
