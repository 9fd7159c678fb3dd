"""Which benchmarks have tasks for a data set."""

from __future__ import annotations

from ..errors import InputError
from .builders import BUILDERS
from .declaration import ANY, TaskDeclaration, find, names


def suitable(dataset: str, kind: str = "", *, has_tree: bool) -> list[str]:
    """Names of the benchmarks that have tasks for a data set, those for any data set last.

    kind: the kind of data set it is, where it says one. Without a class tree, benchmarks for any
    data set that need one are left out.
    """
    own, other = [], []
    for name in names():
        try:
            benchmark = find(name)
        except InputError:  # one that cannot be read hides no other; `list benchmarks` names it
            continue
        if {dataset, kind} & benchmark.datasets.keys():
            own.append(benchmark.name)
        elif any(has_tree or not _needs_tree(task) for task in benchmark.datasets.get(ANY, ())):
            other.append(benchmark.name)
    # `imbalanced` first: it needs neither a tree nor a ranking of the classes.
    return [n for part in (own, other) for n in sorted(part, key=lambda n: n != "imbalanced")]


def _needs_tree(task: TaskDeclaration) -> bool:
    # A builder that there is not is for `build` to complain of.
    known = task.builder in BUILDERS
    return known and BUILDERS.get(task.builder).wants_tree(dict(task.params))
