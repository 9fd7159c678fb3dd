"""The entrants of a board as pages show them: a method with its settings, on any features."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...files import sha256_json
from ...methods.by_name import METHODS
from ...pages import page_id
from ...printable import shown
from ..board.models import Entry
from ..ranking.entrants import entrant_key

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
    others of that name, or a hash where those are long. name: the same in full. k: clusters, where
    they are not as many as classes. self_reported: whether one of its entries is.
    """

    ident: str
    label: str
    name: str
    method: str
    version: int
    params: Mapping[str, Any]
    k: int | None
    family: Family
    self_reported: bool = False

    @property
    def page(self) -> str:
        """Path of its page in the site."""
        return f"methods/{page_id(self.method, self.ident)}.html"

    @property
    def reference(self) -> bool:
        """Whether it is a supervised ceiling."""
        return self.family == "reference"


#: Features by data set and identity: the names by which pages call them.
FeatureNames = Mapping[tuple[str, str], str]


def feature_names(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """Names of features by (data set, identity): their encoder's, with a hash where it has several.

    Features that somebody else computed are told apart by what is said of them.
    """
    names = {(e.dataset, e.feature_identity): e.encoder for e in entries}
    shared = Counter((dataset, encoder) for (dataset, _), encoder in names.items())
    return {
        (dataset, identity): f"{encoder} {identity[:6]}"
        if shared[dataset, encoder] > 1
        else encoder
        for (dataset, identity), encoder in names.items()
    }


def from_elsewhere(entry: Entry) -> bool:
    """Whether somebody sent it in: never the built-in method, whatever its name."""
    return bool(entry.submitter or entry.source) or not entry.verified


def entrant_ident(entry: Entry, n_classes: int | None, features: str = "") -> str:
    """What an entry's entrant is known by: a hash of method, version, settings, K and kind.

    features: the name of its features, where their encoder has several on its data set.
    """
    fields = {
        "method": entry.method,
        "version": entry.version,
        "params": entry.params,
        "k": None if entry.k == n_classes else entry.k,
        "reference": entry.reference,
    }
    if from_elsewhere(entry):
        fields["from"] = "elsewhere"
    if features != entry.encoder:
        fields["features"] = features
    return sha256_json(fields)


@dataclass(frozen=True)
class _Found:
    """An entrant before it has a name: its first entry, what its hash is of, what it is called."""

    entry: Entry
    k: int | None
    known: str
    settings: Mapping[str, str]


def entrant_views(
    entries: Sequence[Entry], sizes: Mapping[tuple[str, str, str], int]
) -> tuple[dict[str, EntrantView], dict[str, str]]:
    """The entrants by `ident`, sorted by name, and the ident of each entry by its key.

    sizes: number of classes by (benchmark, data set, task).
    """
    names = feature_names(entries)
    groups: dict[str, list[Entry]] = defaultdict(list)
    of_entry: dict[str, str] = {}
    for entry in entries:
        n_classes = sizes.get((entry.benchmark, entry.dataset, entry.task))
        ident = entrant_ident(entry, n_classes, names[entry.dataset, entry.feature_identity])
        of_entry[entry.key] = ident
        groups[ident].append(entry)
    found = {ident: _found(group, sizes, names) for ident, group in groups.items()}
    by_name: dict[str, list[str]] = defaultdict(list)
    for ident, one in found.items():
        by_name[one.entry.method].append(ident)
    labels = {
        ident: label
        for idents in by_name.values()
        for ident, label in _labels({ident: found[ident] for ident in idents}).items()
    }
    ordered = sorted(found, key=lambda ident: (labels[ident], ident))
    return {
        ident: EntrantView(
            ident=ident,
            label=labels[ident][0],
            name=labels[ident][1],
            method=found[ident].entry.method,
            version=found[ident].entry.version,
            params=found[ident].entry.params,
            k=found[ident].k,
            family=_family(found[ident].entry),
            self_reported=any(not entry.verified for entry in groups[ident]),
        )
        for ident in ordered
    }, of_entry


def _found(
    group: Sequence[Entry], sizes: Mapping[tuple[str, str, str], int], names: FeatureNames
) -> _Found:
    """The hash is the one that tables in a terminal show: of all its entries if they share one."""
    first = group[0]
    n_classes = sizes.get((first.benchmark, first.dataset, first.task), first.k)
    several = len({(e.feature_identity, e.protocol) for e in group}) > 1
    known = entrant_key(first, n_classes, any_features=several)[:4]
    k = None if first.k == n_classes else first.k
    features = names[first.dataset, first.feature_identity]
    settings = _settings(first, k)
    if features != first.encoder:
        settings["features"] = features
    return _Found(first, k, known, settings)


def _family(entry: Entry) -> Family:
    """By the place of a method in this package: nothing of another one is loaded for a page."""
    if entry.reference:
        return "reference"
    if from_elsewhere(entry):
        return "other"
    if entry.method == BASELINE:
        return "k-means"
    module = METHODS.built_in.get(entry.method, "")
    if module.startswith("trained."):
        return "head"
    return "clusterer" if module else "other"


def _labels(group: Mapping[str, _Found]) -> dict[str, tuple[str, str]]:
    """(label, name in full) that differ: by what differs among those of a name, else by a hash."""
    if len(group) == 1:
        return {i: (shown(one.entry.method, _LABEL), one.entry.method) for i, one in group.items()}
    keys = sorted({key for one in group.values() for key in one.settings})
    differ = [key for key in keys if len({o.settings.get(key) for o in group.values()}) > 1]
    names = {}
    for ident, one in group.items():
        words = ", ".join(f"{key}={one.settings.get(key, 'none')}" for key in differ)
        names[ident] = f"{one.entry.method} ({words})"
    if max(map(len, names.values())) <= _LABEL and len(set(names.values())) == len(names):
        return {ident: (name, name) for ident, name in names.items()}
    known = {i: one.known for i, one in group.items()}
    if len(set(known.values())) < len(known):
        known = {i: f"{one.known} {i[:6]}" for i, one in group.items()}
    return {
        i: (f"{shown(one.entry.method, _LABEL)} {known[i]}", f"{names[i]} {known[i]}")
        for i, one in group.items()
    }


def _settings(entry: Entry, k: int | None) -> dict[str, str]:
    settings = {key: json.dumps(value) for key, value in entry.params.items()}
    settings["version"] = str(entry.version)
    if from_elsewhere(entry):
        settings["from"] = "elsewhere"
    return settings | ({"K": str(k)} if k is not None else {})
