"""Small stores for the tests of reading, verifying, packing and repairing."""

import os
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

from clusterbench import FeatureStore
from clusterbench.sources.dataset_index import DatasetIndex


def make_index(n, per_class=100):
    """n samples in classes c000, c001, ..., every other one for evaluation."""
    ids = np.array([f"c{i // per_class:03d}/{i:05d}" for i in range(n)], dtype="S")
    names = tuple(f"c{i:03d}" for i in range(-(-n // per_class)))
    return DatasetIndex(
        ids if n else np.zeros(0, "S1"), names, np.arange(n) // per_class, np.arange(n) % 2
    )


def make_features(n, dim=6, seed=0):
    """(n, dim) float32 Gaussian features."""
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def write_store(path, n=20, dim=3, shard_rows=8, dtype="float16", per_class=5):
    """A store of n Gaussian samples."""
    return FeatureStore.write(
        path,
        make_features(n, dim),
        make_index(n, per_class),
        encoder="toy",
        dtype=dtype,
        shard_rows=shard_rows,
    )


def flip(path, position, bit=1):
    """Change one bit of a file."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bit]))


def files(folder):
    """Name and bytes of every file of a folder."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def stamps(folder):
    """Name, inode and time of writing of every file of a folder."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(folder.iterdir())}


@contextmanager
def small_disk(folder, megabytes):
    """A file system of some megabytes at a folder; the test is skipped where none can be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.name == "nt" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (it takes root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
