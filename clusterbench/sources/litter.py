"""Files and folders that systems and tools leave among images: hidden, and no part of a data set.

One rule for folders and for what lies in tars: whatever has such a name, or lies below a folder
that has, is counted and not used.
"""

from __future__ import annotations

_NAMES = frozenset(
    (
        "__macosx",  # zip on a Mac
        "@eadir",  # thumbnails of a Synology
        "@tmp",
        "@sharebin",
        "@recycle",  # QNAP
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
    )
)
# AppleDouble (`._x.jpg`), `.git`, `.ipynb_checkpoints` and `.thumbnails` begin with a dot.
_BEGINNINGS = (".", "~$", "syno@")
_ENDS = (".tmp", ".part", ".partial", ".crdownload")


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own or unfinished."""
    if name[:1] == ".":
        return True
    lower = name.lower()
    return lower in _NAMES or lower.startswith(_BEGINNINGS) or lower.endswith(_ENDS)


def lies_in_litter(path: str) -> bool:
    """Whether a part of a POSIX path is litter."""
    return any(is_litter(part) for part in path.split("/"))
