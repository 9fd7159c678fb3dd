"""Rows of the literature: read from a file, put beside the entries, never ranked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.errors import InputError
from clusterbench.leaderboard import publish, rank, read_leaderboard, read_published

Cli = Callable[..., tuple[int, str, str]]
ROW = """
[[published]]
benchmark = "tiny-imbalance"
method = "TEMI"
backbone = "DINO ViT-B/16"
metrics = { acc = 0.58, nmi = 0.814 }
source = "Adaloglou et al., BMVC 2023, table 1"
note = "all classes of the validation set"
"""


def test_rows_of_a_file_stand_on_the_board(tiny_world: SimpleNamespace, cli: Cli) -> None:
    Path("rows.toml").write_text(ROW)
    code, out, err = cli("submit", "--published", "rows.toml", "-l", "board.json")
    assert (code, out, err) == (0, "published rows: 1 added\n", "")
    (row,) = read_leaderboard(Path("board.json")).published
    assert (row.method, row.metrics["nmi"], row.status) == ("TEMI", 0.814, "published")
    assert (row.dataset, row.note) == (None, "all classes of the validation set")
    tiny_world.run()
    code, out, _ = cli("submit", "results", "--published", "rows.toml", "-l", "board.json")
    assert code == 0 and out.splitlines()[1] == "published rows: 1 unchanged"
    board = read_leaderboard(Path("board.json"))
    assert [r.method for r in board.published] == ["TEMI"]
    assert all(r.method != "TEMI" for ranking in rank(board) for r in ranking.rows)


def test_json_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text(ROW)
    (rows := read_published(tmp_path / "rows.toml"))
    content = {"published": [row.to_dict() for row in rows]}
    (tmp_path / "rows.json").write_text(json.dumps(content))
    assert read_published(tmp_path / "rows.json") == rows


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("acc = 0.58", "acc = 58.0", "fractions, not percent"),
        ("acc = 0.58", 'acc = "0.58"', "metrics"),
        ("{ acc = 0.58, nmi = 0.814 }", "{}", "metrics is empty"),
        ("Adaloglou et al., BMVC 2023, table 1", "", "source is empty"),
        ('backbone = "DINO ViT-B/16"', "", "backbone"),
        ('"TEMI"', '"TE\\nMI"', "control character"),
        ("note =", "remark =", "remark"),
        (ROW, ROW + ROW, "the same row"),
        (ROW, "", "published"),
        (ROW, "[[published", "not valid TOML"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "rows.toml"
    path.write_text(ROW.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_published(path)
    assert str(caught.value).startswith(str(path))


def test_other_scores_of_a_row_replace_it_only_if_asked(tmp_path: Path) -> None:
    path, board = tmp_path / "rows.toml", tmp_path / "board.json"
    path.write_text(ROW)
    publish(read_published(path), board)
    path.write_text(ROW.replace("0.58", "0.59"))
    with pytest.raises(InputError, match="with other scores; use --replace"):
        publish(read_published(path), board)
    assert publish(read_published(path), board, replace=True)["replaced"] == 1
    assert read_leaderboard(board).published[0].metrics["acc"] == 0.59
