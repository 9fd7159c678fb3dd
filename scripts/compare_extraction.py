"""Extraction beside the encoder's own speed, and beside the loop that people write themselves.

Makes JPEGs of photographs' size and texture, then measures in turn, several rounds in one run:

  forward   the encoder on decoded batches that lie in memory, the module called as it is or through
            `features.forward.Forward`, whichever is faster: what no pipeline can exceed
  extract   `clusterbench.features.extract` from files to a finished, checksummed store
  loop      torchvision ImageFolder, its transforms and a DataLoader around the same module

and prints images/s and the ratios to `forward`, which is what counts: they are of one machine and
one moment. The first round warms up and is left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from clusterbench.cores import n_cores
from clusterbench.devices import resolve_device
from clusterbench.features.encoders.encoder import Encoder, load_encoder
from clusterbench.features.extract.decoding import Decoder, Span
from clusterbench.features.extract.extraction import (
    default_workers,
    extract,
)
from clusterbench.features.extract.forward import Computation, Forward, computing
from clusterbench.sources.folder import index_folder


def make_photos(folder: Path, n: int, width: int, height: int) -> None:
    """n JPEGs of smooth shapes with noise: about as many bytes per pixel as photographs have."""
    rng = np.random.default_rng(0)
    for i in range(n):
        path = folder / f"class-{i % 10}" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        noise = rng.normal(0, 12, (height, width, 1))
        pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=87)


def forward_speed(encoder: Encoder, images: Path, options: argparse.Namespace) -> dict[str, float]:
    """Images/s on batches that are decoded already, of the plain module and of Forward."""
    source = index_folder(images)
    decoder = Decoder(source, encoder.preprocessing, options.draft)
    count = min(source.index.n, 4 * options.batch_size)
    spans = [
        Span(start, min(start + options.batch_size, count))
        for start in range(0, count, options.batch_size)
    ]
    batches = [decoder(span).pixels for span in spans]
    device = resolve_device(options.device)
    computation = Computation(options.precision, options.channels_last)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision)
    with computing(computation):
        forward = Forward(encoder, device, computation)

        def plain(batch: torch.Tensor) -> np.ndarray:
            with (
                torch.inference_mode(),
                torch.autocast(device.type, dtype=kind, enabled=kind is not None),
            ):
                images = encoder.normalise(batch.to(device, non_blocking=True))
                features: np.ndarray = forward.module(images).float().cpu().numpy()
                return features

        def ours(batch: torch.Tensor) -> np.ndarray:
            return forward.start(batch).result()

        return {
            "module": _speed(plain, batches, source.index.n),
            "Forward": _speed(ours, batches, source.index.n),
        }


def _speed(
    work: Callable[[torch.Tensor], np.ndarray], batches: list[torch.Tensor], n: int
) -> float:
    work(batches[0])
    done, started = 0, time.perf_counter()
    while done < n:
        done += sum(len(work(batch)) for batch in batches)
    return done / (time.perf_counter() - started)


def extract_speed(
    encoder: Encoder, images: Path, options: argparse.Namespace
) -> tuple[float, float]:
    """(images/s, share of time waiting for data) of a whole extraction, index made before."""
    source = index_folder(images)
    output = images.parent / "store"
    shutil.rmtree(output, ignore_errors=True)
    started = time.perf_counter()
    done = extract(
        source,
        encoder,
        output,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
        workers=options.workers,
        draft=options.draft,
        channels_last=options.channels_last,
    )
    return source.index.n / (time.perf_counter() - started), done.waiting


def loop_speed(encoder: Encoder, images: Path, options: argparse.Namespace) -> float:
    """Images/s of the usual script: ImageFolder, DataLoader, features in a list, np.save."""
    from torchvision import datasets, transforms

    pixels = encoder.preprocessing
    device = resolve_device(options.device)
    dataset = datasets.ImageFolder(
        str(images),
        transforms.Compose(
            [
                transforms.Resize(pixels.resize, transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(pixels.size),
                transforms.ToTensor(),
                transforms.Normalize(pixels.mean, pixels.std),
            ]
        ),
    )
    module = encoder.module.to(device)
    started = time.perf_counter()
    loader = torch.utils.data.DataLoader(
        dataset,
        options.batch_size,
        num_workers=max(1, options.workers),
        pin_memory=device.type == "cuda",
    )
    found = []
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision)
    with torch.inference_mode():
        for batch, _ in loader:
            with torch.autocast(device.type, dtype=kind, enabled=kind is not None):
                found.append(module(batch.to(device, non_blocking=True)).float().cpu().numpy())
    np.save(images.parent / "loop.npy", np.concatenate(found).astype(np.float16))
    return len(dataset) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print a table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--width", type=int, default=224)
    parser.add_argument("--height", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--draft", action="store_true", help="JPEGs at a fraction of their size")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    encoder = load_encoder(options.encoder, options.weights)
    speeds: dict[str, list[float]] = {"forward": [], "extract": [], "loop": []}
    waits = []
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(temporary) / "images"
        make_photos(images, options.images, options.width, options.height)
        size = sum(path.stat().st_size for path in images.rglob("*.jpg")) / options.images
        for turn in range(options.rounds + 1):
            alone = forward_speed(encoder, images, options)
            forward = max(alone.values())
            extracted, waiting = extract_speed(encoder, images, options)
            loop = loop_speed(encoder, images, options)
            print(
                f"round {turn}: module {alone['module']:,.1f}/s, "
                f"Forward {alone['Forward']:,.1f}/s, "
                f"extract {extracted:,.1f}/s "
                f"({extracted / forward:.1%}), loop {loop:,.1f}/s ({loop / forward:.1%})",
                file=sys.stderr,
            )
            if turn:
                for name, value in (("forward", forward), ("extract", extracted), ("loop", loop)):
                    speeds[name].append(value)
                waits.append(waiting)
    result = {
        "encoder": encoder.name,
        "device": Forward(encoder, resolve_device(options.device), Computation()).made_with(),
        "cores": n_cores(),
        "pixels": encoder.preprocessing.size,
        "jpeg": f"{options.width} x {options.height}, {size:,.0f} bytes",
        "precision": options.precision,
        "draft": options.draft,
        "batch_size": options.batch_size,
        "workers": options.workers,
        **{name: round(statistics.median(values), 1) for name, values in speeds.items()},
        "waiting": round(statistics.median(waits), 3),
    }
    for name in ("extract", "loop"):
        ratios = [a / b for a, b in zip(speeds[name], speeds["forward"], strict=True)]
        result[f"{name}/forward"] = round(statistics.median(ratios), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
