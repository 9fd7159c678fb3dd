"""Rows of several files in the order of an index, as `FeatureStore.write` slices them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import InputError
from ...progress import Progress
from ...sources.dataset_index import DatasetIndex
from .matrix import AnyOrderFile, FeatureFile
from .oddities import Survey

_WINDOW_BYTES = 32 << 20  # gathered at once: the larger, the more rows a reading finds in order


class Gathered:
    """Features (n, dim) float16 or float32 in the order of an index, gathered when sliced.

    Has what `FeatureStore.write` uses of an array: `shape`, `ndim`, `dtype`, `len` and slices of
    rows. Memory: the slice, and a window of 32 MB of which small slices are parts. Slicing raises
    InputError, naming the file, the row and the sample, for NaN, infinities, values too large for
    the dtype, and rows of which the dtype leaves only zeros. survey: looks at every row, once.
    """

    ndim = 2

    def __init__(
        self,
        files: Sequence[AnyOrderFile],
        order: np.ndarray,
        index: DatasetIndex,
        dtype: np.dtype,
        progress: Progress | None = None,
        survey: Survey | None = None,
    ) -> None:
        self.files, self.order, self.index, self.dtype = files, order, index, dtype
        self.shape = (len(order), files[0].dim)
        self.progress, self._served = progress, 0
        self.survey = survey
        self._starts = np.cumsum([0, *(file.n for file in files)])
        self._window = np.empty((0, self.shape[1]), dtype)
        self._window_first = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        served = self._slice(start, stop)
        self._served += served.nbytes
        if self.progress is not None:
            self.progress(self._served, len(self) * self.shape[1] * self.dtype.itemsize)
        return served

    def _slice(self, start: int, stop: int) -> np.ndarray:
        first, held = self._window_first, len(self._window)
        if not (first <= start and stop <= first + held):
            size = max(1, _WINDOW_BYTES // (self.shape[1] * self.dtype.itemsize))
            if stop - start >= size:
                return self._gather(start, stop)
            self._window = self._gather(start, min(start + size, len(self)))
            self._window_first = first = start
        return self._window[start - first : stop - first]

    def _gather(self, start: int, stop: int) -> np.ndarray:
        wanted = self.order[start:stop]
        ascending = np.argsort(wanted, kind="stable")
        rows = wanted[ascending]
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        for number, file in enumerate(self.files):
            low, high = np.searchsorted(rows, self._starts[number : number + 2])
            for a in range(low, high, file.block_rows):
                b = min(high, a + file.block_rows)
                local = rows[a:b] - self._starts[number]
                block = file.take(local)
                converted = self._converted(block, file, local, start + ascending[a:b])
                if self.survey is not None:
                    self.survey.add(rows[a:b], converted, self.index.labels[start + ascending[a:b]])
                out[ascending[a:b]] = converted
        return out

    def _converted(
        self, block: np.ndarray, file: FeatureFile, local: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            converted = block.astype(self.dtype)
        finite = np.isfinite(converted)
        if finite.all():
            self._refuse_vanished(block, converted, file, local, rows)
            return converted
        at = int(np.argmax(~finite.all(axis=1)))
        value = block[at][~finite[at]][0]
        sample = f"row {local[at]} (sample {self.index.id(int(rows[at]))!r})"
        if not np.isfinite(value):
            raise InputError(
                f"{file.where}: {sample} holds {value}; wanted finite numbers: compute that row "
                "again, or leave it out"
            )
        advice = (
            "give --dtype float32"
            if self.dtype == np.float16
            else "scale the features down before they are saved"
        )
        raise InputError(
            f"{file.where}: {sample} holds {value:.6g}, too large for {self.dtype.name}; {advice}"
        )

    def _refuse_vanished(
        self,
        block: np.ndarray,
        converted: np.ndarray,
        file: FeatureFile,
        local: np.ndarray,
        rows: np.ndarray,
    ) -> None:
        """InputError for a row of numbers so small that all become zero in the store's dtype."""
        if block.dtype.itemsize <= self.dtype.itemsize:
            return
        zero = ~converted.any(axis=1)
        if not zero.any():
            return
        vanished = np.flatnonzero(zero)
        vanished = vanished[block[vanished].any(axis=1)]
        if len(vanished):
            at = int(vanished[0])
            advice = "give --dtype float32" if self.dtype == np.float16 else "scale them up"
            raise InputError(
                f"{file.where}: row {local[at]} (sample {self.index.id(int(rows[at]))!r}) holds "
                f"numbers up to {np.abs(block[at]).max():.6g}, all of which are zero as "
                f"{self.dtype.name}; {advice}"
            )
