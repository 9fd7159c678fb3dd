"""The one exception family: a message names what was found, what was wanted, what to do."""

from __future__ import annotations


class ClusterbenchError(Exception):
    """Something failed while running. The command line exits 1.

    `example` is text to copy, such as a file to write; it is shown below the message's one line.
    """

    exit_code = 1
    example = ""


class InputError(ClusterbenchError, ValueError):
    """An option, file or array the caller gave is not usable. The command line exits 2."""

    exit_code = 2


class StorageError(ClusterbenchError, OSError):
    """A result could not be written: read-only folder, no space. The command line exits 2."""

    exit_code = 2
