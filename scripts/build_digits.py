"""Build the data set `digits`: scikit-learn's 1,797 handwritten digits, in seconds.

    python scripts/build_digits.py [--output DIR]

Nothing is downloaded: images and the encoder's weights are in packages of `clusterbench[demo]`.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from embedded import building
from embedded.declaring import Declaration, val_ids
from embedded.pixels import PixelSource, pixel_source

from clusterbench.features.encoders.encoder import load_encoder

NAME = "digits"

_WHITE = 16  # the digits' grey values are 0 to 16


def main() -> None:
    """Write the data set."""
    arguments = building.parser(__doc__).parse_args()
    output = building.folder(arguments.output, NAME)
    building.build(
        output,
        read_source(),
        load_encoder("efficientnet-lite0"),
        Declaration(
            name=output.name,
            description="scikit-learn's handwritten digits, ten equal classes",
            licence="BSD-3-Clause",
        ),
        workers=arguments.workers,
    )


def read_source() -> PixelSource:
    """The digits, white on black, 8 x 8; 30 % of each class are val (`declaring.val_ids`)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    classes = [str(label) for label in digits.target]
    ids = [f"{name}/{number:04d}" for number, name in enumerate(classes)]
    members: dict[str, list[str]] = defaultdict(list)
    for name, one in zip(classes, ids, strict=True):
        members[name].append(one)
    val = set().union(*(val_ids(some) for some in members.values()))
    pixels = np.rint(digits.images * (255 / _WHITE)).astype(np.uint8)
    return pixel_source(pixels, ids, classes, np.array([one in val for one in ids]))


if __name__ == "__main__":
    building.command(main)
