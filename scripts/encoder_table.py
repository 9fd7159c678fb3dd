"""Print, or write into docs/encoders.md, the table of the shipped encoder recipes."""

from __future__ import annotations

import re

import documents

from clusterbench import catalog
from clusterbench.features.encoders.recipe import Recipe
from clusterbench.features.encoders.recipes import parse

DOCUMENT = documents.DOCS / "encoders.md"
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


if __name__ == "__main__":
    documents.main(DOCUMENT, "encoders", table, __doc__)
