"""The file under the lock: only lines that came in between are read, and as strictly as ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signing import sign_entry

from clusterbench.doors import amount
from clusterbench.errors import InputError
from clusterbench.leaderboard import Leaderboard, read_leaderboard
from clusterbench.leaderboard.board.file import Snapshot, readable_line, write_leaderboard

FIRST = Path(__file__).resolve().parents[1] / "data" / "version-1" / "leaderboard-1.json"
BOARD = read_leaderboard(FIRST)


def of(numbers: list[int]) -> Leaderboard:
    """The board with these of its entries, in this order."""
    return BOARD.model_copy(update={"entries": tuple(BOARD.entries[n] for n in numbers)})


SUBSETS = st.lists(st.integers(0, len(BOARD.entries) - 1), unique=True)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=SUBSETS, now=SUBSETS, indent=st.sampled_from([None, 1]))
def test_what_is_there_now_is_found_as_if_it_were_all_read(
    before: list[int], now: list[int], indent: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, of(before))
    snapshot = Snapshot.read(path)
    assert snapshot.later(path) is snapshot
    write_leaderboard(path, of(now))
    if indent is not None:  # somebody's editor
        path.write_text(json.dumps(json.loads(path.read_text()), indent=indent))
    later, again = snapshot.later(path), Snapshot.read(path)
    assert list(later.entries) == list(again.entries)
    assert later.entries == again.entries and later.benchmarks == again.benchmarks
    assert later.content == path.read_bytes()


def test_lines_that_are_known_are_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, of([0, 1]))
    snapshot = Snapshot.read(path)
    write_leaderboard(path, of([0, 2]))
    later = {entry.key: entry for entry in snapshot.later(path).entries.values()}
    first, second = (
        next(e for e in snapshot.entries.values() if e.key == BOARD.entries[n].key) for n in (0, 1)
    )
    assert later[first.key] is first and second.key not in later


def other_key(content: dict[str, Any]) -> None:
    content["entries"][0]["seed"] += 100


def twice(content: dict[str, Any]) -> None:
    content["entries"].append(content["entries"][0])


def seed(content: dict[str, Any]) -> None:
    content["entries"][0]["seed"] = -1
    sign_entry(content["entries"][0])


def benchmark(content: dict[str, Any]) -> None:
    content["benchmarks"].append(content["benchmarks"][0])


def unknown(content: dict[str, Any]) -> None:
    content["entries"][0]["remark"] = 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (other_key, "the entry was edited"),
        (twice, "occurs twice"),
        (seed, "seed"),
        (benchmark, "occurs twice"),
        (unknown, "remark"),
    ],
)
def test_a_line_that_came_in_between_is_read_strictly(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, of([1, 2]))
    snapshot = Snapshot.read(path)
    content = of([0, 1, 2]).to_dict()
    edit(content)
    lines = {
        name: ",\n".join(json.dumps(part, ensure_ascii=False) for part in content[name])
        for name in ("benchmarks", "entries", "published")
    }
    text = path.read_text().splitlines()
    assert text[1] == '"benchmarks": ['
    path.write_text(
        f'{text[0]}\n"benchmarks": [\n{lines["benchmarks"]}\n],\n"entries": [\n{lines["entries"]}\n'
        '],\n"published": [\n]}\n'
    )
    with pytest.raises(InputError, match=message):
        snapshot.later(path)
    with pytest.raises(InputError, match=message):
        read_leaderboard(path)


@pytest.mark.parametrize("cut", [1, 10, 500, 5_000])
def test_a_file_cut_off_in_between_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, BOARD)
    snapshot = Snapshot.read(path)
    path.write_bytes(path.read_bytes()[: -1 - cut])
    with pytest.raises(InputError, match=r"board\.json: not whole JSON"):
        snapshot.later(path)


def test_markup_in_a_name_is_text_and_stays_as_it_is() -> None:
    entry = BOARD.entries[0].to_dict() | {"method": "<b onclick='x'>m</b> & \"co\"", "params": {}}
    found = type(BOARD.entries[0]).model_validate_json(json.dumps(sign_entry(entry)))
    assert json.loads(readable_line(found))["method"] == entry["method"]


@given(before=SUBSETS, now=SUBSETS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_are_counted_by_what_came_and_went(
    before: list[int], now: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, of(before))
    snapshot = Snapshot.read(path)
    write_leaderboard(path, of(now))
    found, counted = snapshot.later(path).values, amount(path.read_bytes())
    assert abs(found - counted) <= 4  # the commas between the lines of the three parts
