"""Many results of a made-up data set with many classes, written without a single fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clusterbench.benchmarks.task import Task
from clusterbench.features.store.store import FeatureStore
from clusterbench.files import sha256_file
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.predictions import write_predictions
from clusterbench.results.record import (
    Environment,
    FeaturesRecord,
    MethodRecord,
    PredictionsRecord,
    ResultRecord,
    TaskRecord,
    Timings,
    run_key,
    write_result,
)
from clusterbench.results.scoring import floor, split_scores
from clusterbench.sources.dataset_index import DatasetIndex

LONG = "a name that is long enough to be cut where it is shown, of "

_BENCHMARK = """
name = "wide"
title = "Wide"
question = "Does it fit?"
description = "Many classes."

[datasets.wide]
tasks = [
  { name = "ratio-1", builder = "ratio", ratio = 1 },
  { name = "ratio-2", builder = "ratio", ratio = 2 },
  { name = "ratio-3", builder = "ratio", ratio = 3 },
  { name = "ratio-4", builder = "ratio", ratio = 4 },
]

[datasets.wide.defaults.ratio]
series = [1, 2, 3, 4]
n_classes = N_CLASSES
images_per_class = 4
eval_per_class = 2
"""

_DATASET = """
name = "wide"
default_encoder = "noise"
preset = "tiny"

[stores]
noise = "noise"
"""


def write_many(
    home: Path, folder: Path, n_classes: int = 1000, n_methods: int = 10, n_seeds: int = 5
) -> DatasetIndex:
    """Results on four tasks, of the data set "wide" in a folder that `CLUSTERBENCH_HOME` names."""
    dataset = home / "features" / "wide"
    dataset.mkdir(parents=True)
    (dataset / "dataset.toml").write_text(_DATASET)
    (home / "benchmarks").mkdir(exist_ok=True)
    (home / "benchmarks" / "wide.toml").write_text(_BENCHMARK.replace("N_CLASSES", str(n_classes)))
    rng = np.random.default_rng(0)
    classes = np.repeat([f"{LONG}class {c}" for c in range(n_classes)], 12)
    ids = [f"{name}/{number:05d}" for number, name in enumerate(classes)]
    split = np.tile(np.r_[np.zeros(9), np.ones(3)].astype(np.uint8), n_classes)
    index, _ = DatasetIndex.from_samples(ids, classes, split)
    features = rng.normal(size=(index.n, 2)).astype(np.float32)
    FeatureStore.write(dataset / "noise", features, index, encoder="noise")
    identity = FeatureStore.open(dataset / "noise").identity
    for task in EvidenceReader().tasks("wide", "wide").values():
        lowest = floor(task.eval_targets, task.n_classes)
        for method in range(n_methods):
            for seed in range(n_seeds):
                _write(folder, task, identity, method, seed, lowest)
    return index


def _write(
    folder: Path, task: Task, identity: str, method: int, seed: int, lowest: dict[str, float]
) -> None:
    rng = np.random.default_rng((method, seed))
    k, targets = task.n_classes, task.eval_targets
    wrong = rng.random(len(targets)) < 0.05 * (method + 1)
    clusters = np.where(wrong, rng.integers(0, k, len(targets)), targets).astype(np.int32)
    place = folder / task.name / f"m{method}" / f"seed-{seed}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(place.with_suffix(".npz"), clusters, task.eval_rows)
    scores = split_scores(targets, clusters, k, k, train_targets=task.train_targets)
    train = split_scores(task.train_targets, task.train_targets, k, k)
    name, params = f"method-{method}", {"a setting": LONG, "number": method}
    record = ResultRecord(
        status="success",
        key=run_key(
            manifest_hash=task.manifest_hash,
            feature_identity=identity,
            method=name,
            version=1,
            params=params,
            seed=seed,
            k=k,
        ),
        benchmark=task.benchmark,
        dataset=task.dataset,
        index_hash=task.index_hash,
        task=TaskRecord(
            name=task.name,
            manifest_hash=task.manifest_hash,
            n_classes=k,
            n_train=len(task.train_rows),
            n_eval=len(task.eval_rows),
            factors={key: float(value) for key, value in task.factors.items()},
        ),
        features=FeaturesRecord(encoder="noise", identity=identity, dim=2),
        method=MethodRecord(name=name, version=1, params=params),
        seed=seed,
        k=k,
        scores=scores,
        train_scores=train,
        random_floor=lowest,
        predictions=PredictionsRecord(
            file=place.with_suffix(".npz").name, sha256=sha256_file(place.with_suffix(".npz"))
        ),
        diagnostics={f"number {n}": n * seed for n in range(12)},
        warnings=(f"{LONG}seed {seed}",),
        timings=Timings(fit=1.0 + method, predict=0.1, score=0.1),
        environment=Environment(
            clusterbench="0.1.0",
            git_commit=None,
            python="3.11",
            platform="here",
            device="cpu",
            device_name=f"{LONG}{seed}",
            threads=2,
            packages={"numpy": "2.0"},
        ),
        created="2024-06-03T12:00:00Z",
    )
    write_result(place, record)
