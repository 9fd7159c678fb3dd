"""Commands tried on hostile files: each in a process of its own, with its time and memory measured.

A process that has imported what the verbs need waits for commands and forks one child for each, so
that hundreds of cases cost milliseconds of start. A child that takes too long is killed, and what
it left in its folder is compared with what was there before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What every input may take: seconds, and bytes of memory. The time is that of an idle machine;
#: tests that share its cores with others wait longer before they call a case hung.
SECONDS, BYTES = 10, 1 << 30
PATIENCE = 6 * SECONDS

_SERVER = """
import json, os, resource, sys, time
import numpy, h5py, pyarrow, pyarrow.compute, pyarrow.csv, pyarrow.parquet, pydantic, typer, rich
import rich.console, rich.table
import clusterbench.cli.main as cli
import importlib, pkgutil
for room in {rooms!r}:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if not any(word in module.name for word in ("difficulty", "torch", "tensors")):
            importlib.import_module(module.name)
from clusterbench.sources.image_files import image_suffixes
image_suffixes()  # Pillow's formats
assert "torch" not in sys.modules

def child(order):
    os.setpgid(0, 0)
    os.chdir(order["cwd"])
    os.environ.clear(); os.environ.update(order["env"])
    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number); os.close(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["clusterbench", *order["words"]]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    code = cli._guarded()
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(code)

for line in sys.stdin.buffer:
    order = json.loads(line)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            child(order)
        finally:
            os._exit(99)
    status, usage = None, None
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            break
        if time.monotonic() - began > order["patience"]:
            os.kill(pid, 9)
            _, status, usage = os.wait4(pid, 0)
            break
        time.sleep(0.002)
    answer = dict(code=os.waitstatus_to_exitcode(status), seconds=time.monotonic() - began,
                  cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss * 1024)
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\\n"); sys.stdout.buffer.flush()
"""


#: Imported beforehand: what commands need that neither train nor encode.
ROOMS = tuple(
    f"clusterbench.{room}"
    for room in (
        *("runs", "results", "leaderboard", "labels", "datasets", "benchmarks", "sources"),
        *("metrics", "kernels", "taxonomy", "features.store", "features.importing"),
    )
)


@dataclass(frozen=True)
class Trial:
    """What a command did: exit code (negative: the signal that ended it), output, what it took."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    peak: int

    def refused(self, *parts: str) -> None:
        """Assert one clear line on stderr, exit code 1 or 2, and the limits of time and memory."""
        self.within()
        assert self.code in (1, 2), (self.code, self.err[-2000:])
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1 or "refused" in self.err + self.out, self.err[-2000:]
        self._clean()
        for part in parts:
            assert part in self.err + self.out, f"{part!r} is not in: {self.err} {self.out}"

    def passed(self) -> None:
        """Assert success, and the limits of time and memory."""
        self.within()
        assert self.code == 0, self.err[-2000:]
        self._clean()

    def within(self) -> None:
        """Assert the limits of time (of the processor, since cores are shared) and memory."""
        assert self.code != -signal.SIGKILL, f"hung: {self.words}"
        assert self.code >= 0, f"died of signal {-self.code}: {self.words}"
        assert self.cpu < SECONDS, f"{self.cpu:.1f} s: {self.words}"
        assert self.peak < BYTES, f"{self.peak / 1e6:.0f} MB: {self.words}"

    def _clean(self) -> None:
        text = self.out + self.err
        assert "Traceback" not in text and "unexpected" not in self.err, self.err[-2000:]
        wrong = {c for c in text if (c != "\n" and ord(c) < 32) or 0x7F <= ord(c) < 0xA0}
        assert not wrong, f"control characters {wrong!r} in the output"
        assert not {c for c in text if c in "\u202e\u200b\u2066\u2028"}
        assert all(len(line) < 3_000 for line in text.splitlines()), "a line without end"


class Trials:
    """Runs commands on behalf of tests; see `served`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, home: Path) -> None:
        self._process, self.folder, self.home = process, folder, home
        self._count = 0

    def __call__(
        self, *words: str | Path, cwd: Path | None = None, patience: float = PATIENCE, **env: str
    ) -> Trial:
        """The trial of `clusterbench WORDS`; CLUSTERBENCH_HOME is `home` unless it is given."""
        self._count += 1
        out, err = (self.folder / f"{self._count}.{name}" for name in ("out", "err"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CLUSTERBENCH_")}
        order = {
            "words": [str(word) for word in words],
            "cwd": str(cwd or self.folder),
            "env": {**kept, "CLUSTERBENCH_HOME": str(self.home), "COLUMNS": "100", **env},
            "out": str(out),
            "err": str(err),
            "patience": patience,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        answer: Mapping[str, Any] = json.loads(self._process.stdout.readline())
        texts = [path.read_bytes()[:1_000_000].decode(errors="replace") for path in (out, err)]
        return Trial(tuple(order["words"]), answer["code"], *texts, **_without_code(answer))


def _without_code(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "code"}


@contextlib.contextmanager
def served(folder: Path, home: Path) -> Iterator[Trials]:
    """Trials whose outputs lie in `folder`."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER.format(rooms=ROOMS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        yield Trials(process, folder, home)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def snapshot(folder: Path) -> dict[str, str]:
    """Path -> kind, or hash of the contents, of everything below a folder: what was touched."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "other"
    return found
