"""Methods and references among scikit-learn's own: its checks, `clone`, `Pipeline`.

scikit-learn's test suite for estimators (`check_estimator`) runs on every registered method and
reference with small settings.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_clusterer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import clusterbench as cb
from clusterbench.estimator import NotFittedError

#: Checks that are not meant to pass, and why.
EXPECTED_TO_FAIL = {
    "check_do_not_raise_errors_in_init_or_set_params": (
        "a setting that cannot be used is refused where it is given, so that a run of hours does "
        "not end at its last method"
    ),
    "check_sample_weight_equivalence_on_dense_data": (
        "rows are drawn by their number, so a repeated row is another draw than a heavy one; "
        "scikit-learn excepts its own KMeans likewise"
    ),
}

_HEADS: dict[str, Any] = {
    "n_heads": 1,
    "epochs": 2,
    "batch_size": 256,
    "n_neighbors": 5,
    "learning_rate": 4e-2,
    "warmup_epochs": 0,
    "momentum": 0.5,
    "hidden": 8,
    "bottleneck": 4,
}
_P2OT: dict[str, Any] = {
    "n_heads": 1,
    "epochs": 2,
    "batch_size": 256,
    "n_neighbors": 5,
    "learning_rate": 4e-2,
    "memory": 256,
}
_FEW = {"epochs": 2, "batch_size": 256, "n_neighbors": 5, "learning_rate": 4e-2}
SMALL: dict[str, dict[str, Any]] = {
    "kmeans": {"n_init": 2, "max_iter": 10},
    "minibatch-kmeans": {"rows_per_cluster": 2, "max_iter": 5},
    "hierarchical-kmeans": {"n_resample": 1, "max_iter": 5},
    "balanced-kmeans": {"max_iter": 10},
    "smoothed-kmeans": {"max_iter": 10},
    "stable-kmeans": {"max_iter": 10, "n_init": 1},
    "spectral": {"max_iter": 10},
    "temi": _HEADS,
    "scanv2": _HEADS,
    "turtle": {"steps": 3, "inner_steps": 2, "learning_rate": 4e-2},
    "p2ot": _P2OT,
    "icon": _FEW,
    "sinkhorn": _FEW,
    "self-labelling": {
        "warm_epochs": 5,
        "epochs": 6,
        "batch_size": 32,
        "n_neighbors": 5,
        "learning_rate": 4e-2,
    },
    "linear-probe": {"max_iter": 20},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices of a few rows: a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(name: str, **settings: Any) -> Any:
    known = {"device": "cpu", **SMALL.get(name, {}), **settings}
    if name in cb.methods.names():
        return cb.methods.get(name)(**{"n_clusters": 3, **known})
    return cb.references.get(name)(**known)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*cb.methods.names(), *cb.references.names()])
def test_scikit_learns_own_checks(name: str) -> None:
    found = check_estimator(
        small(name), expected_failed_checks=EXPECTED_TO_FAIL, on_skip=None, on_fail=None
    )
    failed = {c["check_name"]: c["exception"] for c in found if c["status"] == "failed"}
    assert not failed
    passed = {c["check_name"] for c in found if c["status"] == "passed"}
    assert {"check_estimators_pickle", "check_estimators_nan_inf"} <= passed


@pytest.mark.parametrize("name", cb.methods.names())
def test_a_method_at_the_end_of_a_pipeline(name: str) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6))
    pipeline = make_pipeline(StandardScaler(), small(name))
    labels = pipeline.fit(X).predict(X)
    assert labels.shape == (40,) and set(labels) <= {0, 1, 2}
    np.testing.assert_array_equal(pipeline.fit_predict(X, None), labels)
    again = clone(pipeline).set_params(**{f"{pipeline.steps[-1][0]}__n_clusters": 2})
    assert set(again.fit_predict(X)) <= {0, 1}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).predict(X), labels)
    assert "StandardScaler" in Pipeline(pipeline.steps)._repr_html_()
    assert is_clusterer(pipeline)


def test_a_reference_is_cross_validated() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["ant", "bee", "cat"], 20)
    X = np.repeat(3 * np.eye(3, 5), 20, axis=0) + rng.normal(size=(60, 5))
    knn = small("knn")
    assert is_classifier(knn)
    assert cross_val_score(make_pipeline(StandardScaler(), knn), X, y).mean() > 0.8
    assert clone(knn).fit(X, y).classes_.tolist() == ["ant", "bee", "cat"]


@pytest.mark.parametrize("name", cb.methods.names())
def test_labels_are_not_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that fits sees a label, so not even a y that may not be touched does harm."""

    class Untouchable:
        def __getattribute__(self, attribute: str) -> Any:
            raise AssertionError(f"y.{attribute} was looked at")

        def __len__(self) -> int:
            raise AssertionError("len(y) was looked at")

    X = np.random.default_rng(0).normal(size=(40, 6))
    without = small(name).fit_predict(X)
    given: list[tuple[Any, ...]] = []
    method = small(name)
    hook = type(method)._fit
    monkeypatch.setattr(
        type(method), "_fit", lambda self, *inputs: given.append(inputs) or hook(self, *inputs)
    )
    np.testing.assert_array_equal(method.fit(X, Untouchable()).labels_, without)
    np.testing.assert_array_equal(method.fit_predict(X, Untouchable()), without)
    assert [len(inputs) for inputs in given] == [2, 2]  # features and progress
    assert not any(isinstance(value, Untouchable) for value in vars(method).values())


def test_scikit_learn_is_loaded_only_when_it_asks() -> None:
    code = (
        "import sys, clusterbench as cb, clusterbench.cli.main\n"
        "for name in cb.methods.names(): cb.methods.get(name)(n_clusters=3).get_params()\n"
        "for name in cb.references.names(): cb.references.get(name)(3).get_params()\n"
        "assert 'sklearn' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_that_are_refused_change_nothing() -> None:
    kmeans = small("kmeans")
    before = kmeans.get_params()
    with pytest.raises(ValueError, match="n_init=0"):
        kmeans.set_params(max_iter=3, n_init=0)
    assert kmeans.get_params() == before
    with pytest.raises(ValueError, match="did you mean n_init"):
        kmeans.set_params(n_inti=3)


def test_the_error_of_what_is_not_fitted_can_be_pickled():
    with pytest.raises(NotFittedError) as caught:
        cb.methods.KMeans(n_clusters=2).predict(np.ones((3, 2)))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and isinstance(again, NotFittedError)
