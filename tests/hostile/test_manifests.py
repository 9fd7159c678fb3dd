"""Task manifests, rankings and class trees made to do harm: one clear line each.

Manifests are hashed again after each edit, so that only a look at what they say can refuse them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resigning import sign_task
from trials import Trials

from clusterbench import InputError
from clusterbench.benchmarks import manifest
from clusterbench.benchmarks.builders.easy import EasyParams
from clusterbench.benchmarks.builders.granularity_params import GranularityParams
from clusterbench.benchmarks.builders.multilabel import ChainsParams, RealParams
from clusterbench.benchmarks.builders.ratio import RatioParams
from clusterbench.benchmarks.builders.scale import ScaleParams
from clusterbench.benchmarks.builders.whole import WholeParams
from clusterbench.benchmarks.builders.window import WindowParams
from clusterbench.benchmarks.difficulty.ranking_file import read_ranking
from clusterbench.catalog import shipped
from clusterbench.taxonomy import Tree

SHIPPED = shipped("benchmarks") / "manifests" / "emoji" / "multilabel" / "chains.json"


def setting(*place: Any) -> Callable[[Any], Callable[[dict[str, Any]], None]]:
    def to(value: Any) -> Callable[[dict[str, Any]], None]:
        def edit(content: dict[str, Any]) -> None:
            target: Any = content
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = value

        return edit

    return to


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    **{
        f"{key} {value!r}"[:60]: setting(key)(value)
        for key in ("name", "benchmark", "dataset")
        for value in ("", "\x1b[2J", "a\nb", "\u202e", "x" * 100_000, 5, None, ["a"])
    },
    **{
        f"{key} {value!r}": setting(key)(value)
        for key in ("n_classes", "seed")
        for value in (-1, 10**18, "5", 5.0, True, None, [])
    },
    **{
        f"{key} {value!r}": setting(key)(value)
        for key in ("train", "eval", "recipe", "factors", "class_names", "train_counts")
        for value in (None, 5, "text", [], {}, [1], {"a": True})
    },
    "rows": setting("train", "n")(-5),
    "rows text": setting("train", "n")("5"),
    "hash": setting("eval", "rows")("abc"),
    "hash number": setting("eval", "targets")(5),
    "index": setting("index_hash")("../index"),
    "count": setting("eval_counts", 0)(-1),
    "count true": setting("eval_counts", 0)(True),
    "counts sum": setting("train_counts", 0)(10**6),
    "class twice": lambda content: setting("class_names", 1)(content["class_names"][0])(content),
    "class escapes": setting("class_names", 0)("\x1b[2J"),
    "class number": setting("class_names", 0)(7),
    "factor text": setting("factors", "gini")("0"),
    "factor null": setting("factors", "gini")(None),
    "factor escapes": setting("factors", "\x1b")(1.0),
    "builder": setting("recipe", "builder")(["chains"]),
    "builder null": setting("recipe", "builder")(None),
    "notes": setting("recipe", "notes")("text"),
    "deep": setting("recipe", "notes")({"a": [[[[[[[[[[[[1]]]]]]]]]]]]}),
    "ranks": setting("n_ranks")(10**6),
    "ranks 1": setting("n_ranks")(1),
    "hierarchy": setting("hierarchy")({"a": 1}),
    "label sets": setting("label_sets")([1]),
    "label sets keys": setting("label_sets")({"n": 1}),
}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return Path(shutil.copy(SHIPPED, tmp_path / "task.json"))


@pytest.mark.parametrize("name", EDITS)
def test_a_manifest_that_was_edited_and_hashed_again(name: str, task: Path) -> None:
    manifest.read(task)
    sign_task(task, EDITS[name])
    with pytest.raises(InputError) as caught:
        manifest.read(task)
    assert str(caught.value).startswith(f"{task}: ") and len(str(caught.value)) <= 2_000


@pytest.mark.parametrize("name", list(EDITS)[::16])
def test_the_verbs_say_so_in_a_line(name: str, trial: Trials, task: Path) -> None:
    sign_task(task, EDITS[name])
    trial("show", task).refused("task.json")
    found = trial("verify", task)
    found.within()
    found._clean()
    assert found.code == 1 and found.out.startswith("differs")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    key=st.sampled_from(sorted(json.loads(SHIPPED.read_bytes()))),
    part=st.sampled_from(["", "n", "rows", "builder", "gini", 0]),
    value=VALUES,
)
def test_any_edit_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, key: str, part: Any, value: Any
) -> None:
    task = Path(shutil.copy(SHIPPED, tmp_path_factory.mktemp("task") / "task.json"))

    def edit(content: dict[str, Any]) -> None:
        inner = content.get(key)
        if isinstance(inner, dict) and isinstance(part, str) and part:
            inner[part] = value
        elif isinstance(inner, list) and part == 0:
            inner[0] = value
        elif key not in ("sha256", "manifest_hash"):
            content[key] = value

    sign_task(task, edit)
    try:
        found = manifest.read(task)
    except InputError:
        return
    assert found.full_name.count("/") >= 2


PARAMS: dict[type, dict[str, Any]] = {
    RatioParams: {"ratio": 1.0, "series": (1.0,)},
    WindowParams: {"half_width": 20.0},
    GranularityParams: {},
    EasyParams: {"which": "random"},
    ScaleParams: {},
    WholeParams: {},
    ChainsParams: {},
    RealParams: {},
}
WRONG = {
    "seed": (-1, 2**31, 2**62, True, 1.5, None, "0"),
    "depth": (-1, 10**6, 1.5),
    "n_classes": (-1, 1, 2**31, 2.0, True),
    "images_per_class": (0, -5, 2**31, "3"),
    "min_images": (0, -1, 2**40),
    "eval_per_class": (1, -2, 2**31, 2.5),
    "n_coarse": (1, 2**31),
    "coarse_share": (0.0, float("nan"), 1.5),
    "class_share": (-0.1, float("inf")),
    "half_width": (0.0, float("nan"), 51.0),
    "n_ranks": (1, 0, 10**9),
    "ratio": (0.5, float("nan"), float("inf"), 1e300),
}


@pytest.mark.parametrize("params", PARAMS)
def test_parameters_outside_their_ranges(params: Any) -> None:
    params(**PARAMS[params])
    for key, values in WRONG.items():
        if key not in params.__dataclass_fields__:
            continue
        for value in values:
            given = {**PARAMS[params], key: value}
            if key == "ratio":
                given["series"] = (value,)
            with pytest.raises(InputError):
                params(**given)


HEADER = "node\tparent\tname\n"
TREES = {
    "empty": "",
    "header": "node\tname\n",
    "cycle": HEADER + "a\tb\tA\nb\ta\tB\n",
    "itself": HEADER + "a\ta\tA\n",
    "deep": HEADER + "".join(f"n{i}\tn{i - 1}\t\n" if i else "n0\t\t\n" for i in range(1_200)),
    "escapes": HEADER + "a\x1b[2J\t\tA\n",
    "name escapes": HEADER + "a\t\tA\x1b[2J\n",
    "direction": HEADER + "a\u202e\t\tA\n",
    "long name": HEADER + "a" * 5_000 + "\t\tA\n",
    "NUL": HEADER + "a\0\t\tA\n",
    "twice": HEADER + "a\t\tA\na\t\tB\n",
    "columns": HEADER + "a\t\n",
    "no node": HEADER + "\t\tA\n",
    "orphan": HEADER + "a\tx\tA\n",
    "one line": "x" * 3_000_000,
}


@pytest.mark.parametrize("name", TREES)
def test_a_class_tree_that_is_none(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tree.tsv"
    path.write_text(TREES[name], encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Tree.read(path)
    assert "tree.tsv" in str(caught.value) and len(str(caught.value)) <= 2_000


@pytest.mark.parametrize("read", [Tree.read, manifest.read, read_ranking])
def test_what_is_no_file_is_not_waited_for(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "file"
    for make in (os.mkfifo, Path.mkdir, lambda p: p.symlink_to("/dev/zero"), _large, _deep):
        make(path)
        with pytest.raises(InputError):
            read(path)
        path.rmdir() if path.is_dir() else path.unlink()


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _deep(path: Path) -> None:
    path.write_text("[" * 100_000)
