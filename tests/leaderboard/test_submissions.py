"""A method that ran elsewhere: from a file of clusters, in whatever order, to an entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusterbench.benchmarks import Task, build
from clusterbench.datasets import registry
from clusterbench.errors import InputError
from clusterbench.leaderboard import (
    RunElsewhere,
    read_leaderboard,
    recheck,
    submit,
    validate,
    write_submission,
)
from clusterbench.leaderboard.submissions.submission import SubmissionRecord, read_submitted
from clusterbench.results.predictions import read_predictions
from clusterbench.results.scoring import split_scores
from clusterbench.results.top_scoring import top_scores

Cli = Callable[..., tuple[int, str, str]]
BOARD = Path("board.json")
WORDS = ("-b", "tiny-imbalance", "-d", "tiny", "-t", "ratio-4", "--method-name", "mine")


@pytest.fixture
def task(tiny_world: SimpleNamespace) -> Task:
    return build("tiny-imbalance", registry.load("tiny"), ["ratio-4"])[0]


def clusters(task: Task) -> np.ndarray:
    """Clusters that are neither the classes nor in any order."""
    return np.random.default_rng(0).integers(0, task.n_classes, len(task.eval_rows))


def said(**changes: Any) -> RunElsewhere:
    return RunElsewhere(
        **{
            "benchmark": "tiny-imbalance",
            "dataset": "tiny",
            "task": "ratio-4",
            "method": "mine",
            "encoder": "blobs",
            **changes,
        }
    )


def kept(path: Path) -> np.ndarray:
    """The predictions beside a submission."""
    return read_predictions(path.with_suffix(".npz"))[0]


def test_clusters_in_the_order_of_the_manifest(task: Task) -> None:
    np.save("c.npy", clusters(task))
    written = write_submission(Path("c.npy"), said(seed=3, params={"beta": 0.6}), Path("out"))
    assert written.matched == "position"
    record = read_submitted(written.path)
    assert isinstance(record, SubmissionRecord)
    assert (record.seed, record.k, record.method.params) == (3, task.n_classes, {"beta": 0.6})
    assert record.task.manifest_hash == task.manifest_hash
    assert record.features.identity == registry.load("tiny").store("blobs").identity
    assert np.array_equal(kept(written.path), clusters(task))
    assert {path.suffix for path in Path("out").iterdir()} == {".json", ".npz"}
    assert [one.status for one in submit(written.path, BOARD)] == ["added"]
    (entry,) = read_leaderboard(BOARD).entries
    scores = split_scores(
        task.eval_targets, kept(written.path), task.n_classes, 4, train_targets=task.train_targets
    )
    assert entry.metrics == scores.metrics and entry.key == record.key()
    assert (entry.status, entry.method, entry.label_free) == ("verified", "mine", None)
    assert entry.resampled is not None
    assert recheck(read_leaderboard(BOARD), kept_beside=BOARD).n_same == 1


def ids_of(task: Task, rows: np.ndarray) -> list[str]:
    return [text.decode() for text in registry.load("tiny").index.ids[rows]]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json"])
@pytest.mark.parametrize("whole", [False, True])
def test_clusters_in_another_order_by_the_ids_of_the_samples(
    task: Task, suffix: str, whole: bool
) -> None:
    n = registry.load("tiny").index.n
    rows = np.arange(n) if whole else task.eval_rows
    found = np.random.default_rng(1).integers(0, 4, len(rows))
    order = np.random.default_rng(2).permutation(len(rows))
    pairs = [
        (name, int(c)) for name, c in zip(ids_of(task, rows[order]), found[order], strict=True)
    ]
    path = Path(f"c{suffix}")
    if suffix == ".json":
        path.write_text(json.dumps(dict(pairs)))
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = [f"filename{mark}cluster", *(f"{name}.png{mark}{c}" for name, c in pairs)]
        path.write_text("\n".join(lines))
    written = write_submission(path, said(), Path("out"))
    assert written.matched != "position"
    assert np.array_equal(kept(written.path), found[task.eval_rows] if whole else found)


def test_clusters_of_the_whole_data_set_and_of_the_training_rows(task: Task) -> None:
    n = registry.load("tiny").index.n
    np.save("all.npy", found := np.random.default_rng(1).integers(0, 4, n))
    written = write_submission(Path("all.npy"), said(protocol="transductive"), Path("out"))
    assert np.array_equal(kept(written.path), found[task.train_rows])
    assert [one.status for one in submit(written.path, BOARD)] == ["added"]
    (known,) = read_leaderboard(BOARD).benchmarks
    assert all(of.train_floor is not None for of in known.tasks)


def bad(task: Task) -> dict[str, tuple[Any, dict[str, Any], str]]:
    """Name -> the file's content, what is said otherwise, a part of the message."""
    good = clusters(task)
    return {
        "too few": (good[:-1], {}, "19 predictions; task 'ratio-4' scores 20 rows"),
        "above k": (good + 1, {}, "wanted 0..3"),
        "below 0": (good - 1, {}, "clusters -1.."),
        "fractions": (good + 0.5, {}, "whole"),
        "k": (good, {"k": 33}, "32 training samples"),
        "no k": (good, {"k": 0}, "k"),
        "task": (good, {"task": "ratio-9"}, "has no task 'ratio-9'"),
        "no task": (good, {"task": None}, "give one with --task: ratio-1, ratio-4"),
        "benchmark": (good, {"benchmark": "tiny-imbalanc"}, "did you mean tiny-imbalance"),
        "data set": (good, {"dataset": "tyny"}, "unknown dataset"),
        "protocol": (good, {"protocol": "none"}, "protocol"),
        "reference": (good, {"method": "knn"}, "name of a reference"),
        "name": (good, {"method": "a\nb"}, "control character"),
        "long name": (good, {"method": "m" * 300}, "at most 200"),
        "seed": (good, {"seed": 2**31}, "seed"),
        "described": (good, {"description": "mine"}, "need no description"),
        "claims": (good, {"metrics": {"ami": 0.9}}, "ami is claimed as 0.9"),
        "percent": (good, {"metrics": {"acc": 50.0}}, "fractions, not percent"),
        "no score": (good, {"metrics": {"luck": 0.5}}, "no score here"),
        "settings": (good, {"params": {"x": "y" * 20_000}}, "at most"),
        "two columns": (np.stack([good, good], 1), {}, "2 clusters per row; task 'ratio-4'"),
        "ids and clusters": (np.stack([np.arange(20), good], 1), {}, "ranks none"),
    }


#: The names in `bad`, which needs a task.
NAMES = (
    *("too few", "above k", "below 0", "fractions", "k", "no k", "task", "no task", "benchmark"),
    *("data set", "protocol", "reference", "name", "long name", "seed", "described", "claims"),
    *("percent", "no score", "settings", "two columns", "ids and clusters"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_board_would_refuse_is_not_written(task: Task, name: str) -> None:
    content, changes, message = bad(task)[name]
    np.save("c.npy", content)
    with pytest.raises(InputError, match="(?s)" + message.replace("(", r"\(")) as caught:
        write_submission(Path("c.npy"), said(**changes), Path("out"))
    assert ".tmp" not in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("out").exists() or not list(Path("out").iterdir())


def test_another_clustering_of_a_run_does_not_overwrite_the_first(task: Task) -> None:
    np.save("c.npy", clusters(task))
    first = write_submission(Path("c.npy"), said(), Path("out")).path
    assert write_submission(Path("c.npy"), said(), Path("out")).path == first
    np.save("d.npy", np.roll(clusters(task), 1))
    before = first.read_bytes(), first.with_suffix(".npz").read_bytes()
    with pytest.raises(InputError, match="is there already with other predictions"):
        write_submission(Path("d.npy"), said(), Path("out"))
    assert len(list(Path("out").iterdir())) == 2
    assert before[1] == first.with_suffix(".npz").read_bytes()
    write_submission(Path("d.npy"), said(), Path("out"), replace=True)
    assert np.array_equal(kept(first), np.roll(clusters(task), 1))


def test_what_this_board_would_refuse_is_not_written(task: Task, cli: Cli) -> None:
    np.save("c.npy", clusters(task))
    submit(write_submission(Path("c.npy"), said(), Path("out")).path, BOARD)
    np.save("d.npy", np.roll(clusters(task), 1))
    with pytest.raises(InputError, match="is on the leaderboard with other predictions"):
        write_submission(Path("d.npy"), said(), Path("again"), leaderboard=BOARD)
    words = ("submit", "--from-predictions", "d.npy", *WORDS, "--features", "blobs", "-l")
    code, out, err = cli(*words, str(BOARD), "--out", "again")
    assert (code, out) == (2, "") and "use --replace" in err
    assert not list(Path("again").iterdir())
    assert cli(*words, str(BOARD), "--out", "again", "--replace")[0] == 0
    assert cli(*words, "other.json", "--out", "third")[0] == 0
    Path("broken.json").write_text("{")
    assert cli(*words, "broken.json", "--out", "fourth")[0] == 2 and not Path("fourth").exists()


def test_claimed_scores_may_be_rounded(task: Task) -> None:
    np.save("c.npy", clusters(task))
    written = write_submission(Path("c.npy"), said(), Path("out"))
    submit(written.path, BOARD)
    (entry,) = read_leaderboard(BOARD).entries
    claims = {name: round(entry.metrics[name], 3) for name in ("ami", "acc", "nmi")}
    again = write_submission(Path("c.npy"), said(metrics=claims), Path("out"))
    assert [one.status for one in submit(again.path, BOARD)] == ["unchanged"]


def test_features_that_are_not_here_are_told_apart_by_their_description(task: Task) -> None:
    np.save("c.npy", clusters(task))
    one, other = (
        write_submission(Path("c.npy"), said(encoder="vit", description=text), Path(text))
        for text in ("224 px", "448 px")
    )
    found = submit([one.path, other.path], BOARD)
    assert [submission.status for submission in found] == ["added", "added"]
    assert all("features of encoder 'vit' are not here" in " ".join(s.notes) for s in found)
    first, second = read_leaderboard(BOARD).entries
    assert first.feature_identity != second.feature_identity


class TestClaimsAlone:
    def written(self, **changes: Any) -> Path:
        claims = {"metrics": {"acc": 0.5, "ami": 0.4}, **changes}
        return write_submission(None, said(**claims), Path("out"), self_reported=True).path

    def test_they_are_taken_only_if_asked_for_and_marked(self, task: Task) -> None:
        path = self.written(source="a paper")
        (found,) = submit(path, BOARD)
        assert found.status == "refused" and "--self-reported" in found.message
        assert not BOARD.exists()
        (found,) = submit(path, BOARD, self_reported=True)
        assert found.status == "added" and "never ranked" in " ".join(found.notes)
        (entry,) = read_leaderboard(BOARD).entries
        assert (entry.status, entry.predictions_sha256) == ("self-reported", None)
        assert (entry.metrics, entry.source) == ({"acc": 0.5, "ami": 0.4}, "a paper")

    def test_they_give_way_to_predictions_and_never_replace_them(self, task: Task) -> None:
        path = self.written()
        submit(path, BOARD, self_reported=True)
        np.save("c.npy", clusters(task))
        proven = write_submission(Path("c.npy"), said(), Path("proven")).path
        assert [one.status for one in submit(proven, BOARD)] == ["replaced"]
        (found,) = submit(path, BOARD, self_reported=True)
        assert found.status == "refused" and "another status (verified" in found.message

    def test_they_are_not_written_unless_they_are_asked_for(self, task: Task, cli: Cli) -> None:
        with pytest.raises(InputError, match="--self-reported"):
            write_submission(None, said(metrics={"ami": 0.4}), Path("out"))
        words = ("--claim", "ami=0.4", *WORDS, "--features", "blobs")
        code, out, err = cli("submit", *words)
        assert (code, out) == (2, "") and "--self-reported" in err
        assert not list(Path("out").iterdir()) and not list(Path("submissions").iterdir())
        assert cli("submit", *words, "--self-reported")[0] == 0
        assert len(list(Path("submissions").iterdir())) == 1

    def test_one_of_the_scores_that_rank_is_wanted(self, task: Task) -> None:
        with pytest.raises(InputError, match="claims no ami and no acc"):
            self.written(metrics={"nmi": 0.5})


def test_validate_says_what_submit_would_say_and_writes_nothing(task: Task) -> None:
    np.save("c.npy", clusters(task))
    good = write_submission(Path("c.npy"), said(), Path("out")).path
    other = write_submission(Path("c.npy"), said(seed=1), Path("out")).path
    content = json.loads(other.read_text())
    other.write_text(json.dumps({**content, "k": 3}))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    found = {one.path: one for one in validate([Path("out")])}
    assert (found[good].status, found[other].status) == ("ok", "refused")
    entered = {one.path: one for one in submit([Path("out")], Path("elsewhere.json"))}
    assert entered[other].message == found[other].message
    assert before == {path: path.read_bytes() for path in before}
    assert [one.status for one in validate(good, BOARD)] == ["ok"] and not BOARD.exists()
    np.save("d.npy", np.roll(clusters(task), 1))
    (conflict,) = validate(
        write_submission(Path("d.npy"), said(), Path("again")).path, Path("elsewhere.json")
    )
    assert conflict.status == "refused" and "with other predictions" in conflict.message


class TestCommand:
    def test_from_a_file_to_the_board(self, task: Task, cli: Cli) -> None:
        np.save("c.npy", clusters(task))
        words = ("--from-predictions", "c.npy", *WORDS, "--features", "blobs", "-p", "beta=0.5")
        code, out, err = cli("submit", *words, "-p", "init=random", "--labels-used", "-l", "b.json")
        assert code == 0 and err == ""
        (path,) = Path("submissions").glob("*.json")
        assert out.splitlines() == [
            f"{path}: written (rows matched by position)",
            "b.json: 1 added",
        ]
        (entry,) = read_leaderboard(Path("b.json")).entries
        assert entry.params == {"beta": 0.5, "init": "random"} and entry.label_free is False
        assert cli("validate", "submissions")[:2] == (0, f"ok: {path}\n")
        code, out, _ = cli("validate", "submissions", "-l", "b.json", "--json")
        assert code == 0 and json.loads(out)["counts"] == {"ok": 1, "refused": 0}
        path.with_suffix(".npz").unlink()
        code, out, _ = cli("validate", "submissions")
        assert code == 1 and out.startswith("refused: submissions/") and "is missing" in out
        code, out, _ = cli("leaderboard", "check", "-l", "b.json")
        assert code == 0 and "1 entries, 1 same, 0 different" in out

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "nothing to submit"),
            (("results", "--seed", "3"), "--seed goes with --from-predictions"),
            (("--from-predictions", "c.npy"), "--benchmark is missing"),
            (("--from-predictions", "c.npy", "-b", "x"), "--method-name is missing"),
            (("--from-predictions", "no.npy", *WORDS, "--features", "blobs"), "no.npy: no such"),
            (("--claim", "ami", *WORDS, "--features", "blobs"), "wanted NAME=VALUE"),
            (("--claim", "ami=x", *WORDS, "--features", "blobs"), "wanted a number"),
            (("--published", "no.toml"), "no.toml: no such file"),
        ],
    )
    def test_what_is_missing_is_said(
        self, task: Task, cli: Cli, words: tuple[str, ...], message: str
    ) -> None:
        code, out, err = cli("submit", *words)
        assert (code, out) == (2, "") and message in err and err.count("\n") == 1
        assert not Path("leaderboard.json").exists()


@pytest.mark.slow
def test_clusters_in_ranks_where_the_task_ranks_them(tiny_world: SimpleNamespace) -> None:
    task = build("multilabel", registry.load("icons-wordnet"), ["chains"])[0]
    n, k = len(task.eval_rows), task.n_classes
    first = np.random.default_rng(0).integers(0, k, n)
    ranked = (first[:, None] + np.arange(task.n_ranks + 2)) % k  # more than are looked at
    np.save("c.npy", ranked)
    np.save("flat.npy", first)
    fields = {"benchmark": "multilabel", "dataset": "icons-wordnet", "task": "chains"}
    words = said(**fields, encoder="elsewhere", description="none")
    path = write_submission(Path("c.npy"), words, Path("out")).path
    flat = write_submission(Path("flat.npy"), words, Path("flat")).path
    assert [one.status for one in submit(path, BOARD)] == ["added"]
    (entry,) = read_leaderboard(BOARD).entries
    shown = np.ascontiguousarray(ranked[:, : task.n_ranks], np.int32)
    wanted = top_scores(task.eval_targets, shown, k, hierarchy=task.hierarchy)
    assert entry.ranked == wanted
    assert recheck(read_leaderboard(BOARD), kept_beside=BOARD).n_same == 1
    submit(flat, Path("flat.json"))
    (alone,) = read_leaderboard(Path("flat.json")).entries
    assert (alone.ranked, alone.metrics) == (None, entry.metrics)
    np.save("c.npy", ranked[:, :2])
    with pytest.raises(InputError, match="2 clusters per row; task 'chains' ranks 5"):
        write_submission(Path("c.npy"), words, Path("out"))
    np.save("c.npy", np.repeat(first[:, None], task.n_ranks, axis=1))
    with pytest.raises(InputError, match="names a cluster twice in row 0"):
        write_submission(Path("c.npy"), words, Path("out"))
