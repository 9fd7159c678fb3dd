"""Two people's boards as one: nothing lost, nothing twice, and what differs is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from signing import sign_entry

from clusterbench.errors import InputError
from clusterbench.leaderboard import merge, publish, read_leaderboard, recheck, submit
from clusterbench.leaderboard.board.models import PublishedRow

Cli = Callable[..., tuple[int, str, str]]
A, B, C = Path("a.json"), Path("b.json"), Path("c.json")


@pytest.fixture
def boards(tiny_world: SimpleNamespace) -> list[Path]:
    """`a.json` with the first three of four results, `b.json` with the last two."""
    results = [outcome.run.path for outcome in tiny_world.run(seeds=2).outcomes]
    submit(results[:3], A)
    submit(results[2:], B)
    return results


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def row(acc: float, **changes: Any) -> PublishedRow:
    fields = {"benchmark": "b", "method": "m", "backbone": "v", "source": "s 2020", **changes}
    return PublishedRow(**fields, metrics={"acc": acc})


def test_all_entries_of_both_are_there_once_whoever_comes_first(boards: list[Path]) -> None:
    found = merge(A, B, C)
    assert (found.n_first, found.n_second, found.n_both, found.n_preferred) == (2, 1, 1, 0)
    submit(boards, Path("all.json"))
    wanted = [entry.key for entry in read_leaderboard(Path("all.json")).entries]
    assert [entry.key for entry in read_leaderboard(C).entries] == wanted
    merge(B, A, Path("d.json"))
    assert Path("d.json").read_bytes() == C.read_bytes()
    assert found.n_without == 0 and recheck(read_leaderboard(C), kept_beside=C).n_same == 4


def test_a_board_merged_with_itself_is_itself(boards: list[Path]) -> None:
    before = A.read_bytes()
    merge(A, A, C)
    assert C.read_bytes() == before
    merge(A, B, A)
    assert len(read_leaderboard(A).entries) == 4 and read_leaderboard(A) == merged(A, B)


def merged(first: Path, second: Path) -> Any:
    merge(first, second, out := Path("once-more.json"))
    return read_leaderboard(out)


def test_entries_that_differ_are_named_and_one_is_chosen(boards: list[Path], cli: Cli) -> None:
    common = set(keys(A)) & set(keys(B))

    def lower(content: dict[str, Any]) -> None:
        for entry in content["entries"]:
            if entry["key"] in common:
                entry["metrics"]["ami"] = -0.5

    edit(B, lower)
    with pytest.raises(InputError, match="differ about 1 entry;") as caught:
        merge(A, B, C)
    assert all(key[:12] in str(caught.value) for key in common) and not C.exists()
    assert not Path("c.json.predictions").exists()
    for prefer, there in (("first", A), ("second", B)):
        code, out, _ = cli(
            "leaderboard",
            "merge",
            "a.json",
            "b.json",
            "--out",
            f"{prefer}.json",
            "--prefer",
            prefer,
        )
        assert code == 0 and "1 in both and different" in out
        chosen = {e.key: e for e in read_leaderboard(Path(f"{prefer}.json")).entries}
        wanted = {e.key: e for e in read_leaderboard(there).entries}
        assert all(chosen[key] == wanted[key] for key in common)


def keys(path: Path) -> list[str]:
    return [entry.key for entry in read_leaderboard(path).entries]


def test_definitions_must_agree_and_the_larger_one_stays(boards: list[Path]) -> None:
    whole = read_leaderboard(A).benchmarks
    edit(B, lambda content: content["benchmarks"][0]["tasks"].pop(0))
    merge(A, B, C)
    merge(B, A, Path("d.json"))
    assert read_leaderboard(C).benchmarks == read_leaderboard(Path("d.json")).benchmarks == whole

    def other(content: dict[str, Any]) -> None:
        content["benchmarks"][0]["tasks"][0]["manifest_hash"] = "d" * 64

    edit(B, other)
    with pytest.raises(InputError, match=r"different definitions of tiny-imbalance/tiny .*ratio-4"):
        merge(A, B, Path("e.json"))


def test_features_of_one_identity_have_one_name(boards: list[Path]) -> None:
    edit(B, lambda content: [entry.update(encoder="best") for entry in content["entries"]])
    with pytest.raises(InputError, match="encoder 'b"):
        merge(A, B, C, prefer="first")


def test_published_rows_of_both(boards: list[Path]) -> None:
    publish([row(0.5), row(0.4, method="n")], A)
    publish([row(0.5), row(0.3, method="o")], B)
    merge(A, B, C)
    assert [r.method for r in read_leaderboard(C).published] == ["m", "n", "o"]
    publish([row(0.6)], B, replace=True)
    with pytest.raises(InputError, match=r"published row m \(s 2020\)"):
        merge(A, B, Path("d.json"))
    merge(A, B, Path("d.json"), prefer="second")
    assert read_leaderboard(Path("d.json")).published[0].metrics == {"acc": 0.6}


def test_predictions_that_are_not_what_they_say_do_not_come_along(boards: list[Path]) -> None:
    shutil.rmtree("b.json.predictions")
    for path in Path("a.json.predictions").iterdir():
        path.write_bytes(b"something else")
    found = merge(A, B, C)
    assert found.n_predictions == 0 and found.n_without > 0
    assert not Path("c.json.predictions").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.json", "none.json", "--out", "c.json"), "none.json: no such file"),
        (("a.json", "b.json", "--out", "there.json"), "is there already"),
        (("a.json", "b.json", "--out", "c.json", "--prefer", "mine"), "side to prefer"),
        (("a.json", "b.json"), "--out"),
    ],
)
def test_what_cannot_be_merged(
    boards: list[Path], cli: Cli, words: tuple[str, ...], message: str
) -> None:
    Path("there.json").write_text("precious")
    code, out, err = cli("leaderboard", "merge", *words)
    assert code == 2 and message in err and out == ""
    assert Path("there.json").read_text() == "precious" and not C.exists()


def test_a_verified_entry_comes_before_a_self_reported_one(boards: list[Path]) -> None:
    def claimed(content: dict[str, Any]) -> None:
        for entry in content["entries"]:
            entry |= {"status": "self-reported", "predictions_sha256": None, "resampled": None}
            sign_entry(entry)

    shutil.copy(A, C)
    edit(C, claimed)
    merge(C, A, Path("d.json"))
    assert {entry.status for entry in read_leaderboard(Path("d.json")).entries} == {"verified"}
