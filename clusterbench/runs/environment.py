"""What a run was made with: versions, device, threads, and the commit of a checkout."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from ..devices import resolve_device
from ..limits import NAME
from ..printable import one_line
from ..results.record import Environment
from ..version import __version__

_PACKAGES = {
    "torch": ("torch",),
    "faiss": ("faiss-gpu", "faiss-cpu"),
    "numpy": ("numpy",),
    "numba": ("numba",),
    "scipy": ("scipy",),
    "scikit-learn": ("scikit-learn",),
}


def capture(device: str) -> Environment:
    """The environment of this process, for a device as the caller named it ("auto", "cuda:1")."""
    import torch

    resolved = resolve_device(device)
    if resolved.type == "cuda":
        device_name = torch.cuda.get_device_name(resolved)
    else:
        device_name = _processor()
    return Environment(
        clusterbench=__version__,
        git_commit=git_commit(),
        python=one_line(platform.python_version(), NAME),
        platform=one_line(platform.platform(), NAME),
        device=str(resolved),
        device_name=one_line(device_name, NAME),
        threads=torch.get_num_threads(),
        packages=_versions(),
    )


@functools.cache
def git_commit() -> str | None:
    """Commit of the checkout that this package is imported from, "+" added if it was changed.

    None when the package is installed, or git does not answer.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "clusterbench")
    return f"{commit}+" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for name, distributions in _PACKAGES.items():
        for distribution in distributions:
            try:
                found[name] = one_line(metadata.version(distribution), NAME)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


@functools.cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
