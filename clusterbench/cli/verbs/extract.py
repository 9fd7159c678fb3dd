"""`clusterbench extract`: images from any source through an encoder into a feature store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from .. import source_options as options
from ..extract_progress import extraction_progress

if TYPE_CHECKING:
    from ...features.extract.extraction import Extraction
    from ...features.extract.extraction_plan import Plan
    from ...features.extract.origin import Origin
    from ...sources.source import ImageSource

_VERB = "extract"


def _option(flag: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    # A prefix of its own: --encoder and --device here are not those of `run`.
    return options.option(_VERB, flag, help, metavar, **settings)


def extract(
    source: Annotated[str, _option("--source", options.SOURCE_HELP + " Required.", "SOURCE")] = "",
    encoder: Annotated[
        str,
        _option(
            "--encoder",
            "A recipe's name or file, timm:MODEL, open_clip:MODEL/PRETRAINED or "
            "python:MODULE:FUNCTION (required).",
            "NAME",
        ),
    ] = "",
    weights: Annotated[
        Path | None,
        _option("--weights", "Local weight file: .safetensors, .pth, .pt, .bin, .onnx.", "FILE"),
    ] = None,
    output: Annotated[
        Path | None,
        _option("--output", "Feature store to make or go on with; else <source>-<encoder>.", "DIR"),
    ] = None,
    device: Annotated[str, _option("--device", "auto, cpu, cuda or cuda:N.", "DEVICE")] = "auto",
    batch_size: Annotated[
        int,
        _option("--batch-size", "Images per forward pass; halved when out of memory.", "N", min=1),
    ] = 256,
    workers: Annotated[
        int | None,
        _option("--workers", "Decoding processes; else the cores but one, at most 16.", "N", min=0),
    ] = None,
    format: Annotated[str, options.format_option(_VERB)] = "auto",
    class_names: Annotated[Path | None, options.class_names_option(_VERB)] = None,
    root: Annotated[Path | None, options.root_option(_VERB)] = None,
    allow_damaged: Annotated[bool, options.allow_damaged_option(_VERB)] = False,
    precision: Annotated[
        str, _option("--precision", "fp32, or bf16 or fp16 (autocast).", "NAME")
    ] = "fp32",
    dtype: Annotated[
        str,
        _option(
            "--dtype",
            "On disk: float16, bfloat16 (rounded to it, held as float16) or float32.",
            "NAME",
        ),
    ] = "float16",
    jpeg_draft: Annotated[
        bool, _option("--jpeg-draft", "Decode large JPEGs at a fraction of their size: faster.")
    ] = False,
    channels_last: Annotated[
        bool, _option("--channels-last", "Memory layout that is faster for convolutions.")
    ] = False,
    compile_module: Annotated[
        bool, _option("--compile", "Run the encoder through torch.compile.")
    ] = False,
    deterministic: Annotated[
        bool,
        _option(
            "--deterministic", "The same bits for any batch size and number of processes; slower."
        ),
    ] = False,
    val_fraction: Annotated[float, options.val_fraction_option(_VERB)] = 0.0,
    val_per_class: Annotated[int, options.val_per_class_option(_VERB)] = 0,
    val_first: Annotated[int, options.val_first_option(_VERB)] = 0,
    min_per_class: Annotated[int, options.min_per_class_option(_VERB)] = 0,
    imagenet21k_p: Annotated[bool, options.imagenet21k_p_option(_VERB)] = False,
    max_broken: Annotated[
        float, _option("--max-broken", "Share of unreadable images above which to fail.", "F")
    ] = 0.01,
    shard_rows: Annotated[
        int, _option("--shard-rows", "Images per shard: what a kill can lose.", "N", min=1)
    ] = 65_536,
    check_images: Annotated[
        bool,
        typer.Option(
            "--check-images/--no-check-images",
            help="On resuming, look for images changed since their shard was made.",
            envvar="CLUSTERBENCH_EXTRACT_CHECK_IMAGES",
            show_envvar=False,
        ),
    ] = True,
    dry_run: Annotated[
        bool, _option("--dry-run", "Show what would be done; extract nothing.")
    ] = False,
    json_output: Annotated[bool, _option("--json", "Print one JSON document instead.")] = False,
) -> None:
    """Extract the features of images into a feature store.

    The same command goes on where an interrupted one stopped, and returns at once when all is
    there. Several of it at once share the work: `torchrun --nproc-per-node 8 -m clusterbench
    extract ...`. Each option can be an environment variable: CLUSTERBENCH_EXTRACT_BATCH_SIZE=64,
    and so on.
    """
    if not source:
        raise InputError("--source is missing; wanted a folder of class folders, or see --help")
    if not encoder:
        raise InputError(
            "--encoder is missing; choose one of `clusterbench list encoders`, timm:MODEL, "
            "open_clip:MODEL/PRETRAINED or python:MODULE:FUNCTION"
        )
    if dtype not in ("float16", "bfloat16", "float32"):
        raise InputError(f"--dtype {dtype!r}; wanted float16, bfloat16 or float32")
    from ...features.extract.origin import Origin

    origin = Origin.of(
        source={
            "location": source,
            "format": format,
            "class_names": class_names,
            "root": root,
            "allow_damaged": allow_damaged,
            "val_fraction": val_fraction,
            "val_per_class": val_per_class,
            "val_first": val_first,
            "min_per_class": min_per_class,
            "imagenet21k_p": imagenet21k_p,
        },
        encoder=encoder,
        weights=weights,
        options={
            "precision": precision,
            "dtype": dtype,
            "shard_rows": shard_rows,
            "draft": jpeg_draft,
            "channels_last": channels_last,
            "compile": compile_module,
            "deterministic": deterministic,
        },
        batch_size=batch_size,
    )
    target = output or Path(default_name(source, encoder))
    extract_from(
        origin,
        target,
        device=device,
        workers=workers,
        max_broken=max_broken,
        check_images=check_images,
        dry_run=dry_run,
        as_json=json_output,
    )


def extract_from(
    origin: Origin,
    target: Path,
    *,
    device: str,
    workers: int | None,
    max_broken: float,
    check_images: bool = True,
    dry_run: bool = False,
    as_json: bool = False,
    repairing: bool = False,
    quiet: bool = False,
) -> Extraction | None:
    """Extract what an origin says into `target` and report it; None after a dry run."""
    from ...features.encoders.encoder import load_encoder
    from ...features.extract import extraction
    from ...features.extract.processes import team

    if not 0 <= max_broken <= 1:
        raise InputError(f"--max-broken is {max_broken}; wanted a fraction, 0 to 1")
    extraction.choose_device(device)  # before weights are downloaded
    images = options.source_from_options(**origin.source_options())
    loaded = load_encoder(origin.encoder, origin.weights)
    plan = extraction.plan_extraction(images, loaded, target, **origin.options, repairing=repairing)
    if dry_run:
        _report(_planned(plan, images), as_json, _PLAN_TEXT)
        return None
    if plan.pending:
        images = staged(images, target)
    with extraction_progress() as progress:
        done = extraction.extract(
            images,
            loaded,
            target,
            device=device,
            batch_size=origin.batch_size,
            workers=workers,
            max_broken=max_broken,
            verify_images=check_images,
            repairing=repairing,
            origin=origin.as_json(),
            progress=progress,
            **origin.options,
        )
    if team().rank == 0 and not quiet:
        _report(_summary(done, images), as_json, _DONE_TEXT)
    return done


def staged(images: ImageSource, target: Path) -> ImageSource:
    """The source itself, or its images in flat files beside the store.

    Tables whose rows are not in the order of classes would be read again and again.
    """
    from ...sources.parquet import ParquetSource
    from ...sources.staging import stage

    if not isinstance(images, ParquetSource) or not images.needs_staging():
        return images
    import filelock

    folder = target.with_name(f"{target.name}.images")
    sys.stderr.write(
        f"the rows of these tables are not in the order of classes: copying the images once into "
        f"{folder}, which can be deleted when the features are there\n"
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


_PLAN_TEXT = (
    "Would extract {to_do:,} of {images:,} images in {classes:,} classes with {encoder} "
    "({dim} dimensions)\ninto {output}: {shards_to_do} of {shards} shards to do, "
    "{bytes:,} bytes of features in all\n"
)
_DONE_TEXT = (
    "{output}: {rows:,} x {dim} {dtype} features of {encoder}, {classes:,} classes, "
    "{train:,} train and {val:,} val\n"
    "{new:,} images in {seconds:.1f} s ({images_per_second:,.0f}/s, {waiting_for_data:.0%} of it "
    "waiting for data), {before:,} from before, {broken:,} broken\n"
)


def _planned(plan: Plan, images: ImageSource) -> dict[str, Any]:
    return {
        "output": str(plan.output),
        "encoder": plan.fields["encoder"],
        "images": plan.n,
        "classes": images.index.n_classes,
        "empty_classes": list(images.report.empty_classes),
        "ignored_files": images.report.ignored,
        "damaged": list(images.report.damaged),
        "to_do": plan.n_pending,
        "shards": plan.n_shards,
        "shards_to_do": len(plan.pending),
        "dim": plan.dim,
        "dtype": plan.dtype.name,
        "bytes": plan.nbytes,
        "identity": plan.fields,
    }


def _summary(done: Extraction, images: ImageSource) -> dict[str, Any]:
    store = done.store
    return {
        "output": str(store.path),
        "encoder": store.encoder,
        "identity": store.identity,
        "rows": store.n,
        "dim": store.dim,
        "dtype": store.dtype.name,
        "classes": store.index.n_classes,
        "train": len(store.index.rows("train")),
        "val": len(store.index.rows("val")),
        "empty_classes": list(images.report.empty_classes),
        "ignored_files": images.report.ignored,
        "damaged": list(images.report.damaged),
        "new": done.n_new,
        "before": done.n_before,
        "by_others": max(0, images.index.n - done.n_new - done.n_before),
        "broken": done.n_broken,
        "seconds": round(done.seconds, 3),
        "waiting_for_data": round(done.waiting, 3),
        "images_per_second": round(done.n_new / max(done.seconds, 1e-9), 1),
    }


def _report(values: dict[str, Any], as_json: bool, template: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        return
    text = template.format(**values)
    if values["empty_classes"]:
        names = values["empty_classes"]
        text += f"{len(names):,} classes hold no image (for example {names[0]})\n"
    if values["ignored_files"]:
        text += f"{values['ignored_files']:,} files are hidden or have no image suffix\n"
    if values["damaged"]:
        names = values["damaged"]
        text += f"{len(names):,} tars are damaged and used in part (for example {names[0]})\n"
    if values.get("by_others"):
        text += f"{values['by_others']:,} images were done by other processes\n"
    if values.get("broken"):
        text += f"broken images and why: {Path(values['output']) / 'broken.jsonl'}\n"
    sys.stdout.write(text)
