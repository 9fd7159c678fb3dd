"""The shipped table of synsets: ImageNet's classes and everything above them in WordNet 3.0."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from .. import catalog
from ..doors import read_bytes
from ..errors import InputError
from ..limits import TREE

FOLDER = "taxonomy"
FILE = "synsets.tsv.xz"
COLUMNS = ("wnid", "lists", "hypernyms", "principal", "lemmas", "definition")


@dataclass(frozen=True)
class Synset:
    """A noun of WordNet 3.0.

    Attributes:
        wnid: `n` and its eight-digit offset, as ImageNet names classes.
        lemmas: its words, the most usual first.
        definition: WordNet's gloss.
        parents: all hypernyms, the principal one first (see `imagenet`), none for the root.
        lists: marks of the class lists it is in.
    """

    wnid: str
    lemmas: tuple[str, ...]
    definition: str
    parents: tuple[str, ...]
    lists: str

    @property
    def lemma(self) -> str:
        """The first of the lemmas, the most usual word for it."""
        return self.lemmas[0]


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of the table, a cell per synset, in ascending order of the wnids."""

    wnids: tuple[str, ...]
    lists: tuple[str, ...]
    hypernyms: tuple[str, ...]
    principal: tuple[str, ...]
    lemmas: tuple[str, ...]
    definitions: tuple[str, ...]

    @cached_property
    def position(self) -> dict[str, int]:
        """The row of each wnid."""
        return {wnid: i for i, wnid in enumerate(self.wnids)}

    @cached_property
    def parents(self) -> np.ndarray:
        """(n,) int32: the row of each synset's principal hypernym, -1 for the root."""
        position = self.position
        return np.array(
            [
                position[above.split(" ")[int(place or 0)]] if above else -1
                for above, place in zip(self.hypernyms, self.principal, strict=True)
            ],
            dtype=np.int32,
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The first lemma of each synset."""
        return tuple(words.partition(",")[0] for words in self.lemmas)

    def marked(self, mark: str) -> np.ndarray:
        """(n,) bool: the synset is in the class list of this mark; all of them for ""."""
        return np.array([mark in marks for marks in self.lists], dtype=bool)

    def synset(self, wnid: str) -> Synset:
        """One row.

        Raises:
            InputError: a wnid that is not in the table; near ones are suggested.
        """
        if wnid not in self.position:
            raise catalog.unknown_name("synset", wnid, self.wnids)
        row = self.position[wnid]
        parents = self.hypernyms[row].split()
        if place := self.principal[row]:
            parents.insert(0, parents.pop(int(place)))
        return Synset(
            wnid,
            tuple(self.lemmas[row].split(", ")),
            self.definitions[row],
            tuple(parents),
            self.lists[row],
        )


def parse(text: str, path: Path) -> Table:
    """The table of a text of tab-separated cells with a header line.

    Args:
        text: the lines.
        path: the file they come from, for messages.

    Raises:
        InputError: another header or number of cells; the message names the file and the line.
    """
    header, *lines = text.rstrip("\n").split("\n")
    if tuple(header.split("\t")) != COLUMNS:
        raise InputError(f"{path}: header {header[:80]!r}; wanted {' '.join(COLUMNS)}")
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS):
            raise InputError(f"{path}, line {number}: {len(row)} cells; wanted {len(COLUMNS)}")
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    return Table(*(columns or [()] * len(COLUMNS)))


@lru_cache(maxsize=1)
def table() -> Table:
    """The shipped table, read once per process.

    Raises:
        InputError: the file is missing or broken, as in a half-copied checkout.
    """
    path = catalog.shipped("benchmarks") / FOLDER / FILE
    try:
        unpacker = lzma.LZMADecompressor()
        text = unpacker.decompress(read_bytes(path, TREE), TREE.largest).decode()
        if not unpacker.eof:
            raise lzma.LZMAError(f"it is cut, or has more than {TREE.largest:,} bytes")
    except InputError as error:
        raise InputError(f"{error}; it is part of clusterbench: install it again") from None
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not the table of synsets ({error}); install clusterbench again"
        ) from error
    return parse(text, path)
