"""What a typed value stands for is said by the setting it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Optional

import pytest

from clusterbench.errors import InputError
from clusterbench.runs.settings import settle
from clusterbench.typed_text import Typed, read_as


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("none", str, "none"),
        ("None", str, "None"),
        ("true", str, "true"),
        ("5", str, "5"),
        ("1e3", str, "1e3"),
        ('"a b"', str, "a b"),
        ("'none'", str, "none"),
        ("", str, ""),
        ('""', str, ""),
        ("none", str | None, None),
        ("NULL", Optional[str], None),  # noqa: UP045
        ('"none"', str | None, "none"),
        ("x", str | None, "x"),
        ("none", int | None, None),
        ("256", int | None, 256),
        ("+3", int, 3),
        ("-3", int, -3),
        ("3", float, 3),
        ("2.5", float, 2.5),
        ("1e-3", float, 1e-3),
        ("1e-3", int | float, 1e-3),
        ("true", bool, True),
        ("FALSE", bool, False),
        ("true", bool | str, True),
        ("none", Literal["none", "l2"], "none"),
        ("l2", Literal["none", "l2"], "l2"),
        ("2", Literal[1, 2], 2),
        ("none", Literal["l2"] | None, None),
        ("true", Any, True),
        ("none", Any, None),
        ("3", Any, 3),
        ("3.5", list[int], 3.5),
        ('"3"', Any, "3"),
        ('{"n": 3, "init": "ward"}', Mapping[str, Any] | None, {"n": 3, "init": "ward"}),
        ("{}", dict[str, int], {}),
        ("none", Mapping[str, Any] | None, None),
        ("3", Mapping[str, Any], 3),
        ("{}", str, "{}"),
        ("a", Any, "a"),
    ],
)
def test_a_value_is_read_as_what_is_wanted(text: str, annotation: Any, value: Any) -> None:
    found = read_as(text, annotation, "parameter m.x")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation", "message"),
    [
        ("", int, r"parameter m\.x='' is empty; wanted int"),
        ("ten", int, r"parameter m\.x='ten' is a str; wanted int"),
        ("2.5", int, "wanted int"),
        ("1_0", int, "wanted int"),
        ("\u0663", int, "wanted int"),
        ("9" * 30, int, "wanted int"),
        ('"3"', int, "wanted int"),
        ("none", int, "wanted int"),
        ("0", bool, "=0 is a int; wanted bool"),
        ("yes", bool, "wanted bool"),
        ("x", int | None, "wanted int or none"),
        ("l3", Literal["none", "l2"], "wanted 'none' or 'l2'"),
        ("x", float, "wanted float"),
        ("{n: 3}", dict[str, Any], r"parameter m\.x: not whole JSON"),
    ],
)
def test_anything_else_is_refused(text: str, annotation: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_as(text, annotation, "parameter m.x")


def test_settings_of_the_methods() -> None:
    (kmeans,) = settle(
        ["kmeans"],
        {},
        {"kmeans": {"scaling": Typed("none"), "max_points_per_centroid": Typed("none")}},
        "cpu",
    )
    assert kmeans.params["scaling"] == "none" and kmeans.params["max_points_per_centroid"] is None
    (kmeans,) = settle(["kmeans"], {}, {"kmeans": {"scaling": Typed("whiten(128,1)")}}, "cpu")
    assert kmeans.params["scaling"] == "whiten(128, 1)"
    (temi,) = settle(["temi"], {}, {"temi": {"beta": Typed("1")}}, "cpu")
    assert temi.params["beta"] == 1.0 and type(temi.params["beta"]) is float


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("learning_rate", "nan", "method temi: learning_rate=nan should be a number > 0"),
        ("learning_rate", "1e999", "method temi: learning_rate=inf"),
        ("epochs", "0", "method temi: epochs=0 should be a whole number >= 1"),
        ("scaling", "", "method temi: scaling='' should be one of none, l2, standardize"),
        ("decay", "none", "method temi: decay='none' should be constant, cosine or halving"),
        ("epochs", "", r"parameter temi\.epochs='' is empty; wanted int"),
    ],
)
def test_a_message_names_method_and_setting(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settle(["temi"], {}, {"temi": {name: Typed(text)}}, "cpu")
