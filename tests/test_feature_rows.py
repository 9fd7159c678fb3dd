"""What fit and predict take as features, and what they refuse, naming the row."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

import clusterbench as cb
from clusterbench.errors import InputError
from clusterbench.feature_rows import as_features, to_unit_length, unit_rows
from clusterbench.limits import ROW_LENGTH

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)

HEADS: dict[str, Any] = {
    "n_heads": 1,
    "epochs": 1,
    "batch_size": 40,
    "n_neighbors": 5,
    "warmup_epochs": 0,
    "hidden": 8,
    "bottleneck": 4,
}
FEW: dict[str, Any] = {"epochs": 1, "batch_size": 40, "n_neighbors": 5}
SMALL: dict[str, dict[str, Any]] = {
    "kmeans": {"n_init": 2},
    "minibatch-kmeans": {},
    "hierarchical-kmeans": {},
    "balanced-kmeans": {},
    "smoothed-kmeans": {},
    "temi": HEADS,
    "scanv2": HEADS,
    "turtle": {"steps": 2, "inner_steps": 2},
    "p2ot": {"n_heads": 1, "epochs": 1, "batch_size": 40, "n_neighbors": 5, "memory": 40},
    "icon": FEW,
    "sinkhorn": FEW,
    "self-labelling": {"warm_epochs": 1, "epochs": 2, "n_neighbors": 5},
}
EVERYTHING = [*cb.methods.names(), *cb.references.names()]


def fitted(name: str, features: Any, **settings: Any) -> Any:
    if name in cb.methods.names():
        method = cb.methods.get(name)(4, device="cpu", **{**SMALL.get(name, {}), **settings})
        return method.fit(features)
    return cb.references.get(name)(4, device="cpu").fit(features, np.arange(len(features)) % 4)


def scalings(name: str) -> list[dict[str, str]]:
    if name in SMALL:
        return [{"scaling": scaling} for scaling in ("none", "l2", "standardize", "whiten")]
    return [{}]


def with_row(row: int, values: Any, dtype: Any = np.float32) -> np.ndarray:
    changed = X.astype(dtype)
    changed[row] = values
    return changed


class TestEveryMethodAndReference:
    @pytest.mark.parametrize("name", EVERYTHING)
    @pytest.mark.parametrize("value", [3e19, -1e20, 1e30, 3e38, 1e15])
    def test_rows_that_are_too_long_are_named(self, name: str, value: float) -> None:
        """k-means once aborted the process by them, and predicted -1."""
        for settings in scalings(name):
            with pytest.raises(InputError, match=r"too large in 1 of 40 rows, first in row 3 "):
                fitted(name, with_row(3, value), **settings)
            method = fitted(name, X, **settings)
            with pytest.raises(InputError, match=r"too large in 1 of 40 rows, first in row 3 "):
                method.predict(with_row(3, value))
            with pytest.raises(InputError, match=r"too large in 40 of 40 rows, first in row 0 "):
                method.predict(X * 1e20)
            with pytest.raises(InputError, match=r"too large"):
                method.predict_top(X * 1e20, 2)

    @pytest.mark.parametrize("name", EVERYTHING)
    @pytest.mark.parametrize("factor", [1e-45, 1e-38, 1e-30, 1e-10, 1e10])
    def test_any_scale_below_is_fitted_and_predicted(self, name: str, factor: float) -> None:
        for settings in scalings(name):
            scaled = (X.astype(np.float64) * factor * 8).astype(np.float32)
            method = fitted(name, scaled, **settings)
            found = method.predict(scaled)
            assert found.dtype == np.int64 and 0 <= found.min() <= found.max() < 4

    @pytest.mark.parametrize("name", EVERYTHING)
    def test_the_longest_rows_are_fitted(self, name: str) -> None:
        longest = X / np.linalg.norm(X, axis=1, keepdims=True) * np.float32(ROW_LENGTH * 0.999)
        for settings in scalings(name):
            found = fitted(name, longest, **settings).predict(longest)
            assert 0 <= found.min() <= found.max() < 4

    @pytest.mark.parametrize("name", EVERYTHING)
    def test_rows_far_from_a_dimension_that_hardly_varies(self, name: str) -> None:
        """Divided by a tiny deviation, an ordinary number is no longer one."""
        narrow = with_row(0, 0)
        narrow[:, 2] = np.linspace(0, 1e-38, 40)
        method = fitted(name, narrow, **({"scaling": "standardize"} if name in SMALL else {}))
        far = narrow.copy()
        far[7, 2] = 10.0
        if name in (
            "knn",
            "nearest-mean",
            "spectral",
            "leiden",
            "stable-kmeans",
        ):  # which compare directions, not deviations
            assert method.predict(far).shape == (40,)
            return
        with pytest.raises(InputError, match=r"first row 7.* standard deviations"):
            method.predict(far)


def test_a_direction_does_not_depend_on_the_scale() -> None:
    """Squares of small numbers vanish in float32: unit rows were once of length 1e8, or zero."""
    exact = X / np.linalg.norm(X.astype(np.float64), axis=1, keepdims=True)
    for factor in (1e-36, 1e-30, 1e-20, 1e-13, 1.0, 1e13):
        rows = (X * np.float32(factor)).astype(np.float32)
        np.testing.assert_allclose(unit_rows(rows), exact, atol=2e-7)
        np.testing.assert_allclose(to_unit_length(torch.tensor(rows)), exact, atol=2e-7)
    mixed = X * np.logspace(-36, 12, 40, dtype=np.float32)[:, None]
    np.testing.assert_allclose(unit_rows(mixed), exact, atol=2e-7)
    np.testing.assert_array_equal(unit_rows(np.zeros((2, 3), np.float32)), 0)
    np.testing.assert_array_equal(to_unit_length(torch.zeros(2, 3)), 0)


def test_ordinary_rows_get_the_same_bits_as_ever() -> None:
    expected = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), np.float32(1e-38))
    np.testing.assert_array_equal(unit_rows(X), expected)
    both = np.concatenate([X, X[:1] * np.float32(1e-30)])
    np.testing.assert_array_equal(unit_rows(both)[:40], expected)
    tensor = torch.nn.functional.normalize(torch.tensor(X), dim=1)
    assert torch.equal(to_unit_length(torch.tensor(X)), tensor)
    assert as_features(X) is X or np.shares_memory(as_features(X), X)


@pytest.mark.parametrize("name", SMALL)
def test_rows_of_zeros_stay_zeros_and_are_mentioned(name: str) -> None:
    with pytest.warns(UserWarning, match="2 of 40 rows are all zeros, first row 5"):
        zeros = with_row(5, 0)
        zeros[9] = 0
        method = fitted(name, zeros, scaling="l2")
    assert method.labels_[5] == method.labels_[9]


class TestKindsOfX:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", "i1", "u1", "i8", "?", "g"])
    def test_numbers(self, dtype: str) -> None:
        numbers = (np.abs(X) * 3).astype(dtype)
        found = as_features(numbers)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_array_equal(found, numbers.astype(np.float32))

    def test_orders_and_containers(self, tmp_path: Path) -> None:
        np.save(tmp_path / "X.npy", X)
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
        masked = np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool))
        for given in (
            np.asfortranarray(X),
            np.repeat(X, 2, axis=1)[:, ::2],
            np.flip(np.flip(X, 0), 0),
            mapped,
            masked,
            np.ma.masked_array(X),
            X.tolist(),
            [tuple(row) for row in X],
            X.astype(object),
            torch.tensor(X),
            torch.tensor(X, dtype=torch.float64, requires_grad=True),
        ):
            found = as_features(given)
            assert type(found) is np.ndarray and found.flags.c_contiguous
            np.testing.assert_array_equal(found, X)
        short = as_features(torch.tensor(X, dtype=torch.bfloat16))
        np.testing.assert_allclose(short, X, rtol=1e-2)

    def test_a_data_frame_by_the_names_of_its_columns(self) -> None:
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=list("abcdef"))
        method = fitted("kmeans", frame)
        assert method.feature_names_in_.tolist() == list("abcdef")
        np.testing.assert_array_equal(method.predict(frame), method.predict(X))
        with pytest.raises(InputError, match="same order"):
            method.predict(frame[list("bacdef")])
        frame["name"] = "x"
        with pytest.raises(InputError, match="dtype object and holds 'x'"):
            as_features(frame)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (with_row(3, np.nan), "NaN or infinity in 1 of 40 rows, first in row 3"),
            (with_row(3, -np.inf), "NaN or infinity in 1 of 40 rows, first in row 3"),
            (
                with_row(3, 1e300, np.float64),
                r"in 1 of 40 rows, first in row 3 \(1e\+300",
            ),
            (with_row(3, 2**62, np.int64), "too large in 1 of 40 rows, first in row 3"),
            (with_row(3, np.inf, np.float16), "NaN or infinity in 1 of 40"),
            (np.vstack([with_row(3, 1e20), with_row(4, np.nan)]), "NaN or .* first in row 44"),
            (X.astype(complex), "Complex data not supported: X has dtype complex128"),
            (X.astype(str), "dtype <U32; expected numbers"),
            (X.astype("datetime64[s]"), r"dtype datetime64\[s\]; expected numbers"),
            (np.array([[1.0, "2.0"], [3.0, 4.0]], dtype=object), "object and holds '2.0'"),
            (np.array([[1.0, None], [3.0, 4.0]], dtype=object), "NaN or infinity in 1 of 2 rows"),
            (np.array([[1.0, 10**400], [3.0, 4.0]], dtype=object), "what is no number"),
            (np.array([[1.0, {}], [3.0, 4.0]], dtype=object), "what is no number"),
            ([[1.0, 2.0], [3.0]], "2-D array of numbers"),
            ("X.npy", r"shape \(\)"),
            (None, r"shape \(\)"),
            (X[0], "Reshape your data"),
            (X[None], r"shape \(1, 40, 6\)"),
            (X[:0], "empty"),
            (X[:, :0], r"0 feature\(s\)"),
            (sparse.csr_matrix(X), r"sparse matrix \(csr_matrix\).*X.toarray\(\)"),
            (sparse.coo_array(X), r"sparse matrix \(coo_array\)"),
            (torch.tensor(X).to_sparse(), "sparse or quantised torch tensor"),
            (torch.tensor(X).to(torch.complex64), "Complex data not supported"),
            (torch.tensor(X, device="meta"), "2-D array of numbers; .*meta"),
        ],
    )
    def test_what_is_no_matrix_of_numbers_is_refused(self, given: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            as_features(given)

    def test_masked_values_are_no_features(self) -> None:
        masked = np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool))
        masked[4, 1] = np.ma.masked
        masked[6] = np.ma.masked
        with pytest.raises(InputError, match="masked in 2 rows, first in row 4"):
            as_features(masked)

    def test_nothing_is_warned_of_and_x_is_left_alone(self) -> None:
        given = with_row(3, 1e300, np.float64)
        kept = given.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(InputError):
                as_features(given)
        np.testing.assert_array_equal(given, kept)
