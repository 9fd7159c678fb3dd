"""What the parameters of builders check alike."""

from __future__ import annotations

from ..errors import InputError

#: "balanced": equally many evaluation images of each class; "natural": in proportion to training.
EVALUATIONS = ("balanced", "natural")


def require(condition: bool, message: str) -> None:
    """Raise InputError(message) unless `condition` holds."""
    if not condition:
        raise InputError(message)


def check_eval_per_class(value: int | None) -> None:
    """Raise InputError for fewer than two evaluation images per class.

    With one image of each class, no clustering can put two images of a class together: adjusted
    scores are 0 or undefined.
    """
    require(value is None or value >= 2, f"eval_per_class={value} should be >= 2")


def check_evaluation(value: str) -> None:
    """Raise InputError unless the kind of evaluation set is one there is."""
    require(value in EVALUATIONS, f"evaluation={value!r} should be balanced or natural")
