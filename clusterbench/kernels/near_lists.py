"""Lists of the most similar rows, filled from tiles of products, settled in float64.

The products of unit rows come from a fast routine whose rounding nobody controls. A product is
passed over only where a bound on that rounding leaves no doubt; what is left is compared in
float64, by one formula in one order (`cosine`), and of equal cosines the lower row number comes
first. So the lists are the same whatever the tiles, their order and the threads were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled

_GROUP = 64  # marks of news that are looked at together
_GATHERED = 8192  # places of news that are gathered, at least; tiles are narrower
_LINE = 16  # float32 numbers of a line of the cache
_NEVER = np.float32(np.inf)


class Lists(NamedTuple):
    """The lists of n rows.

    ids: (n, k) int32, row numbers, most similar first; -1 where there are fewer so far. cosines:
    (n, k) float64; -inf there. fresh: (n, m) int32, numbers that wait to be compared in float64.
    products: (n, m) float32, what the fast routine says of them. waiting: (n,) int32, how many
    wait. low: (n,) float32, below which a product is of no row that could enter the list.
    """

    ids: np.ndarray
    cosines: np.ndarray
    fresh: np.ndarray
    products: np.ndarray
    waiting: np.ndarray
    low: np.ndarray


class Panel(NamedTuple):
    """Rows that follow each other.

    x: (n, dim) float32. lengths: (n,) float64. start: number of the first among all rows.
    """

    x: np.ndarray
    lengths: np.ndarray
    start: int


@compiled
def dot(x: np.ndarray, y: np.ndarray) -> float:
    """The product of two (dim,) float32 in float64: eight sums side by side, in a fixed order."""
    dim = len(x)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    whole = dim - dim % 8
    for j in range(0, whole, 8):
        a0 += np.float64(x[j]) * np.float64(y[j])
        a1 += np.float64(x[j + 1]) * np.float64(y[j + 1])
        a2 += np.float64(x[j + 2]) * np.float64(y[j + 2])
        a3 += np.float64(x[j + 3]) * np.float64(y[j + 3])
        a4 += np.float64(x[j + 4]) * np.float64(y[j + 4])
        a5 += np.float64(x[j + 5]) * np.float64(y[j + 5])
        a6 += np.float64(x[j + 6]) * np.float64(y[j + 6])
        a7 += np.float64(x[j + 7]) * np.float64(y[j + 7])
    rest = 0.0
    for j in range(whole, dim):
        rest += np.float64(x[j]) * np.float64(y[j])
    return (((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))) + rest


@compiled
def lengths(x: np.ndarray) -> np.ndarray:
    """Euclidean lengths of (n, dim) float32 rows: (n,) float64."""
    found = np.empty(len(x))
    for i in range(len(x)):
        found[i] = np.sqrt(dot(x[i], x[i]))
    return found


@compiled
def unit(x: np.ndarray, lengths: np.ndarray, out: np.ndarray) -> None:
    """Rows of length 1, rounded once to float32; a row of zeros stays zeros."""
    for i in range(len(x)):
        length = lengths[i] if lengths[i] > 0.0 else 1.0
        for j in range(x.shape[1]):
            out[i, j] = np.float64(x[i, j]) / length


@compiled
def cosine(a: Panel, i: int, b: Panel, j: int) -> float:
    """Cosine of row i of a panel and row j of another, 0 where one is all zeros: it decides."""
    both = a.lengths[i] * b.lengths[j]
    return dot(a.x[i], b.x[j]) / both if both > 0.0 else 0.0


# A comparison a product, written out as a byte: the compiler makes vectors of it, as it does not
# of a search that may end early.
@compiled
def _news(products: np.ndarray, low: np.ndarray, own: float, news: np.ndarray) -> None:
    """Mark the products that are as high as their row's low, or their column's."""
    for j in range(len(products)):
        least = low[j] if low[j] < own else own
        news[j] = np.uint8(products[j] >= least)


@compiled
def offer(
    products: np.ndarray,
    rows: Lists,
    columns: Lists,
    a: Panel,
    b: Panel,
    first_row: int,
    first_column: int,
    to_rows: bool,
    to_columns: bool,
    error: float,
) -> None:
    """Take a tile of products into the lists of its rows, of its columns, or of both.

    No list may be offered a row twice: what it holds would count double.

    Args:
        products: (r, c) float32, of unit rows.
        rows: lists of panel a; written to.
        columns: lists of panel b; written to.
        a: holds the tile's rows.
        b: holds its columns; panel a again where a panel meets itself.
        first_row: of the tile, within a.
        first_column: of the tile, within b.
        to_rows: whether the rows' lists are written to.
        to_columns: whether the columns' are; of a tile on the diagonal both have to be, and its
            upper half counts alone.
        error: how far a product may be from the cosine.
    """
    n_rows, n_columns = products.shape
    low = columns.low[first_column : first_column + n_columns]
    if not to_columns:
        low = np.full(n_columns, np.inf, dtype=np.float32)
    diagonal = a.start + first_row == b.start + first_column
    if to_rows:
        _begin(products, rows, first_row, diagonal, error)
    news = np.zeros(-(-n_columns // _GROUP) * _GROUP, dtype=np.uint8)
    words = news.view(np.uint64)
    # Gathered, then taken in one go: lists lie all over the memory, and a short loop over many of
    # them waits for several at a time.
    at, count = np.empty((_GATHERED, 2), dtype=np.int32), 0
    for i in range(n_rows):
        own = rows.low[first_row + i] if to_rows else _NEVER
        _news(products[i], low, own, news[:n_columns])
        if diagonal:
            news[: i + 1] = 0
        for group in range(len(news) // _GROUP):
            w = 8 * group
            if (
                words[w] | words[w + 1] | words[w + 2] | words[w + 3]
                | words[w + 4] | words[w + 5] | words[w + 6] | words[w + 7]
            ) == 0:  # fmt: skip
                continue
            for word in range(w, w + 8):
                if words[word] == 0:
                    continue
                for j in range(8 * word, 8 * word + 8):
                    at[count, 0], at[count, 1] = i, j
                    count += news[j]
        if count > _GATHERED - n_columns - 8 or i == n_rows - 1:
            where = at[:count]
            if to_rows:
                _take(products, where, 0, rows, a, first_row, b.start + first_column, a, b, error)
            if to_columns:
                _take(products, where, 1, columns, b, first_column, a.start + first_row, a, b,
                      error)  # fmt: skip
            count = 0


@compiled
def _take(
    products: np.ndarray, where: np.ndarray, axis: int, lists: Lists, of: Panel, first: int,
    first_other: int, a: Panel, b: Panel, error: float,
) -> None:  # fmt: skip
    """Products of a tile into the lists of its rows (axis 0) or of its columns (axis 1)."""
    fresh, fresh_products, waiting, low = lists.fresh, lists.products, lists.waiting, lists.low
    room = fresh.shape[1]
    scratch = np.empty(lists.ids.shape[1] + room, dtype=np.float32)
    for index in range(len(where)):
        mine = first + where[index, axis]
        product = products[where[index, 0], where[index, 1]]
        if product < low[mine]:
            continue
        at = waiting[mine]
        fresh[mine, at] = first_other + where[index, 1 - axis]
        fresh_products[mine, at] = product
        waiting[mine] = at + 1
        if at + 1 == room:
            _make_room(lists, mine, of, a, b, error, scratch)


@compiled
def _begin(products: np.ndarray, rows: Lists, first_row: int, diagonal: bool, error: float) -> None:
    """Lows of rows that have none yet: a whole tile tells more than its first products."""
    n_rows, n_columns = products.shape
    k = rows.ids.shape[1]
    if n_columns <= k:
        return
    scratch = np.empty(n_columns, dtype=np.float32)
    for i in range(n_rows):
        if rows.low[first_row + i] == -np.inf:
            scratch[:] = products[i]
            if diagonal:
                scratch[i] = -np.inf
            found = np.float64(_largest(scratch, k)) - 2.0 * error
            rows.low[first_row + i] = np.float32(found)


@compiled
def _make_room(
    lists: Lists, at: int, of: Panel, a: Panel, b: Panel, error: float, scratch: np.ndarray
) -> None:
    _thin(lists, at, error, scratch)
    # Thinned by little, it would be full again at once.
    if lists.waiting[at] > lists.fresh.shape[1] * 3 // 4:
        _settle(lists, at, of, at, a, b, error)


@compiled
def _thin(lists: Lists, at: int, error: float, scratch: np.ndarray) -> None:
    """Drop what waits and cannot be among the k most similar any more."""
    k = lists.ids.shape[1]
    n = 0
    for j in range(k):
        if lists.ids[at, j] < 0:
            break
        scratch[n] = np.float32(lists.cosines[at, j])
        n += 1
    for j in range(lists.waiting[at]):
        scratch[n] = lists.products[at, j]
        n += 1
    if n < k:
        return
    low = np.float32(np.float64(_largest(scratch[:n], k)) - 2.0 * error)
    if low > lists.low[at]:
        lists.low[at] = low
    low, kept = lists.low[at], 0
    for j in range(lists.waiting[at]):
        if lists.products[at, j] >= low:
            lists.fresh[at, kept] = lists.fresh[at, j]
            lists.products[at, kept] = lists.products[at, j]
            kept += 1
    lists.waiting[at] = kept


@compiled
def _largest(values: np.ndarray, k: int) -> Any:
    """The k-th largest of some numbers, whose order is changed (Hoare's selection)."""
    left, right, wanted = 0, len(values) - 1, k - 1
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            right = j
        elif wanted >= i:
            left = i
        else:
            break
    return values[wanted]


@compiled
def _settle(lists: Lists, at: int, of: Panel, row: int, a: Panel, b: Panel, error: float) -> None:
    """Compare in float64 what waits; each is a row of panel a or b."""
    k = lists.ids.shape[1]
    if np.isnan(_touch(lists, at, a, b)):
        return  # never, as rows are finite; without a use of it the compiler leaves it out
    for j in range(lists.waiting[at]):
        number = lists.fresh[at, j]
        if a.start <= number < a.start + len(a.x):
            found = cosine(of, row, a, number - a.start)
        else:
            found = cosine(of, row, b, number - b.start)
        _insert(lists, at, number, found, k)
    lists.waiting[at] = 0
    if lists.ids[at, k - 1] >= 0:
        low = np.float32(lists.cosines[at, k - 1] - error)
        if low > lists.low[at]:
            lists.low[at] = low


@compiled
def _touch(lists: Lists, at: int, a: Panel, b: Panel) -> Any:
    """Load the rows that wait, all at once: compared one by one, each would be waited for."""
    dim = a.x.shape[1]
    total = np.float32(0.0)
    for j in range(lists.waiting[at]):
        number = lists.fresh[at, j]
        if a.start <= number < a.start + len(a.x):
            for c in range(0, dim, _LINE):
                total += a.x[number - a.start, c]
        else:
            for c in range(0, dim, _LINE):
                total += b.x[number - b.start, c]
    return total


@compiled
def _insert(lists: Lists, at: int, number: int, found: float, k: int) -> None:
    ids, cosines = lists.ids[at], lists.cosines[at]
    place = k
    while place > 0 and _before(found, number, cosines[place - 1], ids[place - 1]):
        place -= 1
    if place == k:
        return
    for j in range(k - 1, place, -1):
        ids[j], cosines[j] = ids[j - 1], cosines[j - 1]
    ids[place], cosines[place] = number, found


@compiled
def _before(found: float, number: int, other: float, other_number: int) -> bool:
    if other_number < 0:
        return True
    return found > other or (found == other and number < other_number)


@compiled
def settle(
    lists: Lists, of: Panel, a: Panel, b: Panel, start: int, stop: int, error: float
) -> None:
    """Compare in float64 all that waits in the lists of rows start..stop-1 of panel `of`."""
    scratch = np.empty(lists.ids.shape[1] + lists.fresh.shape[1], dtype=np.float32)
    for at in range(start, stop):
        _thin(lists, at, error, scratch)
        _settle(lists, at, of, at, a, b, error)
