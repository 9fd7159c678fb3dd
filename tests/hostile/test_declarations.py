"""Damaged and hostile TOML files: one line for each, and nothing else is blocked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from trials import Trials

HOSTILE = {
    "deep list": b"a = " + b"[" * 50_000 + b"]" * 50_000,
    "deep tables": b"a = " + b"{a = " * 5_000 + b"1" + b"}" * 5_000,
    "key of many parts": b"a." * 20_000 + b"a = 1",
    "table of many parts": b"[" + b"a." * 300_000 + b"a]",
    "many digits": b"a = " + b"9" * 500_000,
    "large": b"# " + b"x" * 2_000_000,
    "not UTF-8": b"a = '\xff\xfe'",
    "escape codes": b"a = '\x1b[2J'",
    "NUL": b"a = '\x00'",
    "empty name": b"'' = ''",
    "right to left": "\u202eeman = 1".encode(),
    "binary": bytes(range(256)) * 20,
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_preset_is_refused(name: str, trial: Trials, tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "presets"
    folder.mkdir(parents=True)
    (folder / "bad.toml").write_bytes(HOSTILE[name])
    found = trial(
        *("run", "-b", "imbalanced", "--preset", "bad", "--dry-run"),
        CLUSTERBENCH_HOME=str(tmp_path),
    )
    if name == "empty":
        found.passed()
    else:
        found.refused("bad.toml")


def test_a_pipe_is_not_waited_for(trial: Trials, tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "presets"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "bad.toml")
    trial(
        *("run", "-b", "imbalanced", "--preset", "bad", "--dry-run"),
        CLUSTERBENCH_HOME=str(tmp_path),
    ).refused("bad.toml: is a pipe; wanted a regular file")
