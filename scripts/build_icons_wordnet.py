"""Build `features/icons-wordnet`: icons labelled with WordNet nouns, from two packages.

    python scripts/build_icons_wordnet.py DOWNLOADS [--output DIR] [--images DIR]

DOWNLOADS is a folder for the packages, fetched if they are not there. `--images` keeps the drawn
images as `<DIR>/{train,val}/<class>/<image>.png`, which `clusterbench extract` reads.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from embedded import dataset, drawings, icon_names, iconify, notice, wordnet
from embedded.declaring import Declaration, Node, tree_text
from embedded.packages import Package, fetch, read_deb, read_npm

ICONS = Package(
    "npm",
    "@iconify/json",
    "2.2.535",
    "1a545f86fa224d6531d8fb101dcbe83aac2b28689a21cbed6fc68318a5af4d91",
)
WORDNET = Package(
    "deb",
    "wordnet-base",
    "1:3.0-37",
    "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
)
DECLARATION = Declaration(
    name="icons-wordnet",
    description="Icons of open sets, labelled with the WordNet 3.0 noun of their name; long-tailed",
    licence="MIT, Apache-2.0, CC-BY, CC0, ISC, BSD-3-Clause, Unlicense: see NOTICE.md",
)
LEAST_IMAGES = 4
LEAST_AUTHORS = 2

_NOUN_FILES = tuple(
    f"/usr/share/wordnet/{name}" for name in ("data.noun", "index.noun", "noun.exc")
)
_SENSES = Path(__file__).parent / "embedded" / "icon_senses.tsv"
_ROOT = Path(__file__).parent.parent


def main() -> None:
    """Draw the icons that a noun names, and write the data set."""
    arguments = dataset.parser(__doc__, _ROOT / "features" / DECLARATION.name).parse_args()
    icons = fetch(ICONS, arguments.downloads)
    nouns = read_nouns(fetch(WORDNET, arguments.downloads))
    collections = json.loads(read_npm(icons, {"collections.json"})["collections.json"])
    sets = iconify.infos(collections)
    documents = label_icons(icons, sets, nouns)
    print(f"{len(documents)} labelled icons of {len(sets)} sets")
    drawn = select(list(drawings.draw(documents, arguments.workers)), sets)
    classes = Counter(drawing.class_name for drawing in drawn)
    print(f"{len(drawn)} images of {len(classes)} classes")
    texts = {
        "tree.tsv": tree_text(tree(set(classes), nouns)),
        "NOTICE.md": notice.icons(drawn, sets, ICONS, WORDNET, dataset.N_COMPONENTS),
    }
    dataset.build(DECLARATION, drawn, texts, arguments)


def read_nouns(package: Path) -> wordnet.Nouns:
    """The nouns of the WordNet package."""
    files = read_deb(package, set(_NOUN_FILES))
    data, index, exceptions = (files[name].decode() for name in _NOUN_FILES)
    return wordnet.parse(data, index, exceptions)


def label_icons(
    package: Path, sets: list[iconify.SetInfo], nouns: wordnet.Nouns
) -> list[tuple[str, str, str]]:
    """(synset, file name, SVG) of every icon whose name is a noun, two styles of each at most."""
    choices = icon_names.load_choices(_SENSES)
    contents = read_npm(package, {f"json/{one.prefix}.json" for one in sets})
    documents = []
    for content in contents.values():
        data = json.loads(content)
        styles = icon_names.set_styles(data["icons"])
        found: dict[str, dict[str, iconify.Icon]] = defaultdict(dict)
        for icon in iconify.icons(data):
            synset = icon_names.label(icon.name, nouns, choices, styles)
            if synset is not None:
                found[synset][icon.name] = icon
        for synset, icons in found.items():
            for name in icon_names.pick_styles(icons):
                svg = icons[name].svg(drawings.SIZE)
                documents.append((synset, f"{data['prefix']}__{name}", svg))
    return documents


def select(drawn: list[drawings.Drawing], sets: list[iconify.SetInfo]) -> list[drawings.Drawing]:
    """Without repeated drawings, small classes, and classes that only one author drew."""
    authors = {one.prefix: one.author for one in sets}
    kept = drawings.drop_near_copies(drawings.drop_copies(drawn))
    return [
        drawing
        for members in drawings.by_class(kept).values()
        if len(members) >= LEAST_IMAGES
        and len({authors[member.name.split("__")[0]] for member in members}) >= LEAST_AUTHORS
        for drawing in members
    ]


def tree(classes: set[str], nouns: wordnet.Nouns) -> list[Node]:
    """The classes and everything above them along their first hypernyms."""
    wanted = classes.union(*(nouns.ancestors(synset) for synset in classes))
    return [Node(synset, nouns.parents[synset], nouns.names[synset]) for synset in wanted]


if __name__ == "__main__":
    main()
