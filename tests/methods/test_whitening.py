"""Whitening of leading principal components, as the setting `scaling` of every method."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from clusterbench import methods
from clusterbench.errors import InputError
from clusterbench.feature_rows import unit_rows
from clusterbench.kmeans import row_totals
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import whitening
from clusterbench.methods.scaling import Scaler

#: Rounding of whitened numbers, which are at most 1: of a row to 2^-24 of its length in each
#: dimension, times how much more the last component is stretched than the first.
CLOSE = 2.0**-21

SCALED = [name for name in methods.names() if "scaling" in methods.get(name).setting_names()]
QUICK: dict[str, dict[str, Any]] = {
    name: {"epochs": 1, "n_heads": 2, "hidden": 8, "bottleneck": 4, "warmup_epochs": 0}
    for name in ("temi", "scanv2")
} | {
    "scan": {"epochs": 1, "n_heads": 2},
    "p2ot": {"epochs": 1, "n_heads": 2},
    "turtle": {"steps": 2, "inner_steps": 2},
}


def plain(train: np.ndarray, rows: np.ndarray, m: int, power: float) -> np.ndarray:
    """The definition, row by row; components of no deviation left out, signs by largest entry."""
    train, rows = train.astype(np.float64), rows.astype(np.float64)
    mean = train.mean(axis=0)
    covariance = np.zeros((train.shape[1], train.shape[1]))
    for row in train:
        covariance += np.outer(row - mean, row - mean) / len(train)
    variance, vectors = np.linalg.eigh(covariance)
    columns = []
    for j in range(len(variance) - 1, -1, -1)[:m]:
        if variance[j] > 1e-10 * variance[-1]:
            vector = vectors[:, j]
            vector = vector * np.sign(vector[np.abs(vector).argmax()])
            columns.append((rows - mean) @ vector * (variance[-1] / variance[j]) ** (power / 2))
    result = np.stack(columns, axis=1)
    for row in result:
        row /= np.linalg.norm(row) or 1.0
    return result


def correlated(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Rows of deviations that fall from 1 to 1/30, in directions of their own, away from 0."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    deviations = np.geomspace(1.0, 1 / 30, dim)
    return ((rng.normal(size=(n, dim)) * deviations) @ turn + 3.0).astype(np.float32)


def whitened(train: np.ndarray, rows: np.ndarray, m: int = 256, power: float = 0.5) -> np.ndarray:
    return Scaler(f"whiten({m}, {power})").fit(train)(rows)


class TestAgainstThePlainDefinition:
    @pytest.mark.parametrize("power", [0, 0.25, 0.5, 1])
    @pytest.mark.parametrize("m", [1, 5, 12, 256])
    def test_training_rows_and_new_ones(self, m: int, power: float) -> None:
        train, new = correlated(300, 12), correlated(50, 12, seed=0)[::-1] * 2.0
        for rows in (train, new):
            found = whitened(train, rows, m, power)
            assert found.dtype == np.float32 and found.shape == (len(rows), min(m, 12))
            np.testing.assert_allclose(found, plain(train, rows, m, power), atol=30 * CLOSE)

    @given(
        n=st.integers(2, 30),
        dim=st.integers(1, 12),
        m=st.integers(1, 14),
        constant=st.integers(0, 11),
        power=st.floats(0.0, 1.0),
        seed=st.integers(0, 99),
    )
    def test_any_shape(
        self, n: int, dim: int, m: int, constant: int, power: float, seed: int
    ) -> None:
        """Fewer rows than dimensions, two rows, columns that do not vary."""
        rng = np.random.default_rng(seed)
        train = rng.integers(-8, 9, size=(n, dim)).astype(np.float32)
        train[:, : min(constant, dim - 1)] = 5.0
        train[0, -1], train[1, -1] = -9.0, 9.0  # so that some column varies
        found, wanted = whitened(train, train, m, power), plain(train, train, m, power)
        assert found.shape == wanted.shape
        # Components of equal deviation come in any basis, so cosines are compared; and where m
        # cuts between such components any of them may be the ones that are taken.
        variance = np.linalg.eigvalsh(np.cov(train.T, bias=True).reshape(dim, dim))[::-1]
        cut = found.shape[1]
        if cut == dim or variance[cut - 1] - variance[cut] > 1e-6 * variance[0]:
            np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-4)

    def test_power_0_changes_no_proportions_and_1_makes_deviations_alike(self) -> None:
        train = correlated(4000, 6)
        centred = train - train.mean(axis=0, dtype=np.float64)
        cosines = whitened(train, train[:40], power=0)
        np.testing.assert_allclose(
            cosines @ cosines.T, unit_rows(centred[:40]) @ unit_rows(centred[:40]).T, atol=1e-5
        )
        spread = whitened(train, train, power=1).std(axis=0)
        assert spread.max() < 1.05 * spread.min()
        half = whitened(train, train, power=0.5).std(axis=0)
        assert (np.diff(half) < 0).all()

    def test_components_that_are_rounding_are_left_out(self) -> None:
        rng = np.random.default_rng(0)
        train = rng.normal(size=(200, 3)).astype(np.float32) @ rng.normal(size=(3, 9))
        assert whitened(train.astype(np.float32), train, power=1).shape == (200, 3)
        signs = rng.choice([-1.0, 1.0], size=(2000, 2)).astype(np.float32)
        wide = rng.normal(size=(2, 1000)).astype(np.float32)
        assert whitened(signs[:50] @ wide, signs[:50] @ wide, power=1).shape == (50, 2)
        large = np.full((200, 2), 1000.0, dtype=np.float32)
        large[::2, 1] = np.nextafter(large[0, 1], np.float32(np.inf))
        train = np.hstack([correlated(200, 4), large])
        assert whitened(train, train, power=1).shape == (200, 4)


class TestTheSameAnswer:
    def test_array_blocks_and_half_precision(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Sums in other blocks differ by float64's rounding alone."""
        train = correlated(700, 16).astype(np.float16)
        once = Scaler("whiten(8)").fit(train.astype(np.float32))
        by_rows = Scaler("whiten(8)").fit_rows(ArrayRows(train))
        assert once(train[:50]).tobytes() == by_rows(train[:50]).tobytes()
        monkeypatch.setattr(row_totals, "_READ", 99)
        in_blocks = Scaler("whiten(8)").fit_rows(ArrayRows(train))
        np.testing.assert_allclose(in_blocks(train), once(train), atol=CLOSE)

    def test_bits_do_not_depend_on_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        train = correlated(900, 40)
        monkeypatch.setattr(row_totals, "_READ", 100)
        found = []
        for threads in (1, 3):
            monkeypatch.setattr(row_totals, "torch_threads", lambda threads=threads: threads)
            fitted = whitening.Whitening().fit(ArrayRows(train))
            found.append([part.tobytes() for part in (fitted.mean, fitted.basis, fitted.factors)])
        assert found[0] == found[1]

    @given(st.integers(0, 599), st.integers(1, 600))
    def test_bits_do_not_depend_on_the_block(self, start: int, n: int) -> None:
        train = correlated(600, 37)
        scaler = Scaler("whiten(20, 1)").fit(train)
        part = scaler(train[start : start + n])
        assert part.tobytes() == scaler(train)[start : start + n].tobytes()

    @given(st.integers(1, 3000), st.integers(0, 99))
    def test_projections_are_exact_sums(self, dim: int, seed: int) -> None:
        """Of whole numbers that stay below 2^53 whatever their order; at worst row and component
        are one."""
        rng = np.random.default_rng(seed)
        rows = 10.0 ** rng.integers(-40, 14) * rng.normal(size=(3, dim)) ** 3
        whole = whitening._whole(rows, whitening._ROW_BITS)
        basis = whitening._whole(rows, whitening._BASIS_BITS).T
        assert (whole == np.rint(whole)).all() and (basis == np.rint(basis)).all()
        assert (np.abs(whole) @ np.abs(basis)).max() < 2.0**53
        exact = [
            sum(int(a) * int(b) for a, b in zip(whole[0], basis[:, j], strict=True))
            for j in range(3)
        ]
        assert (whole @ basis)[0].tolist() == exact

    def test_tensors(self) -> None:
        train, new = correlated(5000, 10), 1e4 * correlated(30, 10)
        new[3] = train.mean(axis=0)
        scaler = Scaler("whiten(7, 1)").fit(train)
        for rows in (train, new):
            found = scaler.tensor(torch.tensor(rows)).numpy()
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, scaler(rows), atol=2.0**-22)

    def test_huge_and_small_numbers(self) -> None:
        train = correlated(100, 6) - 3.0
        wanted = whitened(train, train)
        for factor in (1e13, 1e-30, 1e-37):
            scaled = (train * np.float32(factor)).astype(np.float32)
            np.testing.assert_allclose(whitened(scaled, scaled), wanted, atol=1e-4)

    def test_rows_far_from_the_training_rows_stay_in_range(self) -> None:
        train = correlated(100, 6) * np.float32(1e-20)
        far = np.float32(1e13) * correlated(20, 6, seed=1)
        assert np.isfinite(Scaler("whiten(6, 1)").fit(train)(far)).all()
        np.testing.assert_allclose(np.linalg.norm(whitened(train, far), axis=1), 1.0, rtol=1e-6)

    def test_rows_that_are_all_alike_are_zeros_with_a_warning(self) -> None:
        train = np.full((9, 4), 0.1, dtype=np.float32)
        with pytest.warns(UserWarning, match="all 9 rows are the same"):
            scaler = Scaler("whiten").fit(train)
        assert (scaler(train) == np.zeros((9, 1))).all()

    def test_too_many_dimensions_are_refused(self) -> None:
        with pytest.raises(InputError, match="X has 20,000 dimensions"):
            Scaler("whiten").fit(np.ones((3, 20_000), dtype=np.float32))


class TestSpelling:
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("whiten", "whiten(256, 0.5)"),
            ("whiten(128)", "whiten(128, 0.5)"),
            ("whiten(128,1)", "whiten(128, 1)"),
            ("whiten( 0128 , 1.0 )", "whiten(128, 1)"),
            ("whiten(1, 5e-1)", "whiten(1, 0.5)"),
            ("whiten(9, -0)", "whiten(9, 0)"),
            ("whiten(9, .00001)", "whiten(9, 1e-05)"),
        ],
    )
    def test_one_spelling_is_kept(self, text: str, canonical: str) -> None:
        assert Scaler(text).scaling == canonical == Scaler(canonical).scaling

    @given(st.integers(1, 1 << 20), st.floats(0.0, 1.0))
    def test_every_setting_is_read_back(self, m: int, power: float) -> None:
        spelled = whitening.Whitening(m, power).spelling
        again = whitening.parsed(spelled)
        assert again is not None and (again.n_components, again.power) == (m, power)

    @pytest.mark.parametrize(
        "text",
        [
            *("whiten()", "whiten(0)", "whiten(2.5)", "whiten(8, 2)", "whiten(8, -1)", "Whiten"),
            *("whiten(8, nan)", "whiten(8, 1, 1)", "whiten 8", "whiten(8", "whiten(8, e)", "pca"),
            *("whiten(9999999)", "whiten(8, )", " whiten", "whiten\n", "whiten(٣)", 8, None, []),
        ],
    )
    def test_others_are_refused_in_one_line_that_says_what_is_possible(self, text: Any) -> None:
        with pytest.raises(
            InputError, match=r"none, l2, standardize, whiten, whiten\(M\)"
        ) as found:
            Scaler(text)
        assert "\n" not in str(found.value)

    @pytest.mark.parametrize("name", SCALED)
    def test_methods_hold_it_and_are_cloned_and_rebuilt(self, name: str) -> None:
        method = methods.get(name)(3, scaling="whiten(8)")
        assert method.get_params()["scaling"] == "whiten(8, 0.5)"
        assert clone(method).get_params() == method.get_params()
        again = type(method)(**json.loads(json.dumps(method.get_params())))
        assert again.get_params() == method.get_params()
        assert method.set_params(scaling="whiten").scaling == "whiten(256, 0.5)"

    def test_every_method_has_it(self) -> None:
        assert [n for n in methods.names() if n != "stable-kmeans"] == SCALED  # which chooses


def groups(n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Four groups apart in two weak directions, beside a strong one that says nothing."""
    rng = np.random.default_rng(0)
    targets = np.arange(n) % 4
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])[targets]
    rows = np.hstack([8 * rng.normal(size=(n, 1)), corners + 0.05 * rng.normal(size=(n, 2))])
    return (rows @ np.linalg.qr(rng.normal(size=(3, 3)))[0]).astype(np.float32), targets


class TestMethods:
    @pytest.mark.parametrize("name", SCALED)
    def test_predict_of_training_rows_gives_their_labels(self, name: str) -> None:
        X, _ = groups()
        method = methods.get(name)(4, device="cpu", scaling="whiten(3, 1)", **QUICK.get(name, {}))
        labels = method.fit(X).labels_
        assert (method.predict(X) == labels).all()
        assert (method.predict(X[7:9]) == labels[7:9]).all()
        assert (method.predict_top(X, 2)[:, 0] == labels).all()
        assert method.cost(240, 240, 3).flops > 0

    @pytest.mark.parametrize("name", ["kmeans", "minibatch-kmeans", "hierarchical-kmeans"])
    def test_rows_read_in_blocks(self, name: str, tmp_path: Path) -> None:
        """Of a memory map and of half precision, in fewer dimensions than they have."""
        X = correlated(500, 12).astype(np.float16).astype(np.float32)
        np.save(tmp_path / "rows.npy", X)
        settings = {"device": "cpu", "scaling": "whiten(5, 1)", "init": "k-means++"}
        in_memory = methods.get(name)(6, **settings).fit(X)
        assert in_memory.cluster_centers_.shape == (6, 5)
        for source in (np.load(tmp_path / "rows.npy", mmap_mode="r"), X.astype(np.float16)):
            read = methods.get(name)(6, **settings).fit(source)
            assert read.cluster_centers_.tobytes() == in_memory.cluster_centers_.tobytes()
            assert (read.predict(source) == in_memory.labels_).all()
            with pytest.raises(InputError, match="X has 5 features, but"):
                read.predict(source[:, :5])

    def test_k_means_is_that_of_the_whitened_rows(self) -> None:
        X, _ = groups()
        whole = methods.KMeans(4, device="cpu", scaling="whiten(3, 1)").fit(X)
        rows = plain(X, X, 3, 1.0).astype(np.float32)
        other = methods.KMeans(4, device="cpu", scaling="none").fit(rows)
        assert whole.inertia_ == pytest.approx(other.inertia_, rel=1e-4)
        assert (whole.labels_ == other.labels_).all()

    def test_a_scaling_of_all_rows_shares_no_fit(self) -> None:
        shares = [methods.KMeans(4, scaling=s).shares_fit for s in ("l2", "none", "whiten")]
        assert shares == [True, True, False]

    @pytest.mark.parametrize("name", ["spectral", "leiden"])
    def test_graphs_are_of_the_scaled_rows(self, name: str) -> None:
        X = correlated(240, 6) - 3.0
        make = methods.get(name)
        found = make(4, device="cpu", scaling="whiten(6, 1)").fit(X)
        rows = Scaler("whiten(6, 1)").fit(X)(X)
        by_hand = make(4, device="cpu").fit(rows)
        assert (found.labels_ == by_hand.labels_).all()
        new = X[:30] + np.float32(0.01)
        scaled = Scaler("whiten(6, 1)").fit(X)(new)
        assert (found.predict(new) == by_hand.predict(scaled)).all()
        assert (make(4, device="cpu").fit(X).labels_ != by_hand.labels_).any()

    @pytest.mark.parametrize("name", ["spectral", "leiden"])
    def test_l2_is_none_for_cosines(self, name: str) -> None:
        X, _ = groups()
        none, l2 = (methods.get(name)(4, device="cpu", scaling=s).fit(X) for s in ("none", "l2"))
        assert (none.labels_ == l2.labels_).all() and (none.predict(X) == l2.predict(X)).all()
