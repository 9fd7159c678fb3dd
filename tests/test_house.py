"""The layout holds: imports point down, nothing goes round in a circle, a name is one thing."""

from __future__ import annotations

import ast
import collections
import graphlib
import shutil
import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "clusterbench"

#: A verb of the command line may be called what the library calls the thing that it does.
VERBS = PACKAGE / "cli" / "verbs"


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as go; go()",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_imports_point_downwards_and_one_that_does_not_is_named(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "clusterbench", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    kept = lint_imports(tmp_path)
    assert kept.returncode == 0, kept.stdout
    with (tmp_path / "clusterbench" / "kernels" / "draws.py").open("a") as file:
        file.write("\n\ndef upwards():\n    from ..runs import run\n\n    return run\n")
    broken = lint_imports(tmp_path)
    assert broken.returncode == 1
    assert "clusterbench.kernels.draws -> clusterbench.runs" in broken.stdout


def test_no_circle_of_modules() -> None:
    """Imports within functions and those for types count too."""
    graph = grimp.build_graph("clusterbench", cache_dir=None)
    order = graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()  # raises CycleError, which shows the circle


def test_no_class_and_no_module_is_called_like_another_one() -> None:
    modules = collections.Counter(path.stem for path in files() if VERBS not in path.parents)
    assert [name for name, count in modules.items() if count > 1] == []
    classes = collections.Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_no_folder_hides_rooms() -> None:
    code = [*PACKAGE.rglob("*.py"), *(ROOT / "scripts").rglob("*"), *(ROOT / "tests").rglob("*.py")]
    folders = collections.Counter(path.parent for path in code if path.suffix in (".py", ".sh"))
    del folders[PACKAGE / "sources"]
    assert {folder: n for folder, n in folders.items() if n > 20} == {}


def test_a_room_says_at_its_door_what_it_is() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        words = ast.get_docstring(ast.parse(path.read_text()))
        assert words is not None and len(words) > 20, path
