"""The statistics of `scripts/study`, against plain references."""

import math
from pathlib import Path

import numpy as np
import pytest

from clusterbench.benchmarks.targets import Hierarchy
from clusterbench.metrics import score

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


TREE = Hierarchy(
    parents=np.array([-1, 0, 0, 1, 1, 2, 2]),
    class_nodes=np.array([3, 4, 5, 6]),
    node_names=tuple("rabcdef"),
)


def test_overlap_is_the_share_of_common_ancestors():
    from study.coarser import class_overlap

    overlap = class_overlap(TREE)
    assert np.allclose(np.diag(overlap), 1)
    assert overlap[0].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])
    uneven = Hierarchy(np.array([-1, 0, 1]), np.array([0, 2]), ("r", "a", "b"))
    assert class_overlap(uneven).tolist() == [[1, 1], [pytest.approx(1 / 3), 1]]


def test_gain_against_a_loop_over_images():
    from study.coarser import class_overlap, coarser_gain

    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 300)
    first = np.where(rng.random(300) < 0.6, targets, rng.integers(0, 4, 300))
    sibling = targets ^ 1  # the other class under the same node
    second = np.where(rng.random(300) < 0.7, sibling, rng.integers(0, 4, 300))
    second = np.where(second == first, (second + 1) % 4, second)
    ranked = np.stack([first, second], axis=1)
    overlap = class_overlap(TREE)
    gains = coarser_gain(targets, [ranked, ranked], TREE)
    for rank, gain in enumerate(gains):
        shown = ranked[:, rank]  # clusters are paired with the classes of their numbers
        values = []
        for i in range(300):
            if shown[i] == targets[i]:
                continue
            others = [overlap[targets[i], z] for z in shown if z != targets[i]]
            values.append(overlap[targets[i], shown[i]] - np.mean(others))
        assert gain.value == pytest.approx(np.mean(values))
        assert gain.images == pytest.approx(1.959964 * np.std(values, ddof=1) / len(values) ** 0.5)
        assert gain.seeds == 0  # the same twice
    assert gains[1].low > 0.1  # siblings are found


def test_a_gap_is_the_difference_of_means_and_its_errors_add_up():
    from study.gaps import Gap, gap

    rng = np.random.default_rng(1)
    targets = rng.integers(0, 6, 600)

    def noisy(right, seed):
        draw = np.random.default_rng(seed)
        return np.where(draw.random(600) < right, targets, draw.integers(0, 6, 600))

    base, other = [noisy(0.4, s) for s in range(3)], [noisy(0.6, s + 9) for s in range(3)]
    found = gap(targets, base, other)
    ami = [[score(targets, p).ami for p in group] for group in (base, other)]
    assert found.value == pytest.approx(np.mean(ami[1]) - np.mean(ami[0]))
    from scipy import stats

    welch = stats.ttest_ind(ami[1], ami[0], equal_var=False).confidence_interval(0.95)
    assert found.seeds == pytest.approx((welch.high - welch.low) / 2)
    assert 0 < found.images < 0.2 and found.low > 0
    assert math.isnan(gap(targets, base[:1], other).half_width)  # one seed says nothing of seeds
    many = gap(targets, base, other, comparisons=40)
    assert (many.seeds, many.images) == (found.seeds, found.images)
    level = 1 - 0.05 / 40
    welch = stats.ttest_ind(ami[1], ami[0], equal_var=False).confidence_interval(level)
    other_images = found.images * stats.norm.ppf(1 - 0.05 / 80) / stats.norm.ppf(0.975)
    assert many.wide == pytest.approx(math.hypot((welch.high - welch.low) / 2, other_images))
    assert found.wide == pytest.approx(found.half_width)
    same = gap(targets, base[:1] * 3, other[:1] * 3)
    assert same.seeds == 0 and same.half_width == same.images > 0
    change = found - Gap(0.1, 0.03, 0.04)
    assert change.value == pytest.approx(found.value - 0.1)
    assert change.half_width == pytest.approx(math.hypot(found.half_width, 0.05))


def test_figures_in_tables():
    from study.gaps import Gap
    from study.tables import interval, mean_and_std

    assert interval(Gap(0.021, 0.003, 0.004)) == "**+2.1 (1.6 to 2.6)**"
    assert interval(Gap(-0.0001, 0.003, 0.004)) == "+0.0 (-0.5 to 0.5)"
    assert interval(Gap(0.021, 0.003, 0.004, 0.03)) == "+2.1 (1.6 to 2.6)"
    assert interval(Gap(0.02, math.nan, 0.1)) == "+2.0"
    assert interval(None) == mean_and_std([]) == "–"
    assert mean_and_std([0.5, 0.52]) == "51.0 ± 1.4"
