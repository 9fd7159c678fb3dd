"""Given label files: what `clusterbench score` answers."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusterbench.metrics import METRICS, Resampling, chance_levels, score, score_seeds

Cli = Callable[..., tuple[int, str, str]]

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(6, size=300)
PREDICTIONS = np.where(RNG.random(300) < 0.6, TARGETS, RNG.integers(6, size=300))


def answer(cli: Cli, *words: str) -> dict[str, Any]:
    code, out, err = cli("score", *words, "--json")
    assert (code, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    return document


def refused(cli: Cli, *words: str) -> str:
    code, out, err = cli("score", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    return err


@pytest.fixture
def files(cli: Cli) -> None:
    np.save("t.npy", TARGETS)
    np.save("p.npy", PREDICTIONS)


def test_by_hand(cli: Cli) -> None:
    np.save("t.npy", [0, 0, 1, 1])
    np.savez("p.npz", predictions=[1, 1, 0, 1], other=[0])
    document = answer(cli, "t.npy", "p.npz")
    assert (document["n"], document["acc"]) == (4, 0.75)
    assert document["clusters"]["largest"] == 3
    assert (document["targets"], document["predictions"]) == ("t.npy", ["p.npz"])
    code, out, _ = cli("score", "t.npy", "p.npz")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "4 samples, 2 classes, 2 clusters"
    assert lines[1].split() == ["ACC", "0.7500"]
    assert lines[-2:] == [
        "ACC of head / middle / tail: - / 0.7500 / - (0 / 2 / 0 classes)",
        "Clusters: 2 used, 0 empty, sizes 1 to 3, as many as 1.8 equal ones",
    ]
    assert max(map(len, lines)) <= 80


def test_every_metric_is_shown_and_written(cli: Cli, files: None) -> None:
    expected = score(TARGETS, PREDICTIONS)
    document = answer(cli, "t.npy", "p.npy")
    lines = cli("score", "t.npy", "p.npy")[1].splitlines()
    for name, metric in METRICS.items():
        assert document[name] == getattr(expected, name)
        assert f"{metric.label:<15}  {document[name]:.4f}" in lines


def test_string_labels_matched_by_id(cli: Cli) -> None:
    names = np.array(["cat", "dog", "owl", "ant", "bee", "elk"])
    with Path("t.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(
            [("id", "class"), *((f"s{i}", names[t]) for i, t in enumerate(TARGETS))]
        )
    order = RNG.permutation(300)
    clusters = {f"s{i}": f"k{PREDICTIONS[i]}" for i in order}
    Path("p.json").write_text(json.dumps(clusters))
    document = answer(cli, "t.csv", "p.json")
    expected = score(TARGETS, PREDICTIONS)
    assert document["acc"] == expected.acc
    assert document["ami"] == pytest.approx(expected.ami)
    clusters.pop("s7")
    Path("p.json").write_text(json.dumps(clusters))
    assert "s7" in refused(cli, "t.csv", "p.json")


def test_samples_without_cluster_and_without_class_are_told(cli: Cli) -> None:
    np.save("t.npy", [0, 0, 1, 1, -1])
    np.save("p.npy", [0, 0, 1, -1, 1])
    lines = cli("score", "t.npy", "p.npy")[1].splitlines()
    assert lines[1:3] == [
        "1 sample not assigned (-1): wrong for ACC, one group otherwise",
        "1 sample left out: no class (-1)",
    ]
    assert lines[3].split() == ["ACC", "0.7500"]
    document = answer(cli, "t.npy", "p.npy")
    assert (document["n"], document["n_unassigned"], document["n_unlabelled"]) == (4, 1, 1)


def test_intervals_and_chance(cli: Cli, files: None) -> None:
    words = ("t.npy", "p.npy", "--intervals", "30", "--level", "0.9", "--seed", "5", "--chance")
    document = answer(cli, *words)
    expected = score(TARGETS, PREDICTIONS, intervals=Resampling(30, 0.9, 5)).to_dict()
    assert document["intervals"] == expected["intervals"]
    assert document["chance"] == chance_levels(TARGETS, PREDICTIONS, seed=5)
    lines = cli("score", *words)[1].splitlines()
    assert lines[1].split() == ["score", "90%", "interval", "chance"]
    low, high = (expected["intervals"]["metrics"]["acc"][end] for end in ("low", "high"))
    assert f"{low:.4f} to {high:.4f}  {document['chance']['acc']:.4f}" in lines[2]
    assert max(map(len, lines)) <= 80


def test_another_average_is_used_and_told(cli: Cli, files: None) -> None:
    assert answer(cli, "t.npy", "p.npy", "--average", "max")["nmi"] == (
        score(TARGETS, PREDICTIONS, average="max").nmi
    )
    assert (
        "NMI and AMI with the max average" in cli("score", "t.npy", "p.npy", "--average", "max")[1]
    )
    assert "choose arithmetic" in refused(cli, "t.npy", "p.npy", "--average", "mean")


def test_training_classes_decide_the_bands(cli: Cli) -> None:
    np.save("t.npy", ["a", "a", "b", "b", "c", "c"])
    np.save("p.npy", [0, 0, 1, 2, 3, 4])
    np.save("train.npy", np.repeat(["c", "b", "a", "d"], [9, 5, 2, 7]))
    bands = answer(cli, "t.npy", "p.npy", "--train-targets", "train.npy")["bands"]
    assert [bands[band]["acc"] for band in ("head", "middle", "tail")] == [0.5, 0.5, 1.0]
    np.save("numbers.npy", [0, 1, 2])
    message = refused(cli, "t.npy", "p.npy", "--train-targets", "numbers.npy")
    assert "numbers.npy holds numbers, t.npy holds names" in message


def test_classes_one_by_one(cli: Cli) -> None:
    np.save("t.npy", ["owl", "owl", "owl", "cat", "-1"])
    Path("p.csv").write_text("cluster\nx\nx\ny\nz\nx\n")
    answer(cli, "t.npy", "p.csv", "--per-class", "out/classes.csv")
    with Path("out/classes.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["class"] for row in rows] == ["cat", "owl"]
    assert [row["cluster"] for row in rows] == ["z", "x"]
    assert [int(row["samples"]) for row in rows] == [1, 3]
    assert [float(row["acc"]) for row in rows] == pytest.approx([1, 2 / 3])


def test_several_files_are_seeds(cli: Cli, files: None) -> None:
    other = np.where(RNG.random(300) < 0.5, TARGETS, RNG.integers(6, size=300))
    np.save("q.npy", other)
    words = ("t.npy", "p.npy", "q.npy", "--intervals", "20")
    document = answer(cli, *words)
    expected = score_seeds(TARGETS, [PREDICTIONS, other], intervals=Resampling(20))
    assert document["metrics"] == json.loads(json.dumps(expected.to_dict()))["metrics"]
    lines = cli("score", *words)[1].splitlines()
    assert lines[0] == "300 samples, 2 predictions"
    assert "over seeds" in lines[1] and "over samples" in lines[1]
    assert "over samples" not in cli("score", *words[:3])[1]


def test_ranked_clusters_give_top_n_acc(cli: Cli, files: None) -> None:
    ranked = np.argsort(RNG.random((300, 6)) + 2 * np.eye(6)[PREDICTIONS], axis=1)[:, ::-1]
    np.save("r.npy", ranked)
    document = answer(cli, "t.npy", "r.npy")
    assert document["acc"] == score(TARGETS, PREDICTIONS).acc
    assert document["ranked"]["top_n_acc"][0] == document["acc"]
    assert document["ranked"]["top_n_acc"][-1] == 1.0
    assert "top-6 ACC" in cli("score", "t.npy", "r.npy")[1]


def test_label_sets(cli: Cli) -> None:
    Path("t.json").write_text(json.dumps([["cat", "pet"], ["dog", "pet"], [], ["pet"]]))
    np.save("p.npy", [[0, 1], [1, 0], [0, 1], [0, 1]])
    document = answer(cli, "t.json", "p.npy", "--label-sets")
    assert (document["n"], document["n_unlabelled"]) == (3, 1)
    assert document["any_label_acc"] == 1.0
    assert "any-label ACC  1.0000" in cli("score", "t.json", "p.npy", "--label-sets")[1]
    assert "t.json: lists of labels; wanted one label per sample" in refused(cli, "t.json", "p.npy")
    np.save("n.npy", [0, 1, 1, 0])
    message = "n.npy: one label per sample; --label-sets wants lists"
    assert message in refused(cli, "n.npy", "p.npy", "--label-sets")


def test_a_class_tree(cli: Cli) -> None:
    Path("tree.tsv").write_text("node\tparent\tname\na\t\tA\nb\ta\tB\nc\ta\tC\nd\t\tD\n")
    np.save("t.npy", ["b", "b", "c", "d"])
    np.save("p.npy", [0, 0, 0, 1])
    document = answer(cli, "t.npy", "p.npy", "--tree", "tree.tsv")
    # The third sample, a C, is taken for a B: both have depth 2 (from 1) below A.
    assert document["hierarchy"]["lca_acc"] == pytest.approx((1 + 1 + 2 / 4 + 1) / 4)
    assert "LCA ACC" in cli("score", "t.npy", "p.npy", "--tree", "tree.tsv")[1]

    np.save("n.npy", [0, 0, 1, 2])
    Path("names.txt").write_text("b\nc\nd\n")
    words = ("n.npy", "p.npy", "--tree", "tree.tsv")
    again = answer(cli, *words, "--class-names", "names.txt")
    assert again["hierarchy"] == document["hierarchy"]
    assert "--class-names with the node of class 0" in refused(cli, *words)
    Path("names.txt").write_text("b\nc\nx\n")
    assert "'x'" in refused(cli, *words, "--class-names", "names.txt")
    assert "goes with --tree" in refused(cli, "n.npy", "p.npy", "--class-names", "names.txt")
    Path("names.txt").write_bytes("\ufeffb\r\nc\r\nd".encode())
    assert answer(cli, *words, "--class-names", "names.txt")["hierarchy"] == document["hierarchy"]
    for text, message in (
        ("b\n\nd\n", "names.txt, line 2: empty"),
        ("b\nc\nb\n", "names.txt, line 3: 'b' stands already on line 1"),
        ("b\nc\n", "names.txt: 2 lines, but n.npy has class 2"),
    ):
        Path("names.txt").write_text(text)
        assert message in refused(cli, *words, "--class-names", "names.txt")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("t.npy", "p.npy", "p.npy", "--chance"),
            "several files of predictions are scored as seeds",
        ),
        (("sets.json", "p.npy", "--label-sets", "--chance"), "--label-sets goes without"),
        (
            ("t.npy", "p.npy", "--intervals", "1"),
            "error: --intervals 1; give a whole number from 2",
        ),
        (("t.npy", "p.npy", "--level", "95"), "error: --level 95.0; give a number between 0 and 1"),
        (("t.npy", "p.npy", "--level", "0.9999999999999999"), "--level 0.9999999999999999; give"),
        (("t.npy", "p.npy", "--seed", "-1"), "error: --seed -1; give a whole number from 0"),
        (("sets.json", "p.npy", "--label-sets", "--average", "max"), "--label-sets goes without"),
        (("t.npy", "t.npy"), "t.npy: its labels would be both classes and clusters"),
        (
            ("trap.csv", "trap.csv"),
            "trap.csv: holds id, label, pred, and nothing named predictions",
        ),
        (
            ("trap.csv", "trap.csv", "--prediction-column", "label"),
            "trap.csv: column 'label' would be both classes and clusters",
        ),
        (("t.npy", "nowhere.npy"), "nowhere.npy: no such file"),
        (("t.npy", "text.npy"), "text.npy"),
        (("t.npy", "empty.npy"), "empty.npy: is empty"),
        (("t.npy", "two.npz"), "two.npz"),
        (("t.npy", "short.npy"), "samples: 300 in t.npy, 1 in short.npy"),
        (("t.npy", "nan.npy"), "nan"),
        (("t.npy", "pickle.npy"), "pickle.npy"),
        (("t.npy", "negative.npy"), "-2"),
        (("t.npy", "p.csv", "--prediction-column", "x"), "unknown column 'x'"),
        (("t.npy", "p.txt"), "p.txt: .txt is not a format that is read"),
        (("t.npy", "pipe.npy"), "pipe.npy: is a pipe; wanted a regular file"),
        (("t.npy", "half.npy"), "half.npy has 2048.0 at position 0"),
        (("t.npy", "p.npy", "--train-targets", "far.npy"), "far.npy: class numbers are far apart"),
        (("t.npy", "p.npy", "--train-targets", "nan.npy"), "nan.npy has nan at position 0"),
        (("nan.npy", "p.npy", "--train-targets", "t.npy"), "nan.npy has nan at position 0"),
        (("t.npy", "p.npy", "--per-class", "."), "--per-class .: is a folder"),
        (("t.npy", "p.npy", "--per-class", "pipe.npy"), "--per-class pipe.npy: is a device"),
        (("t.npy", "p.npy", "--per-class", "p.npy"), "--per-class p.npy: is an input"),
    ],
)
def test_one_clear_line(cli: Cli, files: None, words: tuple[str, ...], message: str) -> None:
    Path("text.npy").write_text("hello")
    Path("empty.npy").touch()
    Path("p.txt").write_text("0\n1\n")
    Path("p.csv").write_text("cluster\n0\n1\n")
    Path("trap.csv").write_text("id,label,pred\na,0,1\nb,1,1\n")
    os.mkfifo("pipe.npy")
    np.save("far.npy", [0, 10**12])
    np.save("half.npy", np.full(300, 2048, np.float16))
    Path("sets.json").write_text(json.dumps([[0, 1]] * 300))
    np.savez("two.npz", a=[0], b=[0])
    np.save("short.npy", [0])
    np.save("nan.npy", np.full(300, np.nan))
    np.save("negative.npy", np.full(300, -2))
    np.save("pickle.npy", np.array([{}, {}]), allow_pickle=True)
    assert message in refused(cli, *words)
    assert sorted(Path().glob("*.tmp")) == []


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (EOFError("a cut cache"), 1, "error: unexpected EOFError: a cut cache (set"),
    ],
)
def test_ctrl_c_and_what_looks_like_it(
    cli: Cli,
    files: None,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    told: str,
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("clusterbench.cli.score_text.scores_text", stopped)
    found, out, err = cli("score", "t.npy", "p.npy")
    assert (found, out) == (code, "") and err.lstrip().startswith(told)


def test_nothing_is_written_when_a_later_step_fails(cli: Cli, files: None) -> None:
    refused(cli, "t.npy", "p.npy", "--per-class", "classes.csv", "--tree", "nowhere.tsv")
    assert not Path("classes.csv").exists()


def test_a_link_is_followed_not_replaced(cli: Cli, files: None) -> None:
    Path("link.csv").symlink_to("real.csv")
    answer(cli, "t.npy", "p.npy", "--per-class", "link.csv")
    assert Path("link.csv").is_symlink() and Path("real.csv").read_text().startswith("class,")


def test_two_columns_of_one_file_and_which_were_taken(cli: Cli) -> None:
    Path("both.csv").write_text("id,label,pred\na,0,1\nb,1,1\nc,1,0\n")
    document = answer(cli, "both.csv", "both.csv", "--prediction-column", "pred")
    assert document["acc"] == 2 / 3
    assert document["columns"] == {"targets": "label", "predictions": ["pred"]}
    Path("alone.csv").write_text("id,label\na,1\nb,1\nc,0\n")
    assert answer(cli, "both.csv", "alone.csv")["columns"]["predictions"] == ["label"]
    np.save("p.npy", [1, 1, 0])  # a file without names beside one with them
    assert answer(cli, "both.csv", "p.npy", "--prediction-column", "pred")["acc"] == 2 / 3


def test_predictions_of_a_run(tiny_world: SimpleNamespace, cli: Cli) -> None:
    outcome = tiny_world.run(seeds=1).outcomes[0]
    np.save("t.npy", outcome.run.task.eval_targets)
    document = answer(cli, "t.npy", str(outcome.run.predictions_path))
    assert document["ami"] == outcome.record.scores.metrics["ami"]
