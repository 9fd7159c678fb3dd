"""Training of heads side by side with a plain implementation of the same recipe.

    python scripts/compare_heads.py                              # CPU, three shapes
    python scripts/compare_heads.py --method scanv2 --shapes 128,280,2,128
    python scripts/compare_heads.py --device cuda                # 768, K = 1,000, 50 heads

The plain implementation is what most public code does: a DataLoader that fetches pair by pair, a
Python loop over heads that are torch modules, autograd, AdamW, a loop for the teacher; on a GPU
with autocast to bfloat16. Both have the same sizes, rates, batches and made-up rows (random, with
50 random neighbours each: no number of a step depends on what they hold).

Prints Markdown: milliseconds of a step, and the rate of its matrix products as a share of the rate
at which this machine multiplies: "alone" the products of this very step one after the other and
nothing else, "large" two matrices of 4,096 (on a CPU 2,048) squared. They are timed in turns, some
steps and then the products, as a shared machine is not equally fast all the time; figures are
medians.
`--loss` trains both for some epochs on made-up groups and says when each has come to the loss that
the plain one ends with.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from clusterbench.cores import n_cores
from clusterbench.devices import resolve_device
from clusterbench.errors import InputError
from clusterbench.heads.losses.objectives import Objective, ScanObjective, TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows

HIDDEN, BOTTLENECK, NEIGHBOURS, TEMPERATURE, BETA, ALPHA = 512, 256, 50, 0.1, 0.6, 5.0
#: dimensions, clusters, heads, pairs in a batch
ON_CPU = ("1280,10,4,256", "768,1000,4,256", "128,280,2,128")
ON_GPU = ("768,1000,50,1024",)


@dataclass(frozen=True)
class Shape:
    """Sizes of a step."""

    dim: int
    n_clusters: int
    n_heads: int
    batch: int

    @property
    def flops(self) -> float:
        """Of a step's products: student forward and twice backward, teacher forward."""
        later = HIDDEN * BOTTLENECK + BOTTLENECK * self.n_clusters
        return 2.0 * 2 * self.batch * self.n_heads * (3 * self.dim * HIDDEN + 4 * later)


class Stop(Exception):
    """Enough steps were timed."""


class Clock:
    """Seconds of steps, after the first ones, and in turns with them of something beside.

    A GPU is waited for after many steps only, as it works behind the program's back.

    Args:
        device: of the steps.
        seconds: that steps are timed for.
        beside: by name; done and timed after every few steps.
        first: steps that are not timed.
    """

    def __init__(
        self,
        device: torch.device,
        seconds: float,
        beside: Mapping[str, Callable[[], object]],
        first: int = 5,
    ) -> None:
        self._device, self._seconds, self._beside, self._first = device, seconds, beside, first
        self._together = 50 if device.type == "cuda" else 1
        self._ticks, self._spent, self._last = 0, 0.0, 0.0
        self._steps = list[float]()
        self._others = {name: list[float]() for name in beside}

    def tick(self) -> None:
        """A step begins; raises Stop when enough of them are known."""
        self._ticks += 1
        since = self._ticks - self._first
        if since < 0 or since % self._together:
            return
        now = self._now()
        if since and self._last:
            self._steps.append((now - self._last) / self._together)
            self._spent += now - self._last
        turn = since // self._together
        if self._spent > self._seconds and len(self._steps) > 3 and all(self._others.values()):
            raise Stop
        self._last = now
        if turn % 10 == 9:
            for name, action in self._beside.items():
                for again in range(5):
                    begin = self._now()
                    action()
                    if again > 1:
                        self._others[name].append(self._now() - begin)
            self._last = 0.0  # the next step finds other things in the caches

    @property
    def step(self) -> float:
        """Median seconds of a step."""
        return statistics.median(self._steps)

    def beside(self, name: str) -> float:
        """Median seconds of something beside."""
        return statistics.median(self._others[name])

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


class ClockedRows(HeldRows):
    """Rows whose batches tell the time."""

    def __init__(self, rows: Tensor, neighbours: Tensor, tick: Callable[[], None]) -> None:
        super().__init__(rows, neighbours)
        self._tick = tick

    def batches(
        self, order: Tensor, drawn: Tensor | None, batch: int, first: int
    ) -> Generator[Tensor, None, None]:
        """As `HeldRows.batches`."""
        for rows in super().batches(order, drawn, batch, first):
            self._tick()
            yield rows


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """A row and one of its neighbours, one pair at a time."""

    def __init__(self, rows: Tensor, neighbours: Tensor) -> None:
        self.rows, self.neighbours = rows, neighbours

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        drawn = int(torch.randint(self.neighbours.shape[1], ()))
        return self.rows[i], self.rows[self.neighbours[i, drawn]]


class PlainHead(nn.Module):
    """Linear, GELU, Linear, unit length, weight-normalised Linear."""

    def __init__(self, dim: int, n_clusters: int) -> None:
        super().__init__()
        first, second = nn.Linear(dim, HIDDEN), nn.Linear(HIDDEN, BOTTLENECK)
        self.body = nn.Sequential(first, nn.GELU(), second)
        for layer in (first, second):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        last = nn.Linear(BOTTLENECK, n_clusters, bias=False)
        self.last = nn.utils.parametrizations.weight_norm(last)
        nn.init.ones_(self.last.parametrizations.weight.original0)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, n_clusters) logits."""
        logits: Tensor = self.last(nn.functional.normalize(self.body(x), dim=1))
        return logits


def plain_temi(
    student: list[tuple[Tensor, Tensor]], teacher: list[tuple[Tensor, Tensor]], kept: Any
) -> Tensor:
    """TEMI's losses of probabilities of two views, head by head; `kept` has the marginals."""
    weight = torch.stack([(a * b).sum(1) for a, b in teacher]).mean(0)
    losses = []
    for h, ((s1, s2), (t1, t2)) in enumerate(zip(student, teacher, strict=True)):
        kept[h] = 0.9 * kept.get(h, 1 / s1.shape[1]) + 0.1 * torch.cat([t1, t2]).mean(0)
        one = torch.log(((s1 * t2) ** BETA / kept[h]).sum(1))
        other = torch.log(((s2 * t1) ** BETA / kept[h]).sum(1))
        losses.append(-(weight * (one + other)).mean() / 2)
    return torch.stack(losses)


def plain_scan(
    student: list[tuple[Tensor, Tensor]], teacher: list[tuple[Tensor, Tensor]], kept: Any
) -> Tensor:
    """SCANv2's, likewise."""
    losses = []
    for (s1, s2), (t1, t2) in zip(student, teacher, strict=True):
        pairs = torch.log((s1 * t2).sum(1)) + torch.log((s2 * t1).sum(1))
        m1, m2 = s1.mean(0), s2.mean(0)
        spread = (m1 * m1.log()).sum() + (m2 * m2.log()).sum()
        losses.append(-pairs.mean() / 2 + ALPHA * spread / 2)
    return torch.stack(losses)


def plain(
    rows: Tensor, neighbours: Tensor, shape: Shape, schedule: Schedule, method: str,
    device: torch.device, tick: Callable[[], None], told: Callable[[float], None] | None = None,
) -> None:  # fmt: skip
    """Train as most public code does; `told` hears the lowest loss of each epoch."""
    torch.manual_seed(0)
    students = [PlainHead(shape.dim, shape.n_clusters).to(device) for _ in range(shape.n_heads)]
    teachers = copy.deepcopy(students)
    parameters = [p for head in students for p in head.parameters()]
    followers = [p for head in teachers for p in head.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 1e-4},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]
    )
    loss_of = {"temi": plain_temi, "scanv2": plain_scan}[method]
    kept: dict[int, Tensor] = {}
    loader = DataLoader(
        Pairs(rows, neighbours), batch_size=shape.batch, shuffle=True, drop_last=True
    )
    steps, at = len(loader), 0

    def seen(heads: list[PlainHead], views: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found = [[head(view) for view in views] for head in heads]
        q = [[(one.float() / TEMPERATURE).softmax(1) for one in both] for both in found]
        return [(a, b) for a, b in q]

    for epoch in range(schedule.epochs):
        total = torch.zeros(shape.n_heads, device=device)
        for pair in loader:
            tick()
            views = [view.to(device, non_blocking=True) for view in pair]
            with torch.no_grad():
                targets = seen(teachers, views)
            losses = loss_of(seen(students, views), targets, kept)
            optimiser.zero_grad()
            losses.mean().backward()
            if epoch == 0:
                for head in students:
                    for p in head.last.parameters():
                        p.grad = None
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(at, steps, shape.batch)
            optimiser.step()
            with torch.no_grad():
                for mine, theirs in zip(followers, parameters, strict=True):
                    mine.mul_(schedule.momentum).add_(theirs, alpha=1 - schedule.momentum)
            total += losses.detach()
            at += 1
        if told is not None:
            told(float(total.min()) / steps)


def objective(method: str) -> Objective:
    """The losses of the package."""
    return TemiObjective(BETA, 0.9, True) if method == "temi" else ScanObjective(ALPHA)


def clocked(
    engine: str, shape: Shape, method: str, device: torch.device, seconds: float, n: int
) -> Clock:
    """Steps of an engine, and "alone" and "large" products in turns with them."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(n, shape.dim, generator=generator)
    neighbours = torch.randint(n, (n, NEIGHBOURS), generator=generator, dtype=torch.int32)
    schedule = Schedule(
        n_heads=shape.n_heads, epochs=1_000, batch_size=shape.batch, warmup_epochs=1
    )
    threads = torch.get_num_threads()

    def in_all_threads(action: Callable[[], object]) -> Callable[[], object]:
        def done() -> None:
            own = torch.get_num_threads()  # a training may have set it
            torch.set_num_threads(threads)
            action()
            torch.set_num_threads(own)

        return done

    beside = {"alone": products(shape, device), "large": large_product(device)}
    clock = Clock(device, seconds, {name: in_all_threads(each) for name, each in beside.items()})
    try:
        if engine == "plain":
            plain(rows, neighbours, shape, schedule, method, device, clock.tick)
        else:
            held = ClockedRows(rows.to(device), neighbours.to(device), clock.tick)
            precision = "bf16" if device.type == "cuda" else "float32"
            train_heads(held, shape.n_clusters, objective(method), schedule, 0, precision=precision)
    except Stop:
        pass
    return clock


def products(shape: Shape, device: torch.device) -> Callable[[], object]:
    """The matrix products of a step, one after the other, and nothing else."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    rows, heads, k = 2 * shape.batch, shape.n_heads, shape.n_clusters

    def made(*size: int) -> Tensor:
        return torch.randn(*size, device=device, dtype=dtype)

    x, wide = made(rows, shape.dim), made(shape.dim, heads * HIDDEN)
    h, second = made(heads, rows, HIDDEN), made(heads, HIDDEN, BOTTLENECK)
    z, last = made(heads, rows, BOTTLENECK), made(heads, BOTTLENECK, k)
    a, logits = made(rows, heads * HIDDEN), made(heads, rows, k)

    def step() -> None:
        for _ in range(2):  # student and teacher
            x @ wide, h @ second, z @ last
        x.T @ a, h.mT @ z, z @ second.mT, z.mT @ logits, logits @ last.mT

    return step


def _large(device: torch.device) -> int:
    return 4096 if device.type == "cuda" else 2048


def large_product(device: torch.device) -> Callable[[], object]:
    """One large product."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    a, b = (torch.randn(_large(device), _large(device), device=device, dtype=dtype) for _ in "ab")
    return lambda: a @ b


def to_the_same_loss(shape: Shape, method: str, device: torch.device, epochs: int) -> str:
    """When each has come to the loss that the plain one ends with, on made-up groups."""
    generator = torch.Generator().manual_seed(0)
    n, size = 6_000, 60
    middles = torch.randn(n // size, shape.dim, generator=generator)
    rows = middles.repeat_interleave(size, 0)
    rows = rows + 1.5 * torch.randn(n, shape.dim, generator=generator)
    unit = nn.functional.normalize(rows, dim=1)
    neighbours = (unit @ unit.T).fill_diagonal_(-2).topk(NEIGHBOURS, dim=1).indices.int()
    schedule = Schedule(
        n_heads=shape.n_heads, epochs=epochs, batch_size=shape.batch, warmup_epochs=2,
        learning_rate=1e-3,
    )  # fmt: skip
    curves: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    begin = time.perf_counter()
    plain(
        rows, neighbours, shape, schedule, method, device, lambda: None,
        lambda loss: curves["plain"].append((time.perf_counter() - begin, loss)),
    )  # fmt: skip
    begin = time.perf_counter()
    ends: list[float] = []
    precision = "bf16" if device.type == "cuda" else "float32"
    trained = train_heads(
        HeldRows(rows.to(device), neighbours.to(device)), shape.n_clusters, objective(method),
        schedule, 0, lambda done, of: ends.append(time.perf_counter() - begin),
        precision=precision,
    )  # fmt: skip
    losses = [min(epoch.losses) for epoch in trained.history]
    goal = curves["plain"][-1][1]
    reached = next((t for t, loss in zip(ends, losses, strict=True) if loss <= goal), None)
    ours = "not" if reached is None else f"{reached:.1f} s"
    return (
        f"{method}, {epochs} epochs of {n:,} rows: the plain one ends at {goal:.4f} after "
        f"{curves['plain'][-1][0]:.1f} s; ours comes to it in {ours} (ends at {losses[-1]:.4f} "
        f"after {ends[-1]:.1f} s)"
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} should be at least 1")
    return value


def _shape(text: str) -> str:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} should be four whole numbers: 768,1000,4,256")
    return text


def main() -> None:
    """Time each engine at each shape and print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--shapes", nargs="+", type=_shape, help="dim,K,heads,batch; default: by the device"
    )
    options.add_argument("--method", choices=("temi", "scanv2"), default="temi")
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=_positive, default=n_cores(), help="default: all cores")
    options.add_argument("--seconds", type=float, default=10.0, help="that steps are timed for")
    options.add_argument("--rows", type=_positive, default=20_000, help="default: %(default)s")
    options.add_argument("--only", choices=("ours", "plain"))
    options.add_argument("--loss", type=_positive, default=0, metavar="EPOCHS")
    arguments = options.parse_args()
    try:
        device = torch.device(resolve_device(arguments.device))
    except InputError as error:
        options.error(str(error))
    torch.set_num_threads(arguments.threads)
    texts = arguments.shapes or (ON_GPU if device.type == "cuda" else ON_CPU)
    for text in texts:
        if Shape(*map(int, text.split(","))).batch > arguments.rows:
            options.error(f"--shapes {text}: more pairs in a batch than --rows {arguments.rows}")
    print("| dim, K, heads, batch | engine | ms a step | of products alone | of a large product |")
    print("|---|---|--:|--:|--:|")
    for text in texts:
        shape = Shape(*map(int, text.split(",")))
        found: dict[str, float] = {}
        for engine in ("ours", "plain"):
            if arguments.only not in (None, engine):
                continue
            clock = clocked(
                engine, shape, arguments.method, device, arguments.seconds, arguments.rows
            )
            found[engine] = clock.step
            large = 2 * _large(device) ** 3 / clock.beside("large")
            print(
                f"| {text.replace(',', ', ')} | {engine} | {1e3 * clock.step:.2f} | "
                f"{clock.beside('alone') / clock.step:.2f} | "
                f"{shape.flops / clock.step / large:.2f} |",
                flush=True,
            )
        if len(found) == 2:
            print(
                f"{text}: a plain step takes {found['plain'] / found['ours']:.2f} of ours",
                file=sys.stderr,
            )
        if arguments.loss:
            print(to_the_same_loss(shape, arguments.method, device, arguments.loss))


if __name__ == "__main__":
    main()
