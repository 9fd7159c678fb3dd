"""Draw a contact sheet: random classes of an image folder, a row of images each.

    python scripts/pages/contact_sheet.py IMAGES features/icons-wordnet OUTPUT.png

IMAGES is what a builder's `--images` kept.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clusterbench.datasets import registry
from clusterbench.sources.folder import index_folder

TILE, LABEL, GAP = 72, 132, 6
COLOURS = 64


def main() -> None:
    """Draw the sheet."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("images", type=Path)
    options.add_argument("folder", type=Path)
    options.add_argument("output", type=Path)
    options.add_argument("--classes", type=int, default=12)
    options.add_argument("--per-class", type=int, default=10)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    source = index_folder(arguments.images)
    tree = registry.read(arguments.folder).tree
    rng = np.random.default_rng(arguments.seed)
    counts = np.bincount(source.index.labels, minlength=source.index.n_classes)
    enough = np.flatnonzero(counts >= arguments.per_class)
    chosen = np.sort(rng.choice(enough, arguments.classes, replace=False))
    width = LABEL + arguments.per_class * (TILE + GAP) + GAP
    sheet = Image.new("RGB", (width, arguments.classes * (TILE + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for row, label in enumerate(chosen):
        top = GAP + row * (TILE + GAP)
        name = source.index.class_names[label]
        if tree is not None:
            name = tree.names[tree.nodes.index(name)]
        text = "\n".join(textwrap.wrap(f"{name} ({counts[label]})", 16))
        draw.multiline_text((GAP, top + TILE // 3), text, fill="black", font=font)
        samples = np.flatnonzero(source.index.labels == label)
        for column, sample in enumerate(rng.choice(samples, arguments.per_class, replace=False)):
            with Image.open(source.path(int(sample))) as image:
                tile = image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(tile, (LABEL + GAP + column * (TILE + GAP), top))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(COLOURS).save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
