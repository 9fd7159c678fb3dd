"""The last layer of a stack and its losses, in tiles: no tensor holds all logits of a large batch.

Its gradient is written down, not recorded: of the logits of a tile the gradient is made at once,
multiplied into those of the weights and of the layer below, and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .objectives import Objective, SumOverHeads, Surveyed
from .stack import HeadStack, last_weight
from .tiles import Tile, Tiling, engine


@dataclass(frozen=True)
class Stepped:
    """What a step through the last layer comes to.

    losses: (heads,) float32 of each head. below: (heads, 2 * pairs, bottleneck), the gradient of
    the mean loss of all heads by the student's unit rows. direction, gain: by these tensors, in
    their shapes. survey: of the batch.
    """

    losses: Tensor
    below: Tensor
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
        half: whether logits and their gradient are float16, with sums in float32: unit rows and
            cosines lose at most 2^-11 of their size. Gradients are kept in the scale in which
            they fit.
        total: sums over the heads of all processes.
    """

    def __init__(
        self,
        tiling: Tiling,
        all_heads: int,
        student_temperature: float,
        teacher_temperature: float,
        half: bool,
        total: SumOverHeads = lambda one: one,
    ) -> None:
        self.tiling, self._all_heads, self._half, self._total = tiling, all_heads, half, total
        self._student_scale = 1.0 / student_temperature
        self._teacher_scale = 1.0 / teacher_temperature
        self._buffers: dict[str, Tensor] = {}

    @torch.no_grad()
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
        surveyed = Surveyed.nothing(tiling, student_rows)
        losses = student_rows.new_zeros(tiling.n_heads)
        below = torch.empty_like(student_rows)
        direction = torch.empty_like(student["direction"])
        gain = torch.empty_like(student["gain"])
        rows = {"student": student_rows, "teacher": teacher_rows}
        stacks = {"student": student, "teacher": teacher}
        kernels = engine(student_rows.device, self._dtype(student_rows))
        scales = {"student": self._student_scale, "teacher": self._teacher_scale}

        def survey(tile: Tile, logits: Tensor) -> None:
            surveyed.note(tile, kernels.survey(logits, scales[objective.surveys]))

        first_pass = not tiling.single and objective.couples_heads
        if first_pass:
            for heads in tiling.groups():
                weight = self._weight(stacks[objective.surveys], heads)
                for tile in tiling.tiles(heads):
                    survey(tile, self._logits("first", rows[objective.surveys], weight, tile))
            objective.couple(surveyed.agreement, self._all_heads, self._total)
        for heads in tiling.groups():
            tiles = tiling.tiles(heads)
            weights = {name: self._weight(stack, heads) for name, stack in stacks.items()}
            logits: dict[str, Tensor] = {}
            if not first_pass:
                for tile in tiles:
                    of = objective.surveys
                    logits[of] = self._logits(of, rows[of], weights[of], tile)
                    survey(tile, logits[of])
                if objective.couples_heads:
                    objective.couple(surveyed.agreement, self._all_heads, self._total)
            losses[heads] = objective.settle(heads, surveyed.sums[heads], tiling.n_pairs)
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
                losses[heads] += pairs.sum(dim=1) / tiling.n_pairs
                gradient = logits["student"]
                part = self._rows(student_rows, tile)
                found = _product(part.mT, gradient)
                whole = found if whole is None else whole.add_(found)
                self._put(below, tile, _product(gradient, weights["student"].mT))
            assert whole is not None  # a group has a tile
            _through_weight(student, heads, whole.mul_(scale), direction, gain)
        return Stepped(losses, below.mul_(scale), direction, gain, surveyed)

    def _dtype(self, rows: Tensor) -> torch.dtype:
        return torch.float16 if self._half else rows.dtype

    def _weight(self, stack: HeadStack, heads: slice) -> Tensor:
        weight = last_weight(stack["direction"][heads], stack["gain"][heads])
        return weight.half() if self._half else weight

    def _rows(self, rows: Tensor, tile: Tile) -> Tensor:
        """(heads, 2 * pairs, bottleneck) of a tile."""
        rows = rows[tile.heads]
        if tile.n_pairs < self.tiling.n_pairs:
            views = rows.view(len(rows), 2, self.tiling.n_pairs, -1)[:, :, tile.pairs]
            rows = views.reshape(len(rows), 2 * tile.n_pairs, -1)
        return rows.half() if self._half else rows

    def _put(self, into: Tensor, tile: Tile, rows: Tensor) -> None:
        views = into.view(len(into), 2, self.tiling.n_pairs, -1)
        views[tile.heads, :, tile.pairs] = rows.view(tile.n_heads, 2, tile.n_pairs, -1)

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


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b of batches, in float32 if they are of half precision."""
    if a.dtype == torch.float16:
        if a.device.type == "cuda":
            return torch.bmm(a, b, out_dtype=torch.float32)
        return torch.bmm(a.float(), b.float())
    return torch.bmm(a, b)


def _through_weight(
    student: HeadStack, heads: slice, of_weight: Tensor, direction: Tensor, gain: Tensor
) -> None:
    """Gradients of some heads by direction and gain from that by the weight made of them.

    The weight is gain * v / |v|, v a column of `direction`: along v it does not move.
    """
    v, g = student["direction"][heads], student["gain"][heads]
    length = v.norm(dim=1, keepdim=True).clamp_min(1e-12)
    unit = v / length
    along = (unit * of_weight).sum(dim=1, keepdim=True)
    gain[heads] = along
    direction[heads] = (of_weight - unit * along).mul_(g / length)
