"""The entrants of a board as pages show them: a method with its settings, on any features."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...files import sha256_json
from ...methods.by_name import METHODS
from ...pages import page_id
from ...printable import shown
from ..board.models import Entry

#: What an entrant is, for the study's question: heads are trained networks on frozen features.
Family = Literal["k-means", "head", "clusterer", "reference", "other"]

FAMILY_NAMES: Mapping[Family, str] = {
    "k-means": "k-means",
    "head": "trained head",
    "clusterer": "other clusterer",
    "reference": "reference",
    "other": "submitted from elsewhere",
}

#: The method that the others are held against.
BASELINE = "kmeans"

_LABEL = 60


@dataclass(frozen=True)
class EntrantView:
    """A method with its settings, K and version, on whatever features it was run.

    ident: what tells it from others. label: its name, with the settings that set it apart from
    others of that name. k: clusters, where they are not as many as classes.
    """

    ident: str
    label: str
    method: str
    version: int
    params: Mapping[str, Any]
    k: int | None
    family: Family

    @property
    def page(self) -> str:
        """Path of its page in the site."""
        return f"methods/{page_id(self.method, self.ident)}.html"

    @property
    def reference(self) -> bool:
        """Whether it is a supervised ceiling."""
        return self.family == "reference"


def entrant_ident(entry: Entry, n_classes: int | None) -> str:
    """What an entry's entrant is known by: a hash of method, version, settings, K and kind."""
    return sha256_json(
        {
            "method": entry.method,
            "version": entry.version,
            "params": entry.params,
            "k": None if entry.k == n_classes else entry.k,
            "reference": entry.reference,
        }
    )


def entrant_views(
    entries: Iterable[Entry], sizes: Mapping[tuple[str, str, str], int]
) -> tuple[dict[str, EntrantView], dict[str, str]]:
    """The entrants by `ident`, sorted by name, and the ident of each entry by its key.

    sizes: number of classes by (benchmark, data set, task).
    """
    firsts: dict[str, Entry] = {}
    of_entry: dict[str, str] = {}
    kept: dict[str, int | None] = {}
    for entry in entries:
        n_classes = sizes.get((entry.benchmark, entry.dataset, entry.task))
        ident = entrant_ident(entry, n_classes)
        of_entry[entry.key] = ident
        firsts.setdefault(ident, entry)
        kept[ident] = None if entry.k == n_classes else entry.k
    by_name: dict[str, list[str]] = defaultdict(list)
    for ident, entry in firsts.items():
        by_name[entry.method].append(ident)
    labels = {
        ident: label
        for idents in by_name.values()
        for ident, label in _labels({i: (firsts[i], kept[i]) for i in idents}).items()
    }
    ordered = sorted(firsts, key=lambda ident: (labels[ident], ident))
    return {
        ident: EntrantView(
            ident=ident,
            label=labels[ident],
            method=firsts[ident].method,
            version=firsts[ident].version,
            params=firsts[ident].params,
            k=kept[ident],
            family=_family(firsts[ident]),
        )
        for ident in ordered
    }, of_entry


def _family(entry: Entry) -> Family:
    """By the place of a method in this package: nothing of another one is loaded for a page."""
    if entry.reference:
        return "reference"
    if entry.method == BASELINE:
        return "k-means"
    module = METHODS.built_in.get(entry.method, "")
    if module.startswith("trained."):
        return "head"
    return "clusterer" if module else "other"


def _labels(group: Mapping[str, tuple[Entry, int | None]]) -> dict[str, str]:
    """Names that differ: by what differs among the entrants of a name, else by a hash."""
    if len(group) == 1:
        return {ident: shown(entry.method, _LABEL) for ident, (entry, _) in group.items()}
    told = {ident: _settings(entry, k) for ident, (entry, k) in group.items()}
    keys = sorted({key for settings in told.values() for key in settings})
    differ = [key for key in keys if len({t.get(key) for t in told.values()}) > 1]
    labels = {}
    for ident, (entry, _) in group.items():
        words = ", ".join(f"{key}={told[ident].get(key, 'none')}" for key in differ)
        labels[ident] = f"{entry.method} ({words})"
    if max(map(len, labels.values())) > _LABEL:
        labels = {i: f"{shown(e.method, _LABEL)} {i[:6]}" for i, (e, _) in group.items()}
    return labels


def _settings(entry: Entry, k: int | None) -> dict[str, str]:
    settings = {key: json.dumps(value) for key, value in entry.params.items()}
    settings["version"] = str(entry.version)
    return settings | ({"K": str(k)} if k is not None else {})
