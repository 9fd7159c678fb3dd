"""Build `features/emoji`: eight emoji sets, labelled with Unicode's emoji, subgroup and group.

    python scripts/build_emoji.py DOWNLOADS [--output DIR] [--images DIR]

DOWNLOADS is a folder for the packages, fetched if they are not there. `--images` keeps the drawn
images as `<DIR>/{train,val}/<class>/<image>.png`, which `clusterbench extract` reads.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from embedded import dataset, drawings, emoji_names, iconify, notice
from embedded.declaring import Declaration, Node, tree_text
from embedded.packages import Package, fetch, read_deb, read_npm

SETS = tuple(
    Package("npm", f"@iconify-json/{name}", version, sha256)
    for name, version, sha256 in (
        (
            "emojione",
            "1.2.3",
            "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        ),
        (
            "fluent-emoji",
            "1.2.7",
            "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
        ),
        (
            "fluent-emoji-flat",
            "1.2.6",
            "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        ),
        (
            "fluent-emoji-high-contrast",
            "1.2.6",
            "0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
        ),
        (
            "fxemoji",
            "1.2.2",
            "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
        ),
        (
            "noto",
            "1.2.9",
            "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        ),
        (
            "noto-v1",
            "1.2.5",
            "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
        ),
        (
            "twemoji",
            "1.2.5",
            "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        ),
    )
)
UNICODE = Package(
    "deb",
    "unicode-data",
    "15.0.0-1",
    "5efef23bbb1c6a133ecbdd63a2cfa07159ccacf5466a49e2426101c5ecd691fc",
)
DECLARATION = Declaration(
    name="emoji",
    description="Emoji of eight open sets, labelled with Unicode's emoji, subgroup and group",
    licence="Apache-2.0, MIT, CC-BY-4.0: see NOTICE.md",
)
LEAST_IMAGES = 4

_EMOJI_TEST = "/usr/share/unicode/emoji/emoji-test.txt"
_CHARACTERS = "/usr/share/unicode/UnicodeData.txt"
_FILES = {"icons.json", "info.json", "chars.json"}
_ROOT = Path(__file__).parent.parent


def main() -> None:
    """Draw the icons, and write the data set."""
    arguments = dataset.parser(__doc__, _ROOT / "features" / DECLARATION.name).parse_args()
    unicode = read_deb(fetch(UNICODE, arguments.downloads), {_EMOJI_TEST, _CHARACTERS})
    emoji = emoji_names.parse_list(unicode[_EMOJI_TEST].decode())
    sets = [read_set(fetch(package, arguments.downloads)) for package in SETS]
    infos = [iconify.SetInfo.read(one["icons"]["prefix"], one["info"]) for one in sets]
    documents = label_icons(sets, emoji, unicode[_CHARACTERS].decode())
    print(f"{len(documents)} labelled icons of {len(sets)} sets")
    drawn = drawings.drop_copies(list(drawings.draw(documents, arguments.workers)))
    drawn = drawings.drop_small_classes(drawn, LEAST_IMAGES)
    classes = Counter(drawing.class_name for drawing in drawn)
    print(f"{len(drawn)} images of {len(classes)} classes")
    texts = {
        "tree.tsv": tree_text(tree([emoji[code] for code in classes])),
        "NOTICE.md": notice.emoji(drawn, infos, SETS, UNICODE, dataset.N_COMPONENTS),
    }
    dataset.build(DECLARATION, drawn, texts, arguments)


def read_set(package: Path) -> dict[str, Any]:
    """A set's icons, its description and its table of code points."""
    files = read_npm(package, _FILES)
    return {name.removesuffix(".json"): json.loads(content) for name, content in files.items()}


def label_icons(
    sets: list[dict[str, Any]], emoji: dict[str, emoji_names.Emoji], character_data: str
) -> list[tuple[str, str, str]]:
    """(code points, file name, SVG) of every icon that shows an emoji without a skin tone."""
    lookup = emoji_names.Lookup(
        emoji,
        (
            emoji_names.EmojiSet(
                one["icons"]["prefix"], one["chars"], one["icons"].get("aliases", {})
            )
            for one in sets
        ),
        character_data,
    )
    documents = []
    for one in sets:
        for icon in iconify.icons(one["icons"]):
            shown = lookup.find(icon.prefix, icon.name)
            if shown is not None and not shown.has_tone:
                name = f"{icon.prefix}__{icon.name}"
                documents.append((shown.code, name, icon.svg(drawings.SIZE)))
    return documents


def tree(classes: list[emoji_names.Emoji]) -> list[Node]:
    """Groups, their subgroups, and the emoji of the data set in them."""
    nodes = {}
    for one in classes:
        group, subgroup = one.group_node, one.subgroup_node
        nodes[group] = Node(group, None, one.group)
        nodes[subgroup] = Node(subgroup, group, one.subgroup)
        nodes[one.code] = Node(one.code, subgroup, one.name)
    return list(nodes.values())


if __name__ == "__main__":
    main()
