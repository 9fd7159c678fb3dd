"""`clusterbench extract`: a folder of images through an encoder into a feature store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .extract_progress import extraction_progress

if TYPE_CHECKING:
    from ..datasets.folder import FolderSource
    from ..features.extract import Extraction
    from ..features.resume import Plan


def _option(flag: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    # A prefix of its own: --encoder and --device here are not those of `run`.
    variable = "CLUSTERBENCH_EXTRACT_" + flag.removeprefix("--").upper().replace("-", "_")
    return typer.Option(
        flag, help=help, metavar=metavar, envvar=variable, show_envvar=False, **settings
    )


def extract(
    source: Annotated[
        Path | None,
        _option(
            "--source",
            "Images as <class>/<image>, or train/ and val/ with such folders (required).",
            "FOLDER",
        ),
    ] = None,
    encoder: Annotated[
        str,
        _option(
            "--encoder",
            "A recipe's name, timm:MODEL or open_clip:MODEL/PRETRAINED (required).",
            "NAME",
        ),
    ] = "",
    weights: Annotated[
        Path | None,
        _option("--weights", "Local weight file: .safetensors, .pth, .pt or .bin.", "FILE"),
    ] = None,
    output: Annotated[
        Path | None,
        _option("--output", "Feature store to make or go on with; else <source>-<encoder>.", "DIR"),
    ] = None,
    device: Annotated[str, _option("--device", "auto, cpu, cuda or cuda:N.", "DEVICE")] = "auto",
    batch_size: Annotated[
        int, _option("--batch-size", "Images per forward pass.", "N", min=1)
    ] = 256,
    workers: Annotated[
        int | None,
        _option("--workers", "Decoding processes; else the cores but one, at most 16.", "N", min=0),
    ] = None,
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
    val_fraction: Annotated[
        float,
        _option("--val-fraction", "Share of images for evaluation, by a hash of the id.", "F"),
    ] = 0.0,
    val_per_class: Annotated[
        int, _option("--val-per-class", "Images per class for evaluation instead.", "N", min=0)
    ] = 0,
    max_broken: Annotated[
        float, _option("--max-broken", "Share of unreadable images at which to fail.", "F")
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
    """Extract the features of a folder of images into a feature store.

    The same command goes on where an interrupted one stopped, and returns at once when all is
    there. Each option can be an environment variable: CLUSTERBENCH_EXTRACT_BATCH_SIZE=64, and so
    on.
    """
    if source is None:
        raise InputError("--source is missing; wanted a folder of class folders with images")
    if not encoder:
        from ..features.recipe import names

        raise InputError(
            f"--encoder is missing; choose one of {', '.join(names())}, timm:MODEL or "
            "open_clip:MODEL/PRETRAINED"
        )
    if dtype not in ("float16", "bfloat16", "float32"):
        raise InputError(f"--dtype {dtype!r}; wanted float16, bfloat16 or float32")

    from ..datasets.folder import index_folder
    from ..features import extract as extraction
    from ..features.encoder import load_encoder

    extraction.choose_device(device)  # before weights are downloaded
    images = index_folder(source, val_fraction=val_fraction, val_per_class=val_per_class)
    loaded = load_encoder(encoder, weights)
    target = output or Path(default_name(source, encoder))
    options: dict[str, Any] = {
        "precision": precision,
        "dtype": dtype,
        "shard_rows": shard_rows,
        "draft": jpeg_draft,
        "channels_last": channels_last,
        "compile": compile_module,
        "deterministic": deterministic,
    }
    if dry_run:
        plan = extraction.plan_extraction(images, loaded, target, **options)
        _report(_planned(plan, images), json_output, _PLAN_TEXT)
        return
    with extraction_progress() as progress:
        done = extraction.extract(
            images,
            loaded,
            target,
            device=device,
            batch_size=batch_size,
            workers=workers,
            max_broken=max_broken,
            verify_images=check_images,
            progress=progress,
            **options,
        )
    _report(_summary(done, images), json_output, _DONE_TEXT)


def default_name(source: Path, encoder: str) -> str:
    """`birds-timm-vit_tiny_patch16_224` for images in `birds/` and `timm:vit_tiny_patch16_224`."""
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in encoder)
    return f"{source.resolve().name}-{safe}"


_PLAN_TEXT = (
    "Would extract {to_do:,} of {images:,} images in {classes:,} classes with {encoder} "
    "({dim} dimensions)\ninto {output}: {shards_to_do} of {shards} shards to do, "
    "{bytes:,} bytes of features in all\n"
)
_DONE_TEXT = (
    "{output}: {rows:,} x {dim} {dtype} features of {encoder}, {classes:,} classes, "
    "{train:,} train and {val:,} val\n"
    "{new:,} images in {seconds:.1f} s ({images_per_second:,.0f}/s, {waiting_for_data:.0%} of it "
    "waiting for data),\n{before:,} from before, {broken:,} broken\n"
)


def _planned(plan: Plan, images: FolderSource) -> dict[str, Any]:
    return {
        "output": str(plan.output),
        "encoder": plan.fields["encoder"],
        "images": plan.n,
        "classes": images.index.n_classes,
        "empty_classes": list(images.empty_classes),
        "ignored_files": images.ignored,
        "to_do": plan.n_pending,
        "shards": plan.n_shards,
        "shards_to_do": len(plan.pending),
        "dim": plan.dim,
        "dtype": plan.dtype.name,
        "bytes": plan.nbytes,
        "identity": plan.fields,
    }


def _summary(done: Extraction, images: FolderSource) -> dict[str, Any]:
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
        "empty_classes": list(images.empty_classes),
        "ignored_files": images.ignored,
        "new": done.n_new,
        "before": done.n_before,
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
        text += f"{len(names):,} class folders hold no image (for example {names[0]})\n"
    if values["ignored_files"]:
        text += f"{values['ignored_files']:,} files are hidden or have no image suffix\n"
    if values.get("broken"):
        text += f"broken images and why: {Path(values['output']) / 'broken.jsonl'}\n"
    sys.stdout.write(text)
