"""Defect 9: `--normalize False` parsed as true; `gpu=1` meaning all GPUs; an unknown strategy name
that ends in a NameError."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.errors import InputError
from clusterbench.runs import read_result

Cli = Callable[..., tuple[int, str, str]]
RUN = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "modulo", "--seeds", "1")


@pytest.mark.parametrize(
    ("word", "value"),
    [("False", False), ("false", False), ("FALSE", False), ("True", True), ("true", True)],
)
def test_false_is_false(cli: Cli, word: str, value: bool) -> None:
    code, out, _ = cli(*RUN, "-p", f"modulo.flag={word}", "--json", "--device", "cpu")
    assert code == 0
    record = read_result(Path(json.loads(out)["runs"][0]["path"]))
    assert record.method.params["flag"] is value


@pytest.mark.parametrize("word", ["no", "0", "1", "off", "''", "none"])
def test_what_is_not_a_truth_value_is_refused(cli: Cli, word: str) -> None:
    code, _, err = cli(*RUN, "-p", f"modulo.flag={word}")
    assert code == 2 and "wanted bool" in err and err.count("\n") == 1


def test_the_text_false_is_refused_from_python_too(tiny_world: SimpleNamespace) -> None:
    with pytest.raises(InputError, match=r"modulo\.flag='False' is a str; wanted bool"):
        tiny_world.run(params={"modulo": {"flag": "False"}})


@pytest.mark.parametrize("device", ["1", "gpu", "gpu=1", "all", "cuda:x", ""])
def test_a_device_is_named_in_full(cli: Cli, device: str) -> None:
    code, _, err = cli(*RUN, "--device", device)
    assert code == 2 and "device" in err and err.count("\n") == 1


@pytest.mark.parametrize("strategy", ["only_missing", "Always", "overwrite", ""])
def test_an_unknown_strategy_is_one_line(cli: Cli, strategy: str) -> None:
    code, _, err = cli(*RUN, "--overwrite-strategy", strategy)
    assert code == 2 and "overwrite strategy" in err and err.count("\n") == 1


@pytest.mark.parametrize("word", ["maybe", "2"])
def test_a_flag_variable_is_a_truth_value(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("CLUSTERBENCH_DRY_RUN", word)
    code, _, err = cli(*RUN)
    assert code == 2 and err.count("\n") == 1


def test_a_flag_variable_of_0_is_off(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERBENCH_DRY_RUN", "0")
    code, _, err = cli(*RUN, "--device", "cpu")
    assert code == 0 and "2 of 2 runs computed" in err
