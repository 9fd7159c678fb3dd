"""Which hypernym of a synset a published class tree follows.

A class tree gives each class one parent; WordNet gives many synsets two hypernyms or three. Here
each synset gets one of its hypernyms as the principal one, so that for every class the nearest
listed synset along principal hypernyms is the parent that the published tree has.
"""

from __future__ import annotations

from collections.abc import Mapping

from clusterbench.errors import InputError

#: Positions taken on one way up: synset -> index of the hypernym.
Way = dict[str, int]


def principal_hypernyms(
    hypernyms: Mapping[str, tuple[str, ...]], parents: Mapping[str, str | None]
) -> dict[str, int]:
    """Position of the principal hypernym, for the synsets where it is not the first.

    parents: the listed classes with their published parent, None for a root. What the tree leaves
    open stays at the first hypernym. Raises InputError when no choice gives the tree.
    """
    ways = {name: _ways(name, parent, hypernyms, parents) for name, parent in parents.items()}
    allowed: dict[str, set[int]] = {}
    narrowed = True
    while narrowed:
        narrowed = False
        for name, known in ways.items():
            possible = [
                way for way in known if all(at in allowed.get(u, {at}) for u, at in way.items())
            ]
            if not possible:
                raise InputError(f"{name}: no hypernym leads to its parent {parents[name]}")
            ways[name] = possible
            for synset in set.intersection(*(set(way) for way in possible)):
                taken = {way[synset] for way in possible}
                before = allowed.get(synset, taken)
                if synset not in allowed or before - taken:
                    allowed[synset] = before & taken
                    narrowed = True
    chosen = {synset: min(positions) for synset, positions in allowed.items() if min(positions)}
    wrong = [
        name
        for name, parent in parents.items()
        if nearest_listed(name, hypernyms, chosen, parents) != parent
    ]
    if wrong:
        raise InputError(f"{len(wrong)} parents are not reproduced, {wrong[0]} among them")
    return chosen


def nearest_listed(
    name: str,
    hypernyms: Mapping[str, tuple[str, ...]],
    chosen: Mapping[str, int],
    listed: Mapping[str, object],
) -> str | None:
    """The first listed synset above `name` along principal hypernyms; None if there is none."""
    while above := hypernyms[name]:
        name = above[chosen.get(name, 0)]
        if name in listed:
            return name
    return None


def _ways(
    name: str,
    parent: str | None,
    hypernyms: Mapping[str, tuple[str, ...]],
    listed: Mapping[str, object],
) -> list[Way]:
    """All ways from `name` up to its parent (or past the top) that meet no other listed synset."""
    found: list[Way] = []
    open_ends: list[tuple[str, Way]] = [(name, {})]
    while open_ends:
        at, way = open_ends.pop()
        above = hypernyms[at]
        if not above and parent is None:
            found.append(way)
        for position, hypernym in enumerate(above):
            longer = {**way, at: position} if len(above) > 1 else way
            if hypernym == parent:
                found.append(longer)
            elif hypernym not in listed:
                open_ends.append((hypernym, longer))
    return found
