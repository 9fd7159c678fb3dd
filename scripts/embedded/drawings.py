"""SVG drawings to pixels, and the drawings that repeat another one."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import resvg_py
from PIL import Image

SIZE = 112
NEAR = 0.95  # correlation of two drawings' grey thumbnails from which they count as one
_THUMBNAIL = 28
_WHITE = 255


@dataclass(frozen=True)
class Drawing:
    """A labelled image: `class_name/name` is its sample id; pixels (SIZE, SIZE, 3) uint8."""

    class_name: str
    name: str
    pixels: np.ndarray

    @property
    def id(self) -> str:
        """Of its sample, class first."""
        return f"{self.class_name}/{self.name}"

    def png(self) -> bytes:
        """The file: the same bytes for the same pixels."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, format="PNG", optimize=True)
        return buffer.getvalue()


def render(svg: str) -> np.ndarray | None:
    """An SVG document on white, (SIZE, SIZE, 3) uint8; None where resvg cannot draw it.

    System fonts are not read, so that the result is the same on every machine.
    """
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg, background="#ffffff", width=SIZE, height=SIZE, skip_system_fonts=True
        )
    except ValueError:
        return None
    with Image.open(io.BytesIO(bytes(png))) as image:
        drawn = np.asarray(image.convert("RGB"))
    if drawn.shape != (SIZE, SIZE, 3):  # not a square: resvg keeps the aspect ratio
        pixels = np.full((SIZE, SIZE, 3), _WHITE, np.uint8)
        top, left = (SIZE - drawn.shape[0]) // 2, (SIZE - drawn.shape[1]) // 2
        pixels[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
        return pixels
    return drawn


def draw(documents: Iterable[tuple[str, str, str]], workers: int) -> Iterator[Drawing]:
    """Render (class name, name, SVG) in order; what cannot be drawn or is blank is left out."""
    documents = sorted(documents)
    with ProcessPoolExecutor(workers) as pool:
        images = pool.map(render, (svg for _, _, svg in documents), chunksize=64)
        for (class_name, name, _), pixels in zip(documents, images, strict=True):
            if pixels is not None and pixels.min() < _WHITE:
                yield Drawing(class_name, name, pixels)


def drop_copies(drawings: list[Drawing]) -> list[Drawing]:
    """Without exact copies: of drawings with equal pixels the first of the commonest class stays.

    Of classes that name one drawing equally often, the first in the order of names wins.
    """
    copies: dict[bytes, list[Drawing]] = defaultdict(list)
    for drawing in drawings:
        copies[drawing.pixels.tobytes()].append(drawing)
    kept = []
    for same in copies.values():
        votes = Counter(drawing.class_name for drawing in same)
        winner = min(votes, key=lambda name: (-votes[name], name))
        kept.append(min((d for d in same if d.class_name == winner), key=lambda d: d.id))
    return sorted(kept, key=lambda d: d.id)


def drop_near_copies(drawings: list[Drawing]) -> list[Drawing]:
    """Without near copies of a class: a drawing goes when it correlates with one that stayed.

    Compared are grey thumbnails of 28 x 28 pixels, in the order of ids: restyled, re-exported
    and forked sets repeat each other's drawings with other line weights and corners.
    """
    kept = []
    for members in by_class(drawings).values():
        thumbnails = np.stack([thumbnail(member.pixels) for member in members])
        near = thumbnails @ thumbnails.T > NEAR
        stays: list[int] = []
        for i in range(len(members)):
            if not near[i, stays].any():
                stays.append(i)
        kept += [members[i] for i in stays]
    return kept


def drop_small_classes(drawings: list[Drawing], least: int) -> list[Drawing]:
    """Without the classes of fewer than `least` drawings."""
    return [d for members in by_class(drawings).values() if len(members) >= least for d in members]


def by_class(drawings: list[Drawing]) -> dict[str, list[Drawing]]:
    """Drawings by class name, classes and members in the order of ids."""
    classes: dict[str, list[Drawing]] = defaultdict(list)
    for drawing in sorted(drawings, key=lambda d: d.id):
        classes[drawing.class_name].append(drawing)
    return dict(classes)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Grey thumbnail as a float64 vector of mean 0 and length 1, so that a product correlates."""
    step = SIZE // _THUMBNAIL
    grey = pixels.astype(np.float64).mean(axis=2)
    small = grey.reshape(_THUMBNAIL, step, _THUMBNAIL, step).mean(axis=(1, 3)).ravel()
    small -= small.mean()
    unit: np.ndarray = small / max(float(np.linalg.norm(small)), 1e-12)
    return unit
