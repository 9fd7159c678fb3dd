"""Hostile and damaged results beside a valid one: each is refused, and the valid one is added."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from boards.odd_files import fifo, folder, linked, unix_socket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signing import nested, put, sign_result, write_signed
from trials import Trials, snapshot

from clusterbench.errors import InputError
from clusterbench.leaderboard import read_leaderboard, submit
from clusterbench.metrics import Resampling
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.predictions import write_predictions
from clusterbench.results.record import ResultRecord, read_result
from clusterbench.runs import PlannedRun
from clusterbench.runs.survey import survey

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

HUGE = 10**4000
ESCAPES = "\x1b[2Jred\u202e\u200b\x9b1m"
BOMB = 1 << 29  # int32 that compress to 2 MB


@pytest.fixture(scope="module")
def world(tiny_files: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """`folder`: whole results of k-means in the small world; `runs`: the plan that made them."""
    import clusterbench

    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERBENCH_HOME", str(tiny_files.home))
        patch.setattr("clusterbench.runs.one_run.INTERVALS", Resampling(n_resamples=20))
        report = clusterbench.run(
            "tiny-imbalance", "tiny", methods=["kmeans"], device="cpu", results=folder
        )
    return SimpleNamespace(
        home=tiny_files.home, folder=folder, runs=[outcome.run for outcome in report.outcomes]
    )


@pytest.fixture(autouse=True)
def at_home(world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(world.home))


def copied(world: SimpleNamespace, folder: Path, name: str, number: int = 0) -> Path:
    """A whole result under another name, with its predictions file."""
    run = world.runs[number]
    folder.mkdir(exist_ok=True)
    path = folder / f"seed-{number}-{name.replace(' ', '-')}.json"
    content = json.loads(run.path.read_text())
    content["predictions"]["file"] = path.with_suffix(".npz").name
    shutil.copy(run.predictions_path, path.with_suffix(".npz"))
    path.write_text(json.dumps(content))
    return path


#: Fields of a result and what is put there; all are signed again.
FIELDS: dict[str, tuple[str, Any]] = {
    "deep setting": ("method.params.x", nested(197)),
    "deep diagnostics": ("diagnostics.x", nested(30)),
    "deep objects": ("diagnostics.x", {"a": {"a": nested(10)}}),
    "large settings": ("method.params.x", ["x" * 9_000] * 20),
    "long setting": ("method.params.x", "x" * 20_000),
    "many diagnostics": ("diagnostics.x", [0] * 150_000),
    "many keys": ("random_floor", {f"k{n}": 0.5 for n in range(1_500)}),
    "name of a setting": ("method.params", {ESCAPES: 1}),
    "name of a diagnostic": ("diagnostics", {"a\nb": 1}),
    "long warning": ("warnings", ["x" * 20_000]),
    "many warnings": ("warnings", ["x"] * 2_000),
    "long error": ("error", {"stage": "fit", "type": "x" * 5_000, "message": "", "where": ""}),
    "version of a package": ("environment.packages", {"numpy": "1\n2"}),
    "name of a package": ("environment.packages", {ESCAPES: "1"}),
    "device": ("environment.device_name", ESCAPES),
    "threads": ("environment.threads", 10**12),
    "huge threads": ("environment.threads", HUGE),
    "seed": ("seed", 2**31),
    "huge seed": ("seed", HUGE),
    "negative seed": ("seed", -1),
    "true seed": ("seed", True),
    "float seed": ("seed", 1e3),
    "huge version": ("method.version", HUGE),
    "version": ("method.version", 2**40),
    "k of billions": ("k", 2**31 - 1),
    "k of more than the samples": ("k", 33),
    "huge k": ("k", HUGE),
    "no k": ("k", 0),
    "n": ("scores.n", 21),
    "n of billions": ("scores.n", 2**31 - 1),
    "training n": ("train_scores.n", 10**15),
    "classes": ("scores.n_classes", 2_000_000_000),
    "clusters": ("scores.n_clusters", 2_000_000_000),
    "classes of the task": ("task.n_classes", 5),
    "samples of the task": ("task.n_train", 10**9),
    "evaluated of the task": ("task.n_eval", 7),
    "name of the task": ("task.name", "ratio-9"),
    "index": ("index_hash", "b" * 64),
    "manifest": ("task.manifest_hash", "b" * 64),
    "factor": ("task.factors.imbalance_ratio", 1.5),
    "infinite factor": ("task.factors.imbalance_ratio", float("inf")),
    "surplus factor": ("task.factors.luck", 1.0),
    "name of a factor": ("task.factors", {ESCAPES: 1.0}),
    "dimensions": ("features.dim", 9),
    "huge dimensions": ("features.dim", 2**40),
    "no identity": ("features.identity", "i"),
    "identity": ("features.identity", "b" * 64),
    "encoder": ("features.encoder", "dinov2-giant"),
    "encoder of another store": ("features.encoder", "shifted"),
    "name of the encoder": ("features.encoder", "blobs\n9  best  blobs  99.9"),
    "name of the method": ("method.name", ESCAPES),
    "empty method": ("method.name", ""),
    "joiner": ("method.name", "kmeans\u200d"),
    "filler": ("method.name", "\u3164"),
    "long method": ("method.name", "m" * 100_000),
    "NUL in the method": ("method.name", "k\x00means"),
    "benchmark": ("benchmark", "../../etc/passwd"),
    "name of the data set": ("dataset", "tiny\u2028x"),
    "half of a character": ("method.name", "\ud800"),
    "reference": ("method.reference", True),
    "resamples": ("scores.intervals.n_resamples", 10**12),
    "level": ("scores.intervals.level", 1.5),
    "seed of the intervals": ("scores.intervals.seed", HUGE),
    "band": ("scores.bands.head.acc", 0.123),
    "size of a band": ("scores.bands.head.n", 1_000),
    "cluster statistics": ("scores.clusters.largest", 10**18),
    "surplus statistics": ("scores.clusters.luck", 1),
    "score": ("scores.metrics.ami", 0.99),
    "score beyond all": ("scores.metrics.ami", 1e308),
    "name of a metric": ("scores.metrics", {ESCAPES: 0.5}),
    "floor": ("random_floor.acc", 0.9),
    "month 99": ("created", "9999-99-99T99:99:99Z"),
    "30 February": ("created", "2024-02-30T12:00:00Z"),
    "year 9999": ("created", "9999-12-31T23:59:59Z"),
    "negative time": ("timings.fit", -1.0),
    "predictions above": ("predictions.file", "../p.npz"),
    "absolute predictions": ("predictions.file", "/etc/passwd"),
    "long predictions": ("predictions.file", "p" * 400 + ".npz"),
    "predictions with a NUL": ("predictions.file", "p\x00.npz"),
    "predictions with a newline": ("predictions.file", "p\nq.npz"),
    "hidden predictions": ("predictions.file", ".npz"),
    "predictions of no name": ("predictions.file", ""),
    "other schema": ("schema", "clusterbench-result/99"),
    "schema of any length": ("schema", "x" * 500_000),
    "unknown key": (ESCAPES, 1),
    "list for an object": ("task", []),
}


def json_of(path: Path) -> str:
    return path.read_text()


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def bomb() -> bytes:
    """A zip of a few MB whose array takes 2 GB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<i4", "fortran_order": False, "shape": (BOMB,)}
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("predictions.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(4):
                member.write(bytes(1 << 20))
        file.writestr("rows_sha256.npy", b"")
    return stream.getvalue()


def members(**named: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in named.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


ROWS = np.asarray("a" * 64)
ZEROS = np.zeros(20, np.int32)

#: Contents of the predictions file; the result is signed again.
PREDICTIONS: dict[str, Callable[[], bytes]] = {
    "bomb": bomb,
    "no NumPy magic": lambda: members(predictions=b"not an array", rows_sha256=b"x"),
    "no zip": lambda: b"PK\x03\x04 nothing",
    "empty": lambda: b"",
    "pickled": lambda: archive(predictions=np.array([{}] * 20, object), rows_sha256=ROWS),
    "floats": lambda: archive(predictions=np.full(20, np.nan), rows_sha256=ROWS),
    "64 bits": lambda: archive(predictions=ZEROS.astype(np.int64), rows_sha256=ROWS),
    "texts": lambda: archive(predictions=np.array(["0"] * 20), rows_sha256=ROWS),
    "a column": lambda: archive(predictions=ZEROS[:, None], rows_sha256=ROWS),
    "too few": lambda: archive(predictions=ZEROS[1:], rows_sha256=ROWS),
    "long hash of rows": lambda: archive(
        predictions=ZEROS, rows_sha256=np.asarray("a" * 1_000_000)
    ),
    "hashes of rows": lambda: archive(predictions=ZEROS, rows_sha256=np.array(["a"] * 9)),
    "other rows": lambda: archive(predictions=ZEROS, rows_sha256=ROWS),
    "surplus array": lambda: archive(predictions=ZEROS, rows_sha256=ROWS, more=np.zeros(10**6)),
    "no predictions": lambda: archive(rows_sha256=ROWS),
    "large": lambda: os.urandom(300_000),
    "unused ranks": lambda: archive(
        predictions=ZEROS, rows_sha256=ROWS, ranked=np.zeros((20, 4), np.int32)
    ),
}


def text(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def sparse(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 36)


HEAD = b'{"schema": "clusterbench-result/1", '

#: What stands in place of a result, or of the predictions file of one.
KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": fifo,
    "socket": unix_socket,
    "link to a device": linked("/dev/zero"),
    "link to nothing": linked("nowhere"),
    "link to itself": linked("itself"),
    "folder": folder,
    "64 GB": sparse,
}

#: Whole contents of a result.
TEXTS: dict[str, Callable[[Path], None]] = {
    "deep": text(b"[" * 100_000 + b"]" * 100_000),
    "deep value": text(HEAD + b'"x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"),
    "NaN": lambda path: path.write_text(json_of(path).replace('"seed": 0', '"seed": NaN')) and None,
    "1e999": text(HEAD + b'"diagnostics": {"a": 1e999}}'),
    "many digits": text(HEAD + b'"seed": ' + b"9" * 100_000 + b"}"),
    "a key twice": lambda path: (
        path.write_text(json_of(path).replace('"seed": ', '"seed": 0, "seed": ')) and None
    ),
    "unknown keys": text(HEAD + b",".join(b'"k%d":0' % n for n in range(400_000)) + b"}"),
    "long text": text(HEAD + b'"benchmark": "' + b"x" * 15_000_000 + b'"}'),
    "too large": text(HEAD + b'"benchmark": "' + b"x" * 50_000_000 + b'"}'),
    "numbers": text(HEAD + b'"diagnostics": {"a": [' + b"0," * 7_000_000 + b"0]}}"),
    "empty lists": text(HEAD + b'"diagnostics": {"a": [' + b"[]," * 230_000 + b"0]}}"),
    "list": text(b"[]"),
    "null": text(b"null"),
    "empty": text(b""),
    "not UTF-8": text(HEAD + b'"benchmark": "\xff\xfe"}'),
    "UTF-16": text('{"schema": "clusterbench-result/1"}'.encode("utf-16")),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]) and None,
    "binary": text(bytes(range(256)) * 40),
}


def spoiled(world: SimpleNamespace, into: Path) -> dict[str, Path]:
    """One result for each fault, by the fault's name."""
    found = {}
    for name, (place, value) in FIELDS.items():
        path = found[name] = copied(world, into, f"field-{name}")
        content = json.loads(path.read_text())
        if place == "unknown key" or "." not in place:
            content[place] = copy.deepcopy(value)
        else:
            put(content, place, copy.deepcopy(value))
        if place == "error":
            content["status"] = "failed"
            content |= {"scores": None, "train_scores": None, "predictions": None}
        write_text_of(path, content)
    for name, made in PREDICTIONS.items():
        path = found[f"predictions: {name}"] = copied(world, into, f"predictions-{name}")
        path.with_suffix(".npz").write_bytes(made())
        write_signed(path, json.loads(path.read_text()))
    for name, make in KINDS.items():
        path = found[f"predictions: {name}"] = copied(world, into, f"file-{name}")
        make(path.with_suffix(".npz"))
    for name, make in {**KINDS, **TEXTS}.items():
        path = found[name] = copied(world, into, f"whole-{name}")
        make(path)
    return found


def write_text_of(path: Path, content: dict[str, Any]) -> None:
    """Signed, with what `json` itself does not write: numbers of thousands of digits."""
    number = json.dumps("HUGE")
    signed = sign_result(_without_huge(content), path.parent)
    path.write_text(json.dumps(signed).replace(number, "1" + "0" * 4_000))


def _without_huge(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_huge(item) for key, item in value.items()}
    return "HUGE" if value is HUGE or value == HUGE else value


@pytest.fixture(scope="module")
def hostile(world: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A folder of all of them between two valid results."""
    into = tmp_path_factory.mktemp("hostile") / "results"
    paths = spoiled(world, into)
    valid = [copied(world, into, "a-valid", 1), copied(world, into, "z-valid", 2)]
    return SimpleNamespace(folder=into, paths=paths, valid=valid, home=world.home, runs=world.runs)


def test_each_is_refused_in_a_line_and_the_valid_ones_are_added(
    hostile: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    before = snapshot_without_devices(hostile.folder)
    found = trial(
        *("submit", hostile.folder, "-l", "board.json", "--json"),
        cwd=tmp_path,
        CLUSTERBENCH_HOME=str(hostile.home),
    )
    assert found.code == 1
    found.within()
    document = json.loads(found.out)
    answers = {Path(result["path"]): result for result in document["results"]}
    statuses = {name: answers[path]["status"] for name, path in hostile.paths.items()}
    assert {name for name, status in statuses.items() if status != "refused"} == set()
    assert {answers[path]["status"] for path in hostile.valid} == {"added"}
    for path in hostile.paths.values():
        message = answers[path]["message"]
        assert path.name in message and "\n" not in message and len(message) <= 2_000
        assert message.isprintable() and "unexpected" not in message, message
        assert "cannot be verified" not in message, message  # said, but not foreseen
    assert len(read_leaderboard(tmp_path / "board.json").entries) == 2
    assert snapshot_without_devices(hostile.folder) == before
    again = trial(
        *("validate", hostile.folder, "--json"), cwd=tmp_path, CLUSTERBENCH_HOME=str(hostile.home)
    )
    again.within()
    same = {Path(result["path"]): result for result in json.loads(again.out)["results"]}
    assert {same[path]["status"] for path in hostile.valid} == {"ok"}
    for name, path in hostile.paths.items():
        assert same[path]["status"] == "refused", name
        if name != "year 9999":  # which says what time it is
            assert same[path]["message"] == answers[path]["message"]
    assert snapshot_without_devices(hostile.folder) == before
    trial("leaderboard", "-l", tmp_path / "board.json").passed()


def test_a_board_stays_as_it_is_when_all_are_refused(
    hostile: SimpleNamespace, tmp_path: Path
) -> None:
    board = tmp_path / "board.json"
    submit(hostile.valid, board)
    before = board.read_bytes(), board.stat().st_mtime_ns
    names = ["deep setting", "huge seed", "encoder", "predictions: bomb", "pipe", "numbers"]
    statuses = {s.status for s in submit([hostile.paths[name] for name in names], board)}
    assert statuses == {"refused"}
    assert (board.read_bytes(), board.stat().st_mtime_ns) == before


def test_none_is_evidence_for_a_comparison(hostile: SimpleNamespace) -> None:
    reader = EvidenceReader()
    # Scores are recomputed by `submit`; the others are about what is compared.
    scores = {"band", "size of a band", "cluster statistics", "surplus statistics", "score"}
    scores |= {"floor", "year 9999", "reference"}
    for name, path in hostile.paths.items():
        if name not in scores:
            with pytest.raises(InputError):
                reader.read(path)


@pytest.mark.parametrize(
    "name", ["deep", "NaN", "predictions: bomb", "pipe", "predictions: no NumPy magic", "encoder"]
)
def test_compare_says_so_in_a_line(name: str, hostile: SimpleNamespace, trial: Trials) -> None:
    path, home = hostile.paths[name], str(hostile.home)
    trial("compare", path, hostile.valid[0], CLUSTERBENCH_HOME=home).refused(path.stem)


def test_none_passes_for_a_whole_run(hostile: SimpleNamespace) -> None:
    run: PlannedRun = hostile.runs[0]
    described = {"factor", "surplus factor"}  # what only describes a task makes no run another one
    edited = {"band", "size of a band", "cluster statistics", "surplus statistics", "score"}
    edited |= {"floor", "year 9999", "reference", "encoder", "encoder of another store"}
    edited |= {"dimensions", "benchmark", "index", "predictions: other rows"}
    edited |= {name for name in hostile.paths if name.startswith("predictions: ")}
    for name, path in hostile.paths.items():
        state, record = survey(dataclasses.replace(run, path=path))
        if name not in described | edited:
            assert (state, record) == ("partial", None), name


def test_a_run_beside_a_damaged_result_repeats_it(
    world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    shutil.copytree(world.folder, tmp_path / "results")
    damaged = tmp_path / "results" / world.runs[0].path.relative_to(world.folder)
    TEXTS["deep"](damaged)
    found = trial(
        *("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "kmeans", "--dry-run"),
        cwd=tmp_path,
        CLUSTERBENCH_HOME=str(world.home),
    )
    found.passed()
    assert "6 runs planned, 1 to compute, 5 kept" in found.err


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("2147483647", "at most 10,000"),
        (str(10**20), "at most 10,000"),
        ("9" * 5_000, "wanted a count such as 3"),
        ("0,2147483648", "[0, 2**31)"),
        (f"0,{10**100}", "wanted"),
        ("-1", "at least 1"),
        (",".join(map(str, range(10_001))), "more than 10,000 seeds"),
    ],
)
def test_seeds_of_a_run(world: SimpleNamespace, trial: Trials, seeds: str, message: str) -> None:
    words = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "kmeans", "--dry-run", "--seeds")
    trial(*words, seeds, CLUSTERBENCH_HOME=str(world.home)).refused(message)


def test_a_tree_with_circles_and_many_empty_files(
    world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    into = tmp_path / "results"
    copied(world, into, "valid")
    (into / "up").symlink_to("..")
    (into / "here").symlink_to(into)
    for number in range(2_000):
        (into / f"seed-{number}.json").touch()
        (into / f"folder-{number}").mkdir()
    found = trial(
        "submit", into, "-l", "board.json", cwd=tmp_path, CLUSTERBENCH_HOME=str(world.home)
    )
    found.refused("1 added, 2000 refused", "and 1,900 more refused")


def test_a_forged_encoder_does_not_take_the_place_of_the_honest_one(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    honest = copied(world, tmp_path / "honest", "r")
    submit([honest], board := tmp_path / "board.json")
    content = json.loads(board.read_text())
    content["entries"][0]["encoder"] = "dinov2-giant"  # a board from before names were checked
    board.write_text(json.dumps(content))
    (found,) = submit([honest], board)
    assert found.status == "refused"
    assert "with another encoder ('dinov2-giant'; here 'blobs')" in found.message
    other = copied(world, tmp_path / "honest", "other", 1)
    (found,) = submit([other], board)
    assert found.status == "refused" and "with another encoder" in found.message
    statuses = [s.status for s in submit([honest, other], board, replace=True)]
    assert statuses == ["replaced", "added"]
    assert {entry.encoder for entry in read_leaderboard(board).entries} == {"blobs"}


def test_features_that_are_not_here_are_taken_with_a_note(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    path = copied(world, tmp_path / "results", "r")
    content = json.loads(path.read_text())
    content["features"] |= {"encoder": "elsewhere", "identity": "e" * 64}
    write_signed(path, content)
    (found,) = submit([path], tmp_path / "board.json")
    assert found.status == "added"
    assert any("features of encoder 'elsewhere' are not here" in note for note in found.notes)


def test_one_runs_predictions_under_other_seeds_and_names_get_a_note(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    path = copied(world, tmp_path / "results", "r")
    content = json.loads(path.read_text())
    for name, change in (("seed", {"seed": 9}), ("name", {"method": "mine"})):
        again = copied(world, tmp_path / "results", name)
        edited = json.loads(again.read_text())
        if "seed" in change:
            edited["seed"] = change["seed"]
        else:
            edited["method"]["name"] = change["method"]
        write_signed(again, edited)
    assert content["seed"] == 0
    named, first, seeded = submit(tmp_path / "results", tmp_path / "board.json")
    assert [s.status for s in (named, first, seeded)] == ["added"] * 3
    assert [s.path.stem for s in (named, first, seeded)] == [
        "seed-0-name",
        "seed-0-r",
        "seed-0-seed",
    ]
    assert "its predictions are those of mine on blobs with seed 0" in first.notes
    assert "its predictions are those of mine on blobs with seed 0" in seeded.notes
    assert "its predictions are those of this method with seed 0" in seeded.notes


def test_a_task_that_cannot_be_built_stands_in_the_way_of_its_own_results_only(
    world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(world.home, home)
    declaration = home / "benchmarks" / "tiny-imbalance.toml"
    whole = declaration.read_text()
    declaration.write_text(whole.replace('builder = "ratio", ratio = 4', 'builder = "easy"'))
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))
    good, bad = (copied(world, tmp_path / "results", "r", number) for number in (0, 3))
    board = tmp_path / "board.json"
    by_path = {s.path: s for s in submit([good, bad], board)}
    assert by_path[bad].status == "refused"
    assert "task 'ratio-4' cannot be built here" in by_path[bad].message
    assert by_path[good].status == "added"
    assert any("1 tasks of tiny-imbalance cannot be built" in n for n in by_path[good].notes)
    assert [task.name for task in read_leaderboard(board).benchmarks[0].tasks] == ["ratio-1"]


def test_a_folder_in_the_place_of_a_result_is_told_before_the_work(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    import clusterbench
    from clusterbench.errors import StorageError

    words: dict[str, Any] = {"methods": ["kmeans"], "device": "cpu", "results": tmp_path}
    run = clusterbench.run("tiny-imbalance", "tiny", dry_run=True, **words).outcomes[0].run
    run.path.mkdir(parents=True)
    with pytest.raises(StorageError, match="is a folder, where a result has to be written"):
        clusterbench.run("tiny-imbalance", "tiny", **words)
    assert not list(tmp_path.rglob("*.npz"))


def test_what_a_method_says_about_itself_never_costs_its_run() -> None:
    from clusterbench.results.plain import recordable

    circle: dict[str, Any] = {}
    circle["itself"] = circle
    found = recordable(
        {
            "loss": np.float32(0.5),
            "all": np.zeros(200_000),
            "deep": nested(100),
            "circle": circle,
            ESCAPES: 1,
            "huge": HUGE,
            "long": "x" * 50_000,
        }
    )
    assert found["loss"] == 0.5
    assert all(str(found[name]).startswith("left out") for name in ("all", "deep", "circle"))
    assert all(name.isprintable() for name in found)
    json.dumps(found, allow_nan=False)


def snapshot_without_devices(folder: Path) -> dict[str, str]:
    """`snapshot` reads what it finds, and 64 GB are much."""
    found = {path: path.lstat() for path in sorted(folder.rglob("*"))}
    return {
        str(path): f"{stat.st_mode} {stat.st_size} {stat.st_mtime_ns}"
        for path, stat in found.items()
    }


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def places(content: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document."""
    found = [prefix] if prefix else []
    pairs = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list):
        pairs = enumerate(content)
    return found + [place for key, item in pairs for place in places(item, (*prefix, key))]


def edited(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    content = copy.deepcopy(content)
    where = content
    for step in place[:-1]:
        where = where[step]
    where[place[-1]] = value
    return content


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_gives_a_record_or_an_input_error(
    data: st.DataObject, world: SimpleNamespace, tmp_path: Path
) -> None:
    content = json.loads(world.runs[0].path.read_text())
    place = data.draw(st.sampled_from(places(content)))
    path = tmp_path / "r.json"
    path.write_text(json.dumps(sign_result(edited(content, place, data.draw(VALUES)), tmp_path)))
    try:
        record = read_result(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(record, ResultRecord)
        assert record.recomputed_key() == record.key
        assert ResultRecord.model_validate_json(json.dumps(record.to_dict())) == record


def test_predictions_may_be_a_link(world: SimpleNamespace, tmp_path: Path) -> None:
    """Links to regular files are taken: some tools keep what they store so."""
    path = copied(world, tmp_path / "results", "r")
    file = path.with_suffix(".npz")
    kept = tmp_path / "kept.npz"
    file.rename(kept)
    file.symlink_to(kept)
    before = snapshot(tmp_path / "results")
    assert [s.status for s in submit([path], tmp_path / "board.json")] == ["added"]
    assert snapshot(tmp_path / "results") == before
    write_predictions(kept, np.zeros(20, np.int32), np.arange(20))
    assert [s.status for s in submit([path], tmp_path / "b.json")] == ["refused"]
