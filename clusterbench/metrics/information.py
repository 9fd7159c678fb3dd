"""Scores from information theory: how many nats the clusters tell about the classes."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ..errors import InputError
from .counts import Counts

#: How NMI and AMI combine the two entropies, named as in scikit-learn.
Average = Literal["arithmetic", "geometric", "min", "max"]


def nmi(counts: Counts, average: Average = "arithmetic") -> float:
    """Normalised mutual information, MI / average(H(classes), H(clusters)), in [0, 1].

    The arithmetic mean by default, as in scikit-learn. It rises with the number of clusters even
    for random predictions: read it beside its chance level, or use `ami`.
    One class in one cluster: 1.0. No shared information: 0.0.

    Args:
        counts: the contingency table.
        average: of the two entropies.

    Examples:
        The clusters tell the classes exactly: MI = H(classes) = log 2, while H(clusters) is
        1.5 log 2, since one class is split.

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).nmi, 4)
        0.8
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2], average="max").nmi, 4)
        0.6667
    """
    if counts.pure and counts.complete:
        return 1.0
    if min(counts.n_groups) == 1:
        return 0.0
    return min(1.0, counts.mutual_information / mean_entropy(counts, average))


def ami(counts: Counts, average: Average = "arithmetic") -> float:
    """Adjusted mutual information, (MI - E[MI]) / (average(H(classes), H(clusters)) - E[MI]).

    Vinh, Epps & Bailey, JMLR 11, 2010, with the arithmetic mean by default, as in scikit-learn.
    1.0 for the same partition, about 0 for random predictions, possibly negative. 0.0 where class
    and cluster sizes alone decide the mutual information: a single class or cluster, or one sample
    in each.

    Args:
        counts: the contingency table.
        average: of the two entropies.

    Examples:
        In units of log 2, MI is 1 and the mean entropy 5/4. Dealt out at random, the cluster of two
        falls into one class a third of the time (MI 1) and else into both (MI 1/2): E[MI] is 2/3
        and AMI is (1 - 2/3) / (5/4 - 2/3) = 4/7.

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).ami, 4)
        0.5714
    """
    if counts.pure and counts.complete:
        return 1.0
    if min(counts.n_groups) == 1 or max(counts.n_groups) == counts.n:
        return 0.0
    expected = counts.expected_mutual_information
    found = (counts.mutual_information - expected) / (mean_entropy(counts, average) - expected)
    return min(1.0, found)


def homogeneity(counts: Counts) -> float:
    """Share of H(classes) that the clusters explain, MI / H(classes), in [0, 1].

    Rosenberg & Hirschberg, "V-measure", EMNLP-CoNLL 2007. 1.0 if no cluster mixes classes.

    Examples:
        >>> from clusterbench.metrics import score
        >>> score([0, 0, 1, 1], [0, 0, 1, 2]).homogeneity
        1.0
        >>> score([0, 0, 1, 1], [0, 0, 0, 0]).homogeneity
        0.0
    """
    if counts.pure:
        return 1.0
    return min(1.0, counts.mutual_information / counts.class_entropy)


def completeness(counts: Counts) -> float:
    """Share of H(clusters) that the classes explain, MI / H(clusters), in [0, 1].

    Rosenberg & Hirschberg, "V-measure", EMNLP-CoNLL 2007. 1.0 if no class is spread over clusters.

    Examples:
        MI is log 2 and H(clusters) 1.5 log 2:

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).completeness, 4)
        0.6667
        >>> score([0, 0, 1, 1], [0, 0, 0, 0]).completeness
        1.0
    """
    if counts.complete:
        return 1.0
    return min(1.0, counts.mutual_information / counts.cluster_entropy)


def v_measure(counts: Counts, beta: float = 1.0) -> float:
    """Weighted harmonic mean of homogeneity h and completeness c, (1 + b) h c / (b h + c).

    Rosenberg & Hirschberg, "V-measure", EMNLP-CoNLL 2007. In [0, 1]; beta > 1 weighs completeness
    more. With beta = 1 it equals NMI with the arithmetic mean.

    Args:
        counts: the contingency table.
        beta: weight of completeness, b above.

    Examples:
        Homogeneity is 1 and completeness 2/3:

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).v_measure, 4)
        0.8
    """
    h, c = homogeneity(counts), completeness(counts)
    return (1 + beta) * h * c / (beta * h + c) if h + c > 0 else 0.0


def check_average(average: str) -> Average:
    """`average` if it is one of `Average`.

    Raises:
        InputError: it is not; the message names the choices.
    """
    if average not in get_args(Average):
        raise InputError(f"average={average!r}; choose {', '.join(get_args(Average))}")
    return average  # type: ignore[return-value]


def mean_entropy(counts: Counts, average: Average) -> float:
    """The chosen average of H(classes) and H(clusters), in nats."""
    a, b = counts.class_entropy, counts.cluster_entropy
    if average == "arithmetic":
        return (a + b) / 2
    if average == "geometric":
        return math.sqrt(a * b)
    return min(a, b) if average == "min" else max(a, b)
