"""Graphs that were made already: of this process, and of a folder beside the features.

A graph is known by the content of the rows it is of, so no other rows are ever given it, whatever
became of a store since. It is found for any number of neighbours up to its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cost import Cost
from ..doors import read_json
from ..errors import InputError, StorageError
from ..feature_rows import as_features
from ..features.store.claims import Claims
from ..files import atomic_path, sha256_array, sha256_file, write_json
from ..kmeans.row_sources import ArrayRows, Rows
from ..limits import STORE_RECORD
from ..progress import Progress
from .graph import Graph

if TYPE_CHECKING:
    import torch

    from .search import Engine

#: What a graph is, in the name of its folder: raised when the same rows would get another.
_VERSION = 1
_PART = ".part"  # of the name of the folder in which one is being made
_MANIFEST, _IDS, _SIMILARITIES = "graph.json", "ids.npy", "similarities.npy"
#: Neighbours that are looked for at least: those who ask for more would have all made again.
_ASKED = 50
#: Bytes of graphs that this process holds on to; the last one always.
_HELD = 512 << 20


@dataclass(frozen=True)
class Place:
    """Where graphs are kept, and of what.

    folder: of the graphs of one store. identity: the store's; "" where there is none.
    """

    folder: Path
    identity: str = ""


@dataclass
class Tally:
    """What became of the graphs that were asked for.

    made: graphs computed, in `seconds` altogether. found: read from the folder. shared: had by an
    earlier one of this process.
    """

    made: int = 0
    found: int = 0
    shared: int = 0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, name: str, seconds: float = 0.0) -> None:
        """One more."""
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)
            self.seconds += seconds

    def with_later(self, later: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.made + later.made,
            self.found + later.found,
            self.shared + later.shared,
            self.seconds + later.seconds,
        )


class _State:
    """Graphs of this process; one at a time is looked for, so that it is made once."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.graphs: OrderedDict[tuple[str, str], Graph] = OrderedDict()
        self.place: Place | None = None
        self.tally = Tally()


_state = _State()


@contextlib.contextmanager
def kept_in(place: Place | None) -> Iterator[Tally]:
    """Within it graphs are kept in a folder, and looked for there; None keeps none.

    Yields:
        The tally of the graphs asked for within it.
    """
    before = _state.place, _state.tally
    _state.place, _state.tally = place, Tally()
    try:
        yield _state.tally
    finally:
        _state.place, _state.tally = before


def neighbours_of(
    X: Any,
    k: int,
    device: torch.device | None = None,
    progress: Progress | None = None,
    *,
    place: Place | None = None,
) -> Graph:
    """The k nearest other rows of each row by cosine, made or found (see `all_neighbours`).

    Args:
        X: (n, dim) features, as `feature_rows.as_features` takes them.
        k: neighbours wanted, 1 <= k < n.
        device: to compute on; None is the CPU. The graph does not depend on it.
        progress: as `all_neighbours` takes it.
        place: where it is kept and looked for, unless `kept_in` says so.

    Raises:
        InputError: X is no usable 2-D array, or has too few rows.

    Examples:
        >>> from clusterbench.neighbours import neighbours_of
        >>> graph = neighbours_of([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [0.1, 3.0]], k=2)
        >>> graph.ids.tolist()
        [[1, 3], [0, 3], [3, 1], [2, 1]]
    """
    return neighbours_of_rows(ArrayRows(as_features(X)), k, device, progress, place=place)


def neighbours_of_rows(
    x: Rows,
    k: int,
    device: torch.device | None = None,
    progress: Progress | None = None,
    *,
    place: Place | None = None,
) -> Graph:
    """`neighbours_of` of rows that are read in blocks: the same graph, of the same file.

    Raises:
        InputError: there are too few rows.
    """
    _check(k, x.n - 1, "other rows")
    rows, wanted = rows_hash(x), min(max(k, _ASKED), x.n - 1)
    with _state.lock:
        graph = _held((rows, ""), k)
        if graph is not None:
            _state.tally.count("shared")
            return graph
        folder = _folder(rows, place)
        if folder is not None and (graph := _found(folder, rows, k)) is not None:
            _state.tally.count("found")
        else:
            begin = time.perf_counter()
            graph = _made(x, rows, wanted, device, folder, progress)
            _state.tally.count("made", time.perf_counter() - begin)
        _hold((rows, ""), graph)
        return graph.first(k)


def rows_hash(rows: Rows) -> str:
    """Hex SHA-256 of rows: `sha256_array` of all of them as float32, read in blocks."""
    digest = hashlib.sha256(f"{np.dtype('<f4').str}{(rows.n, rows.dim)}".encode())
    for start in range(0, rows.n, 65_536):
        block = rows.block(start, min(start + 65_536, rows.n))
        digest.update(np.ascontiguousarray(block, dtype="<f4").reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def nearest_of(queries: Any, X: Any, k: int, device: torch.device | None = None) -> Graph:
    """The k nearest rows of X of each query by cosine; similarities are float32.

    What this process has just found it does not look for again.

    Args:
        queries: (m, dim) features, as `feature_rows.as_features` takes them.
        X: (n, dim) features.
        k: neighbours wanted, 1 <= k <= n.
        device: as of `neighbours_of`.

    Raises:
        InputError: one of the two is no usable 2-D array, or X has too few rows or another width.
    """
    from .search import engine_on, nearest_among

    queries, features = as_features(queries), as_features(X)
    if queries.shape[1] != features.shape[1]:
        raise InputError(
            f"queries have {queries.shape[1]} dimensions and X has {features.shape[1]}; "
            "both should be of the same encoder"
        )
    _check(k, len(features), "rows")
    key = (sha256_array(features), sha256_array(queries))
    with _state.lock:
        graph = _held(key, k)
        if graph is None:
            wanted = min(max(k, _ASKED), len(features))
            engine = engine_on(device)
            graph = nearest_among(ArrayRows(queries), ArrayRows(features), wanted, engine)
            _hold(key, graph)
        return graph.first(k)


def _check(k: int, most: int, of: str) -> None:
    if not 1 <= k <= most:
        raise InputError(f"k={k} should be in 1..{most}, as many {of} as X has")


def search_cost(n: int, n_queries: int, dim: int) -> Cost:
    """Of the neighbours of n rows among themselves and of other rows among them.

    Rows are multiplied once for both of a pair; each product is looked at once, few twice.
    """
    pairs = 0.5 * n**2 + float(n) * n_queries
    return Cost(2.0 * pairs * dim, pairs)


def _held(key: tuple[str, str], k: int) -> Graph | None:
    graph = _state.graphs.get(key)
    if graph is None or graph.ids.shape[1] < k:
        return None
    _state.graphs.move_to_end(key)
    return graph.first(k)


def _hold(key: tuple[str, str], graph: Graph) -> None:
    _state.graphs[key] = graph
    _state.graphs.move_to_end(key)
    while len(_state.graphs) > 1 and sum(_nbytes(g) for g in _state.graphs.values()) > _HELD:
        _state.graphs.popitem(last=False)


def _nbytes(graph: Graph) -> int:
    return graph.ids.nbytes + graph.similarities.nbytes


def _folder(rows: str, otherwise: Place | None) -> Path | None:
    """Of the graphs of some rows; None where nothing is or can be kept."""
    place = _state.place or otherwise
    if place is None:
        return None
    return place.folder / f"rows-{rows[:16]}-v{_VERSION}"


def _found(folder: Path, rows: str, k: int) -> Graph | None:
    """A whole graph of at least k neighbours of these rows, the smallest there is."""
    try:
        names = sorted(path.name for path in folder.glob("k*"))
    except OSError:
        return None
    for name in names:
        number = name[1:]
        if name.endswith(_PART) and f"{name.removesuffix(_PART)}" in names:
            shutil.rmtree(folder / name, ignore_errors=True)  # killed while it tidied up
        if number.isascii() and number.isdecimal() and int(number) >= k:
            graph = _read(folder / name, rows, int(number))
            if graph is not None:
                return graph
    return None


def _read(folder: Path, rows: str, k: int) -> Graph | None:
    """The graph of a folder, if it is whole and of these rows."""
    try:
        manifest = read_json(folder / _MANIFEST, STORE_RECORD)
        if manifest["rows"] != rows or manifest["n_neighbors"] != k:
            return None
        for name in (_IDS, _SIMILARITIES):
            if sha256_file(folder / name) != manifest["sha256"][name]:
                return None
        ids = np.load(folder / _IDS, mmap_mode="r", allow_pickle=False)
        similarities = np.load(folder / _SIMILARITIES, mmap_mode="r", allow_pickle=False)
    except Exception:  # not whole, or no graph of ours: it is made again
        return None
    n = manifest.get("n_rows")
    fits = ids.shape == similarities.shape == (n, k)
    if not fits or ids.dtype != np.int32 or similarities.dtype != np.float16:
        return None
    return Graph(ids, similarities) if _within(ids, n) else None


def _within(ids: np.ndarray, n: int) -> bool:
    """Whether all numbers are of rows; looked at in blocks."""
    return all(
        int(block.min()) >= 0 and int(block.max()) < n
        for block in (ids[a : a + 65_536] for a in range(0, len(ids), 65_536))
    )


def _made(
    x: Rows, rows: str, k: int, device: Any, folder: Path | None, progress: Progress | None
) -> Graph:
    from .search import all_neighbours, engine_on

    engine = engine_on(device)
    if folder is None:
        return _alone(x, k, engine, progress)
    target, work = folder / f"k{k:05d}", folder / f"k{k:05d}{_PART}"

    def elsewhere() -> bool:
        return (target / _MANIFEST).is_file()

    try:
        graph = all_neighbours(x, k, engine, work, progress, known_by=rows, elsewhere=elsewhere)
        if graph is None and (graph := _read(target, rows, k)) is not None:
            return graph
    except StorageError:  # a folder that cannot be written, or is full: it is made all the same
        graph = None
    if graph is None:
        graph = _alone(x, k, engine, progress)
    with contextlib.suppress(StorageError):
        with Claims(work) as claims, claims.finishing(0):
            if not elsewhere() or _read(target, rows, k) is None:
                _write(target, graph, rows)
        shutil.rmtree(work, ignore_errors=True)
    return graph


def _alone(x: Rows, k: int, engine: Engine, progress: Progress | None) -> Graph:
    from .search import all_neighbours

    graph = all_neighbours(x, k, engine, progress=progress)
    assert graph is not None  # there is no folder in which another process could have made it
    return graph


def _write(target: Path, graph: Graph, rows: str) -> None:
    for name, array in ((_IDS, graph.ids), (_SIMILARITIES, graph.similarities)):
        with atomic_path(target / name) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    n, k = graph.ids.shape
    write_json(
        target / _MANIFEST,
        {
            "rows": rows,
            "store": _state.place.identity if _state.place else "",
            "n_rows": n,
            "n_neighbors": k,
            "sha256": {name: sha256_file(target / name) for name in (_IDS, _SIMILARITIES)},
        },
    )
