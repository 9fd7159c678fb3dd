"""Several clusters per image, from the method to the leaderboard, on real and on made features."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import clusterbench
from clusterbench.benchmarks.builders.imagenet_real import read_real_labels
from clusterbench.errors import InputError
from clusterbench.features.store.store import FeatureStore
from clusterbench.files import sha256_file
from clusterbench.leaderboard import read_leaderboard, submit
from clusterbench.metrics import score_hierarchy, score_label_sets, score_top
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.predictions import (
    read_predictions,
    read_top,
    rows_hash,
    write_predictions,
)
from clusterbench.results.top_predictions import UnusableTopError, top_clusters
from clusterbench.runs import read_result
from clusterbench.sources.dataset_index import DatasetIndex

QUICK = {"kmeans": {"n_init": 1, "max_iter": 5}}
BOARD = Path("board.json")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))


def run(**settings: Any) -> Any:
    request = {"methods": "kmeans", "seeds": 1, "device": "cpu", "params": QUICK, **settings}
    return clusterbench.run("multilabel", "icons-wordnet", **request)


@pytest.fixture(scope="module")
def icons(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Outcomes of k-means on both tasks of the shipped icons; read only."""
    return list(run(results=tmp_path_factory.mktemp("icons")).outcomes)


@pytest.fixture
def result(icons: list[Any], tmp_path: Path) -> Path:
    """A copy of the first result and its predictions, to be spoilt."""
    for path in (icons[0].run.path, icons[0].run.predictions_path):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / icons[0].run.path.name


def test_real_features_are_ranked_scored_and_written(icons: list[Any]) -> None:
    assert [o.run.task.name for o in icons] == ["chains", "chains-inner"]
    for outcome in icons:
        task, record = outcome.run.task, read_result(outcome.run.path)
        assert record.status == "success" and record.ranked is not None
        predictions, rows = read_predictions(outcome.run.predictions_path)
        ranked = read_top(outcome.run.predictions_path)
        assert ranked is not None and ranked.shape == (len(task.eval_rows), 5)
        np.testing.assert_array_equal(ranked[:, 0], predictions)
        assert rows == rows_hash(task.eval_rows)

        top = score_top(task.eval_targets, ranked, n_clusters=280)
        assert record.ranked.top_n_acc == top.top_n_acc
        assert record.ranked.top_n_acc[0] == record.scores.metrics["acc"]
        tree = task.hierarchy
        on_tree = score_hierarchy(task.eval_targets, ranked, tree.parents, tree.class_nodes)
        found = record.ranked.hierarchy
        assert (found.semantic_acc, found.lca_acc) == (on_tree.semantic_acc, on_tree.lca_acc)
        assert found.chains.chance == on_tree.chains.chance
        sets = score_label_sets(*tree.chains(task.eval_targets), ranked)
        assert record.ranked.chains.any_label_acc == sets.any_label_acc
        assert record.ranked.label_sets is None


def test_the_same_run_gives_the_same_bytes(icons: list[Any]) -> None:
    again = run().outcomes[0].run.predictions_path
    assert again.read_bytes() == icons[0].run.predictions_path.read_bytes()


def test_a_k_below_the_ranks_ranks_every_cluster() -> None:
    for k in (3, 1):
        outcome = run(k=k, results=f"k{k}").outcomes[0]
        assert outcome.record.ranked.n_ranks == k
        assert read_top(outcome.run.predictions_path).shape[1] == k
        assert [s.status for s in submit(outcome.run.path, BOARD)] == ["added"]


def test_the_report_has_the_ranks_below_the_table() -> None:
    report = run(params=QUICK)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert "chains · 280 classes, 5 ranked clusters per image" in lines
    chains = report.to_dict()["tasks"][0]["ranked"]["methods"][0]
    assert len(chains["ranks"]) == 5
    gain = chains["ranks"][1]["other_gain"]["mean"]
    assert 0 < gain < 0.2  # k-means on these features: coarser classes a little above chance
    json.dumps(report.to_dict(), allow_nan=False)


class TestVerified:
    def test_a_result_enters_with_its_ranked_scores(self, icons: list[Any]) -> None:
        assert [s.status for s in submit([o.run.path for o in icons], BOARD)] == ["added"] * 2
        entries = {entry.task: entry.ranked for entry in read_leaderboard(BOARD).entries}
        assert entries == {o.run.task.name: o.record.ranked for o in icons}

    def refusal(self, result: Path) -> str:
        (submission,) = submit(result, BOARD)
        assert submission.status == "refused" and not BOARD.exists()
        assert "\n" not in submission.message
        return submission.message

    @pytest.mark.parametrize(
        ("place", "value", "message"),
        [
            (("top_n_acc", 4), None, "ranked.top_n_acc.4 is recorded as"),
            (("top_n_chance", 0), None, "ranked.top_n_chance.0 is recorded as"),
            (("hierarchy", "semantic_acc"), None, "ranked.hierarchy.semantic_acc is recorded as"),
            (("hierarchy", "chains", "chance", 1), None, "ranked.hierarchy.chains.chance.1 is"),
            (("hierarchy", "levels", 2, "acc"), None, "ranked.hierarchy.levels.2.acc is"),
            (("hierarchy", "levels"), [], "ranked.hierarchy.levels is recorded as 0 values"),
            (("hierarchy",), None, "ranked.hierarchy is recorded as None, its predictions give s"),
            (("chains", "hits", 3), None, "ranked.chains.hits.3 is recorded as"),
            (("n_ranks",), 4, "ranked: top_n_acc has 5 values for 4 ranks"),
            ((), None, "its result has no ranked scores; task 'chains' scores 5 clusters"),
        ],
    )
    def test_edited_scores(
        self, result: Path, place: tuple[Any, ...], value: Any, message: str
    ) -> None:
        content = json.loads(result.read_text())
        where, last = content, "ranked"
        for step in place:
            where, last = where[last], step
        number = value is None and isinstance(where[last], float)
        where[last] = where[last] + 1e-8 if number else value
        result.write_text(json.dumps(content))
        assert message in self.refusal(result)

    def test_a_score_within_rounding_passes(self, result: Path) -> None:
        content = json.loads(result.read_text())
        content["ranked"]["top_n_acc"][1] += 1e-12
        result.write_text(json.dumps(content))
        assert [s.status for s in submit(result, BOARD)] == ["added"]

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda r: None, "no ranked clusters; task 'chains' wants (1680, 5)"),
            (lambda r: r[:, :4], "ranked clusters (1680, 4); the task wants (1680, 5)"),
            (lambda r: r[1:], "ranked clusters (1679, 5)"),
            (lambda r: r[:, ::-1], "begins with cluster"),
            (lambda r: np.repeat(r[:, :1], 5, 1), "names a cluster twice in row 0"),
            (lambda r: np.where(r == r[0, 4], 280, r), "wanted 0..279"),
            (lambda r: np.where(r == r[0, 4], -1, r), "has clusters -1.."),
        ],
    )
    def test_other_rankings(self, result: Path, spoil: Any, message: str) -> None:
        file = result.with_suffix(".npz")
        predictions, ranked = read_predictions(file)[0], read_top(file)
        task = EvidenceReader().read(result).task
        write_predictions(file, predictions, task.eval_rows, spoil(ranked))
        content = json.loads(result.read_text())
        content["predictions"]["sha256"] = sha256_file(file)
        result.write_text(json.dumps(content))
        assert message in self.refusal(result)

    def test_a_ranking_of_floats(self, result: Path) -> None:
        file = result.with_suffix(".npz")
        with np.load(file) as archive:
            np.savez(file, **{**archive, "ranked": archive["ranked"].astype(float)})
        content = json.loads(result.read_text())
        content["predictions"]["sha256"] = sha256_file(file)
        result.write_text(json.dumps(content))
        assert "ranked clusters are float64" in self.refusal(result)


def test_ranked_scores_on_a_plain_task_are_refused(
    tiny_world: SimpleNamespace, icons: list[Any]
) -> None:
    outcome = tiny_world.run(seeds=1).outcomes[0]
    assert outcome.record.ranked is None and read_top(outcome.run.predictions_path) is None
    content = json.loads(outcome.run.path.read_text())
    content["ranked"] = icons[0].record.ranked.to_dict()
    outcome.run.path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="task 'ratio-1' ranks no clusters"):
        EvidenceReader().read(outcome.run.path)


class Stub:
    n_clusters = 6

    def __init__(self, ranked: Any) -> None:
        self.ranked = ranked

    def predict_top(self, X: Any, n: int) -> Any:
        return self.ranked


@pytest.mark.parametrize(
    ("ranked", "message"),
    [
        ([[0, 1], [2, 3]], ""),
        ([[0, 1], [3, 2]], r"begins with cluster 3 in row 1, but predict says 2 \(1 of 2 rows"),
        ([[0, 0], [2, 3]], r"names a cluster twice in row 0: \[0, 0\]"),
        ([[0, 6], [2, 3]], r"has clusters 0..6; wanted 0..5"),
        ([[0, -1], [2, 3]], r"has clusters -1..3; wanted 0..5"),
        ([[0.0, 1.0], [2.0, 3.0]], r"returned float64 of shape \(2, 2\)"),
        ([[0, 1, 2], [2, 3, 4]], r"of shape \(2, 3\); expected whole numbers of shape \(2, 2\)"),
    ],
)
def test_a_methods_ranking_is_checked(ranked: Any, message: str) -> None:
    stub: Any = Stub(ranked)
    X, predictions = np.zeros((2, 1)), np.array([0, 2])
    if message:
        with pytest.raises(UnusableTopError, match=message):
            top_clusters(stub, X, predictions, 2)
    else:
        assert top_clusters(stub, X, predictions, 2).dtype == np.int32


@pytest.fixture
def imagenet(tiny_world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's data set `imagenet1k`: twelve classes, real val names, made features, a tree."""
    home = tmp_path / "home"
    folder = home / "features" / "imagenet1k"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))
    real, ids, classes, split = read_real_labels(), [], [], []
    firsts = real.labels[real.offsets[:-1].clip(max=len(real.labels) - 1)]
    for label in range(12):
        wnid = real.wnids[label]
        numbers = np.flatnonzero((firsts == label) & (np.diff(real.offsets) > 0))[:6] + 1
        names = [f"ILSVRC2012_val_{n:08d}" for n in numbers] + [f"{wnid}_{s}" for s in range(5)]
        ids += [f"{wnid}/{name}" for name in names]
        classes += [wnid] * 11
        split += [1] * 6 + [0] * 5
    ids.append(f"{real.wnids[0]}/ILSVRC2012_val_00000001")  # which has no ReaL label
    index, _ = DatasetIndex.from_samples(ids, [*classes, real.wnids[0]], [*split, 1])
    rng = np.random.default_rng(0)
    features = 2 * rng.normal(size=(12, 6))[index.labels] + rng.normal(size=(index.n, 6))
    FeatureStore.write(folder / "made", features.astype(np.float32), index, encoder="made")
    lines = ["node\tparent\tname", "root\t\troot", "a\troot\ta", "b\troot\tb"]
    lines += [f"{real.wnids[label]}\t{'ab'[label % 2]}\t" for label in range(12)]
    (folder / "tree.tsv").write_text("\n".join(lines) + "\n")
    (folder / "dataset.toml").write_text(
        'name = "imagenet1k"\ndefault_encoder = "made"\npreset = "small"\ntree = "tree.tsv"\n'
        '[stores]\nmade = "made"\n'
    )
    preset = home / "benchmarks" / "presets" / "small.toml"
    preset.parent.mkdir(parents=True)
    preset.write_text("[kmeans]\nn_init = 1\n")
    return folder


class TestImageNet:
    def test_real_and_chains_from_features_to_leaderboard(self, imagenet: Path) -> None:
        report = clusterbench.run(
            "multilabel", "imagenet1k", methods="kmeans", seeds=1, device="cpu"
        )
        real, chains = (outcome.record for outcome in report.outcomes)
        assert (real.scores.n, real.ranked.label_sets.n) == (73, 72)
        assert real.ranked.label_sets.n_labels == 1000
        assert real.ranked.hierarchy is None and chains.ranked.label_sets is None
        assert chains.ranked.hierarchy.levels[-1].depth == 2
        statuses = [s.status for s in submit([o.run.path for o in report.outcomes], BOARD)]
        assert statuses == ["added", "added"]
        text = str(report)
        assert "label hit" in text and "chain found" in text

    def test_a_method_that_ranks_nothing_fails_at_predict_and_the_rest_goes_on(
        self, imagenet: Path
    ) -> None:
        report = clusterbench.run(
            "multilabel", "imagenet1k", methods=["modulo", "kmeans"], seeds=1, device="cpu"
        )
        assert [o.status for o in report.outcomes] == ["failed", "success"] * 2
        record = read_result(report.outcomes[0].run.path)
        assert record.error.stage == "predict" and record.error.type == "NotImplementedError"
        assert record.ranked is None and not report.outcomes[0].run.predictions_path.exists()

    def test_other_names_are_one_line_and_leave_nothing(
        self, imagenet: Path, cli: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLUSTERBENCH_HOME", str(imagenet.parents[1]))
        index = FeatureStore.open(imagenet / "made").index
        ids = [index.id(row).replace("ILSVRC2012_val_", "image-") for row in range(index.n)]
        names = [index.class_names[label] for label in index.labels]
        other, _ = DatasetIndex.from_samples(ids, names, index.split)
        features = np.ones((other.n, 6), np.float32)
        FeatureStore.write(imagenet / "other", features, other, encoder="made")
        text = (imagenet / "dataset.toml").read_text()
        (imagenet / "dataset.toml").write_text(text.replace('made = "made"', 'made = "other"'))
        code, out, err = cli("run", "-b", "multilabel", "-d", "imagenet1k", "-m", "kmeans")
        assert (code, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
        assert "have no original file name (first: 'n0" in err
        assert not Path("results").exists()
