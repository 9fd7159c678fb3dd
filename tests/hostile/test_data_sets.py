"""Declarations of data sets, benchmarks and encoders: a bad one is named, and hides no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from store_toys import write_store
from trials import Trials

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

BENCHMARK = """
name = "{name}"
title = "T"
question = "What is it?"
description = "D"
[datasets.any]
tasks = [
  {{ name = "all", builder = "whole" }},
  {{ name = "too-large", builder = "scale", n_classes = 500 }},
]
"""
DATASET = """
name = "{name}"
default_encoder = "toy"
preset = "laptop"
[stores]
toy = "{store}"
"""
ENCODER = 'library = "timm"\nmodel = "resnet18"\n'


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _deep(path: Path) -> None:
    path.write_text("a = " + "[" * 50_000 + "]" * 50_000)


def _large(path: Path) -> None:
    path.write_text("# " + "x" * 2_000_000)


def _types(path: Path) -> None:
    path.write_text('name = 5\ndatasets = []\nstores = "x"\nlibrary = [[1]]\n')


def _keys(path: Path) -> None:
    path.write_text('"\\u001b[2J" = 1\n')


def _bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


ODD: tuple[Callable[[Path], object], ...] = (
    *(os.mkfifo, _folder, _dangling, _device, _loop, _deep, _large, _types, _keys, _bytes),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder with a benchmark, a data set and an encoder that are well."""
    home = tmp_path / "home"
    (home / "benchmarks").mkdir(parents=True)
    (home / "features" / "mine").mkdir(parents=True)
    (home / "benchmarks" / "good.toml").write_text(BENCHMARK.format(name="good"))
    (home / "features" / "mine" / "dataset.toml").write_text(
        DATASET.format(name="mine", store="toy")
    )
    (home / "features" / "good-encoder.toml").write_text(ENCODER)
    write_store(home / "features" / "mine" / "toy", n=60, shard_rows=60)
    return home


def test_bad_neighbours_are_named_and_hide_no_other(trial: Trials, home: Path) -> None:
    bad = []
    for number, make in enumerate(ODD):
        bad.append(f"bad{number}")
        make(home / "benchmarks" / f"bad{number}.toml")
        make(home / "features" / f"bad{number}.toml")
        (home / "features" / f"bad{number}").mkdir()
        make(home / "features" / f"bad{number}" / "dataset.toml")
    names = ["a\x1b[2Jb", "a\nb", "x" * 240, "\u202egood"]
    for name in names:
        (home / "benchmarks" / f"{name}.toml").write_text(BENCHMARK.format(name="good"))
        (home / "features" / f"{name}.toml").write_text(ENCODER)
        (home / "features" / name).mkdir()
        (home / "features" / name / "dataset.toml").write_text(DATASET.format(name="x", store="y"))
    for kind, good in (("benchmarks", "good"), ("datasets", "mine"), ("encoders", "good-encoder")):
        found = trial("list", kind, CLUSTERBENCH_HOME=str(home))
        found.passed()
        assert any(line.split()[:1] == [good] for line in found.out.splitlines())
        lines = found.err.splitlines()
        assert len(lines) == len(bad) + len(names), found.err
        for name in bad:
            assert any(name in line for line in lines), name
    trial("cache", "list", home, CLUSTERBENCH_HOME=str(home)).passed()
    found = trial(
        *("run", "-b", "good", "-d", "mine", "-m", "kmeans", "--dry-run"),
        CLUSTERBENCH_HOME=str(home),
    )
    found.passed()
    assert "2 runs planned" not in found.err and "left out: good/mine/too-large: " in found.err


def test_what_own_data_cannot_satisfy_is_left_out_by_name(
    trial: Trials, home: Path, tmp_path: Path
) -> None:
    env = {"CLUSTERBENCH_HOME": str(home)}
    found = trial("build", "-d", "mine", "-b", "good", "-o", tmp_path / "out", **env)
    found.passed()
    assert "left out: good/mine/too-large: " in found.err and "500 are needed" in found.err
    assert [path.name for path in (tmp_path / "out").rglob("*.json")] == ["all.json"]
    chosen = trial("build", "-d", "mine", "-b", "good", "-t", "too-large", **env)
    chosen.refused("500 are needed")  # it was asked for
    declared = BENCHMARK.format(name="own").replace("datasets.any", "datasets.mine")
    (home / "benchmarks" / "own.toml").write_text(declared)
    trial("build", "-d", "mine", "-b", "own", **env).refused("500 are needed")
    wrong = BENCHMARK.format(name="wrong").replace('"scale"', '"scael"')
    (home / "benchmarks" / "wrong.toml").write_text(wrong)
    trial("build", "-d", "mine", "-b", "wrong", **env).refused("did you mean scale")


DATASETS = {
    "long store": DATASET.format(name="bad", store="x" * 10_000),
    "NUL store": DATASET.format(name="bad", store="\\u0000"),
    "long tree": 'tree = "' + "x" * 10_000 + '"\n' + DATASET.format(name="bad", store="x"),
    "escapes": DATASET.format(name="bad", store="x").replace("laptop", "\\u001b[2J"),
    "encoder escapes": DATASET.format(name="bad", store="x").replace("toy", '"\\\\u202e"'),
    "deep": DATASET.format(name="bad", store="x") + "a = " + "[" * 50_000,
    "device": DATASET.format(name="bad", store="/dev/zero"),
    "no store": DATASET.format(name="bad", store=".."),
}


#: One of each kind; the others are exhaustive.
_FIRST = ("NUL store", "escapes", "deep", "device")


@pytest.mark.parametrize(
    "name",
    [
        name if name in _FIRST else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in DATASETS
    ],
)
def test_a_data_set_that_cannot_be_is_refused_by_every_verb(
    name: str, trial: Trials, home: Path
) -> None:
    folder = home / "features" / "bad"
    folder.mkdir()
    (folder / "dataset.toml").write_text(DATASETS[name], encoding="utf-8")
    env = {"CLUSTERBENCH_HOME": str(home)}
    trial("run", "-b", "whole", "-d", "bad", "--dry-run", **env).refused()
    trial("build", "-d", "bad", **env).refused()
    trial("show", "whole/bad/all", **env).refused()
    trial("build", "-d", "mine", "-b", "good", **env).passed()


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[2J",
        "x" * 100_000,
        "../../x",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("a\nb", "..", "", "\0"[:0] + "\u202e")
        ),
    ],
)
def test_a_hostile_name_is_refused_in_a_line(name: str, trial: Trials, home: Path) -> None:
    env = {"CLUSTERBENCH_HOME": str(home)}
    for words in (
        ("run", "-b", name, "--dry-run"),
        ("run", "-b", "whole", "-d", name or "x", "--dry-run"),
        ("run", "-b", "whole", "-e", name or "x", "--dry-run"),
        ("build", "-d", name),
        ("show", name or "x"),
        ("show", f"whole/mine/{name or 'x'}"),
    ):
        trial(*words, **env).refused()


def test_stores_and_tasks_without_end_are_refused(trial: Trials, home: Path) -> None:
    data = (home / "features" / "mine" / "dataset.toml").read_text()
    many = "".join(f'e{number} = "blobs"\n' for number in range(201))
    (home / "features" / "mine" / "dataset.toml").write_text(data.rstrip() + "\n" + many)
    benchmark = home / "benchmarks" / "many.toml"
    task = '{ name = "t%d", builder = "whole" },\n'
    benchmark.write_text(
        'name = "many"\ntitle = "x"\nquestion = "x"\ndescription = "x"\n[datasets.any]\ntasks = [\n'
        + "".join(task % number for number in range(1_001))
        + "]\n"
    )
    run = ("run", "-b", "whole", "-d", "mine", "--dry-run")
    trial(*run, CLUSTERBENCH_HOME=str(home)).refused("stores; wanted at most 200")
    trial("build", "-b", "many", "-d", "emoji", CLUSTERBENCH_HOME=str(home)).refused(
        "1,001 tasks; wanted at most 1,000"
    )
