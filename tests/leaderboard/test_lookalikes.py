"""Names that a reader takes for one another."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.leaderboard.submissions.lookalikes import _LETTERS, looks_like, skeleton
from clusterbench.methods.by_name import METHODS
from clusterbench.references import REFERENCES

KNOWN = [*METHODS.built_in, *REFERENCES.built_in]


def test_no_two_names_of_this_package_look_alike() -> None:
    assert len({skeleton(name) for name in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize(
    "name",
    [
        *("KMEANS", "KMeans", "k-means", "K Means", "k_means", "k\u2011means", "km\u200deans"),
        *("kmeans*", "kmeans.", "'kmeans'", "(kmeans)", "k.means", "k/means"),
        *("km\u0435ans", "\u043a\u043c\u0435\u0430ns", "\u041a\u041c\u0415\u0410NS"),
        *("\u03bam\u03b5\u03b1n\u0455", "\u039a\u039cEAN\u0405", "\uff4b\uff4d\uff45ans"),
        *("\U0001d424means", "kme\u00e1ns", "kmea\u0301ns", "\u1d0b\u1d0d\u1d07\u1d00\u0274\ua731"),
    ],
)
def test_names_like_kmeans(name: str) -> None:
    assert looks_like(name, KNOWN) == "kmeans"


@pytest.mark.parametrize(
    "name", ["kmeans", "kmeans++", "kmeans2", "mykmeans", "kmedoids", "\u5f62"]
)
def test_names_that_are_others(name: str) -> None:
    assert looks_like(name, KNOWN) is None


def test_versions_are_told_apart() -> None:
    assert skeleton("clip-1.5") != skeleton("clip-15")
    assert skeleton("vit.b16") == skeleton("vit-b16")


def test_strokes_and_noughts() -> None:
    assert looks_like("Ieiden", KNOWN) == looks_like("1eiden", KNOWN) == "leiden"
    assert looks_like("P20T", KNOWN) == "p2ot"


def test_marks_that_are_parts_of_letters_tell_names_apart() -> None:
    assert skeleton("\u304b") != skeleton("\u304c")  # ka, ga
    assert skeleton("\u0915") != skeleton("\u0915\u093f")  # ka, ki


@given(st.sampled_from(KNOWN), st.data())
def test_any_letters_that_look_like_those_of_a_name(name: str, data: st.DataObject) -> None:
    by_latin: dict[str, str] = {}
    for letters, latin in _LETTERS.items():
        by_latin[latin] = by_latin.get(latin, "") + letters
    drawn = [
        data.draw(st.sampled_from([c, c.upper(), *by_latin.get(c, "")]), label=c) for c in name
    ]
    assert skeleton("".join(drawn)) == skeleton(name)


@given(st.text(max_size=30))
def test_case_and_form_make_no_difference(text: str) -> None:
    assert skeleton(unicodedata.normalize("NFC", text)) == skeleton(
        unicodedata.normalize("NFD", text)
    )
    assert looks_like(text, [text]) is None
