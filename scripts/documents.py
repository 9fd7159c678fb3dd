"""Parts of documents that are written by scripts: what stands between two marks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from clusterbench.files import write_bytes

DOCS = Path(__file__).resolve().parent.parent / "docs"


def with_block(text: str, name: str, new: str) -> str:
    """`text` with what stands between `<!-- name: begin -->` and `<!-- name: end -->` replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{new}{end}{rest.split(end)[1]}"


def write_blocks(document: Path, blocks: dict[str, str]) -> None:
    """Replace blocks of a document by name, all or none."""
    text = document.read_text(encoding="utf-8")
    for name, new in blocks.items():
        text = with_block(text, name, new)
    write_bytes(document, text.encode())


def create(document: Path, title: str, blocks: dict[str, str]) -> None:
    """Write a document of blocks alone, for `write_blocks` to renew."""
    parts = [
        f"<!-- {name}: begin -->\n{text}<!-- {name}: end -->\n" for name, text in blocks.items()
    ]
    document.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(document, "\n".join([f"# {title}\n", *parts]).encode())


def main(document: Path, name: str, make: Callable[[], str], description: str | None) -> None:
    """Print a block, or with --write put it into its document."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true", help="replace the table in the document")
    if parser.parse_args().write:
        write_blocks(document, {name: make()})
    else:
        print(make())
