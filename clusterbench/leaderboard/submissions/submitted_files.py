"""Which files are submitted: those named, and those found in folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...results.found_files import RESULT_PATTERN, found_results

#: What results and submissions in a folder are called.
PATTERNS = (RESULT_PATTERN, "submission-*.json")


def submitted_files(paths: Iterable[Path]) -> list[Path]:
    """The results and submissions under files and folders; see `found_results`."""
    return found_results(paths, PATTERNS)
