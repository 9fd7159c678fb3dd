"""How much a leaderboard can still take, so that one entry too many costs no other its place."""

from __future__ import annotations

import json
from pathlib import Path

from ...doors import amount
from ...errors import InputError
from ...limits import BOARD
from .models import Entry

_FOR_TASKS = 1 << 20  # bytes for the definitions of tasks, which come with their first entry


class Room:
    """What is left of the size and the values that a leaderboard may have.

    Args:
        board: the file, which may not be there yet.
    """

    def __init__(self, board: Path) -> None:
        content = board.read_bytes() if board.is_file() else b""
        assert BOARD.values is not None
        self._bytes = BOARD.largest - len(content) - _FOR_TASKS
        self._values = BOARD.values - amount(content) - _FOR_TASKS // 16

    def take(self, entry: Entry) -> None:
        """Take the room that an entry needs; InputError where there is too little."""
        text = json.dumps(entry.to_dict(), indent=2, ensure_ascii=False).encode()
        size = len(text) + 6 * (text.count(b"\n") + 1)  # it stands two levels deep in the file
        values = amount(text) + 1
        if size > self._bytes or values > self._values:
            raise InputError(
                f"the leaderboard is full: it may have {BOARD.largest / 1e6:,.0f} MB and "
                f"{BOARD.values:,} values; submit to a new file"
            )
        self._bytes -= size
        self._values -= values
