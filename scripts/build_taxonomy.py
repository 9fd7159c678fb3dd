"""Build `benchmarks/taxonomy`: the class lists of ImageNet and the part of WordNet they need.

    python scripts/build_taxonomy.py DOWNLOADS [--output DIR]

DOWNLOADS is a folder for the packages, fetched if they are not there. The class lists are those of
the installed timm, checked by hash.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import lzma
from collections.abc import Mapping
from pathlib import Path

from embedded import notice, wordnet
from embedded.packages import Package, fetch, read_deb, read_wheel
from embedded.principal import principal_hypernyms

from clusterbench.errors import InputError
from clusterbench.files import sha256_file, write_bytes
from clusterbench.taxonomy.synsets import COLUMNS, FILE

WORDNET = Package(
    "deb",
    "wordnet-base",
    "1:3.0-37",
    "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
)
DATADINGS = Package(
    "wheel",
    "datadings",
    "3.4.7",
    "3602f3581650ac55a2f7cf722a72786284441846907fa244561dc9924edacd19",
)
#: Mark in the table -> file of timm and its SHA-256. datadings' tree is that of "p".
LISTS = {
    "p": (
        "imagenet21k_miil_w21_synsets.txt",
        "f49dde3d69946b8635586432f34f35985f807d168286ce5fde746aac3a7d94c8",
    ),
    "f": (
        "imagenet21k_miil_synsets.txt",
        "cd76d977daaa2f13a4a91fca0f53713f2f29675308d4ce0f0ee0e5b07a3164c6",
    ),
    "w": (
        "imagenet22k_synsets.txt",
        "0ae24538751973797b29d8dec412b2bdc61bc4ec3ecd081eba0735804236bbd2",
    ),
    "k": (
        "imagenet_synsets.txt",
        "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
    ),
}
_NOUNS = "/usr/share/wordnet/data.noun"
_TREE = "datadings/sets/ImageNet21k_synsets.json.xz"
_LICENCE = f"{DATADINGS.name}-{DATADINGS.version}.dist-info/licenses/LICENSE"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def main() -> None:
    """Write the table of synsets and its licences."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("downloads", type=Path, help="folder of the packages")
    default = Path(__file__).parent.parent / "benchmarks" / "taxonomy"
    options.add_argument("--output", type=Path, default=default, help="default: %(default)s")
    arguments = options.parse_args()
    data = read_deb(fetch(WORDNET, arguments.downloads), {_NOUNS})[_NOUNS].decode()
    files = read_wheel(fetch(DATADINGS, arguments.downloads), {_TREE, _LICENCE})
    synsets = wordnet.parse_synsets(data)
    lists = {mark: read_list(*of_file) for mark, of_file in LISTS.items()}
    parents = published_parents(json.loads(lzma.decompress(files[_TREE])), lists["p"])
    hypernyms = {name: synset.hypernyms for name, synset in synsets.items()}
    principal = principal_hypernyms(hypernyms, parents)
    text = table(synsets, lists, principal)
    packed = lzma.compress(
        text.encode(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=_FILTERS
    )
    write_bytes(arguments.output / FILE, packed)
    notices = notice.taxonomy(WORDNET, DATADINGS, files[_LICENCE].decode())
    write_bytes(arguments.output / "NOTICE.md", notices.encode())
    sums = f"{sha256_file(arguments.output / FILE)}  {FILE}\n"
    write_bytes(arguments.output / "SHA256SUMS", sums.encode())
    used = sum(name in principal for name in parents)
    print(f"{text.count(chr(10)) - 1} synsets, {len(packed):,} bytes")
    print(f"{len(principal)} principal hypernyms are not the first, {used} of them of classes")
    print(sums, end="")


def read_list(name: str, sha256: str) -> tuple[str, ...]:
    """The synsets of one of timm's files; InputError when it is not the file of this hash."""
    with importlib.resources.as_file(importlib.resources.files("timm.data._info") / name) as path:
        found = sha256_file(path)
        if found != sha256:
            raise InputError(f"{path}: SHA-256 {found}; wanted {sha256}: install timm 1.0.31")
        return tuple(path.read_text("utf-8").split())


def published_parents(content: dict, listed: tuple[str, ...]) -> dict[str, str | None]:
    """Class -> parent, of datadings' `class_tree_list`: per class its index and its ancestors'."""
    chains = content["class_tree_list"]
    if tuple(content["class_description"]) != listed or [c[0] for c in chains] != [
        *range(len(listed))
    ]:
        raise InputError("datadings' classes are not those of timm's winter21 list in its order")
    for chain in chains:
        if len(chain) > 1 and chain[1:] != chains[chain[1]]:
            raise InputError(f"datadings: the chain of class {chain[0]} is not its parent's")
    return {listed[c[0]]: listed[c[1]] if len(c) > 1 else None for c in chains}


def table(
    synsets: Mapping[str, wordnet.Synset],
    lists: Mapping[str, tuple[str, ...]],
    principal: Mapping[str, int],
) -> str:
    """The listed synsets and everything above them, a line each, in the order of their names."""
    marks: dict[str, str] = {}
    for mark, names in lists.items():
        for name in names:
            marks[name] = marks.get(name, "") + mark
    wanted = set(marks)
    front = list(marks)
    while front:
        above = {h for name in front for h in synsets[name].hypernyms} - wanted
        wanted |= above
        front = list(above)
    lines = ["\t".join(COLUMNS)]
    for name in sorted(wanted):
        synset = synsets[name]
        if any("," in word for word in synset.words):
            raise InputError(f"{name}: a comma in {synset.words}, which separates the words")
        cells = (
            name,
            marks.get(name, ""),
            " ".join(synset.hypernyms),
            str(principal[name]) if name in principal else "",
            ", ".join(synset.words),
            synset.definition,
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
