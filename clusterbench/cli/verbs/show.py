"""`clusterbench show`: what a task is, from its manifest or built on the spot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError
from ...printable import shown
from ..option import json_option

_SHOWN = 8
_LONGEST = 2_000  # characters of a line


def show(
    task: Annotated[
        str, typer.Argument(help="BENCHMARK/DATASET/TASK, or a manifest file.", metavar="TASK")
    ],
    json_output: Annotated[bool, json_option("show")] = False,
) -> None:
    """Show what a task is: recipe, counts, measured factors, classes and hashes."""
    import json

    content = _content(task)
    if json_output:
        typer.echo(json.dumps(content, indent=2))
        return
    for line in _lines(content):
        typer.echo(shown(line, _LONGEST))


def _content(task: str) -> Mapping[str, Any]:
    if task.endswith(".json") or os.path.isfile(task):  # noqa: PTH113 - any text is asked for
        from ...benchmarks import manifest

        return manifest.read(Path(task)).content
    parts = task.split("/")
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f"{task!r} is no task; wanted BENCHMARK/DATASET/TASK, for example "
            "imbalanced/icons-wordnet/ratio-10, or a manifest file"
        )
    from ...benchmarks import build
    from ...datasets import registry

    benchmark, dataset, name = parts
    return build(benchmark, registry.load(dataset), [name])[0].manifest()


def _lines(content: Mapping[str, Any]) -> Iterable[str]:
    yield f"{content['benchmark']}/{content['dataset']}/{content['name']}"
    yield f"  manifest  {content['manifest_hash']}"
    yield f"  index     {content['index_hash']}"
    recipe = content["recipe"]
    given = {key: value for key, value in recipe.items() if value is not None and key != "notes"}
    yield f"  recipe    {_pairs(given)}"
    if recipe.get("notes"):
        yield f"  notes     {_pairs(recipe['notes'])}"
    yield f"  classes   {content['n_classes']:,}: {_first(content['class_names'])}"
    for part in ("train", "eval"):
        counts = content[f"{part}_counts"]
        yield (
            f"  {part:<8}  {content[part]['n']:,} images, {min(counts):,} to {max(counts):,} per "
            f"class; rows {content[part]['rows'][:12]}, targets {content[part]['targets'][:12]}"
        )
    if content.get("n_ranks", 1) > 1:
        yield f"  ranks     the first {content['n_ranks']} clusters of each image are scored"
    yield "  factors"
    width = max(len(name) for name in content["factors"])
    for name, value in content["factors"].items():
        yield f"    {name:<{width}}  {value:,.6g}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_short(value)}" for key, value in values.items())


def _short(value: Any) -> str:
    text = shown(value)
    is_hash = len(text) == 64 and all(c in "0123456789abcdef" for c in text)
    return text[:12] if is_hash else text


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(shown, names[:_SHOWN])) + more
