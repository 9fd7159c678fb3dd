import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from clusterbench.benchmarks.difficulty import cross_fitted_probe as probe
from clusterbench.benchmarks.difficulty.class_ranking import ProbeSettings
from clusterbench.benchmarks.difficulty.cross_fitted_probe import (
    fit_weights,
    gradient,
    probe_correct,
)
from clusterbench.benchmarks.difficulty.probe_arithmetic import (
    MAX_WEIGHT,
    PROBABILITY_BITS,
    WEIGHT_BITS,
    grid_probabilities,
    grid_weights,
    largest_eigenvalue_bound,
)
from clusterbench.benchmarks.difficulty.unit_integers import (
    MAX_NORM,
    NORM,
    scaled_unit_integers,
    unit_integers,
)
from clusterbench.errors import InputError


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


def classes(seed=0, n_classes=12, per_class=9, dim=24, noise=1.2, offset=2.0):
    """Clouds around random centres that share an offset, as an encoder's features do."""
    rng = generator(seed)
    labels = np.repeat(np.arange(n_classes), per_class)
    centres = rng.standard_normal((n_classes, dim))
    scatter = noise * rng.standard_normal((len(labels), dim))
    features = (centres[labels] + scatter + offset).astype(np.float32)
    return features, labels, np.arange(len(labels)) % 3


def rows_of(features, labels, block_rows=1000):
    everything = np.ones(len(labels), dtype=bool)
    integers = scaled_unit_integers(unit_integers(features), everything)
    n_classes = int(labels.max()) + 1
    return probe._Rows(torch.tensor(integers), torch.tensor(labels), n_classes, block_rows)


def objective(weights, rows, l2):
    logits = rows.features.double() / NORM @ weights.T
    loss = torch.nn.functional.cross_entropy(logits, rows.labels)
    return loss + l2 / 2 * weights.square().sum()


@given(st.integers(0, 999), st.integers(1, 300), st.sampled_from([1e-30, 1.0, 1e30]))
@settings(max_examples=30)
def test_integers_point_where_the_features_do_at_any_scale(seed, dim, scale):
    features = generator(seed).standard_normal((5, dim)).astype(np.float32)
    integers = unit_integers(features * np.float32(scale)).astype(np.float64)
    exact = features.astype(np.float64)
    exact *= NORM / np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.abs(integers - exact).max() <= 0.502
    assert np.linalg.norm(integers, axis=1).max() <= MAX_NORM
    shuffled = generator(seed).permutation(dim)
    assert (unit_integers(features[:, shuffled]) == unit_integers(features)[:, shuffled]).all()


def scaled(unit, fitted):
    """In floating point what `scaled_unit_integers` does."""
    rows = unit - unit[fitted].mean(axis=0, dtype=np.float64)
    deviation = unit[fitted].std(axis=0, dtype=np.float64)
    rows /= np.sqrt(np.maximum(deviation, 1e-3 * deviation.max()))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_scaled_integers_are_centred_and_scaled_by_the_fitted_rows():
    features, _, folds = classes()
    features[:, 3], features[:, 5] = 1, features[:, 5] * 20
    units = unit_integers(features)
    found = scaled_unit_integers(units, folds != 0)
    assert np.abs(found - NORM * scaled(units, folds != 0)).max() <= 0.502
    some = scaled_unit_integers(units, folds != 0, folds == 0)
    assert (some == found[folds == 0]).all()
    same = unit_integers(np.full((4, 3), 5.0))
    assert not scaled_unit_integers(same, np.ones(4, dtype=bool)).any()


@pytest.mark.parametrize("n_classes", [2, 7, 300, 3000])
def test_probabilities_are_those_of_softmax(n_classes):
    logits = 5 * generator(n_classes).standard_normal((20, n_classes))
    integers = torch.tensor(np.rint(logits * (NORM << WEIGHT_BITS)))
    found = grid_probabilities(integers.clone())
    wanted = torch.softmax(torch.tensor(logits), dim=1) * (1 << PROBABILITY_BITS)
    assert (found == found.round()).all()
    assert float((found - wanted).abs().max()) <= 2
    moved = generator(1).permutation(n_classes)
    assert (grid_probabilities(integers[:, moved].clone()) == found[:, moved]).all()


def test_weights_are_clipped_so_that_every_logit_is_exact():
    grid = grid_weights(torch.tensor([[1e9, -1e9, 2.0**-22, 1.0]], dtype=torch.float64))
    limit = MAX_WEIGHT << WEIGHT_BITS
    assert grid.tolist() == [[limit, -limit, 1, 1 << WEIGHT_BITS]]
    assert MAX_NORM * limit * 36_864**0.5 < 2**53


@given(st.integers(0, 999), st.integers(1, 60), st.floats(0.01, 100))
@settings(max_examples=40)
def test_the_bound_is_above_the_largest_eigenvalue_and_near_it(seed, dim, spread):
    factor = generator(seed).standard_normal((dim, dim)) * np.linspace(1, spread, dim) * 1000
    gram = np.rint(factor.T @ factor)
    largest = np.linalg.eigvalsh(gram)[-1]
    bound = largest_eigenvalue_bound(torch.tensor(gram))
    assert largest <= bound * (1 + 1e-9)
    assert bound <= 1.1 * largest
    assert largest_eigenvalue_bound(torch.zeros((dim, dim), dtype=torch.float64)) == 0


def test_the_gradient_is_that_of_autograd():
    features, labels, _ = classes()
    rows = rows_of(features, labels, block_rows=17)
    weights = torch.tensor(3 * generator(1).standard_normal((12, 24)), requires_grad=True)
    objective(weights, rows, 1e-3).backward()
    found = gradient(rows, weights.detach(), 1e-3)
    assert float((found - weights.grad).abs().max()) < 2e-6
    assert float(weights.grad.abs().max()) > 1e-2


@pytest.mark.parametrize("noise", [0.3, 1.2, 3.0])
def test_the_loss_comes_near_the_optimum_of_scikit_learn(noise):
    features, labels, _ = classes(noise=noise, n_classes=20, per_class=12)
    rows = rows_of(features, labels)
    l2 = 1e-4
    weights = fit_weights(rows, ProbeSettings(l2=l2))
    reference = LogisticRegression(
        C=1 / (l2 * len(labels)), fit_intercept=False, tol=1e-9, max_iter=5000
    )
    reference.fit(rows.features.double().numpy() / NORM, labels)
    best = float(objective(torch.tensor(reference.coef_), rows, l2))
    start = float(objective(torch.zeros_like(weights), rows, l2))
    found = float(objective(weights, rows, l2))
    assert best - 1e-4 <= found <= best + 0.01 * (start - best)


@pytest.mark.parametrize(("seed", "noise", "offset"), [(0, 1.5, 0), (1, 2.5, 3), (2, 1.0, 10)])
def test_held_out_accuracy_is_that_of_scikit_learn(seed, noise, offset):
    features, labels, folds = classes(seed, 25, 30, 32, noise, offset)
    found = probe_correct(features, labels, folds, 25)
    reference = np.zeros(len(labels), dtype=bool)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for fold in range(3):
        fitted = folds != fold
        rows = scaled(unit, fitted)
        model = LogisticRegression(C=1 / (1e-5 * fitted.sum()), fit_intercept=False, max_iter=5000)
        model.fit(rows[fitted], labels[fitted])
        reference[~fitted] = model.predict(rows[~fitted]) == labels[~fitted]
    assert 0.3 < reference.mean() < 1
    assert found.mean() == pytest.approx(reference.mean(), abs=0.015)
    assert (found == reference).mean() > 0.97


def test_order_of_rows_dimensions_and_classes_threads_and_blocks_change_nothing(monkeypatch):
    features, labels, folds = classes(noise=2.0, n_classes=15, per_class=20)
    plain = probe_correct(features, labels, folds, 15)
    assert 0.2 < plain.mean() < 0.95
    rng = generator(3)
    rows, dims, names = rng.permutation(300), rng.permutation(24), rng.permutation(15)
    moved = probe_correct(features[rows][:, dims], names[labels[rows]], folds[rows], 15)
    assert (moved == plain[rows]).all()
    threads = torch.get_num_threads()
    try:
        for n_threads, cells in ((1, 1), (2, 1 << 11), (3, 1 << 20)):
            torch.set_num_threads(n_threads)
            monkeypatch.setattr(probe, "_LEAST_ROWS", 16)
            monkeypatch.setattr(probe, "_CPU_CELLS", cells)
            assert (probe_correct(features, labels, folds, 15) == plain).all()
    finally:
        torch.set_num_threads(threads)


def test_weights_are_the_same_bit_for_bit_in_any_blocks():
    features, labels, _ = classes(noise=2.0)
    settings = ProbeSettings(steps=30)
    weights = fit_weights(rows_of(features, labels), settings)
    order = generator(0).permutation(len(labels))
    again = fit_weights(rows_of(features[order], labels[order], 16), settings)
    assert weights.numpy().tobytes() == again.numpy().tobytes()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_answer_bit_for_bit():
    features, labels, _ = classes(noise=2.0, n_classes=60, per_class=12)
    rows = rows_of(features, labels)
    there = probe._Rows(rows.features.cuda(), rows.labels.cuda(), rows.n_classes, 1 << 20)
    weights = fit_weights(rows, ProbeSettings())
    assert weights.numpy().tobytes() == fit_weights(there, ProbeSettings()).cpu().numpy().tobytes()


def test_what_cannot_be_told_apart_counts_as_not_recognised():
    features, labels = np.ones((12, 4)), np.arange(12) % 2
    assert not probe_correct(features, labels, np.arange(12) // 2 % 3, 2).any()


def test_progress_counts_the_steps_of_all_folds():
    features, labels, folds = classes()
    seen = []
    settings = ProbeSettings(steps=4)
    probe_correct(
        features, labels, folds, 12, settings=settings, progress=lambda *a: seen.append(a)
    )
    assert seen == [(done, 12) for done in range(1, 13)]


def test_unusable_input_is_refused(monkeypatch):
    features, labels, folds = classes()
    with pytest.raises(InputError, match="1 folds should be >= 2"):
        probe_correct(features, labels, np.zeros_like(folds), 12)
    with pytest.raises(InputError, match="sample 0 are zero or not finite"):
        probe_correct(features * np.nan, labels, folds, 12)
    monkeypatch.setattr(probe, "MAX_ROWS", 100)
    with pytest.raises(InputError, match="108 images should be < 100 for exact gradients"):
        probe_correct(features, labels, folds, 12)
    for wrong in ({"steps": 0}, {"l2": 0.0}, {"l2": 1.0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            ProbeSettings(**wrong)
