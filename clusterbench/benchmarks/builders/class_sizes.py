"""Class sizes in whole images: reshaped profiles of a fixed sum, and evaluation sizes that follow.

Every size comes out of integers, or of reals rounded to a millionth of an image before they decide
anything, so that the last digits of a platform's `pow` have no say.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import InputError

SHAPES = ("exponential", "zipf")

_TOLERANCE = 0.25  # of the asked ratio, for what rounding to whole images may change


def profile_sizes(shape: str, n_classes: int, images_per_class: int, ratio: float) -> np.ndarray:
    """(n_classes,) int64, descending: sizes of a profile that sum to n_classes * images_per_class.

    "exponential": size i is proportional to ratio^(-i/(K-1)), the profile of long-tailed CIFAR (Cui
    et al., CVPR 2019). "zipf": proportional to (i+1)^(-a) with a = log ratio / log K, a power law
    of the rank. In both the largest class is `ratio` times the smallest; a power law has few large
    classes and many small ones. The sum is fixed, not the largest class, and rounded by largest
    remainder, so it is exact and the order is kept.

    Raises InputError when whole images cannot come within 25% of the ratio.
    """
    rank = np.arange(n_classes)
    profile: np.ndarray
    if shape == "exponential":
        profile = ratio ** (-rank / (n_classes - 1))
    else:
        profile = (rank + 1.0) ** (-math.log(ratio) / math.log(n_classes))
    total = n_classes * images_per_class
    exact = np.round(profile * (total / math.fsum(profile.tolist())), 6)
    sizes = np.floor(exact).astype(np.int64)
    missing = total - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:missing]] += 1
    if sizes[-1] < 1 or abs(sizes[0] / sizes[-1] / ratio - 1) > _TOLERANCE:
        raise InputError(
            f"images_per_class={images_per_class} is too small for ratio {ratio:g} with "
            f"{n_classes} classes: the smallest class would have {exact[-1]:.2f} images; "
            "ask for more images per class or a smaller ratio"
        )
    return sizes


def following_sizes(sizes: np.ndarray, largest: np.ndarray, available: np.ndarray) -> np.ndarray:
    """(n_classes,) int64 evaluation sizes in proportion to training sizes, as large as possible.

    sizes: (n_classes,) training sizes of a task. largest: (n_classes,) the largest size that each
    class has in any task of the series, so that all its tasks have equally many evaluation images.
    available: (n_classes,) evaluation images there are, at least 1 each.

    Rounded by largest remainder; a class that would get none gets one, so no class is lost and the
    sum is exact up to those.
    """
    sizes, largest, available = (np.asarray(v, dtype=np.int64) for v in (sizes, largest, available))
    n_train = int(sizes.sum())
    total = int((n_train * available // largest).min())
    share = sizes * total
    following = share // n_train
    missing = total - int(following.sum())
    following[np.argsort(-(share % n_train), kind="stable")[:missing]] += 1
    return np.maximum(following, 1)
