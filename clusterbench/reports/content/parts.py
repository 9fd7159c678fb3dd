"""What a report is made of: parts with a heading, each of texts, tables, charts and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...pages import DataTable, LineChart, MatrixChart, RowChart


@dataclass(frozen=True)
class Passage:
    """A paragraph of plain text. kind: "lead", "note" or ""."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list of plain texts."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class FactList:
    """Names and what they are."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Thumbnail:
    """A small image: the `data:` URI, what it shows, and its size in pixels."""

    uri: str
    words: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageRow:
    """Images of one cluster under a label and a note."""

    label: str
    note: str
    images: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class ImageRows:
    """A gallery: rows of images, and whose they are."""

    rows: tuple[ImageRow, ...]
    licence: str


@dataclass(frozen=True)
class FoldedPart:
    """Blocks that are shown on asking."""

    summary: str
    blocks: tuple[Block, ...]


Block = (
    Passage
    | Bullets
    | FactList
    | ImageRows
    | FoldedPart
    | DataTable
    | LineChart
    | RowChart
    | MatrixChart
)


@dataclass(frozen=True)
class ReportPart:
    """A heading with what stands below it. key: its id on the page."""

    key: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[ReportPart, ...] = field(default=())


def all_blocks(parts: Sequence[ReportPart]) -> Iterator[Block]:
    """Every block of some parts, those that are folded included, in order."""
    for part in parts:
        yield from _unfolded(part.blocks)
        yield from all_blocks(part.parts)


def _unfolded(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, FoldedPart):
            yield from _unfolded(block.blocks)
        else:
            yield block
