"""`clusterbench verify`: are manifests still what this machine builds?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...printable import MESSAGE_LENGTH, shown
from ..option import json_option


def verify(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Manifests, or folders of them; else those that are pinned.", metavar="[PATHS]"
        ),
    ] = None,
    json_output: Annotated[bool, json_option("verify")] = False,
) -> None:
    """Build the tasks of manifests again and compare hashes, counts and factors.

    Exits 1 when a task differs, or a manifest was edited; one whose data set is not on this machine
    is passed over.
    """
    import json

    from ...benchmarks import manifest
    from ...benchmarks.verify import manifest_files
    from ...benchmarks.verify import verify as verify_manifests

    files = manifest_files(paths) if paths else manifest.pinned()
    found = []
    for one in verify_manifests(files):
        found.append(one)
        if not json_output:
            told = one.message if one.path.name in one.message else f"{one.path}: {one.message}"
            text = shown(told if one.message else one.name, MESSAGE_LENGTH)
            typer.echo(f"{one.status:<8} {text}")
    if json_output:
        rows = [
            {"path": str(v.path), "task": v.name, "status": v.status, "message": v.message or None}
            for v in found
        ]
        typer.echo(json.dumps(rows, indent=2))
    counts = {s: sum(v.status == s for v in found) for s in ("same", "differs", "absent")}
    told = ", ".join(f"{n} {status}" for status, n in counts.items() if n or status == "same")
    typer.echo(f"{len(found)} manifests: {told}", err=True)
    if counts["differs"]:
        raise typer.Exit(1)
