"""What every score is computed from: one contingency table, and what several scores share of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..kernels.assignment import Pairing, assign, paired_counts
from ..kernels.contingency import Contingency, contingency, reweighted
from ..kernels.mutual_information import entropy, expected_mutual_information
from .validate import CheckedLabels


@dataclass(frozen=True, eq=False)
class Counts:
    """A contingency table of classes (rows) and clusters (columns); what follows is derived once.

    This is what a metric is a function of.

    Attributes:
        table: every sample with a class.
        with_unassigned: its last column holds the samples without a cluster (prediction -1). Scores
            of partitions see them as one more group; accuracies count them as wrong.
    """

    table: Contingency
    with_unassigned: bool = False

    @property
    def n(self) -> int:
        """Samples with a class."""
        return self.table.n

    @property
    def n_unassigned(self) -> int:
        """Samples with a class and without a cluster."""
        return int(self.table.column_sums[-1]) if self.with_unassigned else 0

    @property
    def cluster_sizes(self) -> np.ndarray:
        """(n_clusters,) int64: samples of each cluster, the unassigned left out."""
        return self.table.column_sums[: -1 if self.with_unassigned else None]

    @cached_property
    def assigned(self) -> Contingency:
        """The table without the unassigned samples; its class sizes are then smaller."""
        if self.n_unassigned == 0:
            return self.table
        last = len(self.table.column_sums) - 1
        return reweighted(self.table, np.where(self.table.indices == last, 0, self.table.data))

    @cached_property
    def pairing(self) -> Pairing:
        """The one-to-one pairing of classes and clusters that most samples agree with."""
        return assign(self.assigned)

    @cached_property
    def right(self) -> np.ndarray:
        """(n_classes,) int64: samples of each class that are in the cluster paired with it."""
        return paired_counts(self.table, self.pairing.columns)

    @cached_property
    def class_entropy(self) -> float:
        """H(classes) in nats."""
        return entropy(self.table.row_sums)

    @cached_property
    def cluster_entropy(self) -> float:
        """H(clusters) in nats."""
        return entropy(self.table.column_sums)

    @cached_property
    def mutual_information(self) -> float:
        """I(classes; clusters) in nats."""
        joint = entropy(self.table.data)
        return max(0.0, self.class_entropy + self.cluster_entropy - joint)

    @cached_property
    def expected_mutual_information(self) -> float:
        """Mean mutual information in nats of random partitions of these class and cluster sizes."""
        return expected_mutual_information(self.table.row_sums, self.table.column_sums)

    @cached_property
    def n_groups(self) -> tuple[int, int]:
        """Classes and clusters that have samples (the unassigned are one group)."""
        return (
            int(np.count_nonzero(self.table.row_sums)),
            int(np.count_nonzero(self.table.column_sums)),
        )

    @property
    def pure(self) -> bool:
        """Whether no cluster mixes classes."""
        return len(self.table.data) == self.n_groups[1]

    @property
    def complete(self) -> bool:
        """Whether no class is spread over clusters."""
        return len(self.table.data) == self.n_groups[0]


def count(classes: CheckedLabels, clusters: CheckedLabels) -> Counts:
    """The counts of two labellings of the same samples; those without a class are left out.

    Args:
        classes: (n,) labels, one or more not missing.
        clusters: (n,) labels.

    Examples:
        >>> from clusterbench.metrics.counts import count
        >>> from clusterbench.metrics.validate import check_labels
        >>> classes = check_labels([0, 0, 1, 1], "classes")
        >>> counts = count(classes, check_labels([0, 0, 0, 1], "clusters"))
        >>> counts.n, counts.table.row_sums.tolist(), counts.table.column_sums.tolist()
        (4, [2, 2], [3, 1])
        >>> counts.pairing.columns.tolist(), counts.right.tolist()
        ([0, 1], [2, 1])
    """
    n_columns = clusters.highest + 1 + clusters.some_missing
    table = contingency(classes.values, clusters.values, classes.highest + 1, n_columns)
    return Counts(table, with_unassigned=clusters.some_missing)
