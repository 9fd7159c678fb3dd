"""Rank the classes of the embedded data sets by the full features of several encoders.

    python scripts/rank_embedded.py IMAGES [--features DIR] [--dataset NAME] [--encoder NAMES]

IMAGES holds a folder per data set, as `build_icons_wordnet.py` and `build_emoji.py` keep them with
`--images IMAGES/<name>`. Writes `features/<name>/easiness.json` and the hashes beside it. An
extraction that is finished, or was interrupted, is gone on with where `--features` names its
folder. The ranking reads train images only.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from embedded.dataset import extract_images, write_sums
from embedded.drawings import SIZE

from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.difficulty.easiness import FILE
from clusterbench.benchmarks.difficulty.rank_classes import rank_classes
from clusterbench.benchmarks.difficulty.ranking_file import ranking_sha256, write_ranking
from clusterbench.datasets import registry
from clusterbench.errors import InputError
from clusterbench.features.encoders.recipe import Recipe
from clusterbench.features.encoders.recipes import load
from clusterbench.features.store.store import FeatureStore

#: Images that rank a class: the more, the finer the ranks and the fewer the classes.
IMAGES_PER_CLASS = {"emoji": 5, "icons-wordnet": 14}
ENCODERS = "efficientnet-lite0,efficientnet-lite1,efficientnet-lite2"
_FEATURES = Path(__file__).parent.parent / "features"


def main() -> None:
    """Rank the classes of each data set, and write the ranking into its folder."""
    arguments = parser().parse_args()
    for name in arguments.dataset.split(","):
        data = registry.read(_FEATURES / name)
        with tempfile.TemporaryDirectory() as temporary:
            features = (arguments.features or Path(temporary)) / name
            stores = [
                full_features(data, arguments.images / name, features, encoder, arguments.workers)
                for encoder in arguments.encoder.split(",")
            ]
            pool = Pool(data.index, seed=0)
            ranking = rank_classes(pool, stores, IMAGES_PER_CLASS[name], progress=tell)
        write_ranking(ranking, data.folder / FILE)
        write_sums(data.folder)
        print(f"{name}: {len(ranking.classes)} classes, sha256 {ranking_sha256(ranking)}")


def parser() -> argparse.ArgumentParser:
    """The options, by default those of the shipped rankings."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("images", type=Path, help="folder with a folder of images per data set")
    options.add_argument("--features", type=Path, help="keep the full features in this folder")
    options.add_argument("--dataset", default="emoji,icons-wordnet", help="default: %(default)s")
    options.add_argument("--encoder", default=ENCODERS, help="default: %(default)s")
    options.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    return options


def full_features(
    data: registry.Dataset, images: Path, features: Path, encoder: str, workers: int
) -> FeatureStore:
    """The encoder's features of the data set's images; InputError for any other images."""
    recipe = at_drawn_size(load(encoder))
    store = extract_images(images, features / recipe.name, workers, encoder=recipe)
    if store.index.hash != data.index.hash:
        raise InputError(
            f"{images}: index {store.index.hash[:12]} of {store.n:,} images; data set "
            f"{data.name!r} has {data.index.hash[:12]} of {data.index.n:,}: build the images again"
        )
    return store


def at_drawn_size(recipe: Recipe) -> Recipe:
    """The encoder on images as they are drawn, whole, rather than enlarged to its own size."""
    own = recipe.preprocessing
    if own is None or (own.size, own.crop_fraction) == (SIZE, 1.0):
        return recipe
    drawn = dataclasses.replace(own, size=SIZE, crop_fraction=1.0)
    return dataclasses.replace(recipe, name=f"{recipe.name}-{SIZE}px", preprocessing=drawn)


def tell(what: str, done: int, total: int) -> None:
    """Progress on stderr: every twentieth step and the last."""
    if done % 20 == 0 or done == total:
        print(f"{what}: step {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
