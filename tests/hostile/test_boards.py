"""Hostile and damaged leaderboards: refused in a line, never changed, never waited for."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signing import nested, put, sign_entry
from trials import Trials, snapshot

import clusterbench.leaderboard.board.lock as lock_module
from clusterbench.errors import InputError, StorageError
from clusterbench.leaderboard import Leaderboard, rank, read_leaderboard, recheck, submit
from clusterbench.leaderboard.board.file import write_leaderboard
from clusterbench.limits import FileKind
from clusterbench.metrics import Resampling

#: Run by CI, in several processes; the other hostile files are tried by default.
pytestmark = pytest.mark.slow

ESCAPES = "\x1b[2Jred\u202e\u200b\x9b1m"
HUGE = 10**4000
HEAD = b'{"schema": "clusterbench-leaderboard/2", '


@pytest.fixture(scope="module")
def world(tiny_files: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """`results`: of k-means in the small world, and `board`, the content of their leaderboard."""
    import clusterbench

    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERBENCH_HOME", str(tiny_files.home))
        patch.setattr("clusterbench.runs.one_run.INTERVALS", Resampling(n_resamples=20))
        report = clusterbench.run(
            "tiny-imbalance", "tiny", methods=["kmeans"], device="cpu", results=folder / "results"
        )
        submit(folder / "results", folder / "board.json")
    return SimpleNamespace(
        home=tiny_files.home,
        results=[outcome.run.path for outcome in report.outcomes],
        board=json.loads((folder / "board.json").read_text()),
    )


@pytest.fixture(autouse=True)
def at_home(world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(world.home))
    monkeypatch.chdir(tmp_path)


#: Places in a board and what is put there; the entries are signed again.
FIELDS: dict[str, tuple[str, Any]] = {
    "deep setting": ("entries.0.params.x", nested(197)),
    "many settings": ("entries.0.params.x", [1] * 501),
    "large settings": ("entries.0.params.x", ["x" * 9_000] * 20),
    "name of a setting": ("entries.0.params", {"a\nb": 1}),
    "seed": ("entries.0.seed", 2**31),
    "huge seed": ("entries.0.seed", HUGE),
    "k": ("entries.0.k", 2**31),
    "version": ("entries.0.version", HUGE),
    "no AMI": ("entries.0.metrics", {"acc": 0.5}),
    "no ACC": ("entries.0.metrics", {"ami": 0.5}),
    "no metrics": ("entries.0.metrics", {}),
    "many metrics": ("entries.0.metrics", {f"m{n}": 0.5 for n in range(2_000)}),
    "AMI beyond all": ("entries.0.metrics.ami", 1e308),
    "infinite AMI": ("entries.0.metrics.ami", float("inf")),
    "AMI is a text": ("entries.0.metrics.ami", "0.9"),
    "name of a metric": ("entries.0.metrics", {"ami": 1.0, "acc": 1.0, ESCAPES: 1.0}),
    "method": ("entries.0.method", ESCAPES),
    "long method": ("entries.0.method", "m" * 100_000),
    "encoder": ("entries.0.encoder", "blobs\n1  best  blobs  99.9"),
    "identity": ("entries.0.feature_identity", "f"),
    "verified": ("entries.0.verified", False),
    "unknown status": ("entries.0.status", "published"),
    "self-reported with predictions": ("entries.0.status", "self-reported"),
    "verified without predictions": ("entries.0.predictions_sha256", None),
    "label-free": ("entries.0.label_free", "yes"),
    "lines of a source": ("entries.0.source", "a\nb"),
    "right-to-left submitter": ("entries.0.submitter", "me\u202e"),
    "subsets": ("entries.0.resampled", "AAAA"),
    "time": ("entries.0.submitted", "9999-99-99T99:99:99Z"),
    "benchmark": ("benchmarks.0.benchmark", ESCAPES),
    "floor": ("benchmarks.0.tasks.0.random_floor", {}),
    "floor of the training rows": ("benchmarks.0.tasks.0.train_floor", {"acc": 0.1}),
    "classes": ("benchmarks.0.tasks.0.n_classes", HUGE),
    "no classes": ("benchmarks.0.tasks.0.n_classes", 0),
    "name of a task": ("benchmarks.0.tasks.0.name", "a\tb"),
    "entries": ("entries", {}),
    "no entries": ("entries", None),
    "numbers for entries": ("entries", [0] * 100_000),
    "published": (
        "published",
        [{"benchmark": "b", "method": ESCAPES, "backbone": "", "metrics": {}, "source": ""}],
    ),
    "source": (
        "published",
        [{"benchmark": "b", "method": "m", "backbone": "v", "metrics": {}, "source": "a\nb"}],
    ),
    "unknown key": (ESCAPES, 1),
    "schema": ("schema", "clusterbench-leaderboard/3"),
}

TEXTS: dict[str, bytes] = {
    "deep": b"[" * 100_000,
    "deep value": HEAD + b'"x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "a key twice": HEAD + b'"entries": [], "entries": []}',
    "NaN": HEAD + b'"entries": [NaN]}',
    "1e999": HEAD + b'"entries": [1e999]}',
    "numbers": HEAD + b'"entries": [' + b"0," * 1_900_000 + b"0]}",
    "more numbers": HEAD + b'"entries": [' + b"0," * 30_000_000 + b"0]}",
    "empty lists": HEAD + b'"entries": [' + b"[]," * 900_000 + b"0]}",
    "unknown keys": HEAD + b",".join(b'"k%d":0' % n for n in range(500_000)) + b"}",
    "long text": HEAD + b'"x": "' + b"x" * 60_000_000 + b'"}',
    "too large": HEAD + b'"x": "' + b"x" * 70_000_000 + b'"}',
    "empty": b"",
    "binary": bytes(range(256)) * 20,
}


def edited(world: SimpleNamespace, place: str, value: Any) -> dict[str, Any]:
    content: dict[str, Any] = copy.deepcopy(world.board)
    if place == ESCAPES or "." not in place:
        content[place] = value
    else:
        put(content, place, value)
    if isinstance(content["entries"], list):
        for entry in content["entries"]:
            if isinstance(entry, dict):
                sign_entry(entry)
    return content


def write_edited(world: SimpleNamespace, path: Path, place: str, value: Any) -> Path:
    content = edited(world, place, "HUGE" if value is HUGE else value)
    path.write_text(json.dumps(content).replace('"HUGE"', "1" + "0" * 4_000))
    return path


@pytest.mark.parametrize("name", FIELDS)
def test_an_edited_board_is_refused_and_kept(
    name: str, world: SimpleNamespace, tmp_path: Path
) -> None:
    path = write_edited(world, tmp_path / "board.json", *FIELDS[name])
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        read_leaderboard(path)
    message = str(caught.value)
    assert str(path) in message and message.isprintable() and len(message) <= 2_000
    with pytest.raises(InputError):
        submit(world.results[:1], path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [*TEXTS, "deep setting", "huge seed", "encoder", "no AMI"])
def test_the_command_says_so_in_a_line(
    name: str, world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    if name in TEXTS:
        path.write_bytes(TEXTS[name])
    else:
        write_edited(world, path, *FIELDS[name])
    trial("leaderboard", "-l", path).refused("board.json: ")


def test_an_edit_of_what_was_run_does_not_fit_its_key(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    content = copy.deepcopy(world.board)
    content["entries"][0]["seed"] = 7
    (tmp_path / "board.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"its fields give .* the entry was edited"):
        read_leaderboard(tmp_path / "board.json")
    for name in ("entries", "benchmarks"):
        content = copy.deepcopy(world.board)
        content[name].append(content[name][0])
        (tmp_path / "board.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match="occurs twice"):
            read_leaderboard(tmp_path / "board.json")


def test_the_largest_seed_takes_no_longer_than_the_first(
    world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    path = write_edited(world, tmp_path / "board.json", "entries.0.seed", 2**31 - 1)
    found = trial("leaderboard", "-l", path)
    found.passed()
    assert found.cpu < 3 and "and 2,147,483,637 more" in " ".join(found.out.split())


def test_thousands_of_entries_are_read_and_written_in_seconds(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    content = copy.deepcopy(world.board)
    first = content["entries"][0]
    content["entries"] = [
        sign_entry({**first, "seed": seed, "params": {"x": seed}}) for seed in range(3_000)
    ]
    path = tmp_path / "board.json"
    path.write_text(json.dumps(content))
    began = time.process_time()
    board = read_leaderboard(path)
    write_leaderboard(path, board)
    (ranking,) = rank(board)
    assert time.process_time() - began < 10 and len(ranking.rows) == 3_000


def test_a_board_that_its_reader_would_refuse_is_not_written(
    world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = tmp_path / "board.json"
    submit(world.results[:1], board)
    before = snapshot(tmp_path)
    small = FileKind("a leaderboard", len(board.read_bytes()) + 10, "begin a new file")
    monkeypatch.setattr("clusterbench.leaderboard.board.file.BOARD", small)
    with pytest.raises(InputError, match=r"nobody could read it .*; it is as it was"):
        submit(world.results, board)
    assert snapshot(tmp_path) == before


def test_an_entry_too_many_costs_no_other_its_place(
    world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = tmp_path / "board.json"
    submit(world.results[:1], board)
    size = board.stat().st_size
    small = FileKind("a leaderboard", size + (1 << 20) + 4_000, values=2_000_000)
    monkeypatch.setattr("clusterbench.leaderboard.board.room.BOARD", small)
    found = submit(world.results, board)
    assert [one.status for one in found[:1]] == ["unchanged"]
    assert {one.status for one in found} == {"unchanged", "added", "refused"}
    (message,) = {one.message.partition(": ")[2] for one in found if one.status == "refused"}
    assert message.startswith("the leaderboard is full: it may have 1 MB")
    assert len(read_leaderboard(board).entries) == sum(one.status != "refused" for one in found)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (os.mkfifo, "is a pipe"),
    "link to a device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "link to itself": (lambda path: path.symlink_to(path), "leads to no file"),
    "64 GB": (lambda path: path.touch() or os.truncate(path, 1 << 36), "at most 67 MB"),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_regular_file(
    name: str, world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    make, message = KINDS[name]
    make(path)
    trial("leaderboard", "-l", path).refused("board.json")
    home = str(world.home)
    trial("submit", world.results[0], "-l", path, CLUSTERBENCH_HOME=home).refused(message)
    assert [entry.name for entry in tmp_path.iterdir()] == ["board.json"]


def test_the_board_behind_a_link_gets_the_entry(world: SimpleNamespace, tmp_path: Path) -> None:
    behind = tmp_path / "kept" / "real.json"
    behind.parent.mkdir()
    link = tmp_path / "board.json"
    link.symlink_to(behind)
    for number, result in enumerate(world.results[:2], start=1):  # the first one makes it
        assert [s.status for s in submit(result, link)] == ["added"]
        assert link.is_symlink() and len(read_leaderboard(behind).entries) == number
    assert not (tmp_path / "board.json.lock").exists()


PLACES = {
    "a file for its folder": ("file/board.json", "is no folder"),
    "a file further up": ("file/a/b/board.json", "is no folder"),
    "a folder for its lock": ("locked/board.json", "a leaderboard's lock is a regular file"),
    "a link for its lock": ("linked/board.json", "a leaderboard's lock is a regular file"),
    "a pipe for its lock": ("piped/board.json", "a leaderboard's lock is a regular file"),
    "/proc": ("/proc/board.json", "cannot write"),
    "a long name": ("x" * 300, "x"),
    "a name with a NUL": ("a\0b", "leads to no file"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_without_a_lock_is_told_at_once(
    name: str, world: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "precious").write_text("precious")
    for folder in ("locked", "linked", "piped"):
        (tmp_path / folder).mkdir()
    (tmp_path / "locked" / "board.json.lock").mkdir()
    (tmp_path / "linked" / "board.json.lock").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "piped" / "board.json.lock")
    before = snapshot(tmp_path)
    place, message = PLACES[name]
    began = time.monotonic()
    with pytest.raises((InputError, StorageError), match=message):
        submit(world.results[:1], Path(place))
    assert time.monotonic() - began < 20
    assert snapshot(tmp_path) == before


def test_a_file_system_without_locks_is_not_waited_for(
    world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=r"lock board\.json\.lock cannot be made \(No locks"):
        submit(world.results[:1], tmp_path / "board.json")


def test_what_killed_submitters_left_is_swept(world: SimpleNamespace, tmp_path: Path) -> None:
    mine = [".board.json.abcd1234.tmp", ".board.json.x_y_z_00.tmp"]
    others = [".other.json.abcd1234.tmp", "board.json.tmp", ".board.json.note.tmp", "a.tmp"]
    for name in (*mine, *others):
        (tmp_path / name).write_text("{")
    (tmp_path / ".board.json.linkto12.tmp").symlink_to("a.tmp")
    submit(world.results[:1], tmp_path / "board.json")
    left = {path.name for path in tmp_path.iterdir()}
    here = {"board.json", "board.json.lock", "board.json.predictions"}
    assert left == {*others, ".board.json.linkto12.tmp", *here}


def test_a_lock_that_stays_is_told(
    world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(lock_module, "LOCK_TIMEOUT", 0.05)
    board = tmp_path / "board.json"
    with FileLock(f"{board}.lock"), pytest.raises(StorageError, match="another submission holds"):
        submit(world.results[:1], board)


def test_scores_that_were_edited_are_found_by_their_results(
    world: SimpleNamespace, trial: Trials, tmp_path: Path
) -> None:
    board = tmp_path / "board.json"
    board.write_text(json.dumps(world.board))
    words = ("leaderboard", "-l", board, "--check", world.results[0].parents[5])
    home = str(world.home)
    found = trial(*words, CLUSTERBENCH_HOME=home)
    found.passed()
    assert "6 entries, 6 same, 0 different, 0 without result, 0 results refused" in found.out
    content = copy.deepcopy(world.board)
    content["entries"][0]["metrics"]["ami"] = 0.123
    board.write_text(json.dumps(content))
    found = trial(*words, CLUSTERBENCH_HOME=home)
    assert found.code == 1 and "6 entries, 5 same, 1 different" in found.out
    assert "the leaderboard has another ami (0.123; its predictions give" in found.err
    assert recheck(read_leaderboard(board), world.results[:1]).n_without == 5


def test_an_edited_score_is_never_called_unchanged(world: SimpleNamespace, tmp_path: Path) -> None:
    board = tmp_path / "board.json"
    content = copy.deepcopy(world.board)
    for entry in content["entries"]:
        entry["metrics"]["ami"] = 0.123
    board.write_text(json.dumps(content))
    found = submit(world.results, board)
    assert {s.status for s in found} == {"refused"}
    assert all("with another ami (0.123; its predictions give" in s.message for s in found)
    assert {s.status for s in submit(world.results, board, replace=True)} == {"replaced"}
    assert [e.metrics for e in read_leaderboard(board).entries] == [
        entry["metrics"] for entry in world.board["entries"]
    ]


def test_a_benchmark_of_another_definition_blocks_no_other(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    board = tmp_path / "board.json"
    content = copy.deepcopy(world.board)
    content["benchmarks"][0]["tasks"][1]["manifest_hash"] = "d" * 64
    content["entries"] = []
    board.write_text(json.dumps(content))
    before = board.read_bytes()
    found = submit(world.results, board)
    assert {s.status for s in found} == {"refused"} and board.read_bytes() == before
    assert all("another definition of tiny-imbalance/tiny" in s.message for s in found)


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
    pairs = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list):
        pairs = enumerate(content)
    own = [prefix] if prefix else []
    return own + [place for key, item in pairs for place in places(item, (*prefix, key))]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_gives_a_ranking_or_an_input_error(
    data: st.DataObject, world: SimpleNamespace, tmp_path: Path
) -> None:
    content = copy.deepcopy(world.board)
    where, place = content, data.draw(st.sampled_from(places(content)))
    for step in place[:-1]:
        where = where[step]
    where[place[-1]] = data.draw(VALUES)
    for entry in content["entries"] if isinstance(content.get("entries"), list) else ():
        if isinstance(entry, dict):
            sign_entry(entry)
    path = tmp_path / "board.json"
    path.write_text(json.dumps(content))
    try:
        board = read_leaderboard(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(board, Leaderboard)
        json.dumps([ranking.to_dict() for ranking in rank(board)], allow_nan=False)
        write_leaderboard(path, board)
        assert read_leaderboard(path) == board
