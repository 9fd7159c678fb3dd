"""Examples in docstrings: each one runs, and nobody's metric, method or reference lacks one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import clusterbench.methods
import clusterbench.metrics
import clusterbench.references
import clusterbench.selection
from clusterbench.metrics import FURTHER_METRICS, METRICS

ROOMS = (
    clusterbench.metrics,
    clusterbench.selection,
    clusterbench.methods,
    clusterbench.references,
)


def examples(item: object) -> list[doctest.Example]:
    docstring = inspect.getdoc(item) or ""
    return doctest.DocTestParser().get_examples(docstring)


def modules_with_examples() -> list[str]:
    """Found by their text: nothing is imported before a test asks for it."""
    return [
        ".".join([room.__name__, *path.relative_to(room.__path__[0]).with_suffix("").parts])
        for room in ROOMS
        for path in sorted(Path(room.__path__[0]).rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_print_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def exported_functions() -> dict[str, object]:
    room = clusterbench.metrics
    return {
        name: getattr(room, name)
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
    }


@pytest.mark.parametrize("name", [*exported_functions(), "Resampling"])
def test_what_the_metrics_export_has_an_example(name: str) -> None:
    assert examples(getattr(clusterbench.metrics, name))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_example_of_its_value(name: str) -> None:
    assert any(f".{name}" in example.source for example in examples(METRICS[name].compute))


@pytest.mark.parametrize("name", FURTHER_METRICS)
def test_every_further_metric_stands_in_the_example_of_its_function(name: str) -> None:
    source = FURTHER_METRICS[name].source
    scoring = [
        function
        for function in exported_functions().values()
        if inspect.signature(function, eval_str=True).return_annotation is source
    ]
    shown = [example.source for function in scoring for example in examples(function)]
    assert any(f".{name}" in line for line in shown)


@pytest.mark.parametrize("room", [clusterbench.methods, clusterbench.references])
def test_every_method_and_reference_has_an_example(room: object) -> None:
    for name in room.names():
        item = room.get(name)
        if item.__module__.startswith("clusterbench."):  # others' plug-ins are theirs
            assert examples(item), f"{item.__qualname__} has no example in its docstring"
