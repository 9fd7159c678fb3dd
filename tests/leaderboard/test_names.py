"""Names of submissions: what is run here keeps its names, and its places on a board."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from signing import write_signed

from clusterbench.benchmarks import build
from clusterbench.datasets import registry
from clusterbench.errors import InputError
from clusterbench.leaderboard import (
    RunElsewhere,
    read_leaderboard,
    submit,
    validate,
    write_submission,
)
from clusterbench.leaderboard.submissions.submission import SubmissionRecord
from clusterbench.methods.by_name import METHODS
from clusterbench.references import REFERENCES
from clusterbench.results.record import read_result

BOARD = Path("board.json")
KNOWN = [*METHODS.built_in, *REFERENCES.built_in]


@pytest.fixture
def results(tiny_world: SimpleNamespace) -> list[Path]:
    return [outcome.run.path for outcome in tiny_world.run(seeds=2).outcomes]


def written(method: str, out: str = "out", **changes: object) -> Path:
    task = build("tiny-imbalance", registry.load("tiny"), ["ratio-4"])[0]
    np.save("c.npy", np.random.default_rng(0).integers(0, task.n_classes, len(task.eval_rows)))
    fields = {"benchmark": "tiny-imbalance", "dataset": "tiny", "task": "ratio-4"}
    said = RunElsewhere(method=method, **{**fields, "encoder": "blobs", **changes})  # type: ignore[arg-type]
    return write_submission(Path("c.npy"), said, Path(out)).path


@pytest.mark.parametrize("name", KNOWN)
def test_the_names_of_what_is_run_here_are_refused(tiny_world: SimpleNamespace, name: str) -> None:
    with pytest.raises(InputError, match=r"is the name of a (built-in method|reference)"):
        written(name)
    with pytest.raises(InputError, match=f"looks like '{name}'"):
        written(name.upper())
    assert not list(Path("out").iterdir())


def test_a_submission_edited_to_such_a_name_is_refused(tiny_world: SimpleNamespace) -> None:
    path = written("mine")
    content = json.loads(path.read_text())
    for name, reason in (("kmeans", "built-in method"), ("km\u0435ans", "looks like 'kmeans'")):
        path.write_text(json.dumps({**content, "method": {**content["method"], "name": name}}))
        for (found,) in (validate(path), submit(path, BOARD)):
            assert found.status == "refused" and reason in found.message
            assert found.message.isascii()  # a look-alike is shown as what it is
    assert not BOARD.exists()


def test_a_result_of_a_name_that_looks_like_one_is_refused(results: list[Path]) -> None:
    content = json.loads(results[0].read_text())
    content["method"]["name"] = "\u041aMEANS"
    write_signed(results[0], content)
    (found,) = submit(results[:1], BOARD)
    assert found.status == "refused" and "looks like 'kmeans'" in found.message


def test_features_called_like_the_data_sets_own_are_refused(tiny_world: SimpleNamespace) -> None:
    with pytest.raises(InputError, match="encoder 'Blobs' looks like 'blobs'"):
        written("mine", encoder="Blobs", description="others")


def test_names_that_look_alike_on_a_board_get_a_note(tiny_world: SimpleNamespace) -> None:
    submit(written("my-method"), BOARD)
    (found,) = submit(written("My M\u0435thod", seed=1), BOARD)
    assert "its name looks like 'my-method' of the leaderboard" in found.notes
    (found,) = submit(written("my-method", seed=2), BOARD)
    assert any("looks like 'My M\\u0435thod'" in note for note in found.notes)
    (found,) = submit(written("another", seed=3), BOARD)
    assert not any("looks like" in note for note in found.notes)


def test_no_submission_has_the_key_of_a_result(results: list[Path]) -> None:
    record = read_result(results[0])
    same = SubmissionRecord(
        benchmark=record.benchmark,
        dataset=record.dataset,
        task={"name": record.task.name, "manifest_hash": record.task.manifest_hash},  # type: ignore[arg-type]
        features={"encoder": record.features.encoder, "identity": record.features.identity},  # type: ignore[arg-type]
        method={  # type: ignore[arg-type]
            "name": record.method.name,
            "version": record.method.version,
            "params": record.method.params,
        },
        seed=record.seed,
        k=record.k,
        metrics={"ami": 0.5},
        created=record.created,
    )
    assert same.key() != record.key == record.recomputed_key()


def test_where_an_entry_came_from_is_in_its_key(tiny_world: SimpleNamespace) -> None:
    submit(written("mine"), BOARD)
    (entry,) = read_leaderboard(BOARD).entries
    assert entry.elsewhere
    board = json.loads(BOARD.read_text())
    board["entries"][0]["elsewhere"] = False
    BOARD.write_text(json.dumps(board))
    with pytest.raises(InputError, match="the entry was edited"):
        read_leaderboard(BOARD)


def test_the_first_of_several_with_the_same_predictions_is_named(
    tiny_world: SimpleNamespace,
) -> None:
    submit(written("zz-first"), BOARD)
    board = json.loads(BOARD.read_text())
    board["entries"][0]["submitted"] = "2024-01-01T00:00:00Z"
    BOARD.write_text(json.dumps(board))
    submit(written("aa-second"), BOARD)
    (found,) = submit(written("mm-third"), BOARD)
    assert "its predictions are those of zz-first on blobs with seed 0" in found.notes
