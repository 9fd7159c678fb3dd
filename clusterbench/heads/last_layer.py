"""The last layer of a stack and its losses, in tiles: no tensor holds all logits of a large batch.

Its gradient is written down, not recorded: of the logits of a tile the gradient is made at once,
multiplied into those of the weights and of the layer below, and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .engines import layer_engine, tile_engine
from .losses.objectives import Objective, SumOverHeads, Surveyed
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


class LastLayer:
    """Losses and gradients of the last layer of students against teachers, batch after batch.

    Args:
        tiling: how batches are cut.
        all_heads: heads of all processes, of which the mean loss is taken.
        student_temperature: of the student's softmax.
        teacher_temperature: of the teacher's.
        total: sums over the heads of all processes.

    Of unit rows in float16 logits and their gradient are float16, with sums in float32: unit rows
    and cosines lose at most 2^-11 of their size. Gradients are kept in the scale in which they fit.
    """

    def __init__(
        self,
        tiling: Tiling,
        all_heads: int,
        student_temperature: float,
        teacher_temperature: float,
        total: SumOverHeads = lambda one: one,
    ) -> None:
        self.tiling, self._all_heads, self._total = tiling, all_heads, total
        self._student_scale = 1.0 / student_temperature
        self._teacher_scale = 1.0 / teacher_temperature
        self._buffers: dict[str, Tensor] = {}

    def step(
        self,
        student: HeadStack,
        teacher: HeadStack,
        student_rows: Tensor,
        teacher_rows: Tensor,
        objective: Objective,
    ) -> Stepped:
        """Losses of a batch and their gradients.

        Args:
            student: has `direction` and `gain`.
            teacher: likewise.
            student_rows: (heads, 2 * pairs, bottleneck) at unit length, anchors first.
            teacher_rows: the same of the teacher.
            objective: updated with what the batch says.
        """
        tiling = self.tiling
        scale = 1.0 / (tiling.n_pairs * self._all_heads)
        like = student["gain"]
        surveyed = Surveyed(tiling, like)
        losses: Tensor | None = None
        below: Tensor | None = None
        direction: Tensor | None = None
        gain: Tensor | None = None
        rows = {"student": student_rows, "teacher": teacher_rows}
        stacks = {"student": student, "teacher": teacher}
        kernels = tile_engine(student_rows.device, student_rows.dtype)
        layers = layer_engine(student_rows.device, student_rows.dtype)
        scales = {"student": self._student_scale, "teacher": self._teacher_scale}

        def survey(tile: Tile, logits: Tensor) -> None:
            surveyed.note(tile, kernels.survey(logits, scales[objective.surveys]))

        def weight_of(name: str, heads: slice) -> Tensor:
            stack = stacks[name]
            found: Tensor = layers.last_weight(
                stack["direction"][heads], stack["gain"][heads], student_rows.dtype
            )
            return found

        first_pass = not tiling.single and objective.couples_heads
        if first_pass:
            for heads in tiling.groups():
                weight = weight_of(objective.surveys, heads)
                for tile in tiling.tiles(heads):
                    survey(tile, self._logits("first", rows[objective.surveys], weight, tile))
            objective.couple(surveyed.agreement, self._all_heads, self._total)
        for heads in tiling.groups():
            tiles = tiling.tiles(heads)
            weights = {name: weight_of(name, heads) for name in stacks}
            logits: dict[str, Tensor] = {}
            if not first_pass:
                for tile in tiles:
                    of = objective.surveys
                    logits[of] = self._logits(of, rows[of], weights[of], tile)
                    survey(tile, logits[of])
                if objective.couples_heads:
                    objective.couple(surveyed.agreement, self._all_heads, self._total)
            of_heads = objective.settle(heads, surveyed.sums[heads], tiling.n_pairs)
            whole: Tensor | None = None
            for tile in tiles:
                for name in stacks:
                    # What a single tile of the group was surveyed on still lies in its buffer.
                    if len(tiles) > 1 or name not in logits:
                        logits[name] = self._logits(name, rows[name], weights[name], tile)
                terms = objective.terms(tile)
                lse = (
                    surveyed.lse_of(tile)
                    if objective.surveys == "teacher"
                    else kernels.survey(logits["teacher"], self._teacher_scale).lse
                )
                pairs = kernels.pair_gradient(
                    logits["student"], logits["teacher"], self._student_scale,
                    self._teacher_scale, lse, terms.log_marginal, terms.beta, terms.weight,
                    terms.slope,
                )  # fmt: skip
                of_heads = of_heads + pairs.sum(dim=1) / tiling.n_pairs
                gradient = logits["student"]
                part = self._rows(student_rows, tile)
                found = multiplied(part.mT, gradient)
                whole = found if whole is None else whole.add_(found)
                below = self._put(below, tile, multiplied(gradient, weights["student"].mT))
            assert whole is not None  # a group has a tile
            of_direction, of_gain = layers.last_weight_back(
                whole, student["direction"][heads], student["gain"][heads], scale
            )
            losses = self._of_all(losses, heads, of_heads)
            direction = self._of_all(direction, heads, of_direction)
            gain = self._of_all(gain, heads, of_gain)
        assert losses is not None and below is not None  # a stack has a head
        assert direction is not None and gain is not None
        return Stepped(losses, below, scale, direction, gain, surveyed)

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

    def _logits(self, name: str, rows: Tensor, weight: Tensor, tile: Tile) -> Tensor:
        """Logits of a tile before the temperature, in a buffer that the next one overwrites."""
        rows = self._rows(rows, tile)
        shape = (*rows.shape[:2], weight.shape[2])
        name = "teacher" if name == "first" else name
        if name not in self._buffers:
            # Made once: memory that is asked for anew has to be given by the system page by page.
            self._buffers[name] = rows.new_empty(self.tiling.numbers)
        numbers = shape[0] * shape[1] * shape[2]
        return torch.bmm(rows, weight, out=self._buffers[name][:numbers].view(shape))
