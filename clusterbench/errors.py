"""The one exception family: a message names what was found, what was wanted, what to do."""

from __future__ import annotations

from .printable import one_line


class ClusterbenchError(Exception):
    """Something failed while running. The command line exits 1.

    The message is one line of printable text, whatever names of files or contents were put into
    it. `example` is text to copy, such as a file to write; it is shown below that line.
    """

    exit_code = 1
    example = ""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class InputError(ClusterbenchError, ValueError):
    """An option, file or array the caller gave is not usable. The command line exits 2."""

    exit_code = 2


class CheckpointError(InputError):
    """What stands where a checkpoint should be is none, or one of something else."""


class StorageError(ClusterbenchError, OSError):
    """A result could not be written: read-only folder, no space. The command line exits 2."""

    exit_code = 2
