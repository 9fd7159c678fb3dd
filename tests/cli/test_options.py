"""Given option values as text: what the library gets."""

from __future__ import annotations

from typing import Any

import pytest

from clusterbench.cli.option_values import (
    parse_claims,
    parse_params,
    parse_seeds,
    parse_settings,
    split_commas,
)
from clusterbench.errors import InputError
from clusterbench.typed_text import Typed


def test_names_are_repeated_or_separated_by_commas() -> None:
    assert split_commas(["kmeans, temi", "scan", ","]) == ["kmeans", "temi", "scan"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", 3), ("0,4,7", (0, 4, 7)), ("4,", (4,)), ("1, 2", (1, 2))]
)
def test_seeds(text: str, seeds: Any) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", ",", "three", "1.5", "0-3", "1,b", "1_0", "\u0663", "+3", "1e2", "9" * 5000]
)
def test_seeds_that_are_no_numbers(text: str) -> None:
    with pytest.raises(InputError, match="wanted a count such as 3"):
        parse_seeds(text)


def test_params_by_method() -> None:
    """What each stands for is settled where the method is known."""
    params = parse_params(["temi.epochs=50", "temi.beta=0.6", "kmeans.scaling= a=b "])
    assert params == {"temi": {"epochs": "50", "beta": "0.6"}, "kmeans": {"scaling": "a=b"}}
    assert all(type(v) is Typed for settings in params.values() for v in settings.values())


@pytest.mark.parametrize("value", ["epochs=50", "temi.epochs", "=3", "temi.=3", ".x=3"])
def test_params_of_another_form(value: str) -> None:
    with pytest.raises(InputError, match=r"wanted METHOD\.NAME=VALUE"):
        parse_params([value])


def test_a_param_given_twice() -> None:
    with pytest.raises(InputError, match=r"temi\.epochs is given twice"):
        parse_params(["temi.epochs=1", "temi.epochs=2"])


def test_settings_of_a_method_that_ran_elsewhere_are_what_they_look_like() -> None:
    found = parse_settings(["beta=0.6", "n = 3", "init=random", "tol=none", "on=true", "text='5'"])
    assert found == {
        "beta": 0.6,
        "n": 3,
        "init": "random",
        "tol": None,
        "on": True,
        "text": "5",
    }
    assert parse_claims(["ami=0.5", "acc=1e-2"]) == {"ami": 0.5, "acc": 0.01}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["beta"], "wanted NAME=VALUE"),
        (["=3"], "wanted NAME=VALUE"),
        (["x=1", "x=2"], "is given twice"),
        (["x=" + "y" * 20_000], "at most 10,000"),
    ],
)
def test_settings_of_another_form(values: list[str], message: str) -> None:
    for parse in (parse_settings, parse_claims):
        with pytest.raises(InputError, match=message):
            parse(values)
