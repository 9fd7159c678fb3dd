"""Figures of tables, in percent."""

from __future__ import annotations

from .summary import Figure


def percent(figure: Figure) -> str:
    """`54.3 ± 0.4`, or `54.3` for a single seed."""
    mean = percent_of(figure.mean)
    return mean if figure.std is None else f"{mean} ± {percent_of(figure.std)}"


def percent_of(value: float) -> str:
    """`54.3` for 0.543."""
    return f"{round(100 * value, 1) + 0.0:.1f}"  # adding 0 turns -0.0 into 0.0
