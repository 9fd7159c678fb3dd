"""Each criterion beside a plain loop, or beside scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from selection_toys import groups, nearest, unit, wrong
from sklearn.metrics import adjusted_mutual_info_score, balanced_accuracy_score
from sklearn.metrics import calinski_harabasz_score as sklearn_calinski_harabasz

from clusterbench.kmeans import row_totals
from clusterbench.selection.agreement import agreement
from clusterbench.selection.centroid_index import calinski_harabasz, pooled, silhouette
from clusterbench.selection.consistency import consistency
from clusterbench.selection.generalisation import FoldedSpace, generalisation
from clusterbench.selection.partitions import partition, placed
from clusterbench.selection.spaces import sampled, space


def plain_consistency(own: np.ndarray, labels: np.ndarray, near: np.ndarray) -> float:
    pairs = [own[i] == labels[j] for i in range(len(near)) for j in near[i]]
    chance = sum((own == c).mean() * (labels == c).mean() for c in np.unique(labels))
    return float((np.mean(pairs) - chance) / (1 - chance))


@pytest.mark.parametrize("k", [1, 7])
def test_consistency_counts_pairs_and_takes_off_what_chance_gives(k: int) -> None:
    rows = groups(6, 15, 0.5)
    labels = wrong(np.arange(6).repeat(15), 0.3)
    near = nearest(rows, rows, k, itself=True)
    found = consistency(partition(labels), near)
    assert found == pytest.approx(plain_consistency(labels, labels, near))
    clean = consistency(partition(np.arange(6).repeat(15)), near)
    assert clean > found > 0.2


def test_consistency_of_clusters_that_know_nothing_is_about_none_whatever_their_sizes() -> None:
    rows = groups(5, 400, 1.0)
    near = nearest(rows, rows, 10, itself=True)
    for odds in ([0.2] * 5, [0.8, 0.1, 0.05, 0.03, 0.02]):
        labels = np.random.default_rng(1).choice(5, len(rows), p=odds)
        assert abs(consistency(partition(labels), near)) < 0.03


def test_consistency_of_held_out_rows_looks_at_their_neighbours_among_the_others() -> None:
    rows = groups(6, 20, 0.6)
    labels = 10 + 3 * wrong(np.arange(6).repeat(20), 0.2)
    order = np.random.default_rng(0).permutation(len(rows))
    apart, kept = order[:30], order[30:]
    near = nearest(rows[apart], rows[kept], 4, itself=False)
    found = partition(labels[kept])
    value = consistency(found, near, placed(labels[apart], found, "held_out"))
    assert value == pytest.approx(plain_consistency(labels[apart], labels[kept], near))


def test_held_out_rows_in_a_cluster_that_no_row_has_agree_with_nobody() -> None:
    found = partition([4, 4, 9, 9])
    assert placed([9, 4, 7, 200_000, 0], found, "held_out").tolist() == [1, 0, -1, -1, -1]
    near = np.array([[0, 1], [0, 1], [2, 3]], dtype=np.int32)
    whole = consistency(found, near[1:], placed([4, 9], found, "held_out"))
    assert consistency(found, near, placed([7, 4, 9], found, "held_out")) < whole == 1.0


def test_agreement_is_the_mean_ami_to_the_others() -> None:
    true = np.arange(8).repeat(25)
    labels = [wrong(true, share, seed) for seed, share in enumerate((0.1, 0.3, 0.6))]
    scores = agreement([partition(one) for one in labels])
    for i, score in enumerate(scores):
        others = [adjusted_mutual_info_score(labels[i], labels[j]) for j in range(3) if j != i]
        assert score == pytest.approx(np.mean(others), abs=1e-9)
    with_one = agreement([partition(one) for one in [*labels, np.zeros(200, int)]])
    assert np.array_equal(with_one[:3], scores)
    assert np.isnan(with_one[3])
    assert agreement([partition(true)]).tolist() == [0.0]


def plain_silhouette(rows: np.ndarray, labels: np.ndarray) -> float:
    """The mean of the cluster without the row, by its definition."""
    used = np.unique(labels)
    values = []
    for i, own in enumerate(labels):
        others = np.flatnonzero((labels == own) & (np.arange(len(rows)) != i))
        if not len(others):
            values.append(0.0)
            continue
        a = np.linalg.norm(rows[i] - rows[others].mean(axis=0))
        b = min(np.linalg.norm(rows[i] - rows[labels == c].mean(axis=0)) for c in used if c != own)
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_silhouette_is_that_of_any_partition(share: float) -> None:
    """Also where rows are nearer to another mean than to their own."""
    rows = groups(5, 12, 0.4)
    labels = wrong(np.arange(5).repeat(12), share)
    labels[0] = 77  # alone
    seen = space(rows, len(rows))
    found = silhouette(seen, partition(labels), np.arange(len(rows)))
    assert found == pytest.approx(plain_silhouette(unit(rows), labels), abs=1e-5)


def test_a_sample_of_rows_has_about_the_silhouette_of_all() -> None:
    rows = groups(10, 400, 0.8)
    found, seen = partition(wrong(np.arange(10).repeat(400), 0.2)), space(rows, len(rows))
    numbers = sampled(len(rows), 1000, 5)
    assert len(np.unique(numbers)) == 1000
    whole = silhouette(seen, found, np.arange(len(rows)))
    assert silhouette(seen, found, numbers) == pytest.approx(whole, abs=0.03)
    assert np.array_equal(sampled(50, 50, 5), np.arange(50))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_calinski_harabasz_is_scikit_learns(share: float) -> None:
    rows = groups(5, 30, 0.4)
    labels = wrong(np.arange(5).repeat(30), share)
    found = calinski_harabasz(space(rows, len(rows)), partition(labels))
    assert found == pytest.approx(sklearn_calinski_harabasz(unit(rows), labels), rel=1e-4)


def test_calinski_harabasz_of_rows_that_are_their_means_is_infinite() -> None:
    rows = np.eye(4, dtype=np.float32).repeat(3, axis=0)
    assert calinski_harabasz(space(rows, 12), partition(np.arange(4).repeat(3))) == np.inf
    assert np.isnan(calinski_harabasz(space(rows, 12), partition(np.arange(12))))


def plain_generalisation(rows: np.ndarray, labels: np.ndarray, parts: list[np.ndarray]) -> float:
    """Each row to the nearest whitened mean of the rows that are not in its fold."""
    said = np.empty(len(rows), dtype=np.int64)
    for part in parts:
        rest = np.setdiff1d(np.arange(len(rows)), part)
        covariance = np.cov(rows[rest].T, bias=True)
        covariance += 0.1 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        inverse = np.linalg.inv(covariance)
        means = {c: rows[rest][labels[rest] == c].mean(axis=0) for c in np.unique(labels[rest])}
        for i in part:
            away = {c: (rows[i] - m) @ inverse @ (rows[i] - m) for c, m in means.items()}
            said[i] = min(away, key=lambda c: away[c])
    k = len(np.unique(labels))
    return float((balanced_accuracy_score(labels, said) - 1 / k) / (1 - 1 / k))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("folds", [2, 10])
def test_generalisation_is_a_whitened_nearest_mean_of_the_other_folds(
    share: float, folds: int
) -> None:
    rows = groups(4, 25, 0.8, dim=5)
    labels = wrong(np.arange(4).repeat(25), share)
    labels[3] = 9  # alone, so never found again
    folded = FoldedSpace.of(space(rows, 100), np.arange(100), folds, 3)
    assert np.array_equal(np.sort(np.concatenate(folded.parts)), np.arange(100))
    expected = plain_generalisation(unit(rows), labels, folded.parts)
    assert generalisation(folded, partition(labels)) == pytest.approx(expected, abs=1e-9)


def test_rows_that_are_not_drawn_are_taught_and_not_asked_for() -> None:
    rows = groups(4, 50, 0.8, dim=5)
    labels = wrong(np.arange(4).repeat(50), 0.2)
    folded = FoldedSpace.of(space(rows, 200), np.arange(0, 200, 2), 5, 0)
    asked = np.sort(np.concatenate(folded.parts))
    assert np.array_equal(asked, np.arange(0, 200, 2))
    wide, said = unit(rows), []
    for part in folded.parts:
        rest = np.setdiff1d(np.arange(200), part)
        covariance = np.cov(wide[rest].T, bias=True)
        covariance += 0.1 * np.trace(covariance) / 5 * np.eye(5)
        means = np.array([wide[rest][labels[rest] == c].mean(axis=0) for c in range(4)])
        gaps = wide[part][:, None] - means
        away = np.einsum("ikd,de,ike->ik", gaps, np.linalg.inv(covariance), gaps)
        said.append((part, away.argmin(axis=1)))
    found = np.empty(200, dtype=np.int64)
    for part, clusters in said:
        found[part] = clusters
    accuracy = balanced_accuracy_score(labels[asked], found[asked])
    value = generalisation(folded, partition(labels))
    assert value == pytest.approx((accuracy - 0.25) / 0.75, abs=1e-9)


def test_whitening_comes_to_the_same_bits_in_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = groups(9, 100, 0.8, dim=30)
    monkeypatch.setattr(row_totals, "_READ", 100)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(row_totals, "torch_threads", lambda threads=threads: threads)
        folded = FoldedSpace.of(space(rows, 900), np.arange(900), 4, 0)
        found.append([part.tobytes() for part in (*folded.whitening, *folded.asked)])
    assert found[0] == found[1]


def test_clusters_of_noise_do_not_generalise() -> None:
    rows = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 6, 600)
    folded = FoldedSpace.of(space(rows, 600), np.arange(600), 10, 0)
    assert abs(generalisation(folded, partition(labels))) < 0.06


def test_pooling_averages_ranks_or_standardised_values_of_those_that_are_in() -> None:
    values = np.array([[0.1, 0.5, np.nan, 0.3], [7.0, 7.0, np.nan, 1.0]])
    assert pooled(values)[[0, 1, 3]].tolist() == [1.75, 2.75, 1.5]
    ins = values[:, [0, 1, 3]]
    scaled = (ins - ins.mean(axis=1, keepdims=True)) / ins.std(axis=1, keepdims=True)
    assert pooled(values, "standardize")[[0, 1, 3]] == pytest.approx(scaled.mean(axis=0))
    assert np.isnan(pooled(values)[2])
    assert np.array_equal(pooled(values[:1]), values[0], equal_nan=True)
    assert np.isnan(pooled(np.full((2, 3), np.nan))).all()
    assert pooled(np.array([[1.0, np.inf], [2.0, 3.0]]), "standardize").tolist() == [-0.5, 0.5]
