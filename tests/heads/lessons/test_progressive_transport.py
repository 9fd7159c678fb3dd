"""P2OT's lesson against its definition: memory, transport, swapped labels; head by head, by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.lessons.progressive_transport import ProgressiveTransport
from clusterbench.heads.stack import HeadStack, new_heads, select_head

PAIRS, CLUSTERS, DIM, HEADS = 6, 4, 5, 3


def started(seed: int = 1) -> HeadStack:
    drawing = torch.Generator().manual_seed(seed)
    heads = new_heads(HEADS, DIM, CLUSTERS, drawing, depth=0)
    return {name: tensor.double() for name, tensor in heads.items()}


def batch(at: int, steps: int = 2, epochs: int = 3, pairs: int = PAIRS) -> TrainingBatch:
    drawing = torch.Generator().manual_seed(100 + at)
    x = torch.randn(2 * pairs, DIM, generator=drawing, dtype=torch.float64)
    return TrainingBatch(x, torch.arange(pairs), at // steps, at % steps, steps, epochs)


def transported(p: np.ndarray, rho: float, power: float) -> np.ndarray:
    """Shares of rows, by the plain iteration: rows, then columns, from ones."""
    n, n_clusters = p.shape
    kernel = np.concatenate([p**10.0, np.ones((n, 1))], axis=1)  # exp(log p / 0.1)
    to, powers = np.full(n_clusters + 1, rho / n_clusters), np.full(n_clusters + 1, power)
    to[-1], powers[-1] = 1.0 - rho, 1.0
    b = np.ones(n_clusters + 1)
    for _ in range(5000):
        b = (to / (kernel.T @ (1.0 / n / (kernel @ b)))) ** powers
    return (kernel * b / (kernel @ b)[:, None])[:, :-1]


@pytest.mark.parametrize("memory", [0, 7, 20, 60])
@pytest.mark.parametrize("kl", [1.0, math.inf])
def test_losses_and_gradients_are_those_of_the_definition(memory: int, kl: float) -> None:
    lesson = ProgressiveTransport(memory, 0.1, kl, 0.1, True, 0.1)
    lesson.begin(started(), 0, 50)
    earlier: list[list[torch.Tensor]] = [[] for _ in range(HEADS)]
    for at in range(4):
        heads, now = started(at), batch(at)  # other weights at each step

        taught = lesson.teach(heads, heads, now)

        rho = 0.1 + 0.9 * math.exp(-5.0 * (1.0 - at / 6) ** 2)
        for h in range(HEADS):
            own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
            rows = []
            for x in now.x:
                columns = own["direction"] / own["direction"].norm(dim=0)
                rows.append(10.0 * (x / x.norm()) @ columns)
            of_rows = torch.stack(rows)
            kept = earlier[h][-memory:] if memory else []
            together = torch.softmax(torch.stack([*kept, *of_rows.detach()]), dim=1).numpy()
            power = 1.0 if kl == math.inf else 1.0 / 1.1
            q = torch.from_numpy(transported(together, rho, power)[-2 * PAIRS :])
            log_p, loss = torch.log_softmax(of_rows, dim=1), torch.zeros(()).double()
            for i in range(PAIRS):
                for c in range(CLUSTERS):
                    loss = loss - q[i, c] * log_p[PAIRS + i, c] - q[PAIRS + i, c] * log_p[i, c]
            loss = loss / (2 * PAIRS)
            loss.backward()
            earlier[h] += list(of_rows.detach())
            torch.testing.assert_close(taught.losses[h], loss.detach(), rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(
                taught.gradients["direction"][h], own["direction"].grad, rtol=1e-4, atol=1e-6
            )
            assert taught.best[h].tolist() == of_rows.argmax(dim=1).tolist()
            expected = torch.softmax(of_rows, dim=1).sum(dim=0).detach()
            torch.testing.assert_close(taught.mass[h], expected)
        assert taught.gradients["gain"] is None


def test_the_share_grows_from_rho_to_one_or_stays() -> None:
    growing = ProgressiveTransport(8, 0.1, 1.0, 0.1, True, 0.1)
    shares = [growing.share(batch(at)) for at in range(6)]
    assert shares[0] == pytest.approx(0.1 + 0.9 * math.exp(-5.0))
    assert shares == sorted(shares) and growing.share(batch(6)) == 1.0
    fixed = ProgressiveTransport(8, 0.1, 1.0, 0.4, False, 0.1)
    assert {fixed.share(batch(at)) for at in range(6)} == {0.4}


def test_a_head_learns_the_same_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def learned(heads: HeadStack) -> torch.Tensor:
        lesson = ProgressiveTransport(30, 0.1, 1.0, 0.1, True, 0.1)
        lesson.begin(heads, 0, 50)
        return torch.stack([lesson.teach(heads, heads, batch(at)).losses for at in range(4)])

    together = learned(started())
    alone = [learned(select_head(started(), h)) for h in range(HEADS)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=1e-9, atol=1e-12)
    # Heads whose costs are many are solved for one by one
    lessons = "clusterbench.heads.lessons.progressive_transport"
    monkeypatch.setattr(f"{lessons}._TOGETHER", 1)
    torch.testing.assert_close(learned(started()), together, rtol=1e-9, atol=1e-12)


def test_state_that_is_put_back_goes_on_to_the_same_bits() -> None:
    heads = started()
    first, second = (ProgressiveTransport(30, 0.1, 1.0, 0.1, True, 0.1) for _ in range(2))
    for lesson in (first, second):
        lesson.begin(heads, 0, 50)
    for at in range(3):
        first.teach(heads, heads, batch(at))
    for name, tensor in second.state.items():
        assert len(tensor) == HEADS
        tensor.copy_(first.state[name])
    found, wanted = (lesson.teach(heads, heads, batch(3)) for lesson in (second, first))
    assert torch.equal(found.losses, wanted.losses)
    assert torch.equal(found.gradients["direction"], wanted.gradients["direction"])
