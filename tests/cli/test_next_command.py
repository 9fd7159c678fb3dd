"""The command that `extract` and `import` end with is one that this machine can finish."""

import json
import shlex

import numpy as np
import pytest

from clusterbench.cli.declared_dataset import next_step
from clusterbench.cli.next_command import PATIENCE, next_command, time_text
from clusterbench.cost import Speed
from clusterbench.runs import forecast as forecasts

N, CLASSES = 600, 10
COMMAND = "clusterbench run --benchmark imbalanced --dataset blobs"


@pytest.fixture
def blobs(cli, monkeypatch, tmp_path):
    """`blobs(preset)` declares 600 samples of 10 classes and returns what `import` printed."""
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    labels = np.arange(N) % CLASSES
    np.save("X.npy", rng.normal(size=(N, 16)) + 3 * rng.normal(size=(CLASSES, 16))[labels])
    np.save("y.npy", labels)
    np.save("s.npy", np.arange(N) // CLASSES % 2)

    def declare(*more):
        words = ("X.npy", "--labels", "y.npy", "--split", "s.npy", "--name", "e")
        code, out, err = cli("import", *words, "--dataset", "blobs", *more)
        assert code == 0, err
        return out

    return declare


@pytest.fixture
def speed(monkeypatch):
    """Sets the speed of a machine of two cores without a GPU."""

    def set_to(flops):
        monkeypatch.setattr(forecasts, "n_cores", lambda: 2)
        monkeypatch.setattr(forecasts, "_on_gpu", lambda device: False)
        monkeypatch.setattr(forecasts, "measure", lambda: Speed(flops, flops / 10))

    return set_to


def seconds(choice):
    """What `run` foretells for the data set `blobs`."""
    from clusterbench import run

    return run("imbalanced", "blobs", dry_run=True, **choice).forecast.seconds


def test_all_of_it_where_there_is_time(blobs, speed):
    speed(1e11)
    *_, time, command = blobs().splitlines()
    assert command == COMMAND
    assert time.endswith(" on this machine (2 cores):") and " fits, " in time


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        ({}, ""),
        ({"preset": "laptop"}, "--preset laptop"),
        ({"preset": "laptop", "seeds": 1}, "--preset laptop --seeds 1"),
        (
            {"preset": "laptop", "seeds": 1, "methods": "kmeans"},
            "--preset laptop --seeds 1 --method kmeans",
        ),
    ],
)
def test_the_most_that_ends_in_time_is_chosen(blobs, speed, choice, options):
    """Given a machine on which `choice` takes 25 minutes, when all of it takes longer."""
    blobs()
    declare_preset("paper")
    speed(1e5)  # so slow that scoring, whose time is taken as fixed, counts for nothing
    speed(1e5 * seconds(choice) / (PATIENCE * 5 / 6))
    assert 0.5 * PATIENCE < seconds(choice) < PATIENCE
    found = next_command("imbalanced", "blobs", None, "paper")
    assert found["command"] == f"{COMMAND} {options}".strip()
    assert found["options"] == options
    assert found["time"]["seconds"] == pytest.approx(seconds(choice), abs=0.1)
    assert found["in_full"]["seconds"] == pytest.approx(seconds({}), abs=0.1)
    assert (found["in_full"]["seconds"] > PATIENCE) == bool(options)
    if options:
        assert f"; without {options}, about " in time_text(found)


def declare_preset(name):
    from clusterbench.catalog import user_home

    path = user_home() / "features" / "blobs" / "dataset.toml"
    path.write_text(path.read_text().replace('preset = "laptop"', f'preset = "{name}"'))


def test_the_data_sets_own_preset_is_not_named(blobs, speed):
    blobs()
    speed(1e5)
    speed(1e5 * seconds({"seeds": 1}) / (PATIENCE * 5 / 6))
    found = next_command("imbalanced", "blobs", None, "laptop")
    assert found["command"] == f"{COMMAND} --seeds 1"


def test_all_of_it_and_how_long_where_nothing_ends_in_time(blobs, speed):
    speed(1e3)
    out = blobs()
    *_, time, command = out.splitlines()
    assert command == COMMAND
    assert " days on this machine (2 cores), where one seed of k-means alone takes" in time


def test_all_of_it_on_a_gpu(blobs, monkeypatch):
    monkeypatch.setattr(forecasts, "_on_gpu", lambda device: True)
    *_, time, command = blobs().splitlines()
    assert command == COMMAND and time.endswith("on a GPU, whose time is not predicted:")


def test_nothing_is_said_of_time_where_all_is_there(blobs, cli):
    blobs()
    words = ("--preset", "laptop", "--device", "cpu")
    assert cli(*shlex.split(COMMAND)[1:], *words)[0] == 0
    out = blobs()
    assert out.splitlines()[-1] == COMMAND and "this machine" not in out


def test_the_document_holds_the_command_and_its_time(blobs, speed):
    speed(1e11)
    document = json.loads(blobs("--json"))
    assert document["next"]["command"] == COMMAND and document["next"]["options"] == ""
    assert document["next"]["time"] == document["next"]["in_full"]
    assert document["next"]["time"]["fits"] > 0 and document["next"]["time"]["seconds"] > 0
    assert next_step(document).endswith(f":\n{COMMAND}\n")


def test_what_run_would_refuse_is_left_to_it(blobs, monkeypatch):
    blobs()
    declare_preset("none-of-that-name")
    found = next_command("imbalanced", "blobs", None, "none-of-that-name")
    assert found["command"] == COMMAND and found["time"] is None and time_text(found) == ""
