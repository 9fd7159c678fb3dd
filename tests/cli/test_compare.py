"""Given results of one task, or files of clusters: what `clusterbench compare` answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from clusterbench.metrics import Resampling, compare

Cli = Callable[..., tuple[int, str, str]]


def test_files_with_targets(cli: Cli) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(5, size=200)
    a, b = (np.where(rng.random(200) < s, targets, rng.integers(5, size=200)) for s in (0.4, 0.8))
    for name, labels in (("t", targets), ("a", a), ("b", b)):
        np.save(f"{name}.npy", labels)
    words = ("compare", "a.npy", "b.npy", "--targets", "t.npy", "--resamples", "50")
    code, out, err = cli(*words, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    expected = compare(targets, a, b, resampling=Resampling(50))
    assert (document.pop("a"), document.pop("b")) == ("a.npy", "b.npy")
    assert document.pop("matched_by") == [None, None]
    assert document == json.loads(json.dumps(expected.to_dict()))

    lines = cli(*words)[1].splitlines()
    assert lines[:4] == ["A: a.npy", "B: b.npy", "200 samples", lines[3]]
    gap = expected.metrics["acc"]
    (acc,) = [line for line in lines if line.startswith("ACC  ")]
    assert acc.split()[1:4] == [f"{gap.a:.4f}", f"{gap.b:.4f}", f"{gap.difference:+.4f}"]
    test = expected.tests["acc"]
    assert f"right in A alone {test.only_a}, in B alone {test.only_b}; exact" in lines[-2]
    assert max(map(len, lines)) <= 80


def test_results_of_one_task_find_their_classes_again(
    tiny_world: SimpleNamespace, cli: Cli
) -> None:
    report = tiny_world.run(seeds=2)
    by_task: dict[str, list] = {}
    for outcome in report.outcomes:
        by_task.setdefault(outcome.run.task.name, []).append(outcome)
    first, second = by_task["ratio-1"]
    code, out, err = cli("compare", str(first.run.path), str(second.run.path), "--json")
    assert (code, err) == (0, "")
    metrics = json.loads(out)["metrics"]
    for name, value in first.record.scores.metrics.items():
        assert metrics[name]["a"] == pytest.approx(value, abs=1e-12)
        assert metrics[name]["b"] == pytest.approx(second.record.scores.metrics[name], abs=1e-12)

    code, out, err = cli(
        "compare", str(first.run.path), str(second.run.path), "--targets", str(first.run.path)
    )
    assert (code, out) == (2, "") and "compare two results without --targets" in err

    other = by_task["ratio-4"][0]
    code, out, err = cli("compare", str(first.run.path), str(other.run.path))
    assert (code, out) == (2, "")
    assert "ratio-1" in err and "ratio-4" in err and "compare two results of one task" in err
    second.run.predictions_path.unlink()
    code, _, err = cli("compare", str(first.run.path), str(second.run.path))
    assert code == 2 and "is missing" in err


def test_a_failed_run_cannot_be_compared(tiny_world: SimpleNamespace, cli: Cli) -> None:
    failed, fine = (
        next(o for o in tiny_world.run(methods=["fails"], seeds=2).outcomes if o.run.seed == seed)
        for seed in (1, 0)
    )
    code, _, err = cli("compare", str(fine.run.path), str(failed.run.path))
    assert code == 2 and "the run failed" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("a.npy", "b.npy"),
            "a.npy: not a result file of `clusterbench run` (.json); give --targets",
        ),
        (("a.json", "b.json"), "a.json: has no 'schema' key"),
        (("a.npy", "r.npy", "--targets", "t.npy"), "r.npy: 2 clusters per sample; wanted one"),
        (("a.npy", "b.npy", "--targets", "t.npy"), "samples: 2 in t.npy, 3 in b.npy"),
        (
            ("a.npy", "a.npy", "--targets", "t.npy", "--resamples", "0"),
            "--resamples 0; give a whole",
        ),
        (
            ("a.npy", "a.npy", "--targets", "t.npy", "--resamples", "1"),
            "--resamples 1; give a whole",
        ),
        (("a.npy", "a.npy", "--targets", "t.npy", "--average", "x"), "average='x'; choose"),
        (("a.npy", "t.npy", "--targets", "t.npy"), "t.npy: its labels would be both classes and"),
        (("a.npy", "n.npy", "--targets", "t.npy"), "n.npy has label -2 at position 0"),
        (
            ("a.json", "b.json", "--target-column", "x"),
            "--target-column and --prediction-column go",
        ),
    ],
)
def test_one_clear_line(cli: Cli, words: tuple[str, ...], message: str) -> None:
    np.save("a.npy", [0, 1])
    np.save("t.npy", [0, 1])
    np.save("n.npy", [-2, 1])
    np.save("b.npy", [0, 1, 1])
    np.save("r.npy", [[0, 1], [1, 0]])
    for name in ("a.json", "b.json"):
        with open(name, "w") as handle:  # noqa: PTH123
            json.dump({"labels": [0, 1]}, handle)
    code, out, err = cli("compare", *words)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
