"""Given deviations of a score: the text that an entry holds, and what is refused as one."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from boards.by_hand import entry, wobble
from pydantic import ValidationError

from clusterbench.leaderboard import read_leaderboard, recheck, submit
from clusterbench.leaderboard.board.deviations import decoded, encoded
from clusterbench.metrics import compare
from clusterbench.metrics.uncertainty.subsets import SPREAD
from clusterbench.results.evidence import EvidenceReader


def test_there_and_back_to_eleven_bits() -> None:
    given = wobble(0, 0.05)
    text = encoded(given)
    assert len(text) == 536 and text.isascii()
    assert decoded(text) == pytest.approx(given, rel=2**-11, abs=1e-7)
    assert np.frombuffer(base64.b64decode(text), "<f2").shape == (200,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds 0 bytes; wanted 200 float16"),
        ("not base64!", "is no base64"),
        (base64.b64encode(bytes(398)).decode(), "holds 398 bytes"),
        (encoded(np.full(200, np.nan)), "no deviation of an AMI"),
        (encoded(np.full(200, np.inf)), "no deviation of an AMI"),
        (encoded(np.full(200, 2.5)), "no deviation of an AMI"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry("m", 0.5, resampled=text)


def test_a_submission_has_those_of_its_predictions(tiny_world: SimpleNamespace) -> None:
    """Of two entries they give the paired error that `compare` gives from the predictions."""
    tiny_world.run(methods=["kmeans", "modulo"], seeds=1)
    submit(Path("results"), Path("board.json"))
    board = read_leaderboard(Path("board.json"))
    reader, checked = EvidenceReader(), 0
    evidence = {e.record.key: e for e in map(reader.read, Path("results").rglob("seed-*.json"))}
    for one in board.entries:
        for other in board.entries:
            if one.task != other.task or one.method >= other.method:
                continue
            assert one.resampled is not None and other.resampled is not None
            gap = decoded(other.resampled) - decoded(one.resampled)
            a, b = evidence[one.key], evidence[other.key]
            wanted = compare(a.targets, a.predictions, b.predictions).metrics["ami"]
            error = SPREAD * gap.std(ddof=1)
            assert error == pytest.approx(wanted.standard_error, rel=0.3, abs=1e-9)
            checked += 1
    assert checked == 2


def test_edited_ones_are_found_by_scoring_again(tiny_world: SimpleNamespace) -> None:
    tiny_world.run(methods=["modulo"], seeds=1)
    submit(Path("results"), Path("board.json"))
    board = read_leaderboard(Path("board.json"))
    first, *others = board.entries
    calm = first.model_copy(update={"resampled": encoded(np.zeros(200))})
    edited = board.model_copy(update={"entries": (calm, *others)})
    assert len(recheck(board, [Path("results")]).faults) == 0
    (fault,) = recheck(edited, [Path("results")]).faults
    assert "other scores on subsets of its images" in fault
