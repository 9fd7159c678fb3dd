"""What is known of all panels while a graph is made, in memory and in files that outlive a kill."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import read_json
from ..errors import InputError
from ..files import atomic_path, remove, write_json
from ..limits import STORE_RECORD
from .panels import Known

#: Bytes of lists that stay in memory where there are files to take them from again.
_IN_MEMORY = 512 << 20
#: Seconds of work that a kill may cost.
LOSS = 20.0
_PLAN = "plan.json"


class Shelf:
    """The lists of all panels.

    A file holds the lists of a panel together with which panels they have seen, so it is whole or
    absent, and what was seen is counted once. A pair that was kept for one of its panels only is
    looked at again for the other alone.

    Args:
        bounds: (n_panels + 1,) numbers of the first row of each panel, and of the end.
        k: neighbours wanted.
        folder: for the files; None keeps everything in memory.
        loss: seconds after which what is new is written.
        known_by: what the rows are known by; files of others are not looked at.
    """

    def __init__(
        self,
        bounds: np.ndarray,
        k: int,
        folder: Path | None,
        loss: float = LOSS,
        known_by: str = "",
    ) -> None:
        self._known_by = known_by
        self.bounds, self.k, self.folder, self.loss = bounds, k, folder, loss
        self.n_panels = len(bounds) - 1
        self._held: dict[int, Known] = {}
        self._changed: set[int] = set()
        self._flushed = time.monotonic()

    def __getitem__(self, panel: int) -> Known:
        """What is known of a panel; to be changed in place, then told to `changed`."""
        if panel not in self._held:
            self._held[panel] = self._read(panel)
        return self._held[panel]

    def changed(self, *panels: int) -> None:
        """Lists of these panels have seen more; written when it is time."""
        self._changed.update(panels)

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return self.folder is not None and time.monotonic() - self._flushed > self.loss

    def flush(self) -> None:
        """Write what is new."""
        for panel in sorted(self._changed):
            self._write(panel)
        self._changed.clear()
        self._flushed = time.monotonic()

    def trim(self, *needed: int) -> None:
        """Let go of what has a file, the oldest first, until the rest is small enough."""
        if self.folder is None:
            return
        size = sum(known.ids.nbytes + known.cosines.nbytes for known in self._held.values())
        for panel in [p for p in self._held if p not in needed]:
            if size <= _IN_MEMORY:
                return
            known = self._held.pop(panel)
            size -= known.ids.nbytes + known.cosines.nbytes
            if panel in self._changed:
                self._held[panel] = known
                self._write(panel)
                self._changed.discard(panel)
                del self._held[panel]

    def forget(self) -> None:
        """Let go of everything: another process may have written it since. Flush before."""
        self._held.clear()

    def seen(self) -> np.ndarray:
        """Pairs that are done, for both: (n_panels, n_panels) bool, from what is held or kept."""
        merged = [
            self._held[p].merged if p in self._held else self._merged(p)
            for p in range(self.n_panels)
        ]
        seen = np.stack(merged)
        done: np.ndarray = seen & seen.T
        return done

    def _rows(self, panel: int) -> int:
        return int(self.bounds[panel + 1] - self.bounds[panel])

    def _path(self, panel: int) -> Path:
        assert self.folder is not None
        return self.folder / f"panel-{panel:05d}.npz"

    def _read(self, panel: int) -> Known:
        nothing = Known.nothing(self._rows(panel), self.k, self.n_panels)
        found = self._load(panel, ("ids", "cosines", "merged"))
        if found is None:
            return nothing
        known = Known(**found)
        fits = all(
            getattr(known, name).shape == getattr(nothing, name).shape
            and getattr(known, name).dtype == getattr(nothing, name).dtype
            for name in found
        )
        return known if fits else nothing

    def _merged(self, panel: int) -> np.ndarray:
        found = self._load(panel, ("merged",))
        if found is None or found["merged"].shape != (self.n_panels,):
            return np.zeros(self.n_panels, dtype=bool)
        return found["merged"]

    def _load(self, panel: int, names: tuple[str, ...]) -> dict[str, np.ndarray] | None:
        if self.folder is None or not self._path(panel).is_file():
            return None
        try:
            with np.load(self._path(panel), allow_pickle=False) as file:
                if str(file["rows"]) != self._known_by:
                    return None
                return {name: file[name] for name in names}
        except Exception:  # whatever is wrong with it, the panel is looked at anew
            return None

    def _write(self, panel: int) -> None:
        if self.folder is None:
            return
        known = self._held[panel]
        with atomic_path(self._path(panel)) as temporary, temporary.open("wb") as file:
            rows = np.array(self._known_by)
            np.savez(file, ids=known.ids, cosines=known.cosines, merged=known.merged, rows=rows)


def planned(folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The plan that a folder's files are of: the one found there, or this one, which is kept.

    A call that goes on takes the panels as the one before had them, on whatever machine. Files of
    other rows, or of a plan that makes no sense, are removed.

    Args:
        folder: of the files.
        plan: `rows`, what the rows are known by; `n`, `dim`, `k`; and `panel_rows`.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = folder / _PLAN
    try:
        found = read_json(path, STORE_RECORD) if os.path.lexists(path) else None
    except (InputError, OSError):
        found = None
    if found is not None and _goes_with(found, plan):
        return dict(found)
    for old in folder.glob("panel-*.npz"):
        remove(old)
    write_json(path, plan)
    return plan


def _goes_with(found: Any, plan: dict[str, Any]) -> bool:
    if not isinstance(found, dict) or set(found) != set(plan):
        return False
    size = found["panel_rows"]
    if not isinstance(size, int) or isinstance(size, bool):
        return False
    # Panels may be smaller on another machine; thousands of them are a plan of nobody.
    sensible = size == plan["panel_rows"] or plan["panel_rows"] // 64 < size <= plan["n"]
    return sensible and all(found[name] == plan[name] for name in plan if name != "panel_rows")
