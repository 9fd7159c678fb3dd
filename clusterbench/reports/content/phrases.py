"""Numbers and lists as they stand in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ..places import ScoreEstimate, SharedPlace
from ..sections import Section


def percent(value: float, digits: int = 1) -> str:
    """A fraction times 100, with a true minus and without a "−0.0"."""
    rounded = round(100 * value, digits)
    return f"{rounded if rounded else 0.0:.{digits}f}".replace("-", "−")


def with_reach(estimate: ScoreEstimate) -> str:
    """`36.4 ± 2.4`: the mean and half of its 95% interval, times 100."""
    if estimate.reach is None:
        return percent(estimate.mean)
    return f"{percent(estimate.mean)} ± {percent(estimate.reach)}"


def place_text(place: SharedPlace) -> str:
    """`4`, or `4 =` where it is shared, as on a board."""
    return f"{place.place} =" if place.shared_by > 1 else str(place.place)


def moved_by(section: Section) -> str:
    """What intervals of a section are over."""
    return "images and seeds together" if section.n_seeds > 1 else "images; there is one seed"


def listed(words: Sequence[str], most: int = 8) -> str:
    """`a, b and c`; from `most` on the others are counted."""
    words = list(words)
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1:,} more"]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def many(number: int, thing: str, things: str = "") -> str:
    """`1 result`, `2,000 results`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
