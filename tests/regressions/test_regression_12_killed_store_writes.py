"""Results written in place: a killed run leaves a truncated file that is skipped for ever."""

import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from clusterbench import FeatureStore, InputError
from clusterbench.sources.dataset_index import DatasetIndex

KILLED = """
import os, signal, sys
import h5py, numpy as np
from pathlib import Path
from clusterbench.features.store.writer import write_shard

real = h5py.File.create_dataset
def die(self, name, *a, **k):
    real(self, name, *a, **k)
    self.flush()
    os.kill(os.getpid(), signal.SIGKILL)  # the data are in the file, the file is not closed
h5py.File.create_dataset = die
write_shard(Path(sys.argv[1]), np.ones((64, 8), np.float32), start=0, identity="x")
"""


def test_a_shard_killed_while_it_is_written_is_absent_not_truncated(tmp_path):
    path = tmp_path / "shard-00000.h5"
    result = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert not path.exists()
    assert [p.suffix for p in tmp_path.iterdir()] == [".tmp"]


def test_a_shard_that_is_there_before_the_kill_keeps_its_old_contents(tmp_path):
    path = tmp_path / "shard-00000.h5"
    path.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert path.read_bytes() == b"old"


def test_a_store_without_its_manifest_is_never_read_and_writing_again_mends_it(tmp_path):
    index, _ = DatasetIndex.from_samples([f"c/{i:02d}" for i in range(20)], ["c"] * 20)
    features = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    store = FeatureStore.write(tmp_path / "st", features, index, encoder="e", shard_rows=8)
    (store.path / "store.json").unlink()
    with h5py.File(store.path / "shard-00001.h5", "r+") as file:
        file["features"][0, 0] = 99
    with pytest.raises(InputError, match="not a feature store"):
        FeatureStore.open(store.path)
    again = FeatureStore.write(tmp_path / "st", features, index, encoder="e", shard_rows=8)
    np.testing.assert_array_equal(again.read(), features)
    assert FeatureStore.open(store.path).verify() == []
