"""Defect 12: results written in place, so that a killed run leaves a truncated file that is
skipped for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.runs import read_result


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_truncated_file_is_repeated(
    tiny_world: SimpleNamespace, suffix: str, fraction: float
) -> None:
    report = tiny_world.run()
    path = report.outcomes[0].run.path.with_suffix(suffix)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    repeated = tiny_world.run()
    assert [o.computed for o in repeated.outcomes] == [True] + [False] * 5
    assert repeated.ok
    assert repeated.outcomes[0].record.predictions == report.outcomes[0].record.predictions


@pytest.mark.parametrize("call", range(6))
def test_a_kill_at_any_write_leaves_whole_files_or_none(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The process dies just before the n-th rename, which is where a file comes to be."""

    class Killed(BaseException):
        pass

    renames = 0
    original = Path.replace

    def replace(self: Path, target: Any) -> Path:
        nonlocal renames
        renames += 1
        if renames > call:
            raise Killed
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Killed):
        tiny_world.run(seeds=2)
    monkeypatch.setattr(Path, "replace", original)

    results = sorted(Path("results").rglob("seed-*.json"))
    for path in results:
        assert read_result(path).status == "success"
        assert path.with_suffix(".npz").is_file()
    report = tiny_world.run(seeds=2)
    assert report.ok and report.n_reused == len(results)


def test_leftover_temporary_files_are_not_results(tiny_world: SimpleNamespace) -> None:
    run = tiny_world.run(dry_run=True).outcomes[0].run
    run.path.parent.mkdir(parents=True)
    leftover = run.path.parent / f".{run.path.name}.x1y2z3.tmp"
    leftover.write_text("{")
    report = tiny_world.run()
    assert report.n_computed == 6 and report.ok
    assert leftover.read_text() == "{"
