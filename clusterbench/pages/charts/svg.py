"""Elements of SVG as text, and how wide a text will be."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

from ...printable import escaped

FONT = 13.0  # pixels: charts are drawn at the size at which they are shown

#: The marks of the series, so that colour alone tells nothing.
_MARKS = ("circle", "square", "diamond", "triangle", "down", "cross", "plus", "star")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "12 4", "1 4", "6 2 2 2")


def element(tag: str, attributes: dict[str, object] | None = None, *content: str) -> Markup:
    """An element; attributes that are None are left out, numbers get two digits at most.

    content: `Markup` as it is, a text escaped and without control characters.
    """
    pairs = "".join(
        f' {name}="{escape(_value(value))}"'
        for name, value in (attributes or {}).items()
        if value is not None
    )
    if not content:
        return Markup(f"<{tag}{pairs}/>")
    inner = "".join(
        str(part if isinstance(part, Markup) else escape(escaped(part))) for part in content
    )
    return Markup(f"<{tag}{pairs}>{inner}</{tag}>")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if round(value, 2) else "0"
    return escaped(str(value))


def text(
    x: float, y: float, content: str, *, anchor: str = "start", name: str = "", size: float = FONT
) -> Markup:
    """A text; y is its baseline."""
    return element(
        "text",
        {
            "x": x,
            "y": y,
            "font-size": size,
            "text-anchor": None if anchor == "start" else anchor,
            "class": name or None,
        },
        content,
    )


def backed(
    x: float, y: float, content: str, *, anchor: str = "start", name: str = "", size: float = FONT
) -> Markup:
    """A text on a piece of paper, so that no line that was drawn before runs through it."""
    wide = text_width(content, size)
    left = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
    box: dict[str, object] = {
        "x": left - 2,
        "y": y - 0.85 * size,
        "width": wide + 4,
        "height": 1.15 * size,
        "class": "paper",
    }
    return Markup("").join(
        [element("rect", box), text(x, y, content, anchor=anchor, name=name, size=size)]
    )


def line(x1: float, y1: float, x2: float, y2: float, name: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": name})


def mark(x: float, y: float, look: int, *, size: float = 4.5, title: str = "") -> Markup:
    """The mark of a series, about a point; filled for the first four looks of even number."""
    kind = _MARKS[look % len(_MARKS)]
    s = size
    name = "mark filled" if look % 2 == 0 else "mark"
    inside = (element("title", None, title),) if title else ()
    if kind == "circle":
        return element("circle", {"cx": x, "cy": y, "r": s, "class": name}, *inside)
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "triangle": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
        "down": ((0, 1.2), (1.15, -0.9), (-1.15, -0.9)),
    }.get(kind)
    if corners:
        scale = s * 0.88 if kind == "square" else s
        points = " ".join(f"{_value(x + scale * a)},{_value(y + scale * b)}" for a, b in corners)
        return element("polygon", {"points": points, "class": name}, *inside)
    strokes = {
        "cross": ((-1, -1, 1, 1), (-1, 1, 1, -1)),
        "plus": ((-1.2, 0, 1.2, 0), (0, -1.2, 0, 1.2)),
        "star": ((-1.2, 0, 1.2, 0), (-0.6, -1, 0.6, 1), (-0.6, 1, 0.6, -1)),
    }[kind]
    path = " ".join(
        f"M{_value(x + s * a)} {_value(y + s * b)}L{_value(x + s * c)} {_value(y + s * d)}"
        for a, b, c, d in strokes
    )
    return element("path", {"d": path, "class": "mark"}, *inside)


def dash(look: int) -> str | None:
    """The dashes of a series' line."""
    return _DASHES[look % len(_DASHES)] or None


def text_width(content: str, size: float = FONT) -> float:
    """About how wide a text is, a little more rather than less."""
    width = 0.0
    for character in escaped(content):
        if unicodedata.combining(character):
            continue
        if unicodedata.east_asian_width(character) in "WF":
            width += 1.05
        elif character in "iljtfrI.,:;'|!()[] -":
            width += 0.36
        elif character in "mwMW@%":
            width += 0.92
        else:
            width += 0.66 if character.isupper() else 0.57
    return 1.06 * width * size


def fitted(content: str, width: float, size: float = FONT) -> str:
    """The text, its end cut where it would be wider; the whole stands in the chart's table."""
    content = escaped(content[:300])
    if text_width(content, size) <= width:
        return content
    while content and text_width(content + "…", size) > width:
        content = content[:-1]
    return f"{content.rstrip()}…"
