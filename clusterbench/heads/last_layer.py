"""The last layer of a stack and its losses, in tiles: no tensor holds all logits of a large batch.

Its gradient is written down, not recorded: of the logits of a tile the gradient is made at once,
multiplied into those of the weights and of the layer below, and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .engines import layer_engine, tile_engine
from .losses.objectives import Objective, Surveyed
from .losses.tiling import Tile, Tiling
from .products import multiplied
from .stack import HeadStack


@dataclass(frozen=True)
class Stepped:
    """What a step through the last layer comes to.

    losses: (heads,) of each head. below: (heads, 2 * pairs, bottleneck), the gradient of the mean
    loss of all heads by the student's unit rows, divided by `scale`. direction, gain: by these
    tensors, in their shapes. survey: of the batch.
    """

    losses: Tensor
    below: Tensor
    scale: float
    direction: Tensor
    gain: Tensor
    survey: Surveyed


@dataclass
class _Batch:
    """What is looked at, by network: stacks and unit rows, and what was made of them so far."""

    stacks: dict[str, HeadStack]
    rows: dict[str, Tensor]
    surveyed: Surveyed
    complete: bool = False  # the survey
    weights: dict[str, Tensor] = field(default_factory=dict)
    logits: dict[str, Tensor] = field(default_factory=dict)


class LastLayer:
    """Losses and gradients of the last layer of students against teachers, batch after batch.

    Args:
        tiling: how batches are cut.
        all_heads: heads of all processes, of which the mean loss is taken.
        student_temperature: of the student's softmax.
        teacher_temperature: of the teacher's.
        first: number of the first head among those that the objective has.
        keeps: whether logits stay between `look` and `learn`, where one tile is the whole batch.
        buffers: where logits lie that do not, by network; shared by layers that take turns.

    Of unit rows in float16 logits and their gradient are float16, with sums in float32: unit rows
    and cosines lose at most 2^-11 of their size. Gradients are kept in the scale in which they fit.
    """

    def __init__(
        self,
        tiling: Tiling,
        all_heads: int,
        student_temperature: float,
        teacher_temperature: float,
        *,
        first: int = 0,
        keeps: bool = True,
        buffers: dict[str, Tensor] | None = None,
    ) -> None:
        self.tiling, self._all_heads, self._first = tiling, all_heads, first
        self._scales = {"student": 1.0 / student_temperature, "teacher": 1.0 / teacher_temperature}
        self._keeps = keeps and tiling.single
        self._buffers = {} if buffers is None else buffers
        self._kept: dict[str, Tensor] = {}
        self._now: _Batch | None = None

    def look(
        self,
        student: HeadStack,
        teacher: HeadStack,
        student_rows: Tensor,
        teacher_rows: Tensor,
        objective: Objective,
    ) -> Tensor | None:
        """Begin a batch; `learn` comes next.

        Args:
            student: has `direction` and `gain`.
            teacher: likewise.
            student_rows: (heads, 2 * pairs, bottleneck) at unit length, anchors first.
            teacher_rows: the same of the teacher.
            objective: what is learnt.

        Returns:
            Of an objective that couples heads (heads, pairs), for its `couple`.
        """
        now = self._now = _Batch(
            {"student": student, "teacher": teacher},
            {"student": student_rows, "teacher": teacher_rows},
            Surveyed(self.tiling, student["gain"]),
        )
        if not (self._keeps or objective.couples_heads):
            return None
        of = objective.surveys
        for heads in self.tiling.groups():
            # There is one tile then; through the student's weight its rows get a gradient.
            weight = self._weight(of, heads, self._keeps and of == "student")
            for tile in self.tiling.tiles(heads):
                logits = self._logits(of, weight, tile, self._keeps)
                self._survey(of, tile, logits)
            if self._keeps:
                now.logits[of] = logits
                if of == "student":
                    now.weights[of] = weight
        now.complete = True
        return now.surveyed.agreement if objective.couples_heads else None

    def learn(self, objective: Objective) -> Stepped:
        """Losses of the batch that was looked at, and their gradients.

        Args:
            objective: updated with what the batch says of these heads; coupled, if it couples.
        """
        now, self._now = self._now, None
        assert now is not None  # `look` comes first
        tiling = self.tiling
        scale = 1.0 / (tiling.n_pairs * self._all_heads)
        losses: Tensor | None = None
        below: Tensor | None = None
        direction: Tensor | None = None
        gain: Tensor | None = None
        student = now.stacks["student"]
        student_rows = now.rows["student"]
        kernels = tile_engine(student_rows.device, student_rows.dtype)
        layers = layer_engine(student_rows.device, student_rows.dtype)
        self._now = now
        for heads in tiling.groups():
            tiles = tiling.tiles(heads)
            weights, logits = dict(now.weights), dict(now.logits)
            if not now.complete:
                of = objective.surveys
                weights[of] = self._weight(of, heads)
                for tile in tiles:
                    logits[of] = self._logits(of, weights[of], tile)
                    self._survey(of, tile, logits[of])
            of_heads = objective.settle(
                self._shifted(heads), now.surveyed.sums[heads], tiling.n_pairs
            )
            whole: Tensor | None = None
            for tile in tiles:
                for name in now.stacks:
                    # What a single tile of the group was surveyed on still lies in its buffer.
                    if name not in weights and (name == "student" or name not in logits):
                        weights[name] = self._weight(name, heads)
                    if len(tiles) > 1 or name not in logits:
                        logits[name] = self._logits(name, weights[name], tile)
                terms = objective.terms(Tile(self._shifted(tile.heads), tile.pairs))
                lse = (
                    now.surveyed.lse_of(tile)
                    if objective.surveys == "teacher"
                    else kernels.survey(logits["teacher"], self._scales["teacher"]).lse
                )
                pairs = kernels.pair_gradient(
                    logits["student"], logits["teacher"], self._scales["student"],
                    self._scales["teacher"], lse, terms.log_marginal, terms.beta, terms.weight,
                    terms.slope,
                )  # fmt: skip
                of_heads = of_heads + pairs.sum(dim=1) / tiling.n_pairs
                gradient = logits["student"]
                part = self._rows(student_rows, tile)
                of_weights = student["direction"][heads]
                if whole is None:
                    place = self._place("gradient", of_weights)
                    whole = multiplied(part.mT, gradient, place)
                else:
                    place = self._place("gradient of a tile", of_weights)
                    whole.add_(multiplied(part.mT, gradient, place))
                below = self._put(below, tile, multiplied(gradient, weights["student"].mT))
            assert whole is not None  # a group has a tile
            of_direction, of_gain = layers.last_weight_back(
                whole, student["direction"][heads], student["gain"][heads], scale
            )
            losses = self._of_all(losses, heads, of_heads)
            direction = self._of_all(direction, heads, of_direction)
            gain = self._of_all(gain, heads, of_gain)
        self._now = None
        assert losses is not None and below is not None  # a stack has a head
        assert direction is not None and gain is not None
        return Stepped(losses, below, scale, direction, gain, now.surveyed)

    def _shifted(self, heads: slice) -> slice:
        """As the objective numbers them."""
        return slice(heads.start + self._first, heads.stop + self._first)

    def _weight(self, name: str, heads: slice, keep: bool = False) -> Tensor:
        """The last layer's, of some heads, until the next one of the network."""
        assert self._now is not None
        stack, dtype = self._now.stacks[name], self._now.rows[name].dtype
        layers = layer_engine(self._now.rows[name].device, dtype)
        direction = stack["direction"][heads]
        into = None if keep else self._place(f"weight of {name}", direction)
        found: Tensor = layers.last_weight(direction, stack["gain"][heads], dtype, into)
        return found

    def _place(self, name: str, like: Tensor) -> Tensor | None:
        """A place for a tensor like another, of layers that take turns; None where there is none.

        On a CPU memory that is asked for anew has to be given by the system page by page, and what
        is freed lies about in pieces. A GPU's is kept by torch.
        """
        if like.device.type != "cpu":
            return None
        if name not in self._buffers:
            self._buffers[name] = torch.empty_like(like, memory_format=torch.contiguous_format)
        return self._buffers[name][: len(like)]

    def _survey(self, name: str, tile: Tile, logits: Tensor) -> None:
        assert self._now is not None
        kernels = tile_engine(logits.device, logits.dtype)
        self._now.surveyed.note(tile, kernels.survey(logits, self._scales[name]))

    def _rows(self, rows: Tensor, tile: Tile) -> Tensor:
        """(heads, 2 * pairs, bottleneck) of a tile."""
        if self.tiling.single:
            return rows
        rows = rows[tile.heads]
        if tile.n_pairs < self.tiling.n_pairs:
            views = rows.view(len(rows), 2, self.tiling.n_pairs, -1)[:, :, tile.pairs]
            rows = views.reshape(len(rows), 2 * tile.n_pairs, -1)
        return rows

    def _of_all(self, whole: Tensor | None, heads: slice, part: Tensor) -> Tensor:
        """`whole` with what is of some heads; that itself where these are all."""
        if heads.stop - heads.start == self.tiling.n_heads:
            return part
        if whole is None:
            whole = part.new_empty((self.tiling.n_heads, *part.shape[1:]))
        whole[heads] = part
        return whole

    def _put(self, into: Tensor | None, tile: Tile, rows: Tensor) -> Tensor:
        """The same of a tile, for (heads, 2 * pairs, bottleneck)."""
        if self.tiling.single:
            return rows
        if into is None:
            into = rows.new_empty((self.tiling.n_heads, 2 * self.tiling.n_pairs, rows.shape[2]))
        views = into.view(len(into), 2, self.tiling.n_pairs, -1)
        views[tile.heads, :, tile.pairs] = rows.view(tile.n_heads, 2, tile.n_pairs, -1)
        return into

    def _logits(self, name: str, weight: Tensor, tile: Tile, keep: bool = False) -> Tensor:
        """Logits of a tile before the temperature, in a buffer that the next one overwrites."""
        assert self._now is not None
        rows = self._rows(self._now.rows[name], tile)
        shape = (*rows.shape[:2], weight.shape[2])
        buffers = self._kept if keep else self._buffers
        if name not in buffers:
            buffers[name] = rows.new_empty(self.tiling.numbers)
        numbers = shape[0] * shape[1] * shape[2]
        return torch.bmm(rows, weight, out=buffers[name][:numbers].view(shape))
