"""How much a leaderboard can still take, so that one entry too many costs no other its place."""

from __future__ import annotations

from ...doors import amount
from ...errors import InputError
from ...limits import BOARD

_FOR_TASKS = 1 << 20  # bytes for the definitions of tasks, which come with their first entry


class Room:
    """What is left of the size and the values that a leaderboard may have.

    Args:
        content: of its file, as this version writes it.
    """

    def __init__(self, content: bytes) -> None:
        assert BOARD.values is not None
        self._bytes = BOARD.largest - len(content) - _FOR_TASKS
        self._values = BOARD.values - amount(content) - _FOR_TASKS // 16

    def take(self, line: bytes) -> None:
        """Take the room that a further line needs; InputError where there is too little."""
        size, values = len(line) + 2, amount(line) + 1
        if size > self._bytes or values > self._values:
            raise InputError(
                f"the leaderboard is full: it may have {BOARD.largest / 1e6:,.0f} MB and "
                f"{BOARD.values:,} values; submit to a new file"
            )
        self._bytes -= size
        self._values -= values
