"""Given a terminal or a pipe on stderr: what is shown while intervals are made."""

from __future__ import annotations

import io
import sys

import pytest

from clusterbench.cli import progress_views
from clusterbench.cli.progress_views import resampling_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with resampling_line() as progress:
        assert progress is None
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_how_far_it_is_and_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_views, "_EVERY", 0.0)
    with resampling_line() as progress:
        assert progress is not None
        progress(3, 10)
        assert terminal.getvalue() == "\rresampling 3/10\x1b[K"
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_short_waits_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with resampling_line() as progress:
        assert progress is not None
        progress(1, 10)
    assert "resampling" not in terminal.getvalue()
