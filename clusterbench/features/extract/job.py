"""An extraction from where its images, encoder and weights are to a store, as one piece of work.

The command line, `cache repair` and `clusterbench.extract` all do it here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ...devices import resolve_device, team
from ...errors import InputError
from ...sources.opening import open_source
from ...sources.selection import Selection, chosen, select
from ...sources.source import ImageSource
from ..encoders.encoder import Encoder, load_encoder
from ..store.writer import SHARD_ROWS
from .extraction import Extraction, extract, plan_extraction
from .extraction_plan import Plan
from .origin import Origin
from .pipeline import Report


@dataclass
class ExtractionJob:
    """What an origin says, extracted into a folder.

    workers: decoding processes; None for the cores but one. max_broken: share of the images at
    which it fails. check_images: on resuming, look for images that changed. repairing: the folder
    is one whose damaged shards are made again. val_otherwise: share of the images that is val
    where neither the source nor the origin says which are; the origin then says so.
    """

    origin: Origin
    output: Path
    device: str = "auto"
    workers: int | None = None
    max_broken: float = 0.01
    check_images: bool = True
    repairing: bool = False
    val_otherwise: float = 0.0

    @cached_property
    def images(self) -> ImageSource:
        """The images, indexed and selected from; InputError for what the source refuses."""
        where = dict(self.origin.source_options())
        opening = {k: where.pop(k) for k in ("location", "format", "class_names", "root")}
        damaged = where.pop("allow_damaged")
        selection = chosen(**where)  # refuses before anything is indexed
        images = open_source(**opening, allow_damaged=damaged, selection=selection)
        if self.val_otherwise and not images.index.split.any():
            where = self.origin.source | {"val_fraction": self.val_otherwise}
            self.origin = replace(self.origin, source=where)
            images = select(images, Selection(val_fraction=self.val_otherwise))
        return images

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, on the CPU; InputError for an unknown one or weights that do not fit."""
        return load_encoder(self.origin.encoder, self.origin.weights)

    def plan(self) -> Plan:
        """What there is to do; nothing is written. Raises what `run` raises before it begins."""
        if not 0 <= self.max_broken <= 1:
            raise InputError(f"--max-broken is {self.max_broken}; wanted a fraction, 0 to 1")
        resolve_device(self.device)  # before weights are downloaded
        return plan_extraction(
            self.images,
            self.encoder,
            self.output,
            **self.origin.options,
            repairing=self.repairing,
        )

    def run(
        self, progress: Report | None = None, tell: Callable[[str], None] = lambda text: None
    ) -> Extraction:
        """Extract; shards that are there are kept.

        Args:
            progress: called after each batch.
            tell: called with a line about what takes long or takes disk beside the store.

        Raises:
            InputError: as `extraction.extract`, and what opening the source and the encoder raise.
        """
        images = self.images
        if self.plan().pending:
            images = staged(images, self.output, tell)
        return extract(
            images,
            self.encoder,
            self.output,
            device=self.device,
            batch_size=self.origin.batch_size,
            workers=self.workers,
            max_broken=self.max_broken,
            verify_images=self.check_images,
            repairing=self.repairing,
            origin=self.origin.as_json(),
            progress=progress,
            **self.origin.options,
        )


def extract_images(
    source: Path | str,
    encoder: str,
    output: Path | str | None = None,
    *,
    weights: Path | str | None = None,
    format: str = "auto",
    class_names: Path | str | None = None,
    root: Path | str | None = None,
    allow_damaged: bool = False,
    val_fraction: float = 0.0,
    val_per_class: int = 0,
    val_first: int = 0,
    min_per_class: int = 0,
    imagenet21k_p: bool = False,
    device: str = "auto",
    batch_size: int = 256,
    workers: int | None = None,
    precision: str = "fp32",
    dtype: str = "float16",
    shard_rows: int = SHARD_ROWS,
    jpeg_draft: bool = False,
    channels_last: bool = False,
    compile: bool = False,
    deterministic: bool = False,
    max_broken: float = 0.01,
    check_images: bool = True,
    progress: Report | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Extraction:
    """Extract the features of images into a feature store: `clusterbench extract` from Python.

    The same call goes on where an interrupted one stopped, and returns at once when all is there.

    Args:
        source: a folder, a file, `hf:OWNER/NAME` or `torch:MODULE:FUNCTION`.
        encoder: a recipe's name or file, `timm:MODEL` and the like.
        output: folder of the store; by default named after source and encoder.
        weights: local weight file.
        format: kind of the source; "auto" tells by what is there.
        class_names: file with the names of labels that are numbers.
        root: where a CSV's paths begin, or a saved index's images are now.
        allow_damaged: use what can be read of damaged tars.
        val_fraction: share of images for evaluation, by a hash of the id.
        val_per_class: images per class for evaluation instead.
        val_first: the first images of each class for evaluation instead.
        min_per_class: leave out classes with fewer images.
        imagenet21k_p: classes of more than 500 images, the first 50 for evaluation.
        device: "auto", "cpu", "cuda" or "cuda:N".
        batch_size: images of a forward pass.
        workers: decoding processes; None for the cores but one.
        precision: "fp32", or "bf16" or "fp16" under autocast.
        dtype: on disk: "float16", "bfloat16" or "float32".
        shard_rows: images per shard.
        jpeg_draft: decode large JPEGs at a fraction of their size.
        channels_last: memory layout that is faster for convolutions.
        compile: run the encoder through torch.compile.
        deterministic: the same bits for any batch size and number of processes; slower.
        max_broken: share of unreadable images above which it fails.
        check_images: on resuming, look for images changed since their shard was made.
        progress: called with an `ExtractionProgress` after each batch.
        tell: called with a line about what takes long or takes disk beside the store.

    Returns:
        What was done, and the store.

    Raises:
        InputError: an option, the source, the encoder or the output cannot be used.
        StorageError: the disk cannot hold the store.
        ClusterbenchError: more than `max_broken` of the images are broken, or the encoder gives
            NaN.
    """
    origin = Origin.of(
        source={
            "location": str(source),
            "format": format,
            "class_names": _path(class_names),
            "root": _path(root),
            "allow_damaged": allow_damaged,
            "val_fraction": val_fraction,
            "val_per_class": val_per_class,
            "val_first": val_first,
            "min_per_class": min_per_class,
            "imagenet21k_p": imagenet21k_p,
        },
        encoder=encoder,
        weights=_path(weights),
        options={
            "precision": precision,
            "dtype": dtype,
            "shard_rows": shard_rows,
            "draft": jpeg_draft,
            "channels_last": channels_last,
            "compile": compile,
            "deterministic": deterministic,
        },
        batch_size=batch_size,
    )
    target = Path(output) if output is not None else Path(default_name(str(source), encoder))
    job = ExtractionJob(origin, target, device, workers, max_broken, check_images)
    return job.run(progress, tell)


def staged(images: ImageSource, target: Path, tell: Callable[[str], None]) -> ImageSource:
    """The source itself, or its images in flat files beside the store.

    Tables whose rows are not in the order of classes would be read again and again.
    """
    from ...sources.parquet import ParquetSource
    from ...sources.staging import stage

    if not isinstance(images, ParquetSource) or not images.needs_staging():
        return images
    import filelock

    folder = target.with_name(f"{target.name}.images")
    tell(
        "the rows of these tables are not in the order of classes: copying the images once into "
        f"{folder}, which can be deleted when the features are there"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".staging"):
        return stage(images, folder)


def default_name(source: str, encoder: str) -> str:
    """`birds-timm-vit_tiny_patch16_224` for images in `birds/` and `timm:vit_tiny_patch16_224`."""
    path = Path(source)
    name = path.resolve().name if path.exists() else source
    if path.is_file():
        name = Path(name).stem
    if Path(encoder).is_file():
        encoder = Path(encoder).stem
    return "-".join(
        "".join(c if c.isalnum() or c in "._-" else "-" for c in n) for n in (name, encoder)
    )


def is_first() -> bool:
    """Whether this is the process that reports, of several that extract together."""
    return team().rank == 0


def _path(value: Path | str | None) -> Path | None:
    return None if value is None else Path(value)
