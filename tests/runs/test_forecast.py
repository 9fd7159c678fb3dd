"""How long a plan takes is said before it begins: from stated costs, and from earlier results."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import clusterbench as cb
from clusterbench.cost import Cost, Speed, measure
from clusterbench.runs import forecast as forecasts
from clusterbench.runs import presets
from clusterbench.runs.forecast import Forecast, MethodTime, about, forecast

SLOW = Speed(flops=1e9, moved=1e8)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "n_cores", lambda: 2)


def changed(model: Any, **fields: Any) -> Any:
    return model.model_copy(update=fields)


def planned(tiny_world: SimpleNamespace, **settings: Any) -> list[Any]:
    return [o.run for o in tiny_world.run(dry_run=True, **settings).outcomes]


@pytest.mark.parametrize("name", [*cb.methods.METHODS.built_in, *cb.references.REFERENCES.built_in])
def test_every_built_in_one_states_a_cost_that_grows(name: str) -> None:
    made = (
        cb.methods.get(name)(100)
        if name in cb.methods.names()
        else cb.references.get(name)(n_classes=100)
    )
    small, wide, many = (
        made.cost(*size) for size in ((5000, 500, 64), (5000, 500, 640), (50_000, 500, 64))
    )
    assert small is not None and wide is not None and many is not None
    seconds = [cost.seconds(SLOW) for cost in (small, wide, many)]
    assert 0 < seconds[0] < seconds[1] and seconds[0] < seconds[2]


def test_the_fit_that_no_one_was_warned_of() -> None:
    """40,000 x 1,280 with the laptop preset: 211 s a TEMI fit on two cores (210 Gflop/s here)."""
    temi = cb.methods.get("temi")(500, **presets.load("laptop")["temi"])
    two_cores = Speed(flops=120e9, moved=4.2e9).of_threads(2)
    cost = temi.cost(40_000, 0, 1280)
    assert cost is not None and 105 < cost.seconds(two_cores) < 420


@pytest.mark.parametrize(
    ("name", "n", "measured"),
    [
        ("temi", 2000, 19.5),
        ("scanv2", 2000, 18.5),
        ("temi", 50_000, 617.0),
        ("scanv2", 50_000, 628.0),
    ],
)
def test_fits_of_few_rows_and_of_many_as_measured(name: str, n: int, measured: float) -> None:
    """Processor time of one thread, 1,280 dimensions, laptop preset, at the speed measured then.

    The many rows' from a block of similarities, steps and predictions, each as often as in a fit.
    """
    speed = Speed(flops=43.2e9, moved=4.39e9)
    cost = cb.methods.get(name)(10, **presets.load("laptop")[name]).cost(n, n // 5, 1280)
    assert cost is not None and measured / 1.5 < cost.seconds(speed) < measured * 1.5


def test_costs_of_a_speed() -> None:
    assert Cost(flops=2e9, moved=3e8).seconds(SLOW) == pytest.approx(5.0)
    assert SLOW.of_threads(1) == SLOW
    assert SLOW.flops < SLOW.of_threads(2).flops <= 2 * SLOW.flops
    speed = measure()
    assert speed.flops > 1e8 and speed.moved > 1e6


def test_runs_that_share_a_fit_count_once(tiny_world: SimpleNamespace, two_cores: None) -> None:
    runs = planned(tiny_world, methods=["kmeans", "modulo"], seeds=2)
    found = forecast(runs, "cpu", speed=SLOW)
    assert [m.name for m in found.methods] == ["kmeans", "modulo"]
    assert found.fits == 8 and not found.gpu and found.cores == 2
    again = forecast([*runs, *runs], "cpu", speed=SLOW)
    assert again.fits == 8  # the same rows, settings and seeds
    assert found.unknown == ("modulo",)
    assert found.seconds == found.methods[0].seconds and found.seconds > 0
    assert "modulo unknown" in str(found) and str(found).startswith("8 fits, ")


def test_times_that_were_measured_correct_the_prediction(
    tiny_world: SimpleNamespace, two_cores: None
) -> None:
    report = tiny_world.run(methods=["kmeans"], seeds=1)
    known = [(o.run, o.record) for o in report.outcomes]
    runs = planned(tiny_world, methods=["kmeans"], seeds=1)
    plain = forecast(runs, "cpu", speed=SLOW).seconds
    slower = [
        (run, changed(record, timings=changed(record.timings, fit=50.0))) for run, record in known
    ]
    corrected = forecast(runs, "cpu", slower, speed=SLOW).seconds
    assert plain is not None and corrected is not None
    assert corrected == pytest.approx(50.0 * len(runs) / 2, rel=0.05) and corrected > plain
    elsewhere = [
        (run, changed(record, environment=changed(record.environment, device_name="x")))
        for run, record in slower
    ]
    assert forecast(runs, "cpu", elsewhere, speed=SLOW).seconds == pytest.approx(plain)


def test_no_time_is_predicted_for_a_gpu(tiny_world: SimpleNamespace) -> None:
    found = forecast(planned(tiny_world, methods=["kmeans"]), "cuda:0")
    assert found.gpu and found.seconds is None and not found.long
    assert str(found) == "6 fits on a GPU, whose time is not predicted"


def test_a_cost_that_cannot_be_told_stops_nothing(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cb.methods.KMeans, "cost", lambda *_: 1 / 0)
    found = forecast(planned(tiny_world, methods=["kmeans"], seeds=1), "cpu", speed=SLOW)
    assert str(found) == "2 fits, whose time is unknown (kmeans)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "a few seconds"),
        (32, "about 30 s"),
        (180, "about 3 min"),
        (5300, "about 88 min"),
        (3 * 3600, "about 3.0 h"),
        (30 * 86400, "about 30 days"),
    ],
)
def test_no_more_digits_than_it_is_good_for(seconds: float, text: str) -> None:
    assert about(seconds) == text


def test_what_is_long_comes_with_advice() -> None:
    from clusterbench.cli.progress_views import time_line, worth_saying

    short = Forecast((MethodTime("kmeans", 3, 4.0),), 2, False)
    assert time_line(short) == "3 fits, a few seconds on this machine (2 cores)"
    assert not worth_saying(short)
    long = Forecast((MethodTime("kmeans", 3, 4.0), MethodTime("temi", 3, 7200.0)), 2, False)
    assert worth_saying(long) and long.long
    assert time_line(long).startswith(
        "6 fits, about 2.0 h on this machine (2 cores): kmeans < 5 s, temi 2.0 h. To take less: "
        "fewer seeds (--seeds 1)"
    )


def test_run_says_it_in_a_dry_run_and_in_json(cli: Any) -> None:
    words = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "kmeans", "--dry-run")
    code, _, err = cli(*words)
    assert code == 0 and "\n6 fits, a few seconds on this machine (" in err
    time = json.loads(cli(*words, "--json")[1])["time"]
    assert time["fits"] == 6 and time["methods"]["kmeans"]["seconds"] == time["seconds"]
    assert json.loads(cli(*words, "-m", "modulo", "--json")[1])["time"]["methods"]["modulo"] == {
        "fits": 6,
        "seconds": None,
    }


def test_run_says_it_before_it_begins(
    cli: Any, tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Forecast((MethodTime("modulo", 6, 1200.0),), 2, False)
    monkeypatch.setattr("clusterbench.runs.runner.forecast", lambda *_: slow)
    words = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "modulo", "--device", "cpu")
    code, _, err = cli(*words)
    assert code == 0 and err.startswith("6 fits, about 20 min on this machine (2 cores). To take")
    assert "about 20 min" not in cli(*words)[2]  # nothing is left to do
    told: list[Forecast] = []
    tiny_world.run(overwrite_strategy="always", foretold=told.append)
    assert told == [slow]
