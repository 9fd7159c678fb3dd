"""Given result files, whole and damaged: what is written is read back, the rest is one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterbench.errors import InputError
from clusterbench.results.plain import plain
from clusterbench.results.predictions import read_predictions, rows_hash, write_predictions
from clusterbench.results.record import ResultRecord, read_result, run_key, write_result

HASH = "a" * 64


def fields(**changes: Any) -> dict[str, Any]:
    """A successful result as JSON gives it."""
    split = {
        "n": 4,
        "n_classes": 2,
        "n_clusters": 2,
        "metrics": {"acc": 0.75, "ami": 0.1},
        "bands": {
            "head": {"n_classes": 1, "n": 3, "acc": 1.0},
            "middle": {"n_classes": 0, "n": 0, "acc": None},
            "tail": {"n_classes": 1, "n": 1, "acc": 0.0},
        },
        "intervals": {
            "n_resamples": 400,
            "level": 0.95,
            "seed": 0,
            "metrics": {"acc": {"low": 0.5, "high": 1.0, "standard_error": 0.2}},
        },
        "clusters": {"largest": 3, "gini": 0.25},
    }
    content = {
        "schema": "clusterbench-result/1",
        "status": "success",
        "key": HASH,
        "benchmark": "b",
        "dataset": "d",
        "index_hash": HASH,
        "task": {
            "name": "t",
            "manifest_hash": HASH,
            "n_classes": 2,
            "n_train": 8,
            "n_eval": 4,
            "factors": {"gini": 0.5},
        },
        "features": {"encoder": "e", "identity": HASH, "dim": 3},
        "method": {
            "name": "m",
            "version": 1,
            "params": {"x": None, "y": [1, "two"]},
            "reference": False,
        },
        "seed": 0,
        "k": 2,
        "protocol": "train->val",
        "scores": split,
        "train_scores": split,
        "ranked": None,
        "random_floor": {"acc": 0.5},
        "predictions": {"file": "p.npz", "sha256": HASH},
        "error": None,
        "diagnostics": {"chosen_head": 3},
        "warnings": ["one"],
        "timings": {"fit": 1.0, "predict": 0.5, "score": 0.25},
        "environment": {
            "clusterbench": "0",
            "git_commit": None,
            "python": "3",
            "platform": "p",
            "device": "cpu",
            "device_name": "c",
            "threads": 1,
            "processes": 1,
            "packages": {},
        },
        "created": "2024-06-03T12:00:00Z",
    }
    return {**content, **changes}


FAILED = {
    "status": "failed",
    "scores": None,
    "train_scores": None,
    "predictions": None,
    "error": {"stage": "fit", "type": "ValueError", "message": "no", "where": "a.py:1 in f"},
}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("changes", [{}, FAILED])
def test_a_record_survives_the_round_trip(tmp_path: Path, changes: dict[str, Any]) -> None:
    record = read_result(write(tmp_path / "r.json", fields(**changes)))
    write_result(tmp_path / "again.json", record)
    assert read_result(tmp_path / "again.json") == record
    assert json.loads((tmp_path / "again.json").read_text()) == fields(**changes)


def test_a_record_from_before_bands_and_intervals_is_still_read(tmp_path: Path) -> None:
    content = fields()
    for split in ("scores", "train_scores"):
        content[split] = {
            key: value for key, value in content[split].items() if key not in ("bands", "intervals")
        }
    scores = read_result(write(tmp_path / "r.json", content)).scores
    assert scores is not None and scores.bands is None and scores.intervals is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"seed": "0"}, "seed: Input should be a valid integer"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"key": "short"}, "key: String should match"),
        ({"status": "done"}, "status: Input should be 'success' or 'failed'"),
        ({"created": "yesterday"}, "created: String should match"),
        ({"scores": None}, "a success has scores"),
        ({**FAILED, "scores": fields()["scores"]}, "a failed run has an error, and no scores"),
        ({"error": FAILED["error"]}, "a success has scores"),
        ({"predictions": {"file": "../p.npz", "sha256": HASH}}, "predictions.file"),
        ({"schema": "clusterbench-result/2"}, "this version reads 'clusterbench-result/1'"),
    ],
)
def test_an_invalid_record_is_one_line_that_names_file_and_fault(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "r.json", fields(**changes))
    with pytest.raises(InputError) as caught:
        read_result(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_of_a_result_is_an_input_error(tmp_path: Path) -> None:
    whole = json.dumps(fields())
    for length in range(0, len(whole), 37):
        path = tmp_path / "r.json"
        path.write_text(whole[:length])
        with pytest.raises(InputError, match="not whole JSON"):
            read_result(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"null", b"{}", b'{"schema": 3}'])
def test_other_content_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(InputError):
        read_result(tmp_path / "r.json")


def test_a_missing_result_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_result(tmp_path / "r.json")


def test_nan_is_refused_by_the_model() -> None:
    broken = json.loads(json.dumps(fields()))
    broken["random_floor"]["acc"] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        ResultRecord.model_validate(broken, strict=False)


def test_plain_makes_json_of_what_methods_report() -> None:
    found = plain(
        {
            1: np.float32(0.5),
            "a": np.arange(2),
            "b": (True, None),
            "c": float("nan"),
            "d": Path("x"),
        }
    )
    assert found == {"1": 0.5, "a": [0, 1], "b": [True, None], "c": "nan", "d": "x"}
    json.dumps(found, allow_nan=False)


def test_the_run_key_is_the_same_on_every_machine() -> None:
    key = run_key(
        manifest_hash="t",
        feature_identity="f",
        method="kmeans",
        version=1,
        params={"b": 1, "a": None},
        seed=0,
        k=3,
    )
    # By hand: sha256 of the canonical JSON of the seven fields.
    assert key == "5743a1bb63fd19396acb2b67c1aaf1be1250212c68231e06026c9dcc6ced5ad2"


class TestPredictions:
    def test_round_trip_and_the_same_bytes_each_time(self, tmp_path: Path) -> None:
        clusters, rows = np.array([2, 0, 1]), np.array([5, 7, 9])
        write_predictions(tmp_path / "a.npz", clusters, rows)
        write_predictions(tmp_path / "b.npz", clusters, rows)
        found, hashed = read_predictions(tmp_path / "a.npz")
        assert found.dtype == np.int32
        assert found.tolist() == [2, 0, 1]
        assert hashed == rows_hash(rows)
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()

    def test_damaged_and_foreign_files_are_input_errors(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npz"
        with pytest.raises(InputError, match="no such file"):
            read_predictions(path)
        write_predictions(path, np.arange(1000), np.arange(1000))
        whole = path.read_bytes()
        for length in (0, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(InputError, match=r"damaged, or not a \.npz archive"):
                read_predictions(path)
        np.savez(path, predictions=np.zeros((2, 2)), rows_sha256="x")
        with pytest.raises(InputError, match="wanted one int32 per evaluated sample"):
            read_predictions(path)
