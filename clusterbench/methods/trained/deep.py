"""What trained heads share: input, neighbours, training, label-free choice of the head."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...cost import Cost, check_memory
from ...devices import resolve_device, team
from ...errors import InputError
from ...files import sha256_json
from ...heads.schedule import Schedule, widths
from ...neighbours.kept import neighbours_of_rows, rows_hash, search_cost
from ...progress import Progress, unseen
from ..clusterer import check_enough
from ..scaling import Scaler
from ..streaming import in_blocks, streamed
from ..top_order import led_by
from .head_choice import choose_head
from .head_input import HeadInput, free_bytes, mutual_table
from .head_settings import CHECKS
from .saving import HeadClusterer

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from ...heads.lessons.lesson import Lesson
    from ...heads.losses.objectives import Objective
    from ...heads.one_of_many import OneOfMany
    from ...heads.stack import HeadStack
    from ...kmeans.lloyd import Group

#: What a step costs whatever its size, in numbers moved: its calls.
_CALLS = 4e6


class DeepClusterer(HeadClusterer):
    """A clustering head trained on frozen features; see `TEMI` for most of the settings.

    A method names the settings that it has in its constructor and calls `_set`; of the others it
    has the values below.
    """

    #: Settings of `Schedule`, by the same names.
    _SCHEDULE: ClassVar[tuple[str, ...]] = tuple(f.name for f in fields(Schedule))
    #: Whether neighbours are looked for.
    _uses_neighbors: ClassVar[bool] = True
    #: Whether products may be made in half precision on a GPU.
    _halves: ClassVar[bool] = True
    #: Settings that memory grows with, for a message.
    _LARGE: ClassVar[str] = "batch_size"
    #: Work of a step beside that of one pass of pairs through student and teacher and back.
    _work: ClassVar[float] = 1.0

    n_heads: int = 1
    epochs: int
    batch_size: int
    hidden: int = 512
    depth: int = 0
    last: str = "linear"
    spaces: tuple[int, ...] = ()
    rate_per: int = 0
    n_neighbors: int = 1
    smooth_neighbors: int = 0
    smooth_rounds: int = 1
    learning_rate: float
    warmup_epochs: int = 0
    decay: str = "constant"
    weight_decay: float = 0.0
    momentum: float = 0.0
    momentum_decay: str = "constant"
    student_temperature: float = 1.0
    bottleneck: int = 256
    precision: str = "auto"
    start: str = "random"
    mutual: bool = False
    select: str = "consistency"

    def _set(self, settings: dict[str, Any]) -> None:
        """Check and store the settings that heads have in common."""
        for name, value in settings.items():
            if name in CHECKS:
                setattr(self, name, CHECKS[name](name, value))

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """All neighbours, the steps of training, and the clusters of all rows by all heads.

        The weights of what is no matrix product were fitted to measured times (docs/decisions.md).
        """
        steps_by_epoch = n_train // min(self.batch_size, n_train)
        rows = 2 * min(self.batch_size, n_train)
        scaler = Scaler(self.scaling, self.spaces)
        of_rows = [*self._widths(scaler.width(dim)), self.n_clusters]
        layers = [before * after for before, after in pairwise(of_rows)]
        # Of the student forward and twice backward, of the teacher forward; no gradient of the
        # input is needed.
        products = 2.0 * rows * self.n_heads * (4 * sum(layers) - layers[0])
        between = 14 * sum(of_rows[1:]) - 2 * of_rows[-2] * (self.depth > 0)
        moved = self.n_heads * (10.0 * sum(layers) + rows * between) + _CALLS
        steps = self._epochs(n_train) * steps_by_epoch
        assigned = 2.0 * (self.n_heads * n_train + n_eval) * sum(layers)
        found = Cost(self._work * steps * products + assigned, self._work * steps * moved)
        if self._uses_neighbors:
            found += search_cost(n_train, 0, dim)
        return found + scaler.cost(n_train, n_eval, dim)

    def _epochs(self, n: int) -> int:
        """Passes over n rows."""
        del n
        return self.epochs

    def _widths(self, dim: int) -> list[int]:
        """Of rows before each layer of a head that sees `dim` dimensions, and after the last."""
        return widths(dim, self.hidden, self.depth, self.bottleneck)

    @abstractmethod
    def _lesson(self, neighbors: np.ndarray) -> Objective | Lesson:
        """What all heads learn in one training run.

        Args:
            neighbors: (n, k) int32, the rows that partners are drawn from; (n, 0) of a method that
                looks for none.
        """

    def _partners(self, neighbors: np.ndarray) -> np.ndarray:
        """The rows that partners are drawn from, (n, m) int32, of (n, k) nearest neighbours."""
        return mutual_table(neighbors) if self.mutual else neighbors

    def _check(self, n: int) -> None:
        """Refuse settings that do not go with n rows, before anything is done."""

    def _lesson_bytes(self, n: int, n_heads: int) -> float | None:
        """What a step holds of logits, and a lesson all the time; None where it works in tiles."""
        del n, n_heads
        return None

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: Progress | None = None,
        checkpoint: Path | str | None = None,
        log: Path | str | None = None,
        tensorboard: Path | str | None = None,
    ) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: as `Clusterer.fit` takes it. A `FeatureStore`, a memory map and an array of float16
                are held in half precision on the device if they fit there and that loses nothing,
                and read while they are used if they do not; the answer is the same.
            y: not looked at.
            progress: called as `progress(done, total)` after each epoch.
            checkpoint: folder for the state of the training; a fit that was killed goes on from
                it to the same weights. It is left to the caller to remove it. None keeps none.
            log: file (.jsonl) with a line for each epoch: losses, clusters used, entropy of the
                mean assignment of each head.
            tensorboard: folder for TensorBoard's files, which need the extra `tensorboard`.

        Raises:
            InputError: as `Clusterer.fit`; a checkpoint of another fit; too little memory.
        """
        del y  # nothing that fits sees a label
        self._files = (checkpoint, log, tensorboard)
        try:
            rows = streamed(X)
            if rows is None:
                return super().fit(X, progress=progress)
            self._begin_fit(rows.dim)
            check_enough(rows.n, self.n_clusters)
            self.labels_ = self._train(X, progress or unseen)
            return self
        finally:
            del self._files

    @property
    def keeps_checkpoints(self) -> bool:
        """As `Clusterer.keeps_checkpoints`: a folder."""
        return True

    @property
    def shares_fit(self) -> bool:
        """As `Clusterer.shares_fit`: where each process has a head to train."""
        return self.n_heads >= team().size

    def fit_share(
        self,
        X: Any,
        group: Group,
        *,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """As `Clusterer.fit_share`, with a folder for the checkpoint; each process has heads.

        Every process holds the rows of all. The same number of processes comes to the same bits,
        and any number to the answer of `fit` up to rounding.
        """
        from ...heads.one_of_many import Sharing

        Sharing(group).heads(self.n_heads)  # which says what to do where they are too few
        return super().fit_share(X, group, checkpoint=checkpoint, progress=progress)

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        return self._train(features, progress)

    def _fit_share(
        self, features: np.ndarray, group: Group, checkpoint: Path | None, progress: Progress
    ) -> np.ndarray:
        """Each process trains some of the heads, on the rows of all."""
        from ...heads.one_of_many import Sharing
        from ...kmeans.processes import first_row

        begin, n = first_row(group, len(features)), len(features)
        everything = group.gather(features)
        self._files = (checkpoint, None, None)
        try:
            labels = self._train(everything, progress, Sharing(group))
        finally:
            del self._files
        return labels[begin : begin + n]

    def _train(self, X: Any, progress: Progress, mates: OneOfMany | None = None) -> np.ndarray:
        from ...heads.footprint import training_bytes
        from ...heads.one_of_many import Single
        from ...heads.trainer import train_heads
        from ...heads.training_log import TrainingLog
        from ...heads.training_state import TrainingFolder

        mates, device = mates or Single(), resolve_device(self.device)
        checkpoint, log, board = getattr(self, "_files", (None, None, None))
        for name, value in (("checkpoint", checkpoint), ("log", log), ("tensorboard", board)):
            if value is not None and not str(value):
                raise InputError(f"{name}='' names no file; name one, or leave it out")
        writer = TrainingLog(log, board) if (log, board) != (None, None) else None
        smoothing = (self.smooth_neighbors, self.smooth_rounds) if self.smooth_neighbors else None
        n, dim = X.shape if isinstance(X, np.ndarray) else (X.n, X.dim)
        if n < 2:
            raise InputError(f"n_samples={n}: a head needs at least 2 samples to have neighbours")
        self._check(n)
        named = {name: getattr(self, name) for name in self._SCHEDULE if name != "epochs"}
        schedule = Schedule(epochs=self._epochs(n), **named)
        precision, own = self._precision(device), mates.heads(self.n_heads)

        def needed(width: int, resident: str) -> float:
            """Bytes; refused before anything is done where there are fewer."""
            found = training_bytes(
                schedule, n, width, self.n_clusters, own.stop - own.start, resident, dim,
                self.n_neighbors, device.type, precision,
                self._lesson_bytes(n, own.stop - own.start),
            )  # fmt: skip
            check_memory(
                found,
                f"{self.name}: training {own.stop - own.start} heads with K = "
                f"{self.n_clusters:,} on {n:,} rows",
                f"take fewer heads, or a smaller {self._LARGE}",
                free_bytes(device),
            )
            return found

        needed(Scaler(self.scaling, self.spaces).width(dim), "streamed")
        seen = HeadInput(X, self.scaling, device, smoothing, self.spaces)
        taken = needed(seen.dim, seen.resident)
        # Neighbours are cosine neighbours of the features as given, whatever the heads' scaling.
        n_neighbors = min(self.n_neighbors, n - 1) if self._uses_neighbors else 0
        nearest = table = np.empty((n, 0), dtype=np.int32)
        if n_neighbors:
            nearest = neighbours_of_rows(
                seen.raw, n_neighbors, device, lambda *_: progress(0, schedule.epochs)
            ).ids
            table = self._partners(nearest)
        keeper = None
        if checkpoint is not None:
            identity = self._identity(rows_hash(seen.raw), device.type, precision)
            keeper = TrainingFolder(Path(checkpoint), identity, mates=mates)
        rows = seen.training_rows(table)
        trained = train_heads(
            rows,
            self.n_clusters,
            self._lesson(table),
            schedule,
            self.random_state,
            progress,
            precision=precision,
            start=self._start(seen, schedule),
            mates=mates,
            keeper=keeper,
            log=writer,
        )
        del rows
        choice = choose_head(
            trained, seen, nearest, self.n_clusters, self.select, self.random_state, mates, own
        )
        self._head: HeadStack = choice.head
        self._input, self.diagnostics_ = seen, dict(choice.facts)
        labels = self._go_on(choice.labels, seen, table, progress)
        self.diagnostics_ |= {
            "n_neighbors_used": n_neighbors,
            "precision_used": precision,
            "features_held": seen.resident,
            "training_bytes": round(taken),
        }
        if trained.resumed:
            self.diagnostics_["steps_before_resumption"] = trained.resumed
        seen.forget()
        return labels

    def _precision(self, device: torch.device) -> str:
        if not self._halves:
            return "float32"
        if self.precision == "auto":
            return "bf16" if device.type == "cuda" else "float32"
        if self.precision == "bf16" and device.type != "cuda":
            raise InputError(
                f"precision='bf16' needs a GPU, and the device is {device.type}; use float32"
            )
        return self.precision

    def _identity(self, rows: str, device: str, precision: str) -> str:
        """Of all that changes the answer of a fit, for its checkpoints."""
        settings = {name: value for name, value in self.get_params().items() if name != "device"}
        return sha256_json(
            {
                "method": [self.name, self.version],
                "settings": {**settings, "precision": precision},
                "device": device,
                "rows": rows,
            }
        )

    def _start(self, seen: HeadInput, schedule: Schedule) -> Callable[[], HeadStack] | None:
        """What makes the heads to start from."""
        if self.start == "random":
            return None
        from ...heads.warm import started_from
        from ..kmeans import KMeans

        def made() -> HeadStack:
            # Of rows as heads see them, scaled by and by: the same clusters wherever they lie.
            kmeans = KMeans(
                self.n_clusters, random_state=self.random_state, device=self.device, scaling="none"
            )
            labels = kmeans.clusters_of(seen.scaled)
            return started_from(
                seen.blocks, seen.dim, labels, self.n_clusters, schedule, self.random_state
            )

        return made

    def _go_on(
        self, labels: np.ndarray, seen: HeadInput, table: np.ndarray, progress: Progress
    ) -> np.ndarray:
        """What a method does with the chosen head's clusters before it ends; (n,) int64."""
        del seen, table, progress
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """The chosen teacher's probability of each cluster.

        Args:
            X: (n_samples, dim) array of floats, or a `FeatureStore`.

        Returns:
            (n_samples, n_clusters) float32, rows that sum to 1.

        Raises:
            InputError: not fitted, or X is not a finite 2-D array of the dimension seen.
        """
        from ...heads.stack import probabilities

        features = self._fitted_features(X)
        x = self._input.of(features)
        proba: np.ndarray = probabilities(self._head, x, self.teacher_temperature).cpu().numpy()
        return proba

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each row: (n_samples,) int64; X as `fit` takes it."""
        rows = streamed(X)
        if rows is None:
            return super().predict(X)
        self._check_width(rows.dim)
        return in_blocks(rows, 1 << 15, self._predict)

    def _predict(self, features: np.ndarray) -> np.ndarray:
        from ...heads.stack import assign

        labels: np.ndarray = assign(self._head, self._input.of(features)).cpu().numpy()
        return labels

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        from ...heads.stack import assign, top

        x = self._input.of(features)
        return led_by(assign(self._head, x).cpu().numpy(), top(self._head, x, n).cpu().numpy())
