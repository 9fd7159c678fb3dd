"""Several labels per image: chains of the class tree, and the ReaL labels of ImageNet-1K.

Methods are fitted as on any task; at evaluation they name several clusters per image, best first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError
from ...limits import RANKS
from ...taxonomy.tree import Tree
from ..class_pool import Draft, Pool, natural_groups
from ..params import check_count, check_draw, check_eval_per_class, require
from ..targets import Hierarchy, LabelSets
from .builder import Builder, Built, Material
from .granularity import granularity_task
from .granularity_params import GranularityParams
from .imagenet_real import RealLabels, image_numbers, read_real_labels

#: Least share of images whose ReaL labels name the image's own class. Original and ReaL labels
#: agree on most images; where files were numbered anew, one in a thousand agrees by chance.
_LEAST_AGREEMENT = 0.5


@dataclass(frozen=True)
class ChainsParams:
    """Classes of a tree, each image labelled by its class and by every node above it.

    n_ranks: clusters that a method names per evaluation image, best first. leaves_only: leave out
    classes that stand above another class of the data set; by default they are classes like the
    others, whose chain starts at themselves. The other keys are those of `GranularityParams`.
    """

    n_classes: int | None = None
    images_per_class: int | None = None
    min_images: int = 1
    leaves_only: bool = False
    eval_per_class: int | None = None
    n_ranks: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_ranks(self.n_ranks)
        self.classes  # noqa: B018  # whose checks are the other keys'

    @property
    def classes(self) -> GranularityParams:
        """The granularity task with the same images, each labelled by its class."""
        return GranularityParams(
            n_classes=self.n_classes,
            images_per_class=self.images_per_class,
            min_images=self.min_images,
            inner="drop" if self.leaves_only else "keep",
            eval_per_class=self.eval_per_class,
            seed=self.seed,
        )


@dataclass(frozen=True)
class RealParams:
    """ImageNet-1K, whose evaluation images also have the ReaL labels.

    n_ranks: clusters that a method names per evaluation image, best first. images_per_class:
    training images of each class, drawn; None: all. eval_per_class: val images of each class,
    drawn; None: all.
    """

    images_per_class: int | None = None
    eval_per_class: int | None = None
    n_ranks: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_ranks(self.n_ranks)
        check_draw(self.seed)
        check_count("images_per_class", self.images_per_class, 1)
        check_eval_per_class(self.eval_per_class)


def chains_task(pool: Pool, tree: Tree | None, params: ChainsParams) -> Draft:
    """The images of the drawn classes, and the chains of these classes in the tree.

    With the same classes and images as `granularity_task` without a cut. The hierarchy is the
    part of the tree on the chains, so that "leaf" and "height" mean those of the task's classes.
    Raises InputError without a tree, and when too few classes remain.
    """
    if tree is None:
        raise InputError("this data set has no class tree, and chains are made of one")
    draft = granularity_task(pool, tree, params.classes)
    hierarchy = _pruned(tree, draft.names)
    classes = draft.groups[pool.labels[draft.eval_rows]]
    lengths = hierarchy.depth[hierarchy.class_nodes[classes]] + 1
    above = np.unique(hierarchy.parents[hierarchy.parents >= 0])
    return replace(
        draft,
        factors={
            "n_fine_classes": float(len(draft.names)),
            "n_inner_classes": float(np.isin(hierarchy.class_nodes, above).sum()),
            "n_nodes": float(len(hierarchy.parents)),
            "labels_per_image": float(lengths.mean()),
        },
        n_ranks=params.n_ranks,
        hierarchy=hierarchy,
    )


def real_task(pool: Pool, params: RealParams) -> Draft:
    """All classes of ImageNet-1K (or of a part of it), and the ReaL labels of the val images.

    Images without a ReaL label stay evaluation rows: they count for the usual scores, and scores
    on label sets leave them out, as ReaL does. Labels may lie outside the data set's classes.

    Raises InputError for class names that are no ImageNet-1K wnids, val ids that do not end in the
    original file names, two ids of one image, labels that fit less than half of the images, and
    whatever `read_real_labels` refuses.
    """
    real = read_real_labels()
    place = {wnid: label for label, wnid in enumerate(real.wnids)}
    foreign = [name for name in pool.class_names if name not in place]
    if foreign:
        raise InputError(
            f"{len(foreign)} of {pool.n_classes} classes are no ImageNet-1K wnids (first: "
            f"{foreign[0]!r}); ReaL labels need a data set with class names such as "
            f"{real.wnids[0]!r}"
        )
    classes = pool.usable(params.images_per_class or 1, params.eval_per_class or 1)
    if len(classes) < pool.n_classes:
        lost = pool.class_names[int(np.setdiff1d(np.arange(pool.n_classes), classes)[0])]
        raise InputError(
            f"{pool.n_classes - len(classes)} of {pool.n_classes} classes (first: {lost!r}) have "
            f"fewer than {params.images_per_class or 1} training or "
            f"{params.eval_per_class or 1} val images"
        )
    eval_rows = pool.draw_eval(classes, params.eval_per_class)
    sets = _label_sets(real, image_numbers(pool.index.ids[eval_rows]))
    own = np.array([place[name] for name in pool.class_names])[pool.labels[eval_rows]]
    sizes = np.diff(sets.offsets)
    agreeing = int((sets.labels == np.repeat(own, sizes)).sum())
    labelled = int((sizes > 0).sum())
    if agreeing < _LEAST_AGREEMENT * max(labelled, 1) or not labelled:
        raise InputError(
            f"the ReaL labels name the class of {agreeing} of {labelled} labelled val images; "
            "wanted most of them: the numbers in the file names are not those of ImageNet's "
            "validation images"
        )
    groups, names = natural_groups(pool, classes)
    return Draft(
        train_rows=pool.draw_train(classes, params.images_per_class),
        eval_rows=eval_rows,
        groups=groups,
        names=names,
        factors={
            "labels_per_image": float(sizes.sum() / labelled),
            "n_unlabelled": float(len(eval_rows) - labelled),
            "own_class_among_labels": agreeing / labelled,
        },
        notes={"real_labels_sha256": real.sha256},
        n_ranks=params.n_ranks,
        label_sets=sets,
    )


def _check_ranks(n_ranks: int) -> None:
    check_count("n_ranks", n_ranks, 0, RANKS)
    require(n_ranks >= 2, f"n_ranks={n_ranks} should be >= 2; the first cluster is always scored")


def _pruned(tree: Tree, class_names: tuple[str, ...]) -> Hierarchy:
    """The nodes on the chains of the classes, in the tree's order."""
    nodes = tree.find(class_names)
    kept = np.zeros(len(tree), dtype=bool)
    front = nodes
    while len(front):
        kept[front] = True
        front = np.unique(tree.parents[front])
        front = front[front >= 0]
        front = front[~kept[front]]
    place = np.cumsum(kept) - 1
    parents = tree.parents[kept]
    return Hierarchy(
        parents=np.where(parents < 0, -1, place[parents]),
        class_nodes=place[nodes],
        node_names=tuple(tree.nodes[node] for node in np.flatnonzero(kept)),
    )


def _label_sets(real: RealLabels, numbers: np.ndarray) -> LabelSets:
    sizes = np.diff(real.offsets)[numbers]
    first = np.cumsum(sizes) - sizes
    within = np.arange(int(sizes.sum())) - np.repeat(first, sizes)
    return LabelSets(
        labels=real.labels[np.repeat(real.offsets[numbers], sizes) + within],
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        names=real.wnids,
    )


def _build_chains(material: Material, params: ChainsParams) -> Built:
    pool = material.pool(params.seed)
    return pool, chains_task(pool, material.dataset.tree, params)


def _build_real(material: Material, params: RealParams) -> Built:
    pool = material.pool(params.seed)
    return pool, real_task(pool, params)


CHAINS = Builder("chains", ChainsParams, _build_chains, needs_tree=True)
REAL = Builder("real", RealParams, _build_real)
