"""Build the data set `glyphs`: CJK ideographs drawn by typefaces, 20,992 classes.

    python scripts/build_glyphs.py DOWNLOADS [--faces 5|24] [--classes N] [--output DIR]

DOWNLOADS is a folder for the packages (fonts, Unicode's tables, the encoder's weights), fetched if
they are not there. The drawings are made while they are read and are kept nowhere: fonts have many
licences, so this data set is built where it is used. Killed, the same command goes on.
"""

from __future__ import annotations

import bz2
import hashlib
import tempfile
from pathlib import Path

from embedded import building, unihan
from embedded.declaring import Declaration, Node
from embedded.glyphs import SIZE, glyph_source
from embedded.packages import Package, fetch, read_deb
from embedded.recogniser import recogniser
from embedded.typefaces import FACES, unpack

from clusterbench.errors import InputError

UNICODE = Package(
    "deb",
    "unicode-data",
    "15.0.0-1",
    "5efef23bbb1c6a133ecbdd63a2cfa07159ccacf5466a49e2426101c5ecd691fc",
)
CODES = range(0x4E00, 0xA000)  # the block CJK Unified Ideographs
NAMES = {5: "glyphs", 24: "glyphs-24"}

_RADICALS = "/usr/share/unicode/Unihan_IRGSources.txt.bz2"
_CHARACTERS = "/usr/share/unicode/UnicodeData.txt"


def main() -> None:
    """Draw the characters, and write the data set."""
    options = building.parser(__doc__)
    options.add_argument("downloads", type=Path, help="folder of the packages")
    options.add_argument("--faces", type=int, choices=NAMES, default=5, help="default: 5")
    options.add_argument(
        "--classes", type=int, default=len(CODES), help="so many ideographs; default: %(default)s"
    )
    arguments = options.parse_args()
    codes = choose(arguments.classes)
    output = building.folder(arguments.output, NAMES[arguments.faces])
    faces = FACES[: arguments.faces]
    with tempfile.TemporaryDirectory() as temporary:
        paths = unpack(faces, arguments.downloads, Path(temporary))
        files = [(path, face.number) for path, face in zip(paths, faces, strict=True)]
        names = [face.name for face in faces]
        source = glyph_source(names, files, codes, arguments.workers)
        kept = sorted(int(name[1:], 16) for name in source.index.class_names)
        building.build(
            output,
            source,
            recogniser(arguments.downloads, Path(temporary), SIZE),
            Declaration(
                name=output.name,
                description=f"CJK ideographs drawn by {len(faces)} typefaces, with their radicals",
                licence="of the fonts: " + ", ".join(sorted({face.licence for face in faces})),
            ),
            read_tree(fetch(UNICODE, arguments.downloads), kept),
            workers=arguments.workers,
        )


def choose(n: int) -> list[int]:
    """n of the ideographs, those whose class names have the lowest SHA-256, by code point."""
    if not 1 <= n <= len(CODES):
        raise InputError(f"--classes {n}; wanted 1 to {len(CODES)}")
    names = {hashlib.sha256(unihan.class_name(code).encode()).digest(): code for code in CODES}
    return sorted(names[digest] for digest in sorted(names)[:n])


def read_tree(package: Path, codes: list[int]) -> list[Node]:
    """The radicals of some ideographs, and these below them, from Unicode's tables."""
    texts = read_deb(package, {_RADICALS, _CHARACTERS})
    radicals = unihan.parse_radicals(bz2.decompress(texts[_RADICALS]).decode())
    names = unihan.radical_names(texts[_CHARACTERS].decode())
    return unihan.tree(codes, radicals, names)


if __name__ == "__main__":
    building.command(main)
