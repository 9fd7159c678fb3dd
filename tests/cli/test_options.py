"""Given option values as text: what the library gets."""

from __future__ import annotations

from typing import Any

import pytest

from clusterbench.cli.option_values import parse_params, parse_seeds, parse_value, split_commas
from clusterbench.errors import InputError


def test_names_are_repeated_or_separated_by_commas() -> None:
    assert split_commas(["kmeans, temi", "scan", ","]) == ["kmeans", "temi", "scan"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", 3), ("0,4,7", (0, 4, 7)), ("4,", (4,)), ("1, 2", (1, 2))]
)
def test_seeds(text: str, seeds: Any) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "three", "1.5", "0-3", "1,b"])
def test_seeds_that_are_no_numbers(text: str) -> None:
    with pytest.raises(InputError, match="wanted a count such as 3"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("NONE", None),
        ("3", 3),
        ("-1", -1),
        ("2.5", 2.5),
        ("1e-3", 1e-3),
        ("l2", "l2"),
        ("", ""),
        ("1", 1),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = parse_value(text)
    assert found == value and type(found) is type(value)


def test_params_by_method() -> None:
    assert parse_params(["temi.epochs=50", "temi.beta=0.6", "kmeans.scaling=a=b"]) == {
        "temi": {"epochs": 50, "beta": 0.6},
        "kmeans": {"scaling": "a=b"},
    }


@pytest.mark.parametrize("value", ["epochs=50", "temi.epochs", "=3", "temi.=3", ".x=3"])
def test_params_of_another_form(value: str) -> None:
    with pytest.raises(InputError, match=r"wanted METHOD\.NAME=VALUE"):
        parse_params([value])


def test_a_param_given_twice() -> None:
    with pytest.raises(InputError, match=r"temi\.epochs is given twice"):
        parse_params(["temi.epochs=1", "temi.epochs=2"])
