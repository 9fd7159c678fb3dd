"""Given ranked clusters: what each rank finds beside the image's own class, told by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusterbench.benchmarks.targets import Hierarchy, LabelSets
from clusterbench.results.top_scoring import top_scores
from clusterbench.runs.plan import FeatureSource
from clusterbench.runs.reporting.report import RunReport
from clusterbench.runs.reporting.top_summary import other_share, summarise_top

N_CLASSES = 8
# Classes 0..7 are the leaves of a binary tree of depth 3; nodes 8..14 stand above them.
TREE = Hierarchy(
    parents=np.array([8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, -1]),
    class_nodes=np.arange(N_CLASSES),
    node_names=tuple(f"n{i}" for i in range(15)),
)


def ranking(seed: int, siblings: float = 0.5, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and rankings that are mostly right first and name a sibling second that often."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % N_CLASSES
    ranked = np.array([rng.permutation(N_CLASSES) for _ in range(n)])
    for row, own in zip(ranked, targets.tolist(), strict=True):
        wanted = [own] if rng.random() < 0.7 else []
        wanted += [own ^ 1] if rng.random() < siblings else []
        row[:] = wanted + [c for c in row if c not in wanted]
    return targets.astype(np.int32), ranked[:, :3].astype(np.int32)


def share(own: int, named: int) -> float:
    """How much of the chain of a class another class shares."""
    labels, offsets = TREE.chains(np.array([own, named]))
    chain, other = labels[: offsets[1]].tolist(), labels[offsets[1] :].tolist()
    return len(set(chain) & set(other)) / len(chain)


SHARES = np.array([[share(a, b) for b in range(N_CLASSES)] for a in range(N_CLASSES)])


@pytest.mark.parametrize("seed", range(4))
def test_the_share_beside_the_own_class_is_the_mean_over_such_images(seed: int) -> None:
    targets, ranked = ranking(seed)
    record = top_scores(targets, ranked, N_CLASSES, hierarchy=TREE)
    assert record.hierarchy is not None
    chains = record.hierarchy.chains
    for rank in (1, 2, 3):
        named = ranked[:, rank - 1]  # cluster c stands for class c: most of it are its images
        others = named != targets
        by_hand = SHARES[targets, named][others].mean()
        assert other_share(chains.chain_share, record.top_n_acc, rank) == pytest.approx(by_hand)
        # Chance: the cluster of any image beside the class of any image.
        pairs, apart = SHARES[targets][:, named], targets[:, None] != named[None, :]
        by_hand = pairs[apart].sum() / apart.sum()
        assert other_share(chains.chance, record.top_n_chance, rank) == pytest.approx(by_hand)


def test_no_image_beside_the_own_class_has_no_share() -> None:
    assert other_share((1.0,), (1.0,), 1) is None


def outcome(method: str, seed: int, record: Any, **task: Any) -> Any:
    named = {"name": "chains", "n_classes": N_CLASSES, "eval_rows": range(400), "n_ranks": 3}
    run = SimpleNamespace(
        task=SimpleNamespace(**{**named, **task}),
        method=SimpleNamespace(name=method, reference=False),
        k=N_CLASSES,
        scored_rows=range(400),
    )
    scores = SimpleNamespace(
        metrics=dict.fromkeys(("acc", "nmi", "ami", "ari"), 0.5), intervals=None
    )
    floor = dict.fromkeys(("acc", "nmi", "ami", "ari"), 0.05)
    held = SimpleNamespace(scores=scores, random_floor=floor, ranked=record) if record else None
    return SimpleNamespace(run=run, record=held, status="success" if record else "missing")


def report(outcomes: list[Any]) -> RunReport:
    return RunReport(
        benchmark="multilabel",
        dataset="toy",
        features=FeatureSource("enc", "", 8),
        preset="laptop",
        seeds=(0, 1),
        protocol="train->val",
        strategy="only-missing",
        results=Path("results"),
        dry_run=False,
        outcomes=tuple(outcomes),
    )


def records(siblings: float) -> list[Any]:
    return [top_scores(*ranking(seed, siblings), N_CLASSES, hierarchy=TREE) for seed in range(2)]


def test_rank_two_stands_out_where_it_names_siblings_and_not_where_it_knows_nothing() -> None:
    outcomes = [outcome("siblings", s, r) for s, r in enumerate(records(1.0))]
    outcomes += [outcome("blind", s, r) for s, r in enumerate(records(0.0))]
    siblings, blind = summarise_top(outcomes)["chains"].rows
    gain = siblings.ranks[1].figures["other_gain"]
    assert gain.mean > 0.2 and gain.std is not None
    assert abs(blind.ranks[1].figures["other_gain"].mean) < 0.05
    document = siblings.to_dict()
    assert [row["rank"] for row in document["ranks"]] == [1, 2, 3]
    assert document["scores"]["semantic_acc"]["values"] == [
        r.hierarchy.semantic_acc for r in records(1.0)
    ]


def test_a_missing_seed_leaves_no_figures() -> None:
    first, _ = records(0.5)
    (row,) = summarise_top([outcome("a", 0, first), outcome("a", 1, None)])["chains"].rows
    assert not row.complete
    assert row.to_dict() == {"method": "a", "complete": False, "scores": None, "ranks": None}


def test_plain_tasks_have_no_ranked_part() -> None:
    assert summarise_top([outcome("a", 0, records(0.5)[0], n_ranks=1)]) == {}


class TestTables:
    def test_chains_fit_eighty_columns_with_every_figure(self) -> None:
        outcomes = [
            outcome(name, s, r)
            for name, siblings in (("hierarchical-kmeans-v2", 0.9), ("beta", 0.1))
            for s, r in enumerate(records(siblings))
        ]
        lines = report(outcomes).text().splitlines()
        assert max(map(len, lines)) <= 80
        at = next(i for i, line in enumerate(lines) if "coarser" in line)
        headings = "method rank chain found chance coarser node hit chance"
        assert " ".join(lines[at].split()) == headings
        assert [line.count("±") for line in lines[at + 2 : at + 5]] == [3, 3, 3]
        assert "chains · 8 classes, 3 ranked clusters per image" in lines
        assert any(line.startswith("beta") and line.count("±") == 5 for line in lines)

    def test_label_sets_without_a_tree(self) -> None:
        rng = np.random.default_rng(0)
        sets = [rng.choice(9, rng.integers(0, 3), replace=False) for _ in range(400)]
        labels = LabelSets(
            np.concatenate(sets), np.cumsum([0, *map(len, sets)]), tuple("abcdefghi")
        )
        found = [top_scores(*ranking(s), N_CLASSES, label_sets=labels) for s in range(2)]
        lines = report([outcome("a", s, r) for s, r in enumerate(found)]).text().splitlines()
        assert max(map(len, lines)) <= 80
        assert any("label hit" in line for line in lines)
        assert not any("semantic" in line or "chain found" in line for line in lines)

    def test_without_a_result_there_is_no_table(self) -> None:
        assert "ranked clusters" not in report([outcome("a", 0, None)]).text()
