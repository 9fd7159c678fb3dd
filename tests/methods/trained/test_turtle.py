"""TURTLE finds clusters in one space and in several, and says what it cannot do."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import adjusted_mutual_info_score as ami

import clusterbench as cb
from clusterbench.errors import InputError
from clusterbench.heads import training_state
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import TURTLE
from clusterbench.methods.scaling import Scaler

FAST: dict[str, Any] = {
    "device": "cpu",
    "steps": 150,
    "learning_rate": 1e-2,
    "inner_steps": 5,
    "inner_learning_rate": 0.1,
}
SPACES = (16, 6)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Matrices of a few rows: a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters at distance 4 or more, of standard deviation 0.5, in 16 dimensions."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = 4.0 * np.eye(len(sizes), 16)[y] + 0.5 * rng.normal(size=(len(y), 16))
    return X.astype(np.float32), y


def two_spaces() -> tuple[np.ndarray, np.ndarray]:
    """Two groups that both spaces tell apart, and others, further apart, that one space alone does.

    The second space has numbers a thousand times as large.
    """
    rng = np.random.default_rng(1)
    y, only_first, only_second = rng.integers(0, 2, (3, 300))
    parts = []
    for width, other in zip(SPACES, (only_first, only_second), strict=True):
        plane = np.linalg.qr(rng.normal(size=(width, width)))[0][:2]
        along = np.stack([2 * y, 3 * other], axis=1) + 0.3 * rng.normal(size=(300, 2))
        parts.append(along @ plane + 0.1 * rng.normal(size=(300, width)))
    return np.hstack([parts[0], 1000 * parts[1]]).astype(np.float32), y


def test_finds_clusters_of_equal_sizes() -> None:
    X, y = blobs([60] * 10)
    assert ami(y, TURTLE(10, **FAST).fit_predict(X)) > 0.95


def test_less_entropy_is_for_clusters_of_unequal_sizes() -> None:
    # As the docstring says: the paper's gamma cuts the large ones of 1:30 into parts.
    X, y = blobs([300, 206, 141, 97, 66, 45, 31, 21, 15, 10])
    balanced, unequal = (TURTLE(10, gamma=g, **FAST).fit_predict(X) for g in (10.0, 0.5))
    assert np.bincount(balanced).max() < 200 < np.bincount(unequal).max()
    assert ami(y, balanced) < 0.85 < ami(y, unequal)


def test_finds_the_groups_that_all_spaces_tell() -> None:
    X, y = two_spaces()
    turtle = TURTLE(2, spaces=SPACES, n_heads=4, **{**FAST, "steps": 60, "learning_rate": 3e-2})
    assert ami(y, turtle.fit_predict(X)) > 0.95
    np.testing.assert_array_equal(turtle.predict(X), turtle.labels_)
    assert turtle.predict_proba(X).argmax(axis=1).tolist() == turtle.labels_.tolist()


def test_each_space_is_scaled_by_itself() -> None:
    # Given one space at another length, by a power of two, the answer is the same to the bit
    X, _ = two_spaces()
    other = X * np.repeat(np.float32([1, 2**-8]), SPACES)
    make = partial(TURTLE, 4, spaces=SPACES, scaling="l2", **{**FAST, "steps": 10})
    one, two = make().fit(X), make().fit(other)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(other))


def test_unit_length_is_that_of_each_space() -> None:
    X, _ = two_spaces()
    X[7, 16:] = 0  # a row with a direction in the first space alone
    with pytest.warns(UserWarning, match="1 of 300 rows are all zeros, first row 7"):
        scaler = Scaler("l2", SPACES).fit_rows(ArrayRows(X))
    for scaled in (scaler(X), scaler.tensor(torch.tensor(X)).numpy()):
        first, second = (np.linalg.norm(part, axis=1) for part in np.split(scaled, [16], axis=1))
        np.testing.assert_allclose(first, 1.0, rtol=1e-6)
        np.testing.assert_allclose(np.delete(second, 7), 1.0, rtol=1e-6)
        assert second[7] == 0
    assert Scaler("l2").unit_length and not scaler.unit_length


def test_steps_are_rounded_up_to_whole_passes() -> None:
    X, _ = blobs([30] * 10)
    turtle = TURTLE(10, **{**FAST, "steps": 7, "batch_size": 100}).fit(X)
    assert len(turtle.diagnostics_["loss_by_epoch"]) == 3  # of three steps each
    full = TURTLE(10, **{**FAST, "steps": 7}).fit(X)
    assert len(full.diagnostics_["loss_by_epoch"]) == 7


@pytest.mark.parametrize("warm", [False, True])
def test_a_killed_fit_goes_on_to_the_same_weights(
    warm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, _ = two_spaces()
    settings = {**FAST, "steps": 12, "batch_size": 80, "n_heads": 2, "warm_start": warm}
    make = partial(TURTLE, 4, 3, spaces=SPACES, **settings)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make().fit(X, checkpoint=tmp_path / "state", progress=stop)
    wanted, again = make().fit(X), make().fit(X, checkpoint=tmp_path / "state")

    assert again.diagnostics_["steps_before_resumption"] > 0
    np.testing.assert_array_equal(again.labels_, wanted.labels_)
    np.testing.assert_array_equal(again.predict_proba(X), wanted.predict_proba(X))
    assert again.diagnostics_["head_losses"] == wanted.diagnostics_["head_losses"]


@pytest.mark.parametrize("n_heads", [1, 3])
def test_a_head_is_the_same_beside_others(n_heads: int) -> None:
    X, _ = blobs([30] * 10)
    settings = {**FAST, "steps": 5}
    one = TURTLE(10, n_heads=n_heads, **settings).fit(X).diagnostics_["head_losses"][0]
    five = TURTLE(10, n_heads=5, **settings).fit(X).diagnostics_["head_losses"][0]
    assert one == pytest.approx(five, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spaces": (3, 0)}, "each of spaces=0 should be a whole number >= 1"),
        ({"spaces": 22}, "spaces=22 should be a tuple"),
        ({"spaces": "16;6"}, "spaces='16;6' should be a tuple"),
        ({"spaces": SPACES, "scaling": "whiten(4)"}, "is of one space, and there are 2"),
        ({"warm_start": 1}, "warm_start=1 should be true or false"),
        ({"gamma": -1.0}, "gamma=-1.0 should be a number >= 0"),
        ({"inner_steps": 0}, "inner_steps=0 should be"),
        ({"inner_learning_rate": 0.0}, "inner_learning_rate=0.0 should be"),
        ({"steps": 1.5}, "steps=1.5 should be"),
    ],
)
def test_unusable_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        TURTLE(4, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spaces": (16, 7)}, r"spaces=\(16, 7\) add up to 23, and X has 22 dimensions"),
        ({"batch_size": 7}, "batch_size=7: turtle with n_clusters=4 needs at least 8"),
        ({"n_clusters": 151}, "n_samples=300: turtle with n_clusters=151 needs at least 302"),
    ],
)
def test_settings_that_do_not_go_with_the_rows(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TURTLE(**{"n_clusters": 4, **FAST, **settings}).fit(two_spaces()[0])


def test_widths_of_spaces_as_they_come() -> None:
    for given in ([16, 6], "16,6", "16, 6", (np.int64(16), np.int64(6))):
        turtle = TURTLE(4, spaces=given)  # type: ignore[arg-type]
        assert turtle.spaces == SPACES and {type(width) for width in turtle.spaces} == {int}
    assert clone(turtle).get_params() == turtle.get_params()
    again = TURTLE(**json.loads(json.dumps(turtle.get_params())))
    assert again.get_params() == turtle.get_params()


class TestFiles:
    def test_a_head_of_two_spaces_is_saved_and_not_exported(self, tmp_path: Path) -> None:
        X, _ = two_spaces()
        turtle = TURTLE(4, spaces=SPACES, scaling="l2", **{**FAST, "steps": 5}).fit(X)
        turtle.save(tmp_path / "head")
        again = cb.methods.load(tmp_path / "head", device="cpu")
        assert isinstance(again, TURTLE) and again.get_params() == turtle.get_params()
        np.testing.assert_array_equal(again.predict_proba(X), turtle.predict_proba(X))
        for target in ("head.onnx", "folder"):
            with pytest.raises(InputError, match="a head of 2 spaces is a mean of softmaxes"):
                turtle.export(tmp_path / target)

    @pytest.mark.parametrize("scaling", ["standardize", "l2"])
    def test_a_head_of_one_space_is_exported(self, scaling: str, tmp_path: Path) -> None:
        X, _ = two_spaces()
        turtle = TURTLE(4, scaling=scaling, **{**FAST, "steps": 20}).fit(X)
        turtle.export(tmp_path / "head.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "head.onnx")
        clusters, probability = session.run(None, {"features": X})
        np.testing.assert_array_equal(clusters, turtle.labels_)
        np.testing.assert_allclose(probability, turtle.predict_proba(X), atol=1e-5)

    def test_a_file_whose_spaces_do_not_add_up_is_refused(self, tmp_path: Path) -> None:
        X, _ = two_spaces()
        turtle = TURTLE(4, spaces=SPACES, scaling="l2", **{**FAST, "steps": 1}).fit(X)
        turtle.spaces = (16, 5)
        turtle.save(tmp_path / "head")
        with pytest.raises(InputError, match="add up to 21, and X has 22 dimensions"):
            cb.methods.load(tmp_path / "head")
