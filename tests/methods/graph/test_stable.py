"""Stable k-means: what is chosen and why, and that rows keep their labels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import graph_plain as plain
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.feature_rows import unit_rows
from clusterbench.features import FeatureStore
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import SmoothedKMeans, StableKMeans
from clusterbench.methods.graph import preparation, stable
from clusterbench.methods.graph.neighbour_whitening import neighbour_whitening
from clusterbench.methods.graph.preparation import (
    Preparation,
    chosen,
    n_tried,
    principal_basis,
    principal_rows,
    smoothing_tried,
    tried_rows,
)
from clusterbench.metrics import score
from clusterbench.selection import halves
from clusterbench.sources.dataset_index import DatasetIndex


def made(k: int, **settings: Any) -> StableKMeans:
    return StableKMeans(k, **{"device": "cpu", **settings})


def groups(sizes: list[int], dim: int = 8, spread: float = 0.15, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = np.linalg.qr(rng.normal(size=(max(dim, len(sizes)),) * 2))[0][: len(sizes), :]
    rows = centres[labels] + spread * rng.normal(size=(len(labels), centres.shape[1]))
    return rows.astype(np.float32), labels


@pytest.mark.parametrize("sizes", [[80] * 10, list(np.linspace(10, 300, 10).astype(int))])
def test_ten_gaussians_are_found_of_equal_and_of_very_unequal_size(sizes: list[int]) -> None:
    rows, labels = groups(sizes, dim=10)
    assert score(labels, made(10).fit(rows).labels_).ami > 0.99


def drowned(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve groups, and a ball in six directions that is far wider than they are apart."""
    rows, labels = groups([n // 12] * 12, dim=40, spread=0.1, seed=seed)
    ball = np.random.default_rng(seed + 1).normal(size=(n, 6))
    return np.hstack([rows, ball]).astype(np.float32), labels


def test_groups_are_found_behind_a_few_directions_that_drown_them() -> None:
    rows, labels = drowned(1200)
    found = made(12).fit(rows)
    assert found.preparation_.startswith("whitened")
    plainly = SmoothedKMeans(12, device="cpu", rounds=0).fit(rows)
    assert score(labels, plainly.labels_).ami < 0.1
    assert score(labels, found.labels_).ami > 0.99
    new, theirs = drowned(1200, seed=7)
    new[:, :40] = rows[:, :40] + 0.05 * new[:, :40]
    assert score(labels, found.predict(new)).ami > 0.9 and len(theirs) == len(new)


def test_without_parts_and_refinements_it_is_smoothed_kmeans_of_what_was_taken() -> None:
    for rows, space in ((groups([30] * 6, spread=0.4)[0], "l2"), (drowned()[0], "whitened")):

        class Unjoined(StableKMeans):
            _joins = False

        found = Unjoined(6, device="cpu", refinements=0).fit(rows)
        assert found.preparation_.startswith(space)
        assert found.preparation_ == found.diagnostics_["preparation"]
        as_they_are = plain.unit(rows)
        evened = neighbour_whitening(as_they_are, torch.device("cpu"))
        assert (evened is None) == (space == "l2")
        seen = as_they_are if evened is None else evened(as_they_are)
        rounds = 2 if "neighbours" in found.preparation_ else 0
        kmeans = SmoothedKMeans(6, device="cpu", n_neighbors=7, rounds=rounds).fit(seen)
        np.testing.assert_array_equal(found.labels_, kmeans.labels_)
        new = rows[::3] + np.float32(0.01)
        theirs = plain.unit(new) if evened is None else evened(plain.unit(new))
        np.testing.assert_array_equal(found.predict(new), kmeans.predict(theirs))
        np.testing.assert_array_equal(found.predict_top(new, 3), kmeans.predict_top(theirs, 3))


@pytest.mark.parametrize(
    ("n", "tried"), [(139, None), (140, (7, 2)), (239, (7, 2)), (240, (12, 2))]
)
def test_the_smoothing_that_is_tried_has_rows_enough(n: int, tried: tuple[int, int] | None) -> None:
    found = smoothing_tried(n, 10)
    assert found == tried


def test_nothing_is_tried_where_rows_are_too_few_to_be_averaged() -> None:
    rows = groups([13] * 6, spread=0.3)[0]
    found = made(6).fit(rows)
    assert found.diagnostics_["agreement"] == {} and "neighbours" not in found.preparation_


@pytest.mark.parametrize(
    ("n", "k", "voters", "vote"),
    [(300, 10, 10, 10), (120, 10, 10, 6), (30, 10, 10, 4), (30, 10, 2, 2)],
)
def test_no_more_rows_vote_than_half_a_cluster_has(n: int, k: int, voters: int, vote: int) -> None:
    rows = groups([n // k] * k, spread=0.3)[0]
    assert made(k, voters=voters).fit(rows)._neighbourhood.links.ids.shape == (n, vote)


@pytest.mark.parametrize(("each", "counts"), [(60, 0.3), (10, 0.0)])
def test_what_was_said_counts_where_rows_are_averaged(each: int, counts: float) -> None:
    rows = groups([each] * 6, dim=12, spread=0.2)[0]
    found = made(6).fit(rows)
    assert ("neighbours" in found.preparation_) == (counts > 0)
    assert found._told.weights == (1.0, 0.5, counts)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 4),
    dims=st.sampled_from([2, 256]),
    refinements=st.integers(0, 2),
    seed=st.integers(0, 999),
)
@pytest.mark.filterwarnings("ignore:.*all zeros", "ignore:.*all .* rows are the same")
def test_training_rows_get_their_labels_again(
    n: int, k: int, dims: int, refinements: int, seed: int
) -> None:
    """Few rows, rows twice, rows of zeros, one cluster or as many as rows."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 4)).astype(np.float32)
    rows = rows[rng.integers(0, n, n)]
    rows[rng.random(n) < 0.1] = 0.0
    found = made(min(k, n), dims=dims, refinements=refinements, n_init=1, random_state=seed)
    found.fit(rows)
    np.testing.assert_array_equal(found.predict(rows), found.labels_)
    order = rng.permutation(n)
    np.testing.assert_array_equal(found.predict(rows[order]), found.labels_[order])
    top = found.predict_top(rows, min(k, n))
    np.testing.assert_array_equal(top[:, 0], found.labels_)
    assert all(len(set(row)) == len(row) for row in top.tolist())


@pytest.mark.parametrize(("each", "k", "told"), [(2, 10, False), (1, 3, False), (30, 6, True)])
def test_where_clusters_have_hardly_two_rows_they_stay_those_of_kmeans(
    each: int, k: int, told: bool
) -> None:
    rows = groups([each] * k, dim=16, spread=0.4)[0]
    found, plainly = made(k).fit(rows), made(k, refinements=0).fit(rows)
    assert (found.labels_ == plainly.labels_).all() != told
    if not told:
        assert len(np.unique(found.labels_)) == k
        new = np.random.default_rng(1).normal(size=(9, 16)).astype(np.float32)
        np.testing.assert_array_equal(found.predict(new), plainly.predict(new))
        np.testing.assert_array_equal(found.predict_top(new, 2), plainly.predict_top(new, 2))


def test_it_warns_of_the_rows_that_were_given_and_of_no_half_of_them() -> None:
    rows = np.concatenate([np.zeros((7, 8)), groups([20] * 3)[0]]).astype(np.float32)
    for some, said in ((rows, "7 of 67 rows"), (np.zeros((100, 8), np.float32), "100 of 100")):
        with pytest.warns(UserWarning) as caught:
            made(3).fit(some)
        assert len(caught) == 1 and str(caught[0].message).startswith(said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(3).fit(np.ones((50, 8), np.float32))


def test_principal_rows_keep_cosines_and_their_bits_in_any_block() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(300, 6)) @ rng.normal(size=(6, 40))).astype(np.float32)
    basis = principal_basis(ArrayRows(rows), 6)
    assert basis is not None and basis.shape == (40, 6)
    found = principal_rows(rows, basis)
    unit = plain.unit(rows)
    np.testing.assert_allclose(found @ found.T, unit @ unit.T, atol=1e-5)
    alone = np.concatenate([principal_rows(rows[i : i + 1], basis) for i in range(300)])
    np.testing.assert_array_equal(alone, found)
    assert principal_basis(ArrayRows(rows), 40) is None


@pytest.mark.parametrize("where", ["float16", "mapped", "store"])
@pytest.mark.parametrize("dims", [6, 256])
def test_rows_that_are_read_in_blocks_come_to_the_same(
    where: str, dims: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_READ", 64)
    monkeypatch.setattr(stable, "_READ", 50)
    rows = groups([50] * 5, dim=30, spread=0.3)[0].astype(np.float16)
    rows[17] = 0
    given: Any = rows
    if where == "mapped":
        np.save(tmp_path / "rows.npy", rows)
        given = np.load(tmp_path / "rows.npy", mmap_mode="r")
    elif where == "store":
        ids = np.array([b"one/%03d" % i for i in range(len(rows))])
        of_one = (np.zeros(len(rows), dt) for dt in (np.int32, np.uint8))
        index = DatasetIndex(ids, ("one",), *of_one)
        given = FeatureStore.write(tmp_path / "store", rows, index, encoder="toy")
    with pytest.warns(UserWarning, match="1 of 250 rows are all zeros, first row 17"):
        found = made(5, dims=dims).fit(given)
    with pytest.warns(UserWarning, match="all zeros"):
        wanted = made(5, dims=dims).fit(rows.astype(np.float32))
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    assert found.diagnostics_ == wanted.diagnostics_
    np.testing.assert_array_equal(found.predict(given), found.labels_)
    others = np.random.default_rng(1).normal(size=(130, 30)).astype(np.float16)
    np.testing.assert_array_equal(found.predict(others), wanted.predict(others.astype(np.float32)))
    np.testing.assert_array_equal(
        found.predict_top(others, 3), wanted.predict_top(others.astype(np.float32), 3)
    )
    for asked in (found.predict, lambda x: found.predict_top(x, 2)):
        with pytest.raises(InputError, match="7"):
            asked(rows[:, :7])


def test_what_cannot_be_used_is_refused_wherever_it_lies(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(9_000, 4))
    half = rows.astype(np.float16)
    half[[8_500, 8_700]] = np.nan
    with pytest.raises(InputError, match=r"infinity in 2 .* read together, first in row 8500"):
        made(3).fit(half)
    mapped = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=rows.shape)
    mapped[:] = rows
    mapped[8_600, 1] = 1e300
    with pytest.raises(InputError, match=r"too large in 1 .* first in row 8600 \(1e\+300\)"):
        made(3).fit(mapped)
    masked = np.ma.masked_array(rows.astype(np.float16), mask=False)
    masked[7, 3] = np.ma.masked
    with pytest.raises(InputError, match="masked in 1 rows, first in row 7"):
        made(3).fit(masked)


def test_large_sets_are_tried_on_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "LEAST_ROWS", 100)
    monkeypatch.setattr(preparation, "MOST_ROWS", 400)
    monkeypatch.setattr(preparation, "_REGION", 50)
    rows = plain.unit(groups([25] * 80, dim=80)[0])
    every, k = tried_rows(rows[:400], 16, 0)
    assert (len(every), k) == (400, 16)
    for n_clusters, drawn in ((8, 400), (6, 300), (2, 100), (1, 100)):
        few, k = tried_rows(rows, n_clusters, 0)
        assert (len(few), k) == (drawn, n_clusters) and (np.diff(few) > 0).all()
        assert n_tried(2000, n_clusters) == drawn
    near, k = tried_rows(rows, 80, 0)
    assert 50 <= len(near) <= 400 and k == round(80 * len(near) / 2000)
    assert (np.diff(near) > 0).all()
    # Regions hold whole groups; of a random part as large no group is whole.
    assert (np.bincount(near // 25, minlength=80) == 25).sum() >= 4
    np.testing.assert_array_equal(near, tried_rows(rows, 80, 0)[0])


def agreements(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, float], rows: np.ndarray, whitened: bool
) -> tuple[Preparation, dict[str, float]]:
    """What is chosen where halves agree so much; each is fitted to rows of its own space."""
    now: list[str] = []
    both = rows, -rows if whitened else None

    def trial(c: Preparation, k: int, own: np.ndarray, others: np.ndarray) -> Any:
        now.append(c.text)
        half = len(rows) // 2
        assert (k, len(own), len(others)) == (4, half, len(rows) - half)
        assert {tuple(row) for row in own} <= {tuple(row) for row in (both[c.whitened])}
        return np.zeros(len(own), dtype=int), np.zeros(len(others), dtype=int)

    def agreement(halves: Any, fitted: Any) -> float:
        fitted(*halves)
        return values[now[-1]]

    monkeypatch.setattr(halves, "halves_agreement", agreement)
    return chosen(*both, 4, trial, 0)


STRONG = "7 neighbours, 2 rounds"  # of 25 rows a cluster; 12 are tried of 24 and more


@pytest.mark.parametrize(
    ("whitened", "smoothed", "taken"),
    [
        (0.6, 0.6, (True, 7, 2)),
        (0.41, 0.32, (True, 7, 2)),  # clear is more than 0.1 of a hundred rows
        (0.41, 0.30, (True, 0, 0)),
        (0.39, 0.41, (False, 7, 2)),
        (0.39, 0.39, (False, 0, 0)),
        (None, 0.41, (False, 7, 2)),
        (None, 0.39, (False, 0, 0)),
    ],
)
def test_rows_are_whitened_and_averaged_unless_that_agrees_clearly_less(
    monkeypatch: pytest.MonkeyPatch,
    whitened: float | None,
    smoothed: float,
    taken: tuple[bool, int, int],
) -> None:
    rows = unit_rows(groups([25] * 4)[0])
    space = "whitened" if taken[0] else "l2"
    values = {"l2": 0.5, f"{space}, 12 neighbours, 2 rounds": smoothed}
    if whitened is not None:
        values["whitened"] = whitened
    best, found = agreements(monkeypatch, values, rows, whitened is not None)
    assert best == Preparation(*taken) and found == values


def test_nothing_is_asked_where_there_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit_rows(groups([13] * 4)[0])
    assert agreements(monkeypatch, {}, rows, False) == (Preparation(), {})
    assert agreements(monkeypatch, {"l2": 0.5, "whitened": 0.5}, rows, True)[0].whitened
    assert agreements(monkeypatch, {}, rows[:3], True) == (Preparation(), {})


@pytest.mark.parametrize(("k", "each", "signal", "noise"), [(100, 4, 10, 50), (20, 40, 4, 200)])
def test_whitening_that_drowns_clusters_is_not_taken(
    k: int, each: int, signal: int, noise: int
) -> None:
    """Ten neighbours of clusters of four, and neighbours in hundreds of directions of noise."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(k), each)
    centres = np.zeros((k, signal + noise))
    centres[:, :signal] = rng.normal(size=(k, signal))
    scales = np.r_[np.full(signal, 0.3), np.full(noise, 0.15)]
    rows = centres[labels] + scales * rng.normal(size=(len(labels), signal + noise))
    found = made(k).fit(rows.astype(np.float32))
    assert found.preparation_.startswith("l2") and "whitened" in found.diagnostics_["agreement"]


@pytest.mark.parametrize(
    "settings", [{"dims": 0}, {"voters": 0}, {"refinements": -1}, {"n_init": 0}, {"max_iter": 1.5}]
)
def test_settings_of_no_use_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        made(3, **settings)
