"""How much a leaderboard can still take, so that one entry too many costs no other its place."""

from __future__ import annotations

from ...doors import amount
from ...errors import InputError
from ...limits import BOARD

_FOR_TASKS = 1 << 20  # bytes for the definitions of tasks, which come with their first entry


class Room:
    """What is left of the size and the values that a leaderboard may have.

    Args:
        size: bytes of its file.
        values: how many these may hold (`doors.amount`).
    """

    def __init__(self, size: int, values: int) -> None:
        assert BOARD.values is not None
        self._bytes = BOARD.largest - size - _FOR_TASKS
        #: Values of the lines that were taken, less those that they replaced.
        self.taken = 0
        self._values = BOARD.values - values - _FOR_TASKS // 16

    def take(self, line: bytes, instead: bytes = b"") -> None:
        """Take the room that a line needs in place of another; InputError where there is less."""
        size = len(line) + 2 - (len(instead) + 2 if instead else 0)
        values = amount(line) + 1 - (amount(instead) + 1 if instead else 0)
        if size > self._bytes or values > self._values:
            raise InputError(
                f"the leaderboard is full: it may have {BOARD.largest / 1e6:,.0f} MB and "
                f"{BOARD.values:,} values; submit to a new file"
            )
        self._bytes -= size
        self._values -= values
        self.taken += values
