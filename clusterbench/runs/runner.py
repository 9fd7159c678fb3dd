"""`clusterbench.run`: run methods on the tasks of a benchmark and keep every result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..catalog import unknown_name
from ..errors import InputError
from . import events
from .environment import capture
from .execute import execute
from .outcome import Outcome, RunReport
from .plan import STRATEGIES, FeatureSource, PlannedRun, Strategy, plan, seed_list, should_run
from .record import ResultRecord
from .settings import build, settle
from .survey import check_writable, survey

DEFAULT_METHODS = ("kmeans", "temi", "scan")
DEFAULT_DATASET = "icons-wordnet"


def run(
    benchmark: str,
    dataset: str = DEFAULT_DATASET,
    encoder: str | None = None,
    methods: str | Sequence[str] = DEFAULT_METHODS,
    k: int | None = None,
    seeds: int | Sequence[int] = 3,
    device: str = "auto",
    results: str | os.PathLike[str] = "results",
    overwrite_strategy: Strategy = "only-missing",
    preset: str | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    progress: events.Listener | None = None,
) -> RunReport:
    """Run methods on every task of a benchmark; results that are there already are kept.

    Methods are fitted on the training rows' features with a number of clusters and a seed, never
    with labels; their predictions for the evaluation rows are scored.

    Args:
        benchmark: name of a benchmark (`clusterbench list benchmarks`).
        dataset: name of a data set with features (`clusterbench list datasets`).
        encoder: whose features; None takes the data set's default.
        methods: names of methods.
        k: number of clusters for every task; None takes each task's number of classes.
        seeds: `3` means seeds 0, 1, 2; or the seeds themselves.
        device: "auto", "cpu", "cuda" or "cuda:N".
        results: folder of result files (docs/results-format.md).
        overwrite_strategy: "never" touches no existing file, "only-missing" repeats failed and
            damaged runs, "always" computes everything again.
        preset: named settings of the methods; None takes the data set's.
        params: settings by method that win over the preset: `{"temi": {"epochs": 50}}`.
        dry_run: plan only; nothing is computed or written.
        progress: called with a `RunEvent` as runs start, go on and end.

    Returns:
        The report over all planned runs, those reused included. A run that failed is in it as a
        failure; it raises nothing here.

    Raises:
        InputError: an unknown name or an unusable value, found before anything is computed.
        StorageError: the results folder cannot be written.
    """
    if overwrite_strategy not in STRATEGIES:
        raise unknown_name("overwrite strategy", str(overwrite_strategy), STRATEGIES)
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
        raise InputError(f"k={k!r}; wanted a whole number >= 1")
    chosen_seeds = seed_list(seeds)
    names = [methods] if isinstance(methods, str) else list(methods)

    from .. import benchmarks
    from ..datasets import registry
    from ..methods import base, presets

    if benchmark not in benchmarks.names():
        raise unknown_name("benchmark", benchmark, benchmarks.names())
    if device != "auto":  # which loads torch, so not for a dry run or when nothing is to do
        base.resolve_device(device)
    data = registry.load(dataset)
    preset_name = preset or data.preset
    specs = settle(names, presets.load(preset_name), params or {}, device)
    store = data.store(encoder)
    source = FeatureSource(encoder or data.default_encoder, store.identity, store.dim)
    tasks = benchmarks.build(benchmark, data)
    planned = plan(tasks, specs, chosen_seeds, source, Path(results), k)

    before = [survey(run) for run in planned]
    todo = [should_run(state, overwrite_strategy) for state, _ in before]
    computed: dict[str, ResultRecord] = {}
    if any(todo) and not dry_run:
        check_writable(Path(results))

        def make(run: PlannedRun) -> Any:
            return build(run.method, k=run.k, seed=run.seed, device=device)

        wanted = [run for run, chosen in zip(planned, todo, strict=True) if chosen]
        steps = execute(wanted, store, make, capture(device), progress or events.ignore)
        computed = {run.key: record for run, record in steps}

    return RunReport(
        benchmark=benchmark,
        dataset=dataset,
        features=source,
        preset=preset_name,
        seeds=chosen_seeds,
        strategy=overwrite_strategy,
        results=Path(results),
        dry_run=dry_run,
        outcomes=tuple(
            Outcome(run, state, chosen, run.key in computed, computed.get(run.key, record))
            for run, (state, record), chosen in zip(planned, before, todo, strict=True)
        ),
    )
