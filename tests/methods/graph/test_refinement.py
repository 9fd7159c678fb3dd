"""Witnesses of a row's cluster, beside plain loops in float64."""

from __future__ import annotations

import math

import graph_plain as plain
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.methods.graph.links import Links, Neighbourhood
from clusterbench.methods.graph.refinement import (
    SHRINKAGE,
    Discriminant,
    Witnesses,
    spread_of,
    vote_weights,
)

CPU = torch.device("cpu")
VOTES, DISCRIMINANT, SAID = WEIGHTS = (0.9, 0.6, 0.2)


def shares_plain(
    rows: np.ndarray, labels: np.ndarray, k: int, new: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Fisher's discriminant with a shrunken common scatter, cluster after cluster that is asked."""
    rows, new = rows.astype(np.float64), new.astype(np.float64)
    dim = rows.shape[1]
    there = [c for c in range(k) if (labels == c).any()]
    means = {c: rows[labels == c].mean(axis=0) for c in there}
    scatter = np.zeros((dim, dim))
    for row, label in zip(rows, labels, strict=True):
        away = row - means[label]
        scatter += np.outer(away, away) / len(rows)
    mean = np.trace(scatter) / dim
    scatter = (1 - SHRINKAGE) * scatter + SHRINKAGE * mean * np.eye(dim)
    inverse = np.linalg.inv(scatter)
    shares = np.zeros((len(new), k))
    for i, row in enumerate(new):
        some = {c: means[c] for c in set(asked[i].tolist()) if c in means}
        logits = {c: row @ inverse @ m - 0.5 * m @ inverse @ m for c, m in some.items()}
        top = max(logits.values())
        total = sum(math.exp(value - top) for value in logits.values())
        for c, value in logits.items():
            shares[i, c] = math.exp(value - top) / total
    return shares


def votes_plain(links: Links, clusters: np.ndarray, k: int, spread: float) -> np.ndarray:
    """Neighbours' shares, neighbour after neighbour."""
    votes = np.zeros((len(links.ids), k))
    for i, (ids, counted, near) in enumerate(zip(*links.arrays, strict=True)):
        weights = [
            math.exp(float(s) / spread) if c else 0.0 for s, c in zip(near, counted, strict=True)
        ]
        for j, weight in zip(ids, weights, strict=True):
            votes[i, clusters[j]] += weight / sum(weights) if sum(weights) else 0.0
    return votes


@pytest.mark.parametrize("empty", [False, True])
def test_scores_are_those_of_plain_loops(empty: bool) -> None:
    rows, new = plain.blobs(90, 5), plain.blobs(31, 5, seed=1)
    labels = np.random.default_rng(0).integers(0, 4, 90)
    k = 6 if empty else 4
    near = Neighbourhood(rows, rows, plain.unit(rows), 7, False, "cpu")
    links, _ = near.of(new, plain.unit(new))
    said = np.random.default_rng(1).integers(0, 4, 31)
    spread = spread_of(near.links)
    witnesses = Witnesses(labels, Discriminant.of(rows, labels, k), spread, k, WEIGHTS)
    asked = np.hstack([labels[links.ids], said[:, None]])
    wanted = VOTES * votes_plain(links, labels, k, spread)
    wanted += DISCRIMINANT * shares_plain(rows, labels, k, new, asked)
    wanted[np.arange(31), said] += SAID
    blocks = [(c.numpy(), s.numpy()) for _, c, s in witnesses.scores(new, links, said, CPU)]
    candidates, found = (np.concatenate(part) for part in zip(*blocks, strict=True))
    np.testing.assert_array_equal(candidates, asked)
    np.testing.assert_allclose(found, np.take_along_axis(wanted, asked, axis=1), atol=2e-4)
    best = np.where(np.isin(np.arange(k), asked[0]), wanted[0], -1).argmax()
    told = witnesses.told(new, links, said, CPU)
    assert told[0] == best
    for row, cluster in enumerate(told):
        there = set(asked[row].tolist())
        assert cluster in there and wanted[row, cluster] >= max(wanted[row, list(there)]) - 1e-4


def test_ranks_are_by_score_and_further_clusters_follow() -> None:
    rows, new = plain.blobs(90, 5), plain.blobs(31, 5, seed=1)
    labels = np.random.default_rng(0).integers(0, 4, 90)
    near = Neighbourhood(rows, rows, plain.unit(rows), 3, False, "cpu")
    links, _ = near.of(new, plain.unit(new))
    witnesses = Witnesses(labels, Discriminant.of(rows, labels, 4), 0.1, 4, WEIGHTS)
    said = np.argsort(np.random.default_rng(1).random((31, 4)), axis=1)
    ranked = witnesses.ranked(new, links, said, 4, CPU)
    assert (np.sort(ranked, axis=1) == np.arange(4)).all()
    for _, candidates, score in witnesses.scores(new, links, said, CPU):
        for row in range(31):
            by = dict(zip(candidates[row].tolist(), score[row].tolist(), strict=True))
            values = [by[c] for c in ranked[row].tolist()]
            assert values == sorted(values, reverse=True)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = plain.blobs(70, 4)
    labels = np.random.default_rng(0).integers(0, 3, 70)
    near = Neighbourhood(rows, rows, plain.unit(rows), 5, False, "cpu")
    witnesses = Witnesses(
        labels, Discriminant.of(rows, labels, 3), spread_of(near.links), 3, WEIGHTS
    )
    whole = witnesses.told(rows, near.links, labels, CPU)
    monkeypatch.setattr("clusterbench.methods.graph.refinement._NUMBERS", 6 * 6 * 11)
    np.testing.assert_array_equal(witnesses.told(rows, near.links, labels, CPU), whole)


def test_an_empty_cluster_is_never_told() -> None:
    rows = plain.blobs(40, 3)
    labels = np.where(np.arange(40) < 20, 0, 2)
    asked = torch.tensor([[0, 1, 2]]).expand(40, 3)
    shares = Discriminant.of(rows, labels, 3).shares(torch.from_numpy(rows), asked)
    assert (shares[:, 1] == 0).all()
    np.testing.assert_allclose(shares.sum(dim=1), 1.0, atol=1e-6)
    twice = torch.cat([asked, asked[:, :1]], dim=1)  # one that is asked twice counts once
    again = Discriminant.of(rows, labels, 3).shares(torch.from_numpy(rows), twice)
    np.testing.assert_allclose(again, torch.cat([shares, shares[:, :1]], dim=1), atol=1e-6)


@pytest.mark.parametrize("rows", [np.ones((6, 3), "f4"), np.repeat(np.eye(3, dtype="f4"), 2, 0)])
def test_clusters_of_equal_rows_have_no_discriminant(rows: np.ndarray) -> None:
    assert Discriminant.of(rows, np.array([0, 0, 1, 1, 2, 2]), 3) is None


@settings(max_examples=60)
@given(
    m=st.integers(1, 6),
    k=st.integers(0, 5),
    spread=st.sampled_from([0.0, 1e-6, 0.1, 10.0]),
    seed=st.integers(0, 999),
)
def test_votes_sum_to_one_and_the_nearest_has_the_largest(
    m: int, k: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    near, counted = rng.uniform(-1, 1, (m, k)).astype("f4"), rng.random((m, k)) < 0.7
    weights = vote_weights(near, counted, spread)
    assert (weights[~counted] == 0).all() and np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=1), counted.any(axis=1), atol=1e-5)
    for row, similarity, which in zip(weights, near, counted, strict=True):
        if which.any():
            assert row[which].max() == row[np.where(which, similarity, -9).argmax()]


def test_spread_is_the_mean_reach_of_counted_neighbours() -> None:
    near = np.array([[0.9, 0.5, 0.1], [0.8, 0.2, 0.6], [0.7, 0.3, 0.3]], dtype="f4")
    counted = np.array([[True, True, False], [True, True, True], [True, False, False]])
    links = Links(np.zeros((3, 3), "i4"), counted, near)
    assert spread_of(links) == pytest.approx((0.4 + 0.6) / 2, abs=1e-6)
    assert spread_of(Links.none(3)) == 0.0
