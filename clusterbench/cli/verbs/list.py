"""`clusterbench list`: what there is to choose from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...errors import InputError
from ...printable import shown
from ..console import warn
from ..option import json_option

Declared = TypeVar("Declared")

if TYPE_CHECKING:
    from ...catalog import Registry
    from ...metrics import FurtherMetric, Metric


class Kind(str, enum.Enum):
    """Kinds of names that the other verbs take."""

    benchmarks = "benchmarks"
    methods = "methods"
    encoders = "encoders"
    datasets = "datasets"
    metrics = "metrics"
    trees = "trees"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    json_output: Annotated[bool, json_option("list")] = False,
) -> None:
    """List benchmarks, methods and references, encoders, datasets, metrics or class trees."""
    import json

    listed = _LISTERS[kind]()
    if json_output:
        typer.echo(json.dumps(listed, indent=2))
        return
    columns = _COLUMNS.get(kind, ("name", "about"))
    for line in _aligned(listed, columns, heading=kind in _COLUMNS):
        typer.echo(line)
    if not listed:
        typer.echo(f"no {kind.value} found", err=True)


def _readable(load: Callable[[str], Declared], names: Iterable[str]) -> list[Declared]:
    """What can be read; a line on stderr for what cannot, which hides nothing else."""
    found = []
    for name in names:
        try:
            found.append(load(name))
        except InputError as error:
            warn(f"left out: {error}")
    return found


def _warn_of_ignored(registry: Registry[Any]) -> None:
    for line in registry.ignored():
        warn(line)


def _benchmarks() -> list[dict[str, Any]]:
    from ...benchmarks.builders import BUILDERS
    from ...benchmarks.declaration import find, names

    found = _readable(find, names())
    _warn_of_ignored(BUILDERS)
    return [
        {
            "name": declaration.name,
            "about": declaration.question,
            "title": declaration.title,
            "datasets": {
                dataset: [task.name for task in tasks]
                for dataset, tasks in declaration.datasets.items()
            },
        }
        for declaration in found
    ]


def _methods() -> list[dict[str, Any]]:
    from ... import methods, references

    found: list[tuple[str, str, type[Any]]] = []
    for kind, registry in (("method", methods.METHODS), ("reference", references.REFERENCES)):
        for name in registry.names():
            try:
                found.append((name, kind, registry.get(name)))
            except InputError as error:  # of another package: the others are there all the same
                warn(f"left out: {error}")
        _warn_of_ignored(registry)
    return [
        {
            "name": name,
            "about": _first_line(listed.__doc__),
            "kind": kind,
            "version": listed.version,
        }
        for name, kind, listed in found
    ]


def _datasets() -> list[dict[str, Any]]:
    from ...datasets import registry

    found = _readable(registry.load, registry.names())
    return [
        {
            "name": dataset.name,
            "about": dataset.description,
            "encoders": list(dataset.stores),
            "default_encoder": dataset.default_encoder,
            "preset": dataset.preset,
            "licence": dataset.licence,
        }
        for dataset in found
    ]


def _encoders() -> list[dict[str, Any]]:
    from ...features.encoders import recipes
    from ...features.encoders.libraries import LIBRARIES

    found = _readable(recipes.load, recipes.names())
    _warn_of_ignored(LIBRARIES)
    return [
        {
            "name": encoder.name,
            "about": encoder.description,
            "library": encoder.library,
            "model": encoder.model,
            "weights": encoder.weights,
            "pixels": encoder.preprocessing.size if encoder.preprocessing else None,
            "dim": encoder.dim,
            "parameters": encoder.parameters,
            "licence": encoder.licence,
        }
        for encoder in found
    ]


def _metrics() -> list[dict[str, Any]]:
    from ...metrics import FURTHER_METRICS, METRICS

    listed = []
    for metric in METRICS.values():
        chance: Any = metric.chance
        if not isinstance(chance, float):
            chance = "formula" if callable(chance) else "simulated"
        about = f"{metric.label}: {_first_line(metric.compute.__doc__)}"
        listed.append(_metric(metric, about, chance, "class and cluster"))
    for further in FURTHER_METRICS.values():
        about = f"{further.label}: needs {further.needs}"
        listed.append(_metric(further, about, "formula" if further.chance else None, further.needs))
    return listed


def _metric(metric: Metric | FurtherMetric, about: str, chance: Any, needs: str) -> dict[str, Any]:
    return {
        "name": metric.name,
        "about": about,
        "label": metric.label,
        "range": [metric.low, metric.high],
        "higher_is_better": metric.higher_is_better,
        "chance": chance,
        "needs": needs,
    }


def _trees() -> list[dict[str, Any]]:
    from ...taxonomy import imagenet

    found = {name: imagenet.load(name) for name in imagenet.names()}
    return [
        {
            "name": name,
            "about": imagenet.LISTS[name].about,
            "classes": len(imagenet.classes(name)),
            "nodes": len(tree),
            "leaves": len(tree.leaves()),
            "roots": len(tree.roots),
            "depth": tree.height,
        }
        for name, tree in found.items()
    ]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _aligned(listed: list[dict[str, Any]], columns: tuple[str, ...], heading: bool) -> list[str]:
    """A line per entry, of the columns' values; numbers to the right, what is unknown as `-`."""
    rows = [
        ["-" if entry[key] is None else shown(entry[key]) for key in columns] for entry in listed
    ]
    right = [any(isinstance(entry[key], int | float) for entry in listed) for key in columns]
    if heading:
        rows.insert(0, [_HEADINGS.get(key, key) for key in columns])
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


#: Kinds that get a table instead of a name and what it is about.
_COLUMNS = {
    Kind.encoders: ("name", "library", "pixels", "dim", "parameters", "licence"),
    Kind.trees: ("name", "classes", "nodes", "leaves", "roots", "depth", "about"),
    Kind.methods: ("name", "kind", "about"),
}
_HEADINGS = {"parameters": "parameters (M)"}

_LISTERS = {
    Kind.benchmarks: _benchmarks,
    Kind.methods: _methods,
    Kind.encoders: _encoders,
    Kind.datasets: _datasets,
    Kind.metrics: _metrics,
    Kind.trees: _trees,
}
