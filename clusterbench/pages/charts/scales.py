"""From values to pixels: the ends of an axis, its ticks, their texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .chart_models import ChartAxis

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class AxisScale:
    """An axis in pixels.

    first, last: pixels of its ends. low, high: values of its ends (of logarithms, where it is
    logarithmic; places from 0 on for categories). names: of categories.
    """

    axis: ChartAxis
    first: float
    last: float
    low: float
    high: float
    names: tuple[str, ...] = ()

    def at(self, value: float | str) -> float:
        """The pixel of a value; one beyond the ends is drawn at the end."""
        if isinstance(value, str):
            place = float(self.names.index(value)) if value in self.names else 0.0
        elif self.axis.kind == "log":
            place = math.log10(value) if value > 0 else self.low
        else:
            place = value
        share = (place - self.low) / (self.high - self.low)
        return self.first + min(1.0, max(0.0, share)) * (self.last - self.first)

    def holds(self, value: float) -> bool:
        """Whether a value lies within the ends, of an axis that is linear."""
        slack = 1e-9 * (self.high - self.low)
        return self.low - slack <= value <= self.high + slack

    def ticks(self, wanted: int) -> list[tuple[float | str, str]]:
        """Values with their texts, about as many as wanted."""
        if self.axis.kind == "category":
            return [(name, name) for name in self.names]
        if self.axis.kind == "log":
            return [(value, _plain(value)) for value in _powers(self.low, self.high, wanted)]
        factor = 100 if self.axis.percent else 1
        step = _step(factor * (self.high - self.low) / max(1, wanted))
        first = math.ceil(factor * self.low / step - 1e-9)
        last = math.floor(factor * self.high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        digits += 0 if round(step, digits) == round(step, digits + 1) else 1
        return [
            (k * step / factor, f"{k * step + 0.0:,.{digits}f}".replace("-", "−"))
            for k in range(first, last + 1)
        ]


def axis_scale(
    axis: ChartAxis, values: Iterable[float | str], first: float, last: float
) -> AxisScale:
    """The scale of an axis over its data; ends that are not given lie a little beyond them."""
    values = list(values)
    if axis.kind == "category":
        names = tuple(dict.fromkeys(str(value) for value in values))
        return AxisScale(axis, first, last, -0.5, max(0.5, len(names) - 0.5), names)
    numbers = [float(value) for value in values if not isinstance(value, str)]
    if axis.kind == "log":
        numbers = [math.log10(value) for value in numbers if value > 0]
    low, high = _ends(numbers)
    pad = 0.04 * (high - low)
    low, high = low - pad, high + pad
    if axis.low is not None:
        low = math.log10(axis.low) if axis.kind == "log" else axis.low
    if axis.high is not None:
        high = math.log10(axis.high) if axis.kind == "log" else axis.high
    if high <= low:
        high = low + 1
    return AxisScale(axis, first, last, low, high)


def value_text(value: float, axis: ChartAxis) -> str:
    """A value as it is said of a point."""
    if axis.percent:
        return f"{100 * value + 0.0:.1f}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if high - low < 1e-12 * max(1.0, abs(low)):
        return low - 0.5, high + 0.5
    return low, high


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def _powers(low: float, high: float, wanted: int) -> list[float]:
    """Powers of ten between two logarithms; with 2 and 5 between them where they are few."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [
            factor * 10.0**k
            for k in decades
            for factor in factors
            if low - 1e-9 <= math.log10(factor * 10.0**k) <= high + 1e-9
        ]
        if len(found) <= wanted + 2:
            return found
    return found[:: max(1, math.ceil(len(found) / max(1, wanted)))]


def _plain(value: float) -> str:
    if 1e-3 <= value < 1e6:
        return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:.0e}"
