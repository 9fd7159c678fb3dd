"""Print, or write into docs/encoders.md, the table of the shipped encoder recipes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from clusterbench import catalog, files
from clusterbench.features.recipe import Recipe, parse

BEGIN, END = "<!-- encoders: begin -->", "<!-- encoders: end -->"
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "encoders.md"
_HEADER = (
    "| encoder | what | library: model / weights | pixels | dim | parameters (M) "
    "| licence | paper |\n|---|---|---|--:|--:|--:|---|---|\n"
)


def table() -> str:
    """A Markdown row per recipe in `features/`, by name."""
    found = [parse(path) for path in catalog.shipped("features").glob("*.toml")]
    return _HEADER + "".join(_row(r) for r in sorted(found, key=lambda r: r.name))


def _row(recipe: Recipe) -> str:
    pixels = recipe.preprocessing
    model = "/".join(filter(None, (recipe.model, recipe.weights))) or "`--weights FILE`"
    papers = ", ".join(
        f"[{number}](https://arxiv.org/abs/{number})"
        for number in re.findall(r"arXiv:(\d{4}\.\d{5})", recipe.citation)
    )
    cells = [
        f"`{recipe.name}`",
        recipe.description,
        f"{recipe.library}: {model}",
        f"{pixels.size}{' squash' if pixels.crop == 'squash' else ''}" if pixels else "",
        str(recipe.dim or ""),
        str(recipe.parameters or ""),
        recipe.licence,
        papers,
    ]
    return f"| {' | '.join(cells)} |\n"


def with_table(text: str, new: str) -> str:
    """`text` with what stands between the two markers replaced."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{new}{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table in the document")
    if parser.parse_args().write:
        text = with_table(DOCUMENT.read_text(encoding="utf-8"), table())
        files.write_bytes(DOCUMENT, text.encode())
    else:
        print(table())


if __name__ == "__main__":
    main()
