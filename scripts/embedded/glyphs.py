"""Characters drawn by typefaces, as a source of images: one per class and face."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clusterbench.errors import InputError
from clusterbench.sources.index_builder import IndexBuilder
from clusterbench.sources.process_cache import ProcessCache
from clusterbench.sources.source import SourceReport

from .declaring import val_ids
from .pixels import MadeSource, grey_file
from .unihan import class_name

SIZE = 48
EM = 44  # pixels of the em square: leaves a margin, and no stroke is cut off
LEAST_IMAGES = 4
_CANVAS = 2 * SIZE
_NOT_A_CHARACTER = chr(0x10FFFE)  # no face maps it: it shows what stands for what a face lacks
_OPEN_FACES = 64


class Pen:
    """Draws with one face of a font file.

    With the layout that every build of Pillow has; pixels depend on the version of FreeType in it.
    InputError for a file that is no font.
    """

    def __init__(self, file: Path, number: int = 0) -> None:
        try:
            self.font = ImageFont.truetype(
                str(file), EM, number, layout_engine=ImageFont.Layout.BASIC
            )
        except OSError as error:
            raise InputError(f"{file}, face {number}: FreeType cannot read it ({error})") from error
        self._missing = self._ink(_NOT_A_CHARACTER)

    def draws(self, character: str) -> bool:
        """Whether the face has the character: neither blank nor the sign for missing ones."""
        ink = self._ink(character)
        return any(ink[1]) and ink != self._missing

    def draw(self, character: str) -> np.ndarray:
        """(SIZE, SIZE) uint8, black on white, the ink in the middle."""
        canvas = Image.new("L", (_CANVAS, _CANVAS))
        middle = (_CANVAS // 2, _CANVAS // 2)
        ImageDraw.Draw(canvas).text(middle, character, 255, self.font, anchor="mm")
        box = canvas.getbbox() or (0, 0, _CANVAS, _CANVAS)
        left, top = (box[0] + box[2] - SIZE) // 2, (box[1] + box[3] - SIZE) // 2
        return 255 - np.asarray(canvas.crop((left, top, left + SIZE, top + SIZE)))

    def _ink(self, character: str) -> tuple[tuple[int, int], bytes]:
        mask = self.font.getmask(character)
        return mask.size, bytes(mask)


_pens: ProcessCache[Pen] = ProcessCache(_OPEN_FACES)  # a forked child must not share open files


@dataclass(frozen=True, eq=False)
class GlyphSource(MadeSource):
    """Images drawn when they are read; sample r is the character `code` as `face` draws it."""

    COLUMNS = ("face", "code")
    FORMAT = "glyphs"

    files: tuple[tuple[Path, int], ...]  # font file and number in it, per face
    face: np.ndarray  # (n,) uint8
    code: np.ndarray  # (n,) int32

    def read(self, row: int) -> bytes:
        """One drawing as a PGM file."""
        file = self.files[int(self.face[row])]
        pen = _pens.get(file, partial(Pen, *file))
        return grey_file(pen.draw(chr(self.code[row])))


def glyph_source(
    names: Sequence[str],
    files: Sequence[tuple[Path, int]],
    codes: Sequence[int],
    workers: int = 1,
    least: int = LEAST_IMAGES,
) -> GlyphSource:
    """The drawings of characters by faces, without blank ones and classes of fewer than `least`.

    The id of a drawing is `u4e00/<face name>`; of each class the val images are those of
    `declaring.val_ids`. Raises InputError when no class is left.
    """
    there = covered(files, codes, workers)
    builder = IndexBuilder({"face": np.uint8, "code": np.int32})
    for column, code in enumerate(codes):
        faces = np.flatnonzero(there[:, column]).tolist()
        if len(faces) < least:
            continue
        ids = [f"{class_name(code)}/{names[face]}" for face in faces]
        val = val_ids(ids)
        builder.add(ids, class_name(code), [i in val for i in ids], face=faces, code=code)
    if not builder.n:
        raise InputError(
            f"no character is drawn by {least} of the {len(files)} faces; "
            f"tried {len(codes)} characters"
        )
    index, columns = builder.finish()
    return GlyphSource(index, SourceReport(), tuple(files), **columns)


def covered(
    files: Sequence[tuple[Path, int]], codes: Sequence[int], workers: int = 1
) -> np.ndarray:
    """(n_faces, n_codes) bool: which face draws which character."""
    with ProcessPoolExecutor(workers) as pool:
        return np.array(list(pool.map(partial(_covered, codes=tuple(codes)), files)), bool)


def _covered(file: tuple[Path, int], codes: tuple[int, ...]) -> list[bool]:
    pen = Pen(*file)
    return [pen.draws(chr(code)) for code in codes]
