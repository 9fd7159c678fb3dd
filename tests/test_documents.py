"""The Python in the documents names what is there."""

from __future__ import annotations

import ast
import importlib
import re
from doctest import script_from_examples
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code_of(document: Path) -> list[str]:
    blocks = re.findall(r"^```python\n(.*?)^```", document.read_text("utf-8"), re.M | re.S)
    return [script_from_examples(block) if ">>> " in block else block for block in blocks]


def reached(name: str) -> object:
    """A dotted name: modules as far as there are any, then attributes."""
    parts = name.split(".")
    found: object = importlib.import_module(parts[0])
    for depth, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:depth]))
        found = getattr(found, part)
    return found


def names_of(code: str) -> list[str]:
    """What a piece of code imports from the package, and what it reaches through `cb`."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clusterbench"):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"cb(\.\w+)+", ast.unparse(node)):
            names.append(ast.unparse(node).replace("cb", "clusterbench", 1))
    return names


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if code_of(d)], ids=lambda document: document.name
)
def test_the_names_in_a_document_are_there(document: Path) -> None:
    for code in code_of(document):
        for name in names_of(code):
            assert reached(name) is not None, name


def test_documents_name_something() -> None:
    assert len([n for d in DOCUMENTS for code in code_of(d) for n in names_of(code)]) > 10
