"""Each option of each verb is a variable of the verb's own; only run takes short ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from clusterbench.cli.main import app

#: Nobody should delete stores because of a variable that was set long ago.
NEVER_FROM_THE_ENVIRONMENT = {("remove", "--yes")}


def options() -> Iterator[tuple[str, str, Any]]:
    """(verb, long flag, option) of everything the command line takes."""
    group: Any = typer.main.get_command(app)
    for verb, command in group.commands.items():
        nested = getattr(command, "commands", None) or {verb: command}
        for name, leaf in nested.items():
            for option in leaf.params:
                long = [flag for flag in option.opts if flag.startswith("--")]
                if (
                    long
                    and long[0] != "--help"
                    and (name, long[0]) not in (NEVER_FROM_THE_ENVIRONMENT)
                ):
                    yield verb, long[0], option


@pytest.mark.parametrize(("verb", "flag", "option"), list(options()))
def test_the_variable_is_named_after_verb_and_option(verb: str, flag: str, option: Any) -> None:
    name = flag.removeprefix("--").upper().replace("-", "_")
    wanted = [f"CLUSTERBENCH_{verb.upper()}_{name}"]
    if verb == "run":
        wanted.append(f"CLUSTERBENCH_{name}")
    assert list(option.envvar) == wanted


def test_a_short_variable_reaches_run_alone(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLUSTERBENCH_SEED once moved the draws of rank, score and compare alike."""
    monkeypatch.setenv("CLUSTERBENCH_DATASET", "tiny")
    monkeypatch.setenv("CLUSTERBENCH_DRY_RUN", "1")
    code, out, _ = cli("run", "--benchmark", "tiny-imbalance", "--method", "modulo", "--seeds", "1")
    assert code == 0 and "tiny-imbalance/tiny" in out
    assert "--dataset is missing" in cli("build")[2]
    monkeypatch.setenv("CLUSTERBENCH_BUILD_DATASET", "tyny")
    assert "unknown dataset 'tyny'; did you mean tiny" in cli("build")[2]
