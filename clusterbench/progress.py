"""How far something is: `progress(done, total)`, called while it goes on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


def unseen(done: int, total: int) -> None:
    """The progress that nobody looks at."""
    del done, total


class Stretches:
    """One progress for stretches of work that follow each other, each of which tells its own.

    Args:
        told: is told of the whole.
        lengths: of the stretches, in steps of the whole.
    """

    def __init__(self, told: Progress, *lengths: int) -> None:
        self._told, self._lengths, self._done = told, lengths, 0

    def of(self, number: int) -> Progress:
        """The progress of a stretch; of one that begins again nothing is taken back."""
        before = sum(self._lengths[:number])

        def tell(done: int, most: int) -> None:
            self._done = max(self._done, before + self._lengths[number] * done // max(most, 1))
            self._told(self._done, sum(self._lengths))

        return tell
