"""Write the files that a leaderboard's repository starts with."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from ...errors import InputError
from ...files import write_bytes
from ...version import __version__

#: The files of the package, and what they are called in the repository.
FILES = {
    "validate.yml": ".github/workflows/validate.yml",
    "pull_request_template.md": ".github/PULL_REQUEST_TEMPLATE.md",
    "README.md": "README.md",
    "submissions.md": "submissions/README.md",
    "gitignore": ".gitignore",
    "gitattributes": ".gitattributes",
}

_VERSION = b"@VERSION@"


def start_repository(folder: Path) -> list[Path]:
    """Write the workflow, the template of pull requests, a README and the folder of submissions.

    The workflow installs the version of this package that wrote it: scores are compared exactly.
    Returns the paths, in a folder that is made if need be. Raises InputError where one of the files
    is there already, and then writes none; StorageError where the folder cannot be written.
    """
    folder = Path(folder)
    paths = [folder / name for name in FILES.values()]
    for path in paths:
        if os.path.lexists(path):
            raise InputError(f"{path}: is there already; choose a folder without it")
    here = resources.files(__package__) / "files"
    for name, path in zip(FILES, paths, strict=True):
        content = (here / name).read_bytes().replace(_VERSION, __version__.encode())
        write_bytes(path, content)
    return paths
