"""`clusterbench import`: features that are there already become a feature store."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError

if TYPE_CHECKING:
    from ...features.importing import Import

_LINE_SECONDS = 30.0  # between progress lines


def _option(flag: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    # A prefix of its own: --dataset and --labels here are not those of other verbs.
    variable = "CLUSTERBENCH_IMPORT_" + flag.removeprefix("--").upper().replace("-", "_")
    return typer.Option(
        flag, help=help, metavar=metavar, envvar=variable, show_envvar=False, **settings
    )


def import_features(
    features: Annotated[
        Path,
        typer.Argument(
            metavar="FEATURES",
            help="A .npy, .npz, .pt, .parquet or .h5 file, or a folder that TEMI or "
            "CLIP_benchmark wrote.",
        ),
    ],
    output: Annotated[
        Path | None,
        _option("--output", "Feature store to make (required without --dataset).", "DIR"),
    ] = None,
    name: Annotated[
        str | None,
        _option("--name", "Encoder that made them; else from the folder's name.", "NAME"),
    ] = None,
    layout: Annotated[
        str, _option("--layout", "auto, temi, clip-benchmark or arrays.", "NAME")
    ] = "auto",
    array: Annotated[
        str | None,
        _option("--array", "Array, tensor, dataset or column of the features.", "NAME"),
    ] = None,
    labels: Annotated[
        Path | None,
        _option("--labels", "Classes, one per row; else a column beside the features.", "FILE"),
    ] = None,
    label_column: Annotated[
        str | None, _option("--label-column", "Which column or array holds the classes.", "NAME")
    ] = None,
    ids: Annotated[
        Path | None,
        _option("--ids", "Sample ids, one per row (.txt, or as for labels); else made.", "FILE"),
    ] = None,
    split: Annotated[
        Path | None, _option("--split", "train or val (0 or 1) for each row.", "FILE")
    ] = None,
    val_features: Annotated[
        Path | None, _option("--val-features", "The val samples, in a file of their own.", "FILE")
    ] = None,
    val_labels: Annotated[
        Path | None, _option("--val-labels", "The classes of --val-features.", "FILE")
    ] = None,
    class_names: Annotated[
        Path | None,
        _option("--class-names", "Text file: the name of class 0 on line 1, and so on.", "FILE"),
    ] = None,
    dtype: Annotated[
        str | None,
        _option(
            "--dtype", "float16 or float32; else what the files hold, at most float32.", "NAME"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        _option("--dataset", "Declare it as a data set of this name for `run`, too.", "NAME"),
    ] = None,
    tree: Annotated[
        str | None,
        _option(
            "--tree",
            "Class tree of --dataset: a name of `clusterbench list trees` or a tree.tsv; else "
            "that of the ImageNet list with all the classes.",
            "NAME|FILE",
        ),
    ] = None,
    dry_run: Annotated[
        bool, _option("--dry-run", "Show what would be imported; write nothing.")
    ] = False,
    json_output: Annotated[bool, _option("--json", "Print one JSON document instead.")] = False,
) -> None:
    """Make a feature store from features that are there already.

    Rows are put in the order of the index: by class, then by id. The same command on the same
    files finds its store and writes nothing; a store of anything else is not overwritten. Each
    option can be an environment variable: CLUSTERBENCH_IMPORT_LABELS=y.npy, and so on.
    """
    if output is None and dataset is None:
        raise InputError("--output is missing; give the folder of the store to make")
    if tree is not None and dataset is None:
        raise InputError(f"--tree {tree!r} without --dataset; a tree belongs to a data set")

    from ...features.importing import Request, plan_import, write_import

    plan = plan_import(
        Request(
            features=features,
            name=name,
            layout=layout,
            array=array,
            labels=labels,
            label_column=label_column,
            ids=ids,
            split=split,
            class_names=class_names,
            val_features=val_features,
            val_labels=val_labels,
            dtype=dtype,
        )
    )
    declaration = None
    if dataset is not None:
        from ...datasets.declare import declaration_for

        declaration = declaration_for(dataset, plan.encoder, output, plan.samples.index, tree)
        output = declaration.store
        if declaration.tree_chosen:
            sys.stderr.write(
                f"class tree {declaration.tree}: it has all {plan.samples.index.n_classes:,} "
                "classes; --tree takes another\n"
            )
    assert output is not None
    document = _document(plan, output)
    if dry_run:
        state = "is there already" if plan.existing(output) else "would be written"
        _report(document | {"state": state}, json_output)
        return
    started = time.monotonic()
    store, fresh = write_import(plan, output, _Lines())
    document |= {
        "state": "written" if fresh else "is there already",
        "identity": store.identity,
        "seconds": round(time.monotonic() - started, 3),
    }
    if declaration is not None:
        from ...benchmarks.suitable import suitable

        declaration.write()
        document |= {
            "dataset": dataset,
            "tree": declaration.tree or None,
            "benchmarks": suitable(
                declaration.dataset, declaration.tasks, has_tree=bool(declaration.tree)
            ),
        }
    _report(document, json_output)


def _document(plan: Import, output: Path) -> dict[str, Any]:
    index = plan.samples.index
    return {
        "output": str(output),
        "encoder": plan.encoder,
        "layout": plan.layout,
        "rows": index.n,
        "dim": plan.dim,
        "dtype": plan.dtype.name,
        "bytes": plan.nbytes,
        "classes": index.n_classes,
        "train": len(index.rows("train")),
        "val": len(index.rows("val")),
        "unlabelled": plan.samples.n_unlabelled,
        "files": plan.details["files"],
        "notes": list(plan.notes),
        "unknown": list(plan.unknown),
    }


_TEXT = (
    "{output}: {rows:,} x {dim} {dtype} features of {encoder}, {classes:,} classes, "
    "{train:,} train and {val:,} val: {state}\n"
)


def _report(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        return
    text = _TEXT.format(**values)
    if "seconds" in values and values["state"] == "written":
        text += f"{values['bytes']:,} bytes in {values['seconds']:.1f} s\n"
    for role, file in values["files"].items():
        array = f" ({file['array']})" if "array" in file else ""
        text += f"  {role}: {file['name']}{array}, SHA-256 {file['sha256'][:12]}\n"
    if values["unlabelled"]:
        text += (
            f"{values['unlabelled']:,} samples have no label: they are the class 'unlabelled', and "
            "scores against it mean nothing\n"
        )
    for note in values["notes"]:
        text += f"note: {note}\n"
    text += f"not known from the files: {', '.join(values['unknown'])}\n"
    if "dataset" in values:
        text += _next_step(values["dataset"], values["benchmarks"], values["val"])
    sys.stdout.write(text)


def _next_step(dataset: str, benchmarks: list[str], val: int) -> str:
    if not val:
        return (
            f"data set {dataset} is declared, but has no val samples, which tasks are scored on: "
            "import it again with --split or --val-features\n"
        )
    return f"clusterbench run --benchmark {benchmarks[0]} --dataset {dataset}\n"


class _Lines:
    """Progress on stderr: a line now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last < _LINE_SECONDS:
            return
        self.last = now
        # The features are read twice: for their hash, and to be written.
        step = "checked" if done <= total else "written"
        share = done / total if done <= total else done / total - 1
        sys.stderr.write(f"{min(share, 1):.0%} of {total:,} bytes {step}\n")
        sys.stderr.flush()
