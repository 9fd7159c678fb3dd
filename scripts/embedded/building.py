"""From a source of images and an encoder to a data set that `clusterbench run` finds."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from clusterbench.catalog import user_home
from clusterbench.errors import ClusterbenchError, InputError
from clusterbench.features.encoders.encoder import Encoder
from clusterbench.features.extract.extraction import Extraction, extract
from clusterbench.features.extract.pipeline import ExtractionProgress
from clusterbench.files import write_bytes
from clusterbench.sources.source import ImageSource

from .declaring import TREE, Declaration, Node, tree_text

SHARD_ROWS = 8192  # what a kill loses at most
_TELL = 20.0  # seconds between lines of progress


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all builders of own data sets share."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--output", type=Path, help="default: features/NAME in $CLUSTERBENCH_HOME")
    options.add_argument(
        "--workers", type=int, default=2, help="processes that draw or decode; default: %(default)s"
    )
    return options


def folder(output: Path | None, name: str) -> Path:
    """Where a data set goes; its folder's name is the data set's."""
    return (output or user_home() / "features" / name).absolute()


def build(
    output: Path,
    source: ImageSource,
    encoder: Encoder,
    declaration: Declaration,
    tree: list[Node] | None = None,
    *,
    precision: str = "fp32",
    workers: int = 2,
) -> Extraction:
    """Extract float16 features into `output`, then declare them; prints what was made.

    Run again after a kill, it goes on with the shards that are not there; `dataset.toml` is
    written last, so no half of a data set is ever found. Raises InputError for a folder that holds
    a data set of other images or features.
    """
    index = source.index
    n_val = len(index.rows("val"))
    print(f"{index.n} images of {index.n_classes} classes, {index.n - n_val} train and {n_val} val")
    done = extract(
        source,
        encoder,
        output / encoder.name,
        device="cpu",
        precision=precision,
        workers=workers,
        shard_rows=SHARD_ROWS,
        progress=_Lines(),
    )
    if done.n_broken:
        raise ClusterbenchError(
            f"{done.n_broken} of the images cannot be read, see broken.jsonl in {done.store.path}"
        )
    if tree is not None:
        write_bytes(output / TREE, tree_text(tree).encode())
    text = declaration.toml(encoder.name, has_tree=tree is not None)
    write_bytes(output / "dataset.toml", text.encode())
    print(
        f"{output}: {done.store.n} x {done.store.dim} {done.store.dtype.name} of {encoder.name}, "
        f"{done.n_new} new in {done.seconds:.0f} s\nidentity {done.store.identity}"
    )
    return done


def command(main: Callable[[], None]) -> NoReturn:
    """Run a builder; an error is one line, and exits 2 if something given is wrong, else 1."""
    try:
        main()
    except ClusterbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(0)


class _Lines:
    """ExtractionProgress as a line on stderr now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL

    def __call__(self, progress: ExtractionProgress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL
            print(f"{progress.done} of {progress.total} images", file=sys.stderr, flush=True)
