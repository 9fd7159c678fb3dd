"""`clusterbench extract`: images from any source through an encoder into a feature store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ...errors import InputError
from .. import source_options as options
from ..console import warn
from ..declared_dataset import declared_dataset, next_step
from ..extraction_progress import extraction_progress
from ..option import option

if TYPE_CHECKING:
    from ...datasets.declare import DatasetDeclaration
    from ...features.extract.extraction import Extraction
    from ...features.extract.extraction_plan import Plan
    from ...features.extract.job import ExtractionJob
    from ...sources.source import ImageSource


def extract(
    source: Annotated[
        str,
        option("extract", "--source", help=options.SOURCE_HELP + " Required.", metavar="SOURCE"),
    ] = "",
    encoder: Annotated[
        str,
        option(
            "extract",
            "--encoder",
            help="A recipe's name or file, timm:MODEL, open_clip:MODEL/PRETRAINED or "
            "python:MODULE:FUNCTION (required).",
            metavar="NAME",
        ),
    ] = "",
    weights: Annotated[
        Path | None,
        option(
            "extract",
            "--weights",
            help="Local weight file: .safetensors, .pth, .pt, .bin, .onnx.",
            metavar="FILE",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "extract",
            "--output",
            help="Feature store to make or go on with; else <source>-<encoder>.",
            metavar="DIR",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        option(
            "extract",
            "--dataset",
            help="Declare it as a data set of this name for `run`, too; the store then lies with "
            "it in CLUSTERBENCH_HOME.",
            metavar="NAME",
        ),
    ] = None,
    tree: Annotated[
        str | None,
        option(
            "extract",
            "--tree",
            help="Class tree of --dataset: a name of `clusterbench list trees` or a tree.tsv; else "
            "that of the ImageNet list with all the classes.",
            metavar="NAME|FILE",
        ),
    ] = None,
    device: Annotated[
        str, option("extract", "--device", help="auto, cpu, cuda or cuda:N.", metavar="DEVICE")
    ] = "auto",
    batch_size: Annotated[
        int,
        option(
            "extract",
            "--batch-size",
            help="Images per forward pass; halved when out of memory.",
            metavar="N",
            min=1,
        ),
    ] = 256,
    workers: Annotated[
        int | None,
        option(
            "extract",
            "--workers",
            help="Decoding processes; else the cores but one, at most 16.",
            metavar="N",
            min=0,
        ),
    ] = None,
    format: Annotated[str, options.format_option("extract")] = "auto",
    class_names: Annotated[Path | None, options.class_names_option("extract")] = None,
    root: Annotated[Path | None, options.root_option("extract")] = None,
    allow_damaged: Annotated[bool, options.allow_damaged_option("extract")] = False,
    precision: Annotated[
        str,
        option("extract", "--precision", help="fp32, or bf16 or fp16 (autocast).", metavar="NAME"),
    ] = "fp32",
    dtype: Annotated[
        str,
        option(
            "extract",
            "--dtype",
            help="On disk: float16, bfloat16 (rounded to it, held as float16) or float32.",
            metavar="NAME",
        ),
    ] = "float16",
    jpeg_draft: Annotated[
        bool,
        option(
            "extract",
            "--jpeg-draft",
            help="Decode large JPEGs at a fraction of their size: faster.",
        ),
    ] = False,
    channels_last: Annotated[
        bool,
        option("extract", "--channels-last", help="Memory layout that is faster for convolutions."),
    ] = False,
    compile_module: Annotated[
        bool, option("extract", "--compile", help="Run the encoder through torch.compile.")
    ] = False,
    deterministic: Annotated[
        bool,
        option(
            "extract",
            "--deterministic",
            help="The same bits for any batch size and number of processes; slower.",
        ),
    ] = False,
    val_fraction: Annotated[float, options.val_fraction_option("extract")] = 0.0,
    val_per_class: Annotated[int, options.val_per_class_option("extract")] = 0,
    val_first: Annotated[int, options.val_first_option("extract")] = 0,
    min_per_class: Annotated[int, options.min_per_class_option("extract")] = 0,
    imagenet21k_p: Annotated[bool, options.imagenet21k_p_option("extract")] = False,
    max_broken: Annotated[
        float,
        option(
            "extract",
            "--max-broken",
            help="Share of unreadable images above which to fail.",
            metavar="F",
        ),
    ] = 0.01,
    shard_rows: Annotated[
        int,
        option(
            "extract",
            "--shard-rows",
            help="Images per shard: what a kill can lose.",
            metavar="N",
            min=1,
        ),
    ] = 65_536,
    check_images: Annotated[
        bool,
        option(
            "extract",
            "--check-images/--no-check-images",
            help="On resuming, look for images changed since their shard was made.",
        ),
    ] = True,
    dry_run: Annotated[
        bool, option("extract", "--dry-run", help="Show what would be done; extract nothing.")
    ] = False,
    json_output: Annotated[
        bool, option("extract", "--json", help="Print one JSON document instead.")
    ] = False,
) -> None:
    """Extract the features of images into a feature store.

    The same command goes on where an interrupted one stopped, and returns at once when all is
    there. Several of it at once share the work: `torchrun --nproc-per-node 8 -m clusterbench
    extract ...`.
    """
    if not source:
        raise InputError("--source is missing; wanted a folder of class folders, or see --help")
    if not encoder:
        raise InputError(
            "--encoder is missing; choose one of `clusterbench list encoders`, timm:MODEL, "
            "open_clip:MODEL/PRETRAINED or python:MODULE:FUNCTION"
        )
    if tree is not None and dataset is None:
        raise InputError(f"--tree {tree!r} without --dataset; a tree belongs to a data set")
    if dtype not in ("float16", "bfloat16", "float32"):
        raise InputError(f"--dtype {dtype!r}; wanted float16, bfloat16 or float32")
    from ...features.extract.job import ExtractionJob, default_name, is_first
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
    job = ExtractionJob(origin, target, device, workers, max_broken, check_images)
    declared = None
    if dataset is not None:
        declared = _declared(job, dataset, output, tree)
    if dry_run:
        document = _planned(job.plan(), job.images)
        if declared is not None:
            document |= {"dataset": dataset, "tree": declared.tree or None}
        _report(document, json_output, _PLAN_TEXT)
        return
    with extraction_progress() as progress:
        done = job.run(progress, warn)
    if not is_first():
        return
    document = _summary(done, job.images)
    if declared is not None:
        declared.write()
        document |= declared_dataset(declared)
    _report(document, json_output, _DONE_TEXT)


#: Share of the images that is val where nothing else says which are: a data set needs some.
_VAL_OF_DATA_SETS = 0.2


def _declared(
    job: ExtractionJob, dataset: str, output: Path | None, tree: str | None
) -> DatasetDeclaration:
    """The data set that an extraction becomes, which also says where its store lies."""
    from ...datasets.declare import declaration_for

    job.val_otherwise = _VAL_OF_DATA_SETS
    before = job.origin
    index = job.images.index
    if job.origin != before:
        warn(
            f"no image is val: of each class, {_VAL_OF_DATA_SETS:.0%} by a hash of the id are; "
            "--val-fraction, --val-per-class or --val-first choose otherwise"
        )
    where = Path(job.origin.source["location"]).name
    described = f"Features of the images in {where}"
    found = declaration_for(dataset, job.encoder.name, output, index, tree, described)
    if found.tree_chosen:
        warn(
            f"class tree {found.tree}: it has all {index.n_classes:,} classes; --tree takes another"
        )
    job.output = found.store
    return found


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
        "notes": list(images.report.notes),
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
        "notes": list(images.report.notes),
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
    text += options.left_out_text(values, values["ignored_files"])
    if values.get("by_others"):
        text += f"{values['by_others']:,} images were done by other processes\n"
    if values.get("broken"):
        text += f"broken images and why: {Path(values['output']) / 'broken.jsonl'}\n"
    if "benchmarks" in values:
        text += next_step(values)
    sys.stdout.write(text)
