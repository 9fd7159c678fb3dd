"""I-Con finds groups of equal and of very different sizes, and goes on where it stopped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from clusterbench.errors import InputError
from clusterbench.heads import training_state
from clusterbench.methods import ICon

EQUAL = np.full(10, 60)
THIRTYFOLD = np.round(np.geomspace(10, 300, 10)).astype(int)


class StoppedHereError(Exception):
    pass


def gaussians(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten of unit variance, each pair of centres 11 apart."""
    y = np.repeat(np.arange(10), sizes)
    X = np.random.default_rng(0).normal(size=(len(y), 16))
    X[:, :10] += 8.0 * np.eye(10)[y]
    return X.astype(np.float32), y


def made(**changed: object) -> ICon:
    settings = {
        "n_heads": 12, "epochs": 40, "batch_size": 100, "n_neighbors": 5, "walks": 4,
        "learning_rate": 0.03, "momentum": 0.9, "scaling": "standardize",
    }  # fmt: skip
    return ICon(10, device="cpu", **{**settings, **changed})


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [EQUAL, THIRTYFOLD], ids=["equal", "1:30"])
def test_ten_gaussians_are_found(sizes: np.ndarray) -> None:
    # Given walks that go through a group of 300: shorter ones would cut it
    X, y = gaussians(sizes)
    assert adjusted_mutual_info_score(y, made().fit_predict(X)) > 0.95


@pytest.mark.parametrize("walks", [1, 2])
def test_a_stopped_fit_goes_on_to_the_same_weights(
    walks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, _ = gaussians(EQUAL)
    settings = {"n_heads": 2, "epochs": 4, "walks": walks}
    wanted = made(**settings).fit(X)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise StoppedHereError

    with pytest.raises(StoppedHereError):
        made(**settings).fit(X, checkpoint=tmp_path / "state", progress=stop)
    found = made(**settings).fit(X, checkpoint=tmp_path / "state")
    assert found.diagnostics_["steps_before_resumption"] == 11
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    np.testing.assert_array_equal(made(**settings).fit(X).labels_, wanted.labels_)


def test_rows_of_half_precision_come_to_the_same_clusters() -> None:
    X, _ = gaussians(EQUAL)
    X = X.astype(np.float16)  # which is held as it is, where partners are looked up
    settings = {"n_heads": 1, "epochs": 3, "walks": 2}
    wanted = made(**settings).fit(X.astype(np.float32))
    np.testing.assert_array_equal(made(**settings).fit(X).labels_, wanted.labels_)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"debias": 1.0}, "debias=1.0 should be a number > 0 and < 1"),
        ({"debias": 0.0}, "debias=0.0 should be"),
        ({"walks": 0}, "walks=0"),
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(**changed)


def test_batches_too_large_to_compare_all_rows_are_refused() -> None:
    X, _ = gaussians(EQUAL)
    with pytest.raises(InputError, match="smaller walks or batch_size"):
        made(n_heads=1_000_000, batch_size=600).fit(X)
