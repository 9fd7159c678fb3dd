"""What is made of real results: tables, failures, missing seeds, results that stand alone."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from for_reports.edited_results import edit, result_files

from clusterbench.errors import InputError
from clusterbench.metrics import compare
from clusterbench.reports.analysis import Analysis, analyse, median_run, run_deviations
from clusterbench.reports.collected import collect
from clusterbench.reports.sections import Contender

RESULTS = Path("results")


def analysed(**settings: int) -> Analysis:
    return analyse(collect([RESULTS]), **settings)


def named(found: Analysis, method: str) -> Contender:
    (contender,) = [c for c in found.sections[0].section.contenders if c.method == method]
    return contender


def test_a_table_of_all_that_was_run(world: SimpleNamespace) -> None:
    found = analysed()
    (part,) = found.sections
    section = part.section
    assert section.title == "tiny-imbalance on tiny" and section.n_seeds == 2
    assert [task.label for task in section.tasks] == ["ratio-1", "ratio-4"]
    assert [c.method for c in section.contenders] == ["kmeans", "modulo", "nearest-mean"]
    kmeans, modulo = named(found, "kmeans"), named(found, "modulo")
    for task in section.tasks:
        for contender, cell in task.cells.items():
            values = [run.record.scores.metrics["ami"] for run in cell.runs]
            estimate = part.estimates["ami"][task.label, contender]
            assert estimate.mean == pytest.approx(np.mean(values))
    assert part.overall[kmeans].mean > 0.9 > 0.3 > part.overall[modulo].mean
    assert part.overall_places[kmeans].place == 1 and part.overall_places[modulo].place == 2
    assert named(found, "nearest-mean") not in part.overall_places


def test_curves_run_over_the_imbalance_ratio(world: SimpleNamespace) -> None:
    (curves,) = analysed().sections[0].curves
    assert curves.factor == "imbalance_ratio" and curves.kind == ""
    assert [curve.label for curve in curves.curves] == ["kmeans", "modulo", "nearest-mean"]
    (section,) = (part.section for part in analysed().sections)
    factors = [task.factors["imbalance_ratio"] for task in section.tasks]
    assert [point.x for point in curves.curves[0].points] == factors
    assert [point.task for point in curves.floor] == ["ratio-1", "ratio-4"]


def test_details_are_of_the_best_of_each_task_first(world: SimpleNamespace) -> None:
    part = analysed(details=3).sections[0]
    chosen = [(detail.task.label, detail.contender.method) for detail in part.details]
    assert chosen == [("ratio-1", "kmeans"), ("ratio-1", "modulo"), ("ratio-4", "kmeans")]
    assert part.left_out == 1
    detail = part.details[0]
    assert detail.words == detail.task.task.class_names
    assert detail.run is median_run(detail.task.cells[detail.contender].successes)
    acc = [run.scores["balanced_acc"] for run in detail.task.cells[detail.contender].successes]
    assert np.nanmean(detail.classes.acc) == pytest.approx(np.mean(acc))


def test_a_failed_run_takes_the_figure_and_stays(world: SimpleNamespace) -> None:
    world.run(methods=["fails"], seeds=2)
    found = analysed()
    part, fails = found.sections[0], named(found, "fails")
    for task in part.section.tasks:
        cell = task.cells[fails]
        assert len(cell.successes) == len(cell.failures) == 1 and not cell.complete
        assert (task.label, fails) not in part.estimates["ami"]
    assert fails not in part.overall and fails not in part.overall_places
    assert part.facts[fails].n_failed == 2


def test_a_missing_task_leaves_no_overall_mean(world: SimpleNamespace) -> None:
    for path in result_files(RESULTS, "kmeans", "ratio-4"):
        path.unlink()
    found = analysed()
    kmeans = named(found, "kmeans")
    assert kmeans not in found.sections[0].overall
    assert found.sections[0].places["ratio-1"][kmeans].place == 1
    assert kmeans not in found.sections[0].places["ratio-4"]


def test_a_missing_seed_is_seen_in_the_number_of_seeds(world: SimpleNamespace) -> None:
    result_files(RESULTS, "modulo", "ratio-1")[1].unlink()
    found = analysed()
    assert found.sections[0].overall[named(found, "modulo")].n_seeds == 1


def test_one_entrant_twice_is_one(world: SimpleNamespace) -> None:
    shutil.copytree(RESULTS, "copy")
    twice = analyse(collect([RESULTS, Path("copy")]))
    once = analysed()
    assert twice.collected.repeated == len(result_files(RESULTS))
    assert len(twice.collected.runs) == len(once.collected.runs)
    assert [e.mean for e in twice.sections[0].overall.values()] == [
        e.mean for e in once.sections[0].overall.values()
    ]


def test_two_equal_methods_share_a_place(world: SimpleNamespace) -> None:
    """`modulo` shifted by K is the same partition."""
    world.run(methods=["modulo"], seeds=2, params={"modulo": {"shift": 4}})
    found = analysed()
    part = found.sections[0]
    modulos = [c for c in part.section.contenders if c.method == "modulo"]
    assert [part.section.labels[c] for c in modulos] == ["modulo (shift=0)", "modulo (shift=4)"]
    a, b = (part.overall[c] for c in modulos)
    assert a.mean == b.mean
    assert {part.overall_places[c].place for c in modulos} == {2}
    assert {part.overall_places[c].shared_by for c in modulos} == {2}


def test_without_its_predictions_a_result_is_shown_as_its_json_has_it(
    world: SimpleNamespace,
) -> None:
    path = result_files(RESULTS, "modulo", "ratio-1")[0]
    path.with_suffix(".npz").unlink()
    found = analysed()
    (run,) = [run for run in found.collected.runs if run.fault]
    assert run.path == path and "is missing" in run.fault and run.clusters is None
    assert dict(run.scores) == dict(run.record.scores.metrics)
    estimate = found.sections[0].estimates["ami"]["ratio-1", named(found, "modulo")]
    assert estimate.deviations is None and estimate.sample_error is not None
    assert estimate.n_seeds == 2


def test_an_unknown_task_has_no_detail_and_all_its_scores(world: SimpleNamespace) -> None:
    for path in result_files(RESULTS, task="ratio-4"):
        edit(path, **{"task.name": "gone"})
    found = analysed()
    part = found.sections[0]
    assert [task.label for task in part.section.tasks] == ["gone", "ratio-1"]
    assert part.section.tasks[0].task is None
    assert named(found, "kmeans") in part.overall
    assert {detail.task.label for detail in part.details} == {"ratio-1"}


def test_scores_are_those_of_the_predictions(world: SimpleNamespace) -> None:
    path = result_files(RESULTS, "modulo", "ratio-1")[0]
    edit(path, **{"scores.metrics.ami": 0.99})
    (run,) = [run for run in collect([RESULTS]).runs if run.fault]
    assert "its JSON says ami 0.99" in run.fault and run.scores["ami"] < 0.5


def test_a_file_that_is_no_result_is_named_and_the_others_are_read(world: SimpleNamespace) -> None:
    path = result_files(RESULTS, "modulo", "ratio-1")[0]
    path.write_text("{")
    found = collect([RESULTS])
    ((where, fault),) = found.unreadable
    assert where == path and "not whole JSON" in fault
    with pytest.raises(InputError, match="no file given is a result"):
        collect([path])


def test_the_interval_over_images_is_that_of_compare(world: SimpleNamespace) -> None:
    """Against the library's own paired comparison, which resamples otherwise."""
    found = analysed()
    part = found.sections[0]
    task = part.section.tasks[0]
    first, second = (task.cells[named(found, method)].runs[0] for method in ("kmeans", "modulo"))
    wanted = compare(first.targets, first.clusters, second.clusters, resampling=2000)
    deviations = [run_deviations(run, 2000) for run in (first, second)]
    error = 3 * (deviations[1] - deviations[0]).std(ddof=1)
    # Of 20 images; a subset has a random size here and 18 of them there.
    assert math.isclose(error, wanted.metrics["ami"].standard_error, rel_tol=0.35)
