"""`clusterbench list`: what there is to choose from."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from .declare import json_option


class Kind(str, enum.Enum):
    """Kinds of names that the other verbs take."""

    benchmarks = "benchmarks"
    methods = "methods"
    encoders = "encoders"
    datasets = "datasets"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    json_output: Annotated[bool, json_option()] = False,
) -> None:
    """List benchmarks, methods, encoders or datasets."""
    import json

    listed = _LISTERS[kind]()
    if json_output:
        typer.echo(json.dumps(listed, indent=2))
        return
    width = max((len(entry["name"]) for entry in listed), default=0)
    for entry in listed:
        typer.echo(f"{entry['name']:<{width}}  {entry['about']}".rstrip())
    if not listed:
        typer.echo(f"no {kind.value} found", err=True)


def _benchmarks() -> list[dict[str, Any]]:
    from ..benchmarks.declaration import find, names

    found = [find(name) for name in names()]
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
    from .. import methods

    classes = {name: methods.get(name) for name in methods.names()}
    return [
        {"name": name, "about": _first_line(found.__doc__), "version": found.version}
        for name, found in classes.items()
    ]


def _datasets() -> list[dict[str, Any]]:
    from ..datasets import registry

    found = [registry.load(name) for name in registry.names()]
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
    from ..features import recipe

    found = [recipe.load(name) for name in recipe.names()]
    return [
        {
            "name": encoder.name,
            "about": encoder.description,
            "library": encoder.library,
            "model": encoder.model,
            "dim": encoder.dim,
            "licence": encoder.licence,
        }
        for encoder in found
    ]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


_LISTERS = {
    Kind.benchmarks: _benchmarks,
    Kind.methods: _methods,
    Kind.encoders: _encoders,
    Kind.datasets: _datasets,
}
