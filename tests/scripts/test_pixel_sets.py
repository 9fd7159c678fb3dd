"""Fashion-MNIST and the digits: files, splits, and a run of a benchmark on what was built."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import build_digits
import build_fashion_mnist
import numpy as np
import pytest
from embedded import idx, pixels
from embedded.declaring import n_val

import clusterbench
from clusterbench.datasets import registry
from clusterbench.errors import InputError
from clusterbench.features.encoders.images import decode

BENCHMARK = """
name = "unequal-digits"
title = "Digits"
question = "Does it run?"
description = "Ten classes at two ratios."

[datasets.digits]
tasks = [
  { name = "ratio-1", builder = "ratio", ratio = 1 },
  { name = "ratio-10", builder = "ratio", ratio = 10 },
]

[datasets.digits.defaults.ratio]
series = [1, 10]
n_classes = 10
images_per_class = 40
eval_per_class = 20
"""


def idx_file(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


class TestIdx:
    def test_arrays_come_back(self) -> None:
        array = np.arange(24).reshape(2, 3, 4)

        assert np.array_equal(idx.read(idx_file(array), "a.gz"), array)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"no gzip", r"a\.gz: cannot be unpacked"),
            (idx_file(np.arange(9))[:-9], r"a\.gz: cannot be unpacked"),
            (gzip.compress(bytes([0, 0, 13, 1, 0, 0, 0, 0])), r"starts with 00000d01"),
            (gzip.compress(b""), "wanted IDX of uint8"),
            (gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1])), r"holds 1 values; .* says \(3,\)"),
        ],
        ids=["no gzip", "cut", "no uint8", "empty", "wrong size"],
    )
    def test_other_files_are_refused(self, content: bytes, message: str) -> None:
        with pytest.raises(InputError, match=message):
            idx.read(content, "a.gz")


class TestPixelSource:
    def test_images_are_put_in_the_order_of_the_index(self) -> None:
        images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
        source = pixels.pixel_source(images, ["b/1", "a/2", "a/1"], ["b", "a", "a"], np.zeros(3))

        read = [np.asarray(decode(source.read(row)))[..., 0] for row in range(3)]
        assert [source.index.id(row) for row in range(3)] == ["a/1", "a/2", "b/1"]
        assert np.array_equal(read, images[[2, 1, 0]])

    def test_floats_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"float64 \(1, 2, 2\); wanted uint8"):
            pixels.pixel_source(np.zeros((1, 2, 2)), ["a/1"], ["a"], np.zeros(1))


class TestFashion:
    @pytest.fixture
    def package(self, make_deb: Callable[[dict[str, bytes]], Path]) -> Path:
        random = np.random.default_rng(0)
        files = {}
        for split, n in (("train", 20), ("t10k", 10)):
            images = random.integers(0, 256, (n, 28, 28))
            files[f"{split}-images-idx3"] = idx_file(images)
            files[f"{split}-labels-idx1"] = idx_file(np.arange(n) % 10)
        folder = "/usr/share/datasets/fashion-mnist"
        return make_deb({f"{folder}/{k}-ubyte.gz": v for k, v in files.items()})

    def test_its_test_images_are_val(self, package: Path) -> None:
        index = build_fashion_mnist.read_source(package).index

        assert index.n_classes == 10
        assert np.bincount(index.labels).tolist() == [3] * 10
        val = [index.id(row) for row in index.rows("val")]
        assert len(val) == 10
        assert all("/t10k-" in one for one in val)
        assert "ankle-boot/train-00009" in [index.id(row) for row in index.rows("train")]

    def test_a_limit_holds_for_each_split(self, package: Path) -> None:
        index = build_fashion_mnist.read_source(package, 5).index

        assert len(index.rows("train")) == len(index.rows("val")) == 5

    def test_a_limit_of_none_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["build_fashion_mnist.py", "downloads", "--limit", "0"])

        with pytest.raises(InputError, match="--limit 0; wanted 1 or more"):
            build_fashion_mnist.main()


class TestDigits:
    def test_a_third_of_each_class_is_val(self) -> None:
        index = build_digits.read_source().index
        sizes = np.bincount(index.labels)

        assert index.n == 1797
        assert np.bincount(index.labels[index.rows("val")]).tolist() == [n_val(n) for n in sizes]

    def test_the_same_source_twice(self) -> None:
        one, two = build_digits.read_source(), build_digits.read_source()

        assert one.index.hash == two.index.hash
        assert one.read(7) == two.read(7)

    def test_grey_values_use_the_whole_range(self) -> None:
        source = build_digits.read_source()

        assert source.pixels.min() == 0
        assert source.pixels.max() == 255

    @pytest.mark.slow
    def test_a_benchmark_runs_on_the_built_set(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["build_digits.py"])
        build_digits.main()
        (home / "benchmarks").mkdir()
        (home / "benchmarks" / "unequal-digits.toml").write_text(BENCHMARK, "utf-8")
        report = clusterbench.run(
            "unequal-digits", "digits", methods="kmeans", seeds=1, results=home / "results"
        )

        assert registry.load("digits").preset == "laptop"
        assert registry.load("digits").tree is None
        assert [outcome.status for outcome in report.outcomes] == ["success"] * 2
