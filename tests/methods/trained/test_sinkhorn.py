"""Balanced pseudo-labels find groups of equal size, and cut those of very different sizes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from clusterbench.errors import InputError
from clusterbench.heads import training_state
from clusterbench.methods import Sinkhorn

EQUAL = np.full(10, 60)
THIRTYFOLD = np.round(np.geomspace(10, 300, 10)).astype(int)
KINDS = {
    "batch": {"assignment": "batch"},
    "queue": {"assignment": "batch", "batch_size": 20},
    "full": {"assignment": "full", "iterations": 100, "epochs": 50},
    "SeLa": {
        "assignment": "full", "iterations": 100, "last": "linear", "student_temperature": 1.0,
        "epochs": 50,
    },
}  # fmt: skip


class StoppedHereError(Exception):
    pass


def gaussians(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten of unit variance, each pair of centres 11 apart."""
    y = np.repeat(np.arange(10), sizes)
    X = np.random.default_rng(0).normal(size=(len(y), 16))
    X[:, :10] += 8.0 * np.eye(10)[y]
    return X.astype(np.float32), y


def made(kind: str, **changed: object) -> Sinkhorn:
    settings = {
        "n_heads": 4, "epochs": 30, "batch_size": 100, "n_neighbors": 5, "learning_rate": 0.02,
        "scaling": "l2",
    }  # fmt: skip
    return Sinkhorn(10, device="cpu", **{**settings, **KINDS[kind], **changed})


@pytest.mark.parametrize(
    "kind", ["batch", "queue", *(pytest.param(k, marks=pytest.mark.slow) for k in ("full", "SeLa"))]
)
def test_ten_gaussians_of_one_size_are_found(kind: str) -> None:
    X, y = gaussians(EQUAL)
    assert adjusted_mutual_info_score(y, made(kind).fit_predict(X)) > 0.95


@pytest.mark.parametrize("kind", ["batch", pytest.param("full", marks=pytest.mark.slow)])
def test_of_groups_of_1_to_30_clusters_have_like_sizes_and_large_groups_are_cut(kind: str) -> None:
    X, y = gaussians(THIRTYFOLD)
    labels = made(kind).fit_predict(X)
    sizes = np.bincount(labels, minlength=10)
    even = len(X) / 10
    assert sizes.min() > even / 4 and sizes.max() < 2 * even
    # Of what the groups are, what equal sizes leave: clusters are made of few groups each.
    assert 0.7 < adjusted_mutual_info_score(y, labels) < 0.9
    assert len(np.unique(labels[y == 9])) >= 2


@pytest.mark.parametrize("kind", ["queue", "full"])
def test_a_stopped_fit_goes_on_to_the_same_weights(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, _ = gaussians(EQUAL)
    settings = {"n_heads": 2, "epochs": 6}
    wanted = made(kind, **settings).fit(X)

    def stop(done: int, total: int) -> None:
        # After an odd number of epochs, so that labels of an earlier one go on to be taught
        if done == 3:
            raise StoppedHereError

    with pytest.raises(StoppedHereError):
        made(kind, **settings).fit(X, checkpoint=tmp_path / "state", progress=stop)
    found = made(kind, **settings).fit(X, checkpoint=tmp_path / "state")
    in_epoch = 600 // found.batch_size
    assert found.diagnostics_["steps_before_resumption"] == 3 * in_epoch - 1
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    np.testing.assert_array_equal(made(kind, **settings).fit(X).labels_, wanted.labels_)


def test_the_softmax_that_was_taught_predicts() -> None:
    X, _ = gaussians(EQUAL)
    fitted = made("batch", epochs=10)
    fitted.fit(X)
    proba = fitted.predict_proba(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    direction = fitted._head["direction"][0].numpy()
    scores = unit @ (direction / np.linalg.norm(direction, axis=0)) / 0.1
    wanted = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(proba, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-5)


def test_too_few_rows_of_a_plan_are_refused_with_the_number_needed() -> None:
    X, _ = gaussians(EQUAL)
    with pytest.raises(InputError) as refused:
        made("batch", batch_size=20, queue=0).fit(X)
    assert str(refused.value) == (
        "sinkhorn: plans of batch_size=20 and queue=0 rows for n_clusters=10 should have 30 rows "
        "together or more, 3 for each cluster; take queue=10, or a larger batch_size"
    )
    made("batch", batch_size=20, queue=10, epochs=1).fit(X)


def test_a_plan_of_all_rows_that_does_not_fit_is_refused() -> None:
    vast = Sinkhorn(100_000, device="cpu", assignment="full")
    with pytest.raises(InputError, match=r"1,000,000,000 rows.*take assignment='batch'"):
        vast._check(1_000_000_000)  # 400 TB


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"assignment": "whole"}, "assignment='whole' should be batch or full"),
        ({"queue": -1}, "queue=-1 should be a whole number >= 0"),
        ({"queue": "long"}, "queue='long'"),
        ({"epsilon": 0.0}, "epsilon=0.0"),
        ({"iterations": 0}, "iterations=0"),
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made("batch", **changed)
