"""Which of the trained heads predicts, chosen without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...estimator import TrainingError
from .head_input import HeadInput
from .head_scores import look, scores_of_heads

if TYPE_CHECKING:
    from ...heads.one_of_many import OneOfMany
    from ...heads.stack import HeadStack
    from ...heads.trainer import Trained

#: Losses of a curve in a result, at most.
_CURVE = 1000


@dataclass(frozen=True, eq=False)
class HeadChoice:
    """The head that predicts.

    head: a stack of it alone. index: its number among those of all processes. labels: (n,) int64,
    its clusters of the training rows. facts: what a fit says about it.
    """

    head: HeadStack
    index: int
    labels: np.ndarray
    facts: dict[str, Any]


def choose_head(
    trained: Trained,
    seen: HeadInput,
    neighbors: np.ndarray,
    n_clusters: int,
    criterion: str,
    seed: int,
    mates: OneOfMany,
    own: slice,
) -> HeadChoice:
    """Choose by a criterion, one of `selection.CRITERIA`, and assign the training rows.

    "loss" is the mean training loss of the last epoch. Other criteria look at the clusters that
    each head gives the rows of `head_scores.look`, 4 bytes a row and head. Of one head there is
    nothing to choose.

    Args:
        trained: the teachers of this process.
        seen: what they were trained on.
        neighbors: (n, k), nearest ones that the training found; (n, 0) where it looked for none.
        n_clusters: K.
        criterion: name.
        seed: of what the criterion draws.
        mates: the processes that share the heads.
        own: the heads of this process among all.

    Raises:
        TrainingError: no head has a finite loss.
    """
    import torch

    from ...heads.stack import assign, select_head
    from ...selection import best

    losses = np.array(mates.gathered(trained.losses[-1]))
    finite = np.isfinite(losses)
    if not finite.any():
        raise TrainingError("no head has a finite loss")
    looks = criterion != "loss" and len(losses) > 1
    n = seen.raw.n
    looked = look(criterion if looks else "loss", seen, neighbors, n_clusters, seed)
    numbers = looked.numbers
    by_loss = np.argsort(np.where(finite, losses, np.inf), kind="stable")
    chosen = int(by_loss[0])
    mine = [select_head(trained.teacher, h) for h in range(own.stop - own.start)]
    taken = torch.zeros((len(mine), n_clusters), dtype=torch.bool)
    held = np.empty((len(mine), len(numbers)), dtype=np.int32)
    labels = np.empty(n, dtype=np.int64)
    here = own.start <= chosen < own.stop
    alone = None if looks else _alone(trained, chosen, mates, own)
    for start, block in seen.blocks():
        found = [assign(head, block).cpu() for head in mine]
        begin, end = np.searchsorted(numbers, (start, start + len(block)))
        for h, of_head in enumerate(found):
            taken[h, of_head] = True
            held[h, begin:end] = of_head.numpy()[numbers[begin:end] - start]
        if alone is not None:
            first = found[chosen - own.start] if here else assign(alone, block).cpu()
            labels[start : start + len(block)] = first.numpy()
    used = [int(count) for count in mates.gathered(taken.sum(dim=1).double())]
    # One that collapsed has the lowest loss, and is not taken where there is another.
    usable = [h for h in by_loss.tolist() if used[h] > 1 and finite[h]]
    wanted = usable[0] if usable else chosen
    facts: dict[str, Any] = {}
    if looks:
        scores, of_looked = scores_of_heads(
            held, finite, criterion, looked, seen, n_clusters, seed, mates, own
        )
        # JSON has no infinity, which is the score of clusters without any scatter.
        finite_ones = np.minimum(scores, np.finfo(np.float64).max)
        facts["select_scores"] = [_jsonable(score) for score in finite_ones.tolist()]
        if not np.isnan(scores).all():
            # Of heads that it finds equally good the one with the lowest loss.
            wanted = int(by_loss[best(scores[by_loss], of_looked[by_loss])])
    if wanted != chosen:
        chosen, alone = wanted, None
    if alone is None:
        alone = _alone(trained, chosen, mates, own)
        for start, block in seen.blocks():
            labels[start : start + len(block)] = assign(alone, block).cpu().numpy()
    facts |= {
        "head": chosen,
        "head_losses": [_jsonable(value) for value in losses.tolist()],
        "head_clusters_used": used,
        **_curve(trained.history_of(chosen)),
        "warnings": _warnings(used, chosen, losses, n_clusters),
    }
    return HeadChoice(alone, chosen, labels, facts)


def _alone(trained: Trained, chosen: int, mates: OneOfMany, own: slice) -> HeadStack:
    """The chosen head as a stack of its own, in every process."""
    import torch

    at = chosen - own.start
    here = own.start <= chosen < own.stop
    return {
        name: mates.sum(tensor[at : at + 1].contiguous() if here else torch.zeros_like(tensor[:1]))
        for name, tensor in trained.teacher.items()
    }


def _curve(losses: list[float]) -> dict[str, Any]:
    """The losses of all epochs; of very many each `loss_every`-th, the last one among them."""
    every = -(-len(losses) // _CURVE)
    shown = [_jsonable(value) for value in losses[::-1][::every][::-1]]
    return {"loss_by_epoch": shown, **({"loss_every": every} if every > 1 else {})}


def _jsonable(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _warnings(used: list[int], chosen: int, losses: np.ndarray, n_clusters: int) -> list[str]:
    found: list[str] = []
    least = min(2, n_clusters)
    collapsed = [h for h, count in enumerate(used) if count < least]
    if collapsed:
        found.append(f"heads {collapsed} collapsed to one cluster")
    broken = np.flatnonzero(~np.isfinite(losses)).tolist()
    if broken:
        found.append(f"heads {broken} ended with a loss that is not finite")
    if used[chosen] < least:
        found.append("the chosen head put all samples into one cluster")
    elif 2 * used[chosen] < n_clusters:
        found.append(
            f"the chosen head used {used[chosen]:,} of {n_clusters:,} clusters; a batch that is "
            "several times K, or more epochs, may help"
        )
    return found
