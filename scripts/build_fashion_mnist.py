"""Build the data set `fashion-mnist`: 70,000 grey images of clothes in 10 equal classes.

    python scripts/build_fashion_mnist.py DOWNLOADS [--limit N] [--precision bf16] [--output DIR]

DOWNLOADS is a folder for the package, fetched if it is not there. Its train images are train, its
test images val. Killed, the same command goes on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from embedded import building, idx
from embedded.declaring import Declaration
from embedded.packages import Package, fetch, read_deb
from embedded.pixels import PixelSource, pixel_source

from clusterbench.errors import InputError
from clusterbench.features.encoders.encoder import PRECISIONS, load_encoder

FASHION = Package(
    "deb",
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
)
CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
NAME = "fashion-mnist"

_FOLDER = "/usr/share/datasets/fashion-mnist"
_SPLITS = ("train", "t10k")


def main() -> None:
    """Read the images of the package, and write the data set."""
    options = building.parser(__doc__)
    options.add_argument("downloads", type=Path, help="folder of the package")
    options.add_argument("--limit", type=int, help="the first so many images of each split")
    options.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default: fp32")
    arguments = options.parse_args()
    if arguments.limit is not None and arguments.limit < 1:
        raise InputError(f"--limit {arguments.limit}; wanted 1 or more")
    output = building.folder(arguments.output, NAME)
    building.build(
        output,
        read_source(fetch(FASHION, arguments.downloads), arguments.limit),
        load_encoder("efficientnet-lite0"),
        Declaration(
            name=output.name,
            description="Fashion-MNIST: grey images of clothes in ten equal classes",
            licence="MIT",
        ),
        precision=arguments.precision,
        workers=arguments.workers,
    )


def read_source(package: Path, limit: int | None = None) -> PixelSource:
    """The images of the package; ids are `class/train-00000` and `class/t10k-00000`."""
    names = {
        (split, kind): f"{_FOLDER}/{split}-{kind}-ubyte.gz"
        for split in _SPLITS
        for kind in ("images-idx3", "labels-idx1")
    }
    files = read_deb(package, set(names.values()))
    pixels, ids, classes, val = [], [], [], []
    for number, split in enumerate(_SPLITS):
        images, labels = (
            idx.read(files[names[split, kind]], Path(names[split, kind]).name)[:limit]
            for kind in ("images-idx3", "labels-idx1")
        )
        pixels.append(images)
        classes += [CLASSES[label] for label in labels]
        ids += [f"{CLASSES[label]}/{split}-{i:05d}" for i, label in enumerate(labels)]
        val += [number] * len(labels)
    return pixel_source(np.concatenate(pixels), ids, classes, np.array(val))


if __name__ == "__main__":
    building.command(main)
