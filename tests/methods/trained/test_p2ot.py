"""P2OT finds clusters of equal and of unequal sizes, goes on after a kill, says what it needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from clusterbench import cost
from clusterbench.errors import InputError
from clusterbench.heads import training_state
from clusterbench.methods import P2OT, load


class StoppedHereError(Exception):
    pass


def gaussians(ratio: float, n: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ten of them in 16 dimensions, the largest `ratio` times the smallest."""
    rng = np.random.default_rng(seed)
    share = ratio ** (-np.arange(10) / 9)
    targets = np.repeat(np.arange(10), (n * share / share.sum()).round().astype(int))
    centers = 4.0 * rng.normal(size=(10, 16))
    return (centers[targets] + rng.normal(size=(len(targets), 16))).astype(np.float32), targets


def made(**changed: Any) -> P2OT:
    small: dict[str, Any] = {
        "n_clusters": 10, "n_heads": 2, "epochs": 12, "batch_size": 100, "n_neighbors": 10,
        "learning_rate": 5e-2, "memory": 200, "device": "cpu",
    }  # fmt: skip
    return P2OT(**{**small, **changed})


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("ratio", [1.0, 30.0])
def test_it_finds_gaussians_of_equal_and_of_unequal_sizes(ratio: float, seed: int) -> None:
    X, targets = gaussians(ratio, seed=seed)
    labels = made(random_state=seed).fit_predict(X)
    assert adjusted_mutual_info_score(targets, labels) > 0.95


@pytest.mark.slow
def test_equal_sizes_part_large_clusters_where_soft_ones_do_not() -> None:
    X, targets = gaussians(30.0)
    soft, equal = (
        adjusted_mutual_info_score(targets, made(kl=kl).fit_predict(X)) for kl in (1.0, "equal")
    )
    assert equal < 0.9 < 0.95 < soft


@pytest.mark.parametrize("stop", [1, 3])
def test_a_killed_fit_goes_on_to_the_same_weights(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, _ = gaussians(5.0, n=300)
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 64, "memory": 300, "random_state": 5}

    def kill(done: int, total: int) -> None:
        if done == stop:
            raise StoppedHereError

    with pytest.raises(StoppedHereError):
        made(**settings).fit(X, checkpoint=tmp_path / "state", progress=kill)
    found = made(**settings).fit(X, checkpoint=tmp_path / "state")
    wanted = made(**settings).fit(X)
    assert found.diagnostics_["steps_before_resumption"] > 0
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    assert found.diagnostics_["loss_by_epoch"] == wanted.diagnostics_["loss_by_epoch"]


def test_the_gain_stays_one_and_a_file_predicts_the_same(tmp_path: Path) -> None:
    X, _ = gaussians(5.0, n=200)
    p2ot = made(epochs=2, kl="equal", weight_decay=0.1).fit(X)
    assert (p2ot._head["gain"] == 1.0).all()
    p2ot.save(tmp_path / "p2ot.safetensors")
    again = load(tmp_path / "p2ot.safetensors", device="cpu")
    assert again.get_params() == p2ot.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), p2ot.predict_proba(X))


def test_too_few_rows_for_a_transport_are_refused_with_the_number_needed() -> None:
    X = np.random.default_rng(0).normal(size=(12_000, 2)).astype(np.float32)
    with pytest.raises(InputError) as refused:
        P2OT(n_clusters=10_450, device="cpu").fit(X)
    assert str(refused.value) == (
        "memory=5,120 and the 1,024 rows of a batch are 6,144 rows in a transport to K = 10,450 "
        "clusters, which needs 3 for each; set memory to at least 30,326"
    )
    made(n_clusters=16, batch_size=12, memory=24, epochs=1).fit(X[:100])
    with pytest.raises(InputError, match=r"set memory to at least 27$"):
        made(n_clusters=17, batch_size=12, memory=24, epochs=1).fit(X[:100])


def test_a_memory_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    p2ot = P2OT(n_clusters=400, device="cpu", memory=100_000, n_heads=10)
    monkeypatch.setattr("clusterbench.methods.trained.deep.free_bytes", lambda device: 1.5e9)
    with pytest.raises(InputError, match="training 10 heads with K = 400 on 500 rows"):
        p2ot.fit(X)
    # The logits of 100,000 rows by ten heads, and the costs of one of them
    assert p2ot._lesson_bytes(500, 10) > 4 * 10 * 100_000 * 400 + 32 * 100_000 * 400


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"kl": "hard"}, "kl='hard' should be a number >= 0 or 'equal'"),
        ({"kl": -1.0}, "kl=-1.0 should be a number >= 0"),
        ({"rho": 0.0}, "rho=0.0 should be a number > 0 and <= 1"),
        ({"epsilon": 0.0}, "epsilon=0.0 should be a number > 0"),
        ({"memory": -1}, "memory=-1 should be a whole number >= 0"),
        ({"progressive": "no"}, "progressive='no' should be true or false"),
    ],
)
def test_settings_of_other_ranges_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        P2OT(**setting)
    assert str(refused.value) == message


def test_the_cost_grows_with_the_memory() -> None:
    speed = cost.Speed(flops=1e10, moved=1e9)
    of = [P2OT(100, memory=m).cost(20_000, 0, 64).seconds(speed) for m in (0, 1000, 4000)]
    assert of == sorted(of) and of[2] > 1.5 * of[0]


def test_a_memory_of_auto_is_enough_for_any_number_of_clusters() -> None:
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    settings: dict[str, Any] = {"epochs": 1, "n_heads": 1, "batch_size": 20, "device": "cpu"}
    with pytest.raises(InputError, match="set memory to at least 560"):
        P2OT(200, memory=512, **settings).fit(X)
    assert len(P2OT(200, memory="auto", **settings).fit(X).labels_) == 300
