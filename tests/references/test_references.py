"""Every reference keeps the same contract; each gives what its definition or scikit-learn gives."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from clusterbench import references
from clusterbench.errors import InputError
from clusterbench.estimator import NotFittedError, TrainingError
from clusterbench.methods import Clusterer
from clusterbench.references import Reference, blocks


def overlapping(n: int = 300, n_classes: int = 5, dim: int = 7) -> tuple[Any, Any, Any]:
    """Training rows, their classes, and other rows; classes that no classifier separates."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_classes, dim))
    y = rng.integers(0, n_classes, n)
    X = (centres[y] + rng.normal(size=(n, dim))).astype(np.float32)
    other = (centres[rng.integers(0, n_classes, 200)] + rng.normal(size=(200, dim))).astype("f4")
    return X, y, other


@pytest.mark.parametrize("name", references.names())
class TestEveryReference:
    def make(self, name: str, n_classes: int = 5, **settings: Any) -> Reference:
        return references.get(name)(n_classes=n_classes, device="cpu", **settings)

    def test_it_is_no_method(self, name: str) -> None:
        assert not issubclass(references.get(name), Clusterer)

    def test_finds_the_classes_of_separated_blobs(self, name: str) -> None:
        rng = np.random.default_rng(1)
        centres, y = 9 * rng.normal(size=(4, 6)), np.repeat(np.arange(4), 30)
        X = centres[y] + rng.normal(size=(120, 6))
        found = self.make(name, 4).fit(X, y).predict(X)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, y)

    def test_the_answer_is_the_same_each_time_and_for_every_seed(self, name: str) -> None:
        X, y, other = overlapping()
        found = self.make(name).fit(X, y).predict(other)
        np.testing.assert_array_equal(found, self.make(name).fit(X, y).predict(other))
        again = self.make(name, random_state=7).fit(X, y).predict(other)
        assert references.get(name).seeded or (found == again).all()

    def test_ranks_distinct_classes_and_the_first_is_the_prediction(self, name: str) -> None:
        X, y, other = overlapping()
        fitted = self.make(name, 9).fit(X, y)  # classes 5..8 have no training row
        top = fitted.predict_top(other, 9)
        assert top.shape == (200, 9)
        assert all(sorted(row) == list(range(9)) for row in top.tolist())
        np.testing.assert_array_equal(top[:, 0], fitted.predict(other))
        np.testing.assert_array_equal(top[:, :2], fitted.predict_top(other, 2))
        assert top[:, 0].max() < 5
        with pytest.raises(InputError, match=r"n=10 should be in 1..n_classes=9"):
            fitted.predict_top(other, 10)

    def test_small_blocks_give_the_same(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        X, y, other = overlapping()
        whole = self.make(name).fit(X, y).predict_top(other, 3)

        def small(n: int, width: int, elements: int = 0) -> Any:
            return (slice(start, min(start + 37, n)) for start in range(0, n, 37))

        module = sys.modules[references.get(name).__module__]
        monkeypatch.setattr(module, "row_blocks", small, raising=False)  # those that work so
        found = self.make(name).fit(X, y).predict_top(other, 3)
        assert (found == whole).mean() > 0.99  # a sum in another order may turn a near tie

    def test_params_and_diagnostics_are_json_and_rebuild_it(self, name: str) -> None:
        X, y, _ = overlapping()
        reference = self.make(name).fit(X, y)
        params = reference.get_params()
        again = type(reference)(**json.loads(json.dumps(params)))
        assert again.get_params() == params
        json.dumps(reference.diagnostics_, allow_nan=False)
        assert "n_classes=5" in repr(reference)

    def test_features_stay_as_they_are_and_may_be_read_only(self, name: str) -> None:
        X, y, other = overlapping()
        X.flags.writeable = other.flags.writeable = False
        before = X.copy(), other.copy()
        self.make(name).fit(X, y).predict(other)
        np.testing.assert_array_equal(X, before[0])
        np.testing.assert_array_equal(other, before[1])

    def test_progress_ends_at_the_total(self, name: str) -> None:
        calls: list[tuple[int, int]] = []
        X, y, _ = overlapping()
        self.make(name).fit(X, y, progress=lambda done, total: calls.append((done, total)))
        assert calls == sorted(calls) and calls[-1][0] == calls[-1][1] > 0

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (
                np.zeros(299, int),
                r"y has shape \(299,\); expected one class per row of X, \(300,\)",
            ),
            (np.zeros((300, 1), int), r"y has shape \(300, 1\)"),
            (np.zeros(300), "y has dtype float64; expected whole numbers"),
            (np.full(300, 5), r"y has classes 5..5; expected 0..4"),
            (np.full(300, -1), r"y has classes -1..-1; expected 0..4"),
        ],
    )
    def test_unusable_classes_are_refused(self, name: str, y: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            self.make(name).fit(overlapping()[0], y)

    def test_unusable_features_are_refused(self, name: str) -> None:
        X, y, _ = overlapping()
        with pytest.raises(InputError, match="NaN or infinity in 300 of 300 rows"):
            self.make(name).fit(X * np.nan, y)
        with pytest.raises(NotFittedError):
            self.make(name).predict(X)
        with pytest.raises(InputError, match=r"X has 3 features, but .* is expecting 7"):
            self.make(name).fit(X, y).predict(X[:, :3])

    def test_rows_of_zeros_get_a_class(self, name: str) -> None:
        X, y, other = overlapping()
        X[:3] = other[:3] = 0
        found = self.make(name).fit(X, y).predict(other)
        assert ((found >= 0) & (found < 5)).all()


def test_knn_is_scikit_learns_with_the_same_weights() -> None:
    X, y, other = overlapping()
    reference = KNeighborsClassifier(
        20, algorithm="brute", metric="cosine", weights=lambda d: np.exp((1 - d) / 0.02)
    )
    expected = reference.fit(X, y).predict(other)
    np.testing.assert_array_equal(
        references.KNN(n_classes=5, device="cpu").fit(X, y).predict(other), expected
    )


def test_knn_votes_by_hand() -> None:
    """Cosines 1, 0.9 and 0.8: one near vote of class 2 against two farther ones of class 0."""
    angles = np.arccos([1.0, 0.9, 0.8])
    X, y = np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([2, 0, 0])
    near = references.KNN(n_classes=4, device="cpu", temperature=0.02).fit(X, y)
    far = references.KNN(n_classes=4, device="cpu", temperature=1.0).fit(X, y)
    # e^-5 + e^-10 < 1, but e^-0.1 + e^-0.2 > 1; classes 1 and 3 follow by number.
    assert near.predict_top([[5.0, 0.0]], 4).tolist() == [[2, 0, 1, 3]]
    assert far.predict_top([[5.0, 0.0]], 4).tolist() == [[0, 2, 1, 3]]
    assert near.diagnostics_ == {"n_neighbors_used": 3}


def test_a_tie_of_the_vote_goes_to_the_nearest_neighbours_class() -> None:
    X = np.array([[1.0, 0.0], [1.0, 0.0]])
    fitted = references.KNN(n_classes=3, device="cpu").fit(X, np.array([2, 1]))
    assert fitted.predict([[1.0, 0.0]]).tolist() == [2]


def test_a_very_low_temperature_is_the_nearest_neighbour() -> None:
    X, y, other = overlapping()
    cold = references.KNN(n_classes=5, device="cpu", temperature=1e-6).fit(X, y).predict(other)
    one = references.KNN(n_classes=5, device="cpu", n_neighbors=1).fit(X, y).predict(other)
    np.testing.assert_array_equal(cold, one)


@pytest.mark.parametrize("l2", [0.1, 1.0, 50.0])
def test_the_linear_probe_has_scikit_learns_minimum(l2: float) -> None:
    X, y, other = overlapping()
    scaler = StandardScaler().fit(X)
    expected = LogisticRegression(C=1 / l2, max_iter=2000, tol=1e-8).fit(scaler.transform(X), y)
    probe = references.LinearProbe(n_classes=5, device="cpu", l2=l2).fit(X, y)
    assert probe.diagnostics_["converged"]
    np.testing.assert_allclose(probe.coef_, expected.coef_, atol=2e-3)
    np.testing.assert_allclose(
        probe.intercept_ - probe.intercept_.mean(),
        expected.intercept_ - expected.intercept_.mean(),
        atol=2e-3,
    )
    agree = probe.predict(other) == expected.predict(scaler.transform(other))
    assert agree.mean() >= 0.99


def test_the_gradient_of_the_probe_is_that_of_its_loss() -> None:
    import torch

    from clusterbench.references.linear_probe import _Loss, _moments

    X, y, _ = overlapping(40)
    X = X.astype(np.float64).astype(np.float32)
    loss = _Loss(X, y, _moments(X), 5, torch.device("cpu"), 3.0)
    weights = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).double()
    rows = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float64))
    weights.requires_grad_()
    logits = rows @ weights[:-1] + weights[-1]
    value = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
    value = value + 3.0 / 2 / 40 * weights[:-1].square().sum()
    value.backward()
    found, gradient = loss(weights.detach().float())
    assert float(found) == pytest.approx(float(value.detach()), rel=1e-5)
    assert weights.grad is not None
    torch.testing.assert_close(gradient.double(), weights.grad, atol=1e-5, rtol=1e-4)


def test_a_constant_dimension_does_not_matter() -> None:
    """The weights are compared: rounding may turn the prediction of a row between two classes."""
    X, y, _ = overlapping()
    plain = references.LinearProbe(n_classes=5, device="cpu").fit(X, y)
    X = np.pad(X, ((0, 0), (0, 1)), constant_values=0.1)
    padded = references.LinearProbe(n_classes=5, device="cpu").fit(X, y)
    assert not padded.coef_[:, -1].any()
    np.testing.assert_allclose(padded.coef_[:, :-1], plain.coef_, atol=2e-3)
    np.testing.assert_allclose(padded.intercept_, plain.intercept_, atol=2e-3)


def test_a_probe_that_does_not_converge_says_so() -> None:
    X, y, _ = overlapping()
    probe = references.LinearProbe(n_classes=5, device="cpu", max_iter=1).fit(X, y)
    assert probe.diagnostics_["converged"] is False


def test_a_loss_that_is_not_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from clusterbench.references.linear_probe import _Loss

    X, y, _ = overlapping()
    true = _Loss.__call__
    monkeypatch.setattr(_Loss, "__call__", lambda *a: tuple(v * np.nan for v in true(*a)))
    with pytest.raises(TrainingError, match="loss of the linear probe is nan"):
        references.LinearProbe(n_classes=5, device="cpu").fit(X, y)


def test_nearest_mean_by_hand() -> None:
    X, y, other = overlapping()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    means = np.stack([unit[y == c].mean(axis=0) for c in range(5)])
    directions = means / np.linalg.norm(means, axis=1, keepdims=True)
    expected = (other @ directions.T).argmax(axis=1)
    fitted = references.NearestMean(n_classes=5, device="cpu").fit(X, y)
    np.testing.assert_array_equal(fitted.predict(other), expected)
    np.testing.assert_allclose(fitted.means_, means, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("knn", {"n_neighbors": 0}),
        ("knn", {"temperature": 0.0}),
        ("knn", {"temperature": float("nan")}),
        ("linear-probe", {"l2": -1.0}),
        ("linear-probe", {"l2": True}),
        ("linear-probe", {"max_iter": 2.5}),
        ("linear-probe", {"tol": float("inf")}),
        ("nearest-mean", {"n_classes": 0}),
        ("nearest-mean", {"random_state": -1}),
    ],
)
def test_unusable_settings_name_the_setting(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(settings))}="):
        references.get(name)(**{"n_classes": 3, **settings})


def test_blocks_cover_all_rows_once() -> None:
    found = list(blocks.row_blocks(10, 3, elements=12))
    assert [(b.start, b.stop) for b in found] == [(0, 4), (4, 8), (8, 10)]
    assert [b.stop for b in blocks.row_blocks(2, 99, elements=1)] == [1, 2]


def test_unknown_names_get_near_ones() -> None:
    with pytest.raises(InputError, match="did you mean linear-probe"):
        references.get("linear_probe")


def test_naming_and_building_references_does_not_load_torch() -> None:
    code = (
        "import sys; from clusterbench import references\n"
        "for name in references.names(): references.get(name)(n_classes=3).get_params()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
