"""Declare features as the encoder gave them as data sets of their own.

    python scripts/build_emoji.py DOWNLOADS --output A/out --features A/features
    python scripts/build_icons_wordnet.py DOWNLOADS --output B/out --features B/features
    cd scripts && python -m research.as_given emoji=A/features icons-wordnet=B/features

The shipped features of both sets are 128 whitened components. Each data set is copied to
`$CLUSTERBENCH_HOME/features/NAME-as-given`, with its tree, ranking and these features.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from clusterbench.catalog import shipped, user_home
from clusterbench.datasets import registry
from clusterbench.features import FeatureStore


def declare(name: str, store: Path) -> Path:
    """Copy a store of the images of a shipped data set to a data set of its own; its folder."""
    data, features = registry.load(name), FeatureStore.open(store)
    if data.index.hash != features.index.hash:
        raise SystemExit(f"{store}: holds other images than {name}")
    folder = user_home() / "features" / f"{name}-as-given"
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("tree.tsv", "easiness.json"):
        source = shipped("features") / name / part
        if source.exists():
            shutil.copy(source, folder / part)
    shutil.copytree(store, folder / "as-given", dirs_exist_ok=True)
    text = (shipped("features") / name / "dataset.toml").read_text()
    text = text.replace(f'name = "{name}"', f'name = "{folder.name}"')
    text = text.replace(data.default_encoder, "as-given")
    text = text.replace("\n[stores]", f'tasks = "{name}"\n\n[stores]')
    (folder / "dataset.toml").write_text(text)
    return folder


def main() -> None:
    """Declare each NAME=STORE."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", metavar="NAME=STORE")
    for each in parser.parse_args().sets:
        name, _, store = each.partition("=")
        print(declare(name, Path(store)))


if __name__ == "__main__":
    main()
