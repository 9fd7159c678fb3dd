"""Which benchmarks have tasks for a data set."""

from __future__ import annotations

from ..datasets.registry import Dataset
from ..errors import InputError
from .build import build
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


def buildable(dataset: Dataset) -> list[str]:
    """Names of the suitable benchmarks of which a task can be built, the one to begin with first.

    Tasks are built to find out. A benchmark that ranks the classes is taken on trust, and last,
    where another one can be built: it needs more images than the whole data set as a task does.
    """
    sure, other = [], []
    for name in suitable(dataset.name, dataset.tasks, has_tree=dataset.tree is not None):
        tasks = find(name).tasks_for(dataset.name, dataset.tasks)
        quick = [task for task in tasks if not _reads_features(task)]
        if not quick:
            other.append(name)
        elif any(_builds(name, dataset, task) for task in quick):
            sure.append(name)
    return sure + other if sure else []


def _builds(benchmark: str, dataset: Dataset, task: TaskDeclaration) -> bool:
    try:
        build(benchmark, dataset, [task.name])
    except InputError:
        return False
    return True


def _reads_features(task: TaskDeclaration) -> bool:
    return task.builder in BUILDERS and BUILDERS.get(task.builder).reads_features


def _needs_tree(task: TaskDeclaration) -> bool:
    # A builder that there is not is for `build` to complain of.
    known = task.builder in BUILDERS
    return known and BUILDERS.get(task.builder).wants_tree(dict(task.params))
