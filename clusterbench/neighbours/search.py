"""Exact nearest neighbours of all rows among themselves, and of other rows among them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..cores import torch_threads
from ..features.store.claims import Claims
from ..kmeans.row_sources import Rows
from ..progress import Progress, unseen
from . import tiles
from .graph import Graph
from .panels import BUDGET, Known, Side, panel_rows
from .shelf import LOSS, Shelf, planned

if TYPE_CHECKING:
    import torch

_WAIT = 0.1  # seconds between tries, while other processes have all panels that are left
_ROUNDED = 4096  # rows whose cosines are rounded at a time


class Engine(Protocol):
    """What compares panels: on a CPU or on another device. Its sides are for itself alone.

    budget: bytes of two panels that are compared, as `panels.panel_rows` takes it.
    """

    budget: int

    def side(
        self, rows: Rows, start: int, stop: int, known: Known | None, k: int, offset: int = 0
    ) -> Any:
        """A panel as `Side` takes it."""
        ...

    def merge(self, a: Any, b: Any, to_a: bool, to_b: bool) -> None:
        """As `tiles.merge`."""
        ...


class CpuEngine:
    """Panels compared on the cores of this machine.

    Args:
        threads: None takes as many as torch may use here.
    """

    budget = BUDGET

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or torch_threads()

    def side(
        self, rows: Rows, start: int, stop: int, known: Known | None, k: int, offset: int = 0
    ) -> Side:
        """As `Engine.side`."""
        return Side(rows, start, stop, known, k, offset)

    def merge(self, a: Side, b: Side, to_a: bool, to_b: bool) -> None:
        """As `Engine.merge`."""
        tiles.merge(a, b, to_a, to_b, self.threads)


def engine_on(device: torch.device | None) -> Engine:
    """The engine of a device; None is the CPU."""
    if device is None or device.type != "cuda":  # others lack float64
        return CpuEngine()
    from .device import DeviceEngine

    return DeviceEngine(device)


def all_neighbours(
    rows: Rows,
    k: int,
    engine: Engine,
    folder: Path | None = None,
    progress: Progress | None = None,
    rows_at_a_time: int | None = None,
    loss: float | None = None,
    known_by: str = "",
    elsewhere: Callable[[], bool] = lambda: False,
) -> Graph | None:
    """The k nearest other rows of each row, by the cosine in float64.

    A row is never its own neighbour; a copy of it is one. Each pair of rows is multiplied once, on
    a GPU once for each of the two. Beyond the rows and the graph this takes 12 k bytes a row (with
    a folder at most 512 MB of them), and 192 MB or a 32nd of the rows as float32, whichever is
    more; on a GPU that memory is the device's, see `device.DeviceEngine`.

    Args:
        rows: n > k rows.
        k: neighbours wanted, at least 1.
        engine: what multiplies.
        folder: for what is known on the way: a call that was killed goes on there, and several
            processes that are given the same folder share the work. It is left to the caller to
            remove. None keeps everything in memory.
        progress: called as `progress(pairs of panels done, all of them)`.
        rows_at_a_time: rows of a panel; None takes what the memory stated above allows.
        loss: seconds of work that a kill may cost.
        known_by: what the rows are known by, such as a hash; files of others are not gone on with.
        elsewhere: whether another process has made the graph meanwhile and the folder may be gone.

    Returns:
        The graph; None where it has been made elsewhere.

    Raises:
        StorageError: the folder cannot be written.
    """
    n, tell = rows.n, progress or unseen
    size = rows_at_a_time or panel_rows(n, rows.dim, k, _copied(rows), engine.budget)
    if folder is not None:
        plan = {"rows": known_by, "n": n, "dim": rows.dim, "k": k, "panel_rows": size}
        size = planned(folder, plan)["panel_rows"]
    bounds = np.array([*range(0, n, size), n])
    shelf = Shelf(bounds, k, folder, LOSS if loss is None else loss, known_by)
    with contextlib.ExitStack() as stack:
        claims = None if folder is None else stack.enter_context(Claims(folder))
        shares = _Shares(shelf, claims)
        while not elsewhere():
            if _complete(rows, k, engine, shelf, shares, tell):
                shares.end()
                graph = _read_off(shelf, n, k)
                if graph is not None:
                    return graph
        return None


def nearest_among(
    queries: Rows,
    rows: Rows,
    k: int,
    engine: Engine,
    rows_at_a_time: int | None = None,
) -> Graph:
    """The k nearest of `rows` of each query, by the rules of `all_neighbours`.

    k: at most rows.n. Memory as there. Similarities are float32.
    """
    larger = max(rows.n, queries.n)
    size = rows_at_a_time or panel_rows(larger, rows.dim, k, _copied(rows), engine.budget)
    ids = np.empty((queries.n, k), dtype=np.int32)
    similarities = np.empty((queries.n, k), dtype=np.float32)
    for start in range(0, queries.n, size):
        stop = min(start + size, queries.n)
        known = Known.nothing(stop - start, k, 1)
        side = engine.side(queries, start, stop, known, k, offset=-queries.n)
        for first in range(0, rows.n, size):
            base = engine.side(rows, first, min(first + size, rows.n), None, k)
            engine.merge(side, base, True, False)
        ids[start:stop] = known.ids
        _rounded(known.cosines, similarities[start:stop])
    return Graph(ids, similarities)


class _Shares:
    """Which pairs of panels this process may look at, while others look at others.

    Alone, it has all panels until its work is written. With others, it has two at a time.
    """

    def __init__(self, shelf: Shelf, claims: Claims | None) -> None:
        self._shelf, self._claims = shelf, claims
        self._alone = claims is not None and claims.take_all()

    @contextlib.contextmanager
    def pair(self, a: int, b: int) -> Iterator[bool]:
        """Within it, whether nobody else has one of the two panels."""
        if self._claims is None or self._alone:
            yield True
            self._give_way()
            return
        mine = [panel for panel in sorted({a, b}) if self._claims.take(panel)]
        try:
            if len(mine) == len({a, b}):
                self._shelf.forget()  # others may have written them
                yield True
                self._shelf.flush()
            else:
                yield False
        finally:
            for panel in mine:
                self._claims.release(panel)

    def _give_way(self) -> None:
        if self._claims is None or not self._shelf.due:
            return
        self.end()
        time.sleep(1.5 * _WAIT)  # those who wait come first
        self._alone = self._claims.take_all()

    def end(self) -> None:
        """Write what is new; others may go on with it."""
        self._shelf.flush()
        if self._claims is not None and self._alone:
            self._claims.release_all()
            self._alone = False
            self._shelf.forget()


def _complete(
    rows: Rows, k: int, engine: Engine, shelf: Shelf, shares: _Shares, tell: Progress
) -> bool:
    """Look at all pairs of panels that have not been; whether none is left to others."""
    m, bounds = shelf.n_panels, shelf.bounds
    total = m * (m + 1) // 2
    # Along diagonals: each panel with itself first, which is where classes that follow each other
    # have their neighbours. Processes begin at different places.
    pairs = [(i, i + offset) for offset in range(m) for i in range(m - offset)]
    begin = os.getpid() % m
    pairs = pairs[begin:m] + pairs[:begin] + pairs[m:]

    def side(panel: int) -> Any:
        return engine.side(rows, int(bounds[panel]), int(bounds[panel + 1]), shelf[panel], k)

    done = shelf.seen()
    left = [pair for pair in pairs if not done[pair]]
    finished, worked = total - len(left), 0
    tell(finished, total)
    for a, b in left:
        with shares.pair(a, b) as free:
            if not free:
                continue
            worked += 1
            to_a, to_b = not shelf[a].merged[b], not shelf[b].merged[a]
            if to_a or to_b:
                first = side(a)
                engine.merge(first, first if a == b else side(b), to_a, to_b)
                shelf[a].merged[b] = shelf[b].merged[a] = True
                shelf.changed(a, b)
                shelf.trim(a, b)
            tell(finished + worked, total)
    if left and not worked:
        time.sleep(_WAIT)
    return worked == len(left)


def _read_off(shelf: Shelf, n: int, k: int) -> Graph | None:
    """The graph; None where files are gone, as another process has made it and tidied up."""
    ids = np.empty((n, k), dtype=np.int32)
    similarities = np.empty((n, k), dtype=np.float16)
    for panel in range(shelf.n_panels):
        part = slice(int(shelf.bounds[panel]), int(shelf.bounds[panel + 1]))
        if not shelf[panel].merged.all():
            return None
        ids[part] = shelf[panel].ids
        _rounded(shelf[panel].cosines, similarities[part])
        shelf.trim()
    return Graph(ids, similarities)


def _rounded(cosines: np.ndarray, out: np.ndarray) -> None:
    for start in range(0, len(out), _ROUNDED):
        out[start : start + _ROUNDED] = np.clip(cosines[start : start + _ROUNDED], -1.0, 1.0)


def _copied(rows: Rows) -> bool:
    """Whether a block of rows takes memory of its own."""
    first, again = rows.block(0, 1), rows.block(0, 1)
    return not np.shares_memory(first, again)
