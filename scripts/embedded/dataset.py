"""From labelled drawings to the folder of an embedded data set."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np

from clusterbench.errors import ClusterbenchError
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.recipe import Recipe
from clusterbench.features.extract.extraction import extract
from clusterbench.features.store.store import FeatureStore
from clusterbench.files import sha256_array, sha256_file, write_bytes
from clusterbench.sources.folder import index_folder

from . import pca
from .declaring import TREE, Declaration, val_ids
from .drawings import Drawing, by_class

N_COMPONENTS = 128
_ENCODER = "efficientnet-lite0"
STORE = f"{_ENCODER}-pca{N_COMPONENTS}"
SUMS = "SHA256SUMS"


def write_images(drawings: list[Drawing], folder: Path) -> None:
    """Write `<folder>/{train,val}/<class>/<name>.png`, replacing what is there."""
    for split in ("train", "val"):
        shutil.rmtree(folder / split, ignore_errors=True)
    for class_name, members in by_class(drawings).items():
        val = val_ids([member.id for member in members])
        for split in ("train", "val"):
            (folder / split / class_name).mkdir(parents=True)
        for member in members:
            split = "val" if member.id in val else "train"
            (folder / split / class_name / f"{member.name}.png").write_bytes(member.png())


def extract_images(
    images: Path,
    output: Path,
    workers: int,
    encoder: str | Recipe = _ENCODER,
) -> FeatureStore:
    """An encoder's features of an image folder as float32; a finished extraction is reused."""
    done = extract(
        index_folder(images),
        load_encoder(encoder),
        output,
        device="cpu",
        dtype=np.float32,
        batch_size=64,
        workers=workers,
    )
    if done.n_broken:
        raise ClusterbenchError(f"{done.n_broken} of the drawn images cannot be read: {images}")
    return done.store


def reduce_store(source: FeatureStore, output: Path, pixels_sha256: str) -> FeatureStore:
    """Write the float16 store of principal components, fitted on the train split.

    Square roots of the features, rows at length 1, components fitted on the train split and
    whitened: with 128 numbers the neighbours are better than with the encoder's 1,280 (measured
    in the cards). `pixels_sha256` stands in the identity for the images, whatever the compression
    of their files.
    """
    index = source.index
    features = pca.unit_root_rows(source.read())
    fitted = pca.fit(features[index.rows("train")], N_COMPONENTS)
    shutil.rmtree(output, ignore_errors=True)
    return FeatureStore.write(
        output,
        fitted.project(features).astype(np.float16),
        index,
        encoder=STORE,
        details={
            "source": {"encoder": source.encoder, **source.fields["details"]},
            "pixels_sha256": pixels_sha256,
            "pca": {
                "n_components": N_COMPONENTS,
                "input": "signed square root, rows at length 1",
                "whitened": True,
                "fitted_on": "train",
                "n_fitted": len(index.rows("train")),
                "variance_kept": round(fitted.variance_kept, 4),
                "components_sha256": sha256_array(fitted.components.astype(np.float32)),
            },
        },
    )


def hash_pixels(drawings: list[Drawing]) -> str:
    """SHA-256 over the ids and pixels of all drawings, in the order of ids."""
    digest = hashlib.sha256()
    for drawing in sorted(drawings, key=lambda d: d.id):
        digest.update(drawing.id.encode() + b"\n")
        digest.update(np.ascontiguousarray(drawing.pixels).data)
    return digest.hexdigest()


def write_sums(folder: Path) -> str:
    """Write `SHA256SUMS` over the data files of the folder and return its text."""
    data = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in _DATA]
    text = "".join(f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}\n" for p in data)
    write_bytes(folder / SUMS, text.encode())
    return text


_DATA = frozenset((".h5", ".json", ".jsonl", ".toml", ".tsv"))


def parser(description: str | None, output: Path) -> argparse.ArgumentParser:
    """The options that the builders share."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("downloads", type=Path, help="folder of the packages")
    options.add_argument("--output", type=Path, default=output, help="default: %(default)s")
    options.add_argument("--images", type=Path, help="keep the drawn images in this folder")
    options.add_argument("--features", type=Path, help="keep the full features in this folder")
    options.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    return options


def build(
    declaration: Declaration,
    drawn: list[Drawing],
    texts: dict[str, str],
    arguments: argparse.Namespace,
) -> None:
    """Draw to disk, extract, reduce, and write the data set's folder, hashes last."""
    with tempfile.TemporaryDirectory() as temporary:
        images = arguments.images or Path(temporary) / "images"
        features = arguments.features or Path(temporary) / "features"
        write_images(drawn, images)
        source = extract_images(images, features, arguments.workers)
        store = reduce_store(source, arguments.output / STORE, hash_pixels(drawn))
    write_bytes(
        arguments.output / "dataset.toml", declaration.toml(STORE, has_tree=TREE in texts).encode()
    )
    for name, text in texts.items():
        write_bytes(arguments.output / name, text.encode())
    print(write_sums(arguments.output), end="")
    print(f"index {store.index.hash}\nidentity {store.identity}")
