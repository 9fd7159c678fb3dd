"""`clusterbench.run`: run methods on the tasks of a benchmark and keep every result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name
from ..devices import resolve_device, team
from ..errors import InputError
from ..kmeans.processes import joined, together
from ..methods import DEFAULT
from ..neighbours.kept import Tally, kept_in
from ..neighbours.place import place_of
from ..results.protocol import known_protocol
from ..results.record import ResultRecord
from . import apart, events, spread
from .cluster_count import cluster_count
from .environment import capture
from .execute import execute
from .forecast import Forecast, forecast
from .marks import forget, forget_checkpoint
from .plan import STRATEGIES, FeatureSource, PlannedRun, Strategy, plan, seed_list, should_run
from .reporting.outcome import Outcome
from .reporting.report import RunReport
from .settings import build, settle
from .survey import check_replaceable, check_writable, survey

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore
    from ..kmeans.lloyd import Group

DEFAULT_DATASET = "icons-wordnet"


def run(
    benchmark: str,
    dataset: str = DEFAULT_DATASET,
    encoder: str | None = None,
    methods: str | Sequence[str] = DEFAULT,
    k: int | str | None = None,
    seeds: int | Sequence[int] = 3,
    device: str = "auto",
    results: str | os.PathLike[str] = "results",
    overwrite_strategy: Strategy = "only-missing",
    preset: str | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    progress: events.Listener | None = None,
    *,
    tasks: str | Sequence[str] | None = None,
    protocol: str = "train->val",
    references: bool = False,
    foretold: Callable[[Forecast], None] | None = None,
) -> RunReport:
    """Run methods on the tasks of a benchmark; results that are there already are kept.

    A run whose process died is repeated in a process of its own, after all others. Started by
    `torchrun`, all processes share the fits of methods that can be shared (see `spread`); the first
    writes all results, and its report alone is whole.

    Methods are fitted on the training rows' features with a number of clusters and a seed, never
    with labels; their predictions for the evaluation rows are scored (docs/protocol.md).

    Args:
        benchmark: name of a benchmark (`clusterbench list benchmarks`).
        dataset: name of a data set with features (`clusterbench list datasets`).
        encoder: whose features; None takes the data set's default.
        methods: names of methods, and of references.
        k: number of clusters for every task, or a factor of its classes such as "2x"; None takes
            each task's number of classes.
        seeds: `3` means seeds 0, 1, 2; or the seeds themselves.
        device: "auto", "cpu", "cuda" or "cuda:N".
        results: folder of result files (docs/results-format.md).
        overwrite_strategy: "never" touches no existing file, "only-missing" repeats failed and
            damaged runs, "always" computes everything again.
        preset: named settings of the methods; None takes the data set's.
        params: settings by method that win over the preset: `{"temi": {"epochs": 50}}`.
        dry_run: plan only; nothing is computed or written.
        progress: called with a `RunEvent` as runs start, go on and end.
        tasks: names of tasks of the benchmark; None takes all.
        protocol: "train->val", or "transductive": scored on the training rows, by `labels_`.
        references: run all references too: supervised ceilings, fitted with training labels.
        foretold: called once with how long it will take, before anything is computed.

    Returns:
        The report over all planned runs, those reused included. A run that failed is in it as a
        failure; it raises nothing here.

    Raises:
        InputError: an unknown name or an unusable value, found before anything is computed.
        StorageError: the results folder cannot be written.
    """
    if overwrite_strategy not in STRATEGIES:
        raise unknown_name("overwrite strategy", str(overwrite_strategy), STRATEGIES)
    cluster_count(k)
    chosen_protocol = known_protocol(protocol)
    chosen_seeds = seed_list(seeds)
    names = _names(methods)
    task_names = None if tasks is None else _names(tasks)
    if task_names == []:
        raise InputError("no task chosen; name at least one, or leave the choice out for all")

    from .. import benchmarks
    from ..datasets import registry
    from ..references import names as reference_names
    from . import presets

    if references:
        names = _names([*names, *reference_names()])
    if benchmark not in benchmarks.names():
        raise unknown_name("benchmark", benchmark, benchmarks.names())
    if device not in ("auto", "cpu"):  # it loads torch, so not for a dry run or for nothing to do
        resolve_device(device)
    data = registry.load(dataset)
    preset_name = preset or data.preset
    specs = settle(names, presets.load(preset_name), params or {}, device)
    store = data.store(encoder)
    source = FeatureSource(encoder or data.default_encoder, store.identity, store.dim)
    left_out: list[str] = []
    built = benchmarks.build(benchmark, data, task_names, left_out.append)
    planned = plan(built, specs, chosen_seeds, source, Path(results), k, chosen_protocol)

    before = [survey(run) for run in planned]
    todo = [should_run(state, overwrite_strategy) for state, _ in before]
    several, first = together() and not dry_run, team().rank == 0 or not together()
    computed: dict[str, ResultRecord] = {}
    expected: Forecast | None = None
    environment = None
    if first and any(todo) and not dry_run:
        environment = capture(device)  # loads torch, with which the forecast measures
    if first and any(todo) and (dry_run or foretold is not None):
        expected = forecast(
            [item for item, chosen in zip(planned, todo, strict=True) if chosen],
            device,
            [(item, found) for item, (_, found) in zip(planned, before, strict=True) if found],
        )
        if foretold is not None:
            foretold(expected)
    if environment is not None:
        check_writable(Path(results))
        for one, chosen in zip(planned, todo, strict=True):
            if chosen:
                check_replaceable(one)

    def make(run: PlannedRun, on: str = device) -> Any:
        return build(run.method, k=run.k, seed=run.seed, device=on)

    n_spread, graphs = 0, Tally()
    if several:
        own = str(resolve_device(device, team().local_rank))
        # Processes that need the same neighbours share the search in the folder where they are
        # kept.
        with joined(device) as group, kept_in(place_of(store)) as graphs:
            everywhere = spread.agreed(group, planned, todo)
            shared = [
                item
                for item, chosen in zip(planned, everywhere, strict=True)
                if chosen and spread.can_be_spread(item, make)
            ]
            n_spread = len(shared)
            computed = _spread(
                shared, store, partial(make, on=own), own, group, progress, sum(todo)
            )
    if first and not dry_run:
        for one, (state, _), chosen in zip(planned, before, todo, strict=True):
            if state == "success" and not chosen and forget(one):
                forget_checkpoint(one)
    if environment is not None and sum(todo) > n_spread:
        wanted: list[PlannedRun] = []
        suspects: list[PlannedRun] = []  # they took a process with them before
        for item, (_, found), chosen in zip(planned, before, todo, strict=True):
            if chosen and item.key not in computed:
                (suspects if apart.needed(item, found) else wanted).append(item)

        def tell(event: events.RunEvent) -> None:
            position, total = event.position + n_spread, n_spread + len(wanted) + len(suspects)
            (progress or events.ignore)(replace(event, position=position, total=total))

        with (
            kept_in(place_of(store)) as later,
            closing(execute(wanted, store, make, environment, tell)) as steps,
        ):
            computed |= {item.key: found for item, found in steps}
        graphs = graphs.with_later(later)
        request = {
            "benchmark": benchmark,
            "dataset": dataset,
            "encoder": encoder,
            "device": device,
            "results": os.fspath(results),
            "preset": preset_name,
            "protocol": chosen_protocol,
        }
        for item, found in apart.compute(suspects, request, environment, tell, len(wanted) + 1):
            computed[item.key] = found

    return RunReport(
        benchmark=benchmark,
        dataset=dataset,
        features=source,
        preset=preset_name,
        seeds=chosen_seeds,
        protocol=chosen_protocol,
        strategy=overwrite_strategy,
        results=Path(results),
        dry_run=dry_run,
        left_out=tuple(left_out),
        outcomes=tuple(
            Outcome(run, state, chosen, run.key in computed, computed.get(run.key, record))
            for run, (state, record), chosen in zip(planned, before, todo, strict=True)
        ),
        forecast=expected,
        graphs=graphs,
    )


def _spread(
    runs: Sequence[PlannedRun],
    store: FeatureStore,
    make: Callable[[PlannedRun], Any],
    device: str,
    group: Group,
    progress: events.Listener | None,
    total: int,
) -> dict[str, ResultRecord]:
    """Runs computed by all processes, by key: in the first process, none in the others."""
    if not runs:
        return {}
    environment = capture(device).model_copy(update={"processes": team().size})

    def tell(event: events.RunEvent) -> None:
        (progress or events.ignore)(replace(event, total=total))

    steps = spread.execute_spread(runs, store, make, environment, tell, group)
    return {item.key: found for item, found in steps}


def _names(given: str | Sequence[str]) -> list[str]:
    """Names as a list, each once."""
    return list(dict.fromkeys([given] if isinstance(given, str) else given))
