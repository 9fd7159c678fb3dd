"""What a torch data set of a user's own raises is told, and costs its own image only."""

import pytest

from clusterbench import InputError
from clusterbench.sources.source import BrokenImage
from clusterbench.sources.torch_dataset import build_dataset, index_torch


class Items:
    classes, targets = ("a", "b"), (0, 1)

    def __len__(self):
        return 2

    def __getitem__(self, number):
        raise RuntimeError(f"item {number} is gone")


def fails():
    raise ValueError("no such disk")


def test_an_item_that_cannot_be_had_is_a_broken_image():
    with pytest.raises(BrokenImage, match="the data set raised RuntimeError: item 1 is gone"):
        index_torch(Items()).read(1)


def test_a_function_that_fails_is_named():
    with pytest.raises(InputError, match="fails: it raised ValueError: no such disk"):
        build_dataset(f"torch:{__name__}:fails")
