"""`clusterbench import`: features that are there already become a feature store."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...printable import MESSAGE_LENGTH, shown
from ..option import option
from ..progress_views import ImportLines

if TYPE_CHECKING:
    from ...features.importing import Import


def import_features(
    features: Annotated[
        Path,
        typer.Argument(
            metavar="FEATURES",
            help="A .npy, .npz, .pt, .safetensors, .parquet, .h5 or .mat file, or a folder that "
            "TEMI, CLIP_benchmark or clip-retrieval wrote.",
        ),
    ],
    output: Annotated[
        Path | None,
        option(
            "import",
            "--output",
            help="Feature store to make (required without --dataset).",
            metavar="DIR",
        ),
    ] = None,
    name: Annotated[
        str | None,
        option(
            "import",
            "--name",
            help="Encoder that made them; else from the folder's name.",
            metavar="NAME",
        ),
    ] = None,
    layout: Annotated[
        str,
        option(
            "import",
            "--layout",
            help="auto, temi, clip-benchmark, clip-retrieval or arrays.",
            metavar="NAME",
        ),
    ] = "auto",
    array: Annotated[
        str | None,
        option(
            "import",
            "--array",
            help="Array, tensor, dataset or column of the features; of a table with a column for "
            "each dimension, names or patterns with commas between them.",
            metavar="NAME",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        option(
            "import",
            "--labels",
            help="Classes, one per row; else a column beside the features.",
            metavar="FILE",
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        option(
            "import",
            "--label-column",
            help="Which column or array holds the classes.",
            metavar="NAME",
        ),
    ] = None,
    ids: Annotated[
        Path | None,
        option(
            "import",
            "--ids",
            help="Sample ids, one per row (.txt, or as for labels); else made.",
            metavar="FILE",
        ),
    ] = None,
    split: Annotated[
        Path | None,
        option("import", "--split", help="train or val (0 or 1) for each row.", metavar="FILE"),
    ] = None,
    val_features: Annotated[
        Path | None,
        option(
            "import",
            "--val-features",
            help="The val samples, in a file of their own.",
            metavar="FILE",
        ),
    ] = None,
    val_labels: Annotated[
        Path | None,
        option("import", "--val-labels", help="The classes of --val-features.", metavar="FILE"),
    ] = None,
    class_names: Annotated[
        Path | None,
        option(
            "import",
            "--class-names",
            help="Text file: the name of class 0 on line 1, and so on.",
            metavar="FILE",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        option(
            "import",
            "--dtype",
            help="float16 or float32; else what the files hold, at most float32.",
            metavar="NAME",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        option(
            "import",
            "--dataset",
            help="Declare it as a data set of this name for `run`, too.",
            metavar="NAME",
        ),
    ] = None,
    tree: Annotated[
        str | None,
        option(
            "import",
            "--tree",
            help="Class tree of --dataset: a name of `clusterbench list trees` or a tree.tsv; else "
            "that of the ImageNet list with all the classes.",
            metavar="NAME|FILE",
        ),
    ] = None,
    dry_run: Annotated[
        bool, option("import", "--dry-run", help="Show what would be imported; write nothing.")
    ] = False,
    json_output: Annotated[
        bool, option("import", "--json", help="Print one JSON document instead.")
    ] = False,
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
    store, fresh = write_import(plan, output, ImportLines(), _note)
    document |= {
        "state": "written" if fresh else "is there already",
        "identity": store.identity,
        "seconds": round(time.monotonic() - started, 3),
    }
    if declaration is not None:
        from ..declared_dataset import declared_dataset

        declaration.write()
        document |= declared_dataset(declaration)
    _report(document, json_output)


def _note(line: str) -> None:
    sys.stderr.write(f"note: {shown(line, MESSAGE_LENGTH)}\n")


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
        "columns": plan.columns,
        "left_out": {role: list(names) for role, names in plan.left_out.items()},
        "notes": list(plan.notes),
        "unknown": list(plan.unknown),
    }


_SHOWN = 12  # names of columns that are left out
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
        array = values["columns"].get(role, file.get("array"))
        array = (
            ""
            if array is None
            else f", {shown(array)}"
            if role in values["columns"]
            else f" ({shown(array)})"
        )
        text += f"  {role}: {shown(file['name'])}{array}, SHA-256 {file['sha256'][:12]}\n"
    for role, names in values["left_out"].items():
        listed = ", ".join(shown(name, 60) for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        text += f"  left out of {role}: {listed}{more}\n"
    if values["unlabelled"]:
        text += (
            f"{values['unlabelled']:,} samples have no label: they are the class 'unlabelled', and "
            "scores against it mean nothing\n"
        )
    for note in values["notes"]:
        text += f"note: {note}\n"
    text += f"not known from the files: {', '.join(values['unknown'])}\n"
    if "dataset" in values:
        from ..declared_dataset import next_step

        text += next_step(values)
    sys.stdout.write(text)
