"""What a training says of its epochs, also when it was killed and went on."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.heads.training_log import Epoch, TrainingLog


def epoch(number: int, loss: float = 1.0) -> Epoch:
    return Epoch(number, 4 * number, [loss / number, math.nan], [5, 1], [1.5, math.nan], 0.25)


def test_each_epoch_is_a_line_and_what_is_not_finite_is_null(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    log = TrainingLog(path)
    log.write([epoch(1)])
    log.write([epoch(1), epoch(2)])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"epoch": 1, "steps": 4, "losses": [1.0, None], "used": [5, 1], "entropy": [1.5, None],
         "seconds": 0.25},
        {"epoch": 2, "steps": 8, "losses": [0.5, None], "used": [5, 1], "entropy": [1.5, None],
         "seconds": 0.25},
    ]  # fmt: skip
    # Given another training that goes on after the first epoch
    TrainingLog(path).write([epoch(1), epoch(2, 3.0)])
    assert [json.loads(line)["losses"][0] for line in path.read_text().splitlines()] == [1.0, 1.5]


@given(st.lists(st.floats(width=64), min_size=1, max_size=4), st.floats(0, 1e9))
def test_an_epoch_comes_back_from_json(losses: list[float], seconds: float) -> None:
    own = Epoch(3, 12, losses, list(range(len(losses))), losses, seconds)
    back = Epoch.from_json(json.loads(json.dumps(own.to_json(), allow_nan=False)))
    assert (back.epoch, back.steps, back.used, back.seconds) == (3, 12, own.used, seconds)
    for one, other in zip(back.losses + back.entropy, 2 * losses, strict=True):
        assert one == other if math.isfinite(other) else math.isnan(one)
    finite = [loss for loss in losses if math.isfinite(loss)]
    assert losses[own.best] == min(finite) if finite else own.best == 0


def test_tensorboard_shows_each_epoch_once_after_a_resumption(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    killed = TrainingLog(tensorboard=tmp_path)
    killed.write([epoch(1)])
    killed.write([epoch(1), epoch(2)])
    killed.write([epoch(1), epoch(2), epoch(3)])  # after the last state that was kept
    resumed = TrainingLog(tensorboard=tmp_path)
    resumed.write([epoch(1), epoch(2), epoch(3, 2.0)])
    resumed.write([epoch(1), epoch(2), epoch(3, 2.0), epoch(4)])
    shown = EventAccumulator(str(tmp_path))
    shown.Reload()
    found = [(event.step, event.value) for event in shown.Scalars("loss")]
    assert found == [(4, 1.0), (8, 0.5), (12, pytest.approx(2 / 3)), (16, 0.25)]
    assert {"clusters used", "entropy", "loss/head 0"} <= set(shown.Tags()["scalars"])


def test_tensorboard_that_is_not_there_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'clusterbench\[tensorboard\]'"):
        TrainingLog(tensorboard=tmp_path)
