"""Defect 8: a failed run stored as 0 and averaged; a missing result skipped, so the mean goes up;
a resume key with fields that do not change the result."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.leaderboard import rank, read_leaderboard, submit
from clusterbench.runs import read_result

BOARD = Path("leaderboard.json")


def test_a_failed_run_holds_no_number_that_could_be_averaged(tiny_world: SimpleNamespace) -> None:
    outcome = tiny_world.run(methods=["fails"], seeds=(1,)).outcomes[0]
    record = read_result(outcome.run.path)
    assert (record.scores, record.train_scores, record.predictions) == (None, None, None)
    assert record.error is not None and record.error.message == "the head collapsed"


def test_a_failed_seed_leaves_a_report_without_a_mean(tiny_world: SimpleNamespace) -> None:
    document = tiny_world.run(methods=["fails", "modulo"]).to_dict()
    for task in document["tasks"]:
        fails, modulo = task["methods"]
        assert fails["metrics"] is None and fails["complete"] is False
        assert len(modulo["metrics"]["ami"]["values"]) == 3


@pytest.mark.parametrize("lost", [0, 1, 2, 3, 4, 5])
def test_no_missing_result_ever_raises_a_mean(tiny_world: SimpleNamespace, lost: int) -> None:
    """Whichever of its six results kmeans leaves out, it loses its rank and its mean."""
    paths = [outcome.run.path for outcome in tiny_world.run(methods=["kmeans"]).outcomes]
    submit([path for number, path in enumerate(paths) if number != lost], BOARD)
    (row,) = rank(read_leaderboard(BOARD))[0].rows
    assert (row.rank, row.means, row.complete) == (None, {}, False)
    submit([paths[lost]], BOARD)
    (row,) = rank(read_leaderboard(BOARD))[0].rows
    assert (row.rank, row.complete) == (1, True)


def test_what_does_not_change_the_answer_is_not_in_the_key(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys(**settings: object) -> list[str]:
        report = tiny_world.run(methods=["kmeans"], dry_run=True, **settings)
        return [outcome.run.key for outcome in report.outcomes]

    reference = keys()
    assert keys(results="elsewhere") == reference
    assert keys(device="auto") == reference
    assert keys(seeds=(0, 1, 2)) == reference
    assert keys(overwrite_strategy="always") == reference
    assert keys(params={"kmeans": {"n_init": 2}}) == reference  # as the preset has it
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr("clusterbench.runs.environment.__version__", "99")
    assert keys() == reference


@pytest.mark.parametrize(
    "settings",
    [
        {"seeds": (3, 4, 5)},
        {"k": 5},
        {"encoder": "shifted"},
        {"params": {"kmeans": {"n_init": 3}}},
        {"params": {"kmeans": {"scaling": "none"}}},
    ],
)
def test_what_changes_the_answer_is_in_the_key(
    tiny_world: SimpleNamespace, settings: dict[str, object]
) -> None:
    reference = tiny_world.run(methods=["kmeans"], dry_run=True)
    other = tiny_world.run(methods=["kmeans"], dry_run=True, **settings)
    assert not {o.run.key for o in reference.outcomes} & {o.run.key for o in other.outcomes}
