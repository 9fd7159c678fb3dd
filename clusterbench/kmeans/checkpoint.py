"""Where a fit has come to, in one file, so that one that was killed goes on.

Everything follows from the centroids and the rows, so the file holds those of the stage that is
under way and of the best start that has ended. It goes on to the same bits, in any number of
processes.

    clusterbench-kmeans-checkpoint/1 SHA-256 of all that follows
    {"identity": ..., "finished": ..., "stage": ..., "states": [{"k": ..., "dim": ..., ...}, ...]}
    centroids of each state, float32, little-endian
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import check_fields, parse_json, read_bytes
from ..errors import CheckpointError, InputError
from ..files import remove, sha256_array, sha256_json, write_bytes
from ..limits import CHECKPOINT
from .fit import Keeper, Settings
from .lloyd import Alone, Group, Iterations
from .processes import of_first
from .shard import Extent

_MAGIC = b"clusterbench-kmeans-checkpoint/1 "
#: Raised by one when the same settings and rows come to another answer.
_ANSWERS = 1
#: The stage after all starts.
LAST = -1


def fit_identity(settings: Settings, extent: Extent, rows: str = "") -> str:
    """Hex SHA-256 of what changes the answer of a fit.

    Args:
        settings: of the fit.
        extent: of the rows of all processes (`Group.extent`).
        rows: what else tells these rows from others: a hash, or the key of a run.
    """
    how = settings.start
    given = None if how.given is None else sha256_array(how.given)
    fields = {**vars(settings), "start": [how.name, given]}
    return sha256_json(
        {"answers": _ANSWERS, "settings": fields, "extent": asdict(extent), "rows": rows}
    )


@dataclass
class _Known:
    """How far a fit is: `finished` starts have ended, of which `best` is the best.

    current: of `stage`, which is under way: the next start, or LAST, after all starts.
    """

    finished: int = 0
    best: Iterations | None = None
    stage: int = 0
    current: Iterations | None = None


class Checkpoint(Keeper):
    """A file that rank 0 writes every few seconds, and all processes go on from.

    A damaged checkpoint is warned of and not gone on from: the fit begins anew and writes over it.
    What is no checkpoint, or one of another fit, is refused and never written over.

    Args:
        path: the file; its folder is made if need be.
        identity: of the fit (`fit_identity`).
        group: the processes of the fit.
        every: seconds between two writings; 0 writes after each iteration.
    """

    def __init__(
        self, path: Path, identity: str, group: Group | None = None, every: float = 30.0
    ) -> None:
        self.path = Path(path)
        self._identity, self._group, self._every = identity, group or Alone(), every
        self._known: _Known | None = None
        self._written = time.monotonic()

    def load(self, stage: int) -> Iterations | None:
        """As `Keeper.load`; called by all processes.

        Of the starts that have ended the best stands for all: it is what is made of them.

        Raises:
            CheckpointError: another file stands there, or the checkpoint of another fit.
        """
        if self._known is None:
            self._known = self._read()
        known = self._known
        if 0 <= stage < known.finished:
            return None if known.best is None else _copy(known.best)
        if known.current is not None and stage == known.stage:
            return _copy(known.current)
        return None

    def save(self, stage: int, state: Iterations, *, whole: bool) -> None:
        """As `Keeper.save`. Raises StorageError when the file cannot be written."""
        if self._group.rank != 0:
            return
        known = self._known = self._known or _Known()
        if 0 <= stage < known.finished:
            return
        known.stage, known.current = stage, _copy(state)
        if stage == LAST:  # which needs none of the starts
            known.finished, known.best = 0, None
        elif whole:
            best = known.best
            if best is None or state.objectives[-1] < best.objectives[-1]:
                known.best = known.current
            known.finished, known.stage, known.current = stage + 1, stage + 1, None
        if time.monotonic() - self._written >= self._every:
            write_bytes(self.path, _packed(known, self._identity))
            self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the file, once the result of the fit is safe; StorageError when that fails."""
        if self._group.rank == 0:
            remove(self.path)

    def _read(self) -> _Known:
        """What rank 0 finds, in all processes, or the same error in all."""
        content, fault = b"", ""
        if self._group.rank == 0 and os.path.lexists(self.path):
            try:
                content = self._checked()
            except InputError as error:
                fault = str(error)
        fault = _bytes_of_first(self._group, fault.encode()).decode()
        if fault:
            raise CheckpointError(fault)
        content = _bytes_of_first(self._group, content)
        return _unpacked(content, str(self.path)) if content else _Known()

    def _checked(self) -> bytes:
        """The file's content behind its first line; nothing of a damaged one."""
        content = read_bytes(self.path, CHECKPOINT)
        if not content.startswith(_MAGIC):
            raise InputError(
                f"{self.path}: is no checkpoint of k-means; move it away, or name another file"
            )
        first, _, rest = content.partition(b"\n")
        if first[len(_MAGIC) :] != hashlib.sha256(rest).hexdigest().encode():
            warnings.warn(
                f"{self.path}: the checkpoint is damaged; the fit begins anew", stacklevel=2
            )
            return b""
        known = parse_json(rest.partition(b"\n")[0], str(self.path))
        check_fields(known, {"identity": str}, str(self.path))
        if known["identity"] != self._identity:
            raise InputError(
                f"{self.path}: is the checkpoint of a fit of other rows or settings; move it away, "
                "or name another file"
            )
        _unpacked(rest, str(self.path))
        return rest


def _packed(known: _Known, identity: str) -> bytes:
    states = [state for state in (known.best, known.current) if state is not None]
    header = {
        "identity": identity,
        "finished": known.finished,
        "stage": known.stage,
        "states": [_facts(state) for state in states],
    }
    parts = [json.dumps(header, allow_nan=False).encode(), b"\n"]
    parts += [np.ascontiguousarray(state.centroids, dtype="<f4").tobytes() for state in states]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"".join([_MAGIC, digest.hexdigest().encode(), b"\n", *parts])


def _unpacked(content: bytes, where: str) -> _Known:
    """What `_packed` wrote behind its first line; InputError for what it does not write."""
    line, _, data = content.partition(b"\n")
    header = parse_json(line, where)
    check_fields(header, {"finished": int, "stage": int, "states": list}, where)
    finished, stage = header["finished"], header["stage"]
    states, at = [], 0
    for facts in header["states"]:
        state, at = _state(data, at, facts, where)
        states.append(state)
    best = states.pop(0) if finished > 0 and states else None
    if finished < 0 or len(states) > 1 or at != len(data) or not (states or best):
        raise _none(where)
    return _Known(finished, best, stage, states[0] if states else None)


def _facts(state: Iterations) -> dict[str, Any]:
    k, dim = state.centroids.shape
    return {
        "k": k,
        "dim": dim,
        "objectives": state.objectives,
        "converged": state.converged,
        "relocated": state.relocated,
    }


def _state(data: bytes, start: int, facts: Any, where: str) -> tuple[Iterations, int]:
    """A state whose centroids begin at a byte, and the byte behind them."""
    kinds = {"k": int, "dim": int, "objectives": list, "converged": bool, "relocated": int}
    check_fields(facts, kinds, where)
    k, dim, objectives = facts["k"], facts["dim"], facts["objectives"]
    stop = start + 4 * k * dim
    numbers = objectives and all(isinstance(o, float) and o >= 0 for o in objectives)
    if k < 1 or dim < 1 or stop > len(data) or not numbers:
        raise _none(where)
    centroids = np.frombuffer(data, "<f4", k * dim, start).reshape(k, dim).astype(np.float32)
    if not np.isfinite(centroids).all():
        raise _none(where)
    return Iterations(centroids, objectives, facts["converged"], facts["relocated"]), stop


def _none(where: str) -> InputError:
    return InputError(f"{where}: holds no state of a fit; move it away, or name another file")


def _copy(state: Iterations) -> Iterations:
    return Iterations(
        state.centroids.copy(), list(state.objectives), state.converged, state.relocated
    )


def _bytes_of_first(group: Group, content: bytes) -> bytes:
    return of_first(group, np.frombuffer(content, np.uint8)).tobytes()
