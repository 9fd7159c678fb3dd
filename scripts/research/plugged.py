"""Candidates as the package sees the methods of other packages: by entry points."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = Path(__file__).parent
_GROUP = "clusterbench.methods"


def candidates() -> dict[str, str]:
    """Name of each candidate and its "module:Class": of the classes that name themselves."""
    found = {}
    for path in sorted((_HERE / "candidates").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and (name := _name(node)):
                found[name] = f"{__package__}.candidates.{path.stem}:{node.name}"
    return found


@contextmanager
def plugged() -> Iterator[None]:
    """Within it, `clusterbench` finds the candidates, in processes that it starts, too."""
    with tempfile.TemporaryDirectory() as folder:
        info = Path(folder, "research_candidates-0.dist-info")
        info.mkdir()
        info.joinpath("METADATA").write_text(
            "Metadata-Version: 2.1\nName: research-candidates\nVersion: 0\n"
        )
        lines = [f"{name} = {place}" for name, place in candidates().items()]
        info.joinpath("entry_points.txt").write_text("\n".join([f"[{_GROUP}]", *lines, ""]))
        added = [folder, str(_HERE.parent)]
        before, path = os.environ.get("PYTHONPATH"), list(sys.path)
        os.environ["PYTHONPATH"] = os.pathsep.join([*added, *([before] if before else [])])
        sys.path[:0] = added
        try:
            yield
        finally:
            sys.path[:] = path
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before


def _name(node: ast.ClassDef) -> str:
    """The text that a class gives its `name`; "" for none."""
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.value, ast.Constant):
            continue
        if isinstance(line.target, ast.Name) and line.target.id == "name":
            return str(line.value.value)
    return ""
