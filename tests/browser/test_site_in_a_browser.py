"""Given a site in a browser, it is read, sorted, filtered and walked through by anyone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Opened = Callable[..., Any]

#: Width and height of a window on a desk and on a phone.
SIZES = {"desk": (1280, 900), "phone": (390, 844)}

KINDS = (
    *("overview", "methods", "downloads", "submit"),
    *("benchmark", "task", "method", "data set", "charts"),
)


def methods(page: Any) -> list[str]:
    """The first column of names of the first table, as shown."""
    return page.locator(".table").first.locator("tbody tr > :nth-child(2)").all_inner_texts()


def column(page: Any, key: str) -> list[str]:
    place = page.locator(".table").first.locator(f"thead th[data-key={key}]")
    number = place.evaluate("head => head.cellIndex + 1")
    cells = page.locator(".table").first.locator(f"tbody tr > :nth-child({number})")
    return cells.all_inner_texts()


def serious(page: Any, axe: str) -> list[tuple[str, list[str]]]:
    """Findings of axe that it calls serious or critical."""
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(f"() => {{ if (!window.axe) {{ {axe} }} }}")
    result = page.evaluate("() => axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [
        (found["id"], [node["html"][:200] for node in found["nodes"][:3]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def sideways(page: Any) -> int:
    """Pixels by which a page is wider than its window."""
    return page.evaluate("() => document.documentElement.scrollWidth - innerWidth")


def test_the_overview_has_no_serious_finding_on_a_phone_at_night(
    opened: Opened, kinds: dict[str, Path], axe: str
) -> None:
    page = opened(kinds["overview"], "phone", "dark")
    assert serious(page, axe) == [] and sideways(page) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_has_a_serious_finding_or_is_wider_than_its_window(
    opened: Opened, kinds: dict[str, Path], axe: str, kind: str
) -> None:
    page = opened(kinds[kind])
    for size in SIZES.values():
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme=scheme)
            assert sideways(page) <= 0, size
            assert serious(page, axe) == [], (size, scheme)


def test_by_keyboard_alone_a_table_is_sorted_filtered_and_reset(
    opened: Opened, kinds: dict[str, Path]
) -> None:
    page = opened(kinds["benchmark"])
    given = methods(page)

    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to content"
    assert page.locator(".skip").bounding_box()["y"] >= 0  # it shows itself
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "content"

    for _ in range(40):
        page.keyboard.press("Tab")
        head = page.evaluate(
            "() => document.activeElement.closest('th')?.dataset.key ?? "
            "document.activeElement.tagName"
        )
        if head == "ami":
            break
    else:
        pytest.fail("the heading of AMI is not reached by Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"

    page.keyboard.press("Enter")
    shown = [float(text) for text in column(page, "ami") if text != "–"]
    assert shown == sorted(shown, reverse=True)
    head = page.locator("th[data-key=ami]").first
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("th[data-key=place]").first.get_attribute("aria-sort") is None
    page.keyboard.press("Space")
    assert [float(text) for text in column(page, "ami") if text != "–"] == shown[::-1]
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, "ami")[-1] == "–"  # nothing is last, whichever way

    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("() => document.activeElement.type") == "search":
            break
    page.keyboard.type("kmeans")
    assert [name.split()[0] for name in methods(page)] == ["kmeans"]
    assert page.locator("[role=status]").first.inner_text() == f"1 of {len(given)} rows"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert methods(page) == given
    assert page.evaluate("() => [location.hash, document.activeElement.type]") == ["", "search"]


def test_the_state_of_a_table_is_in_the_address(opened: Opened, kinds: dict[str, Path]) -> None:
    page = opened(kinds["benchmark"])
    given = methods(page)
    page.locator("th[data-key=acc] button").first.click()
    page.locator("input[type=search]").first.fill("trained")
    wanted, address = methods(page), page.url
    assert len(wanted) == 2 and ":sort=acc.descending" in address.replace("%3A", ":")

    other = opened(kinds["benchmark"])
    other.goto(address)
    other.reload()
    assert methods(other) == wanted
    assert other.locator("input[type=search]").first.input_value() == "trained"
    other.evaluate("() => { location.hash = '#content'; }")  # a place on the page
    assert methods(other) == wanted
    other.evaluate("() => { location.hash = ''; }")
    other.wait_for_function("() => document.querySelector('input[type=search]').value === ''")
    assert methods(other) == given
    other.goto(f"{kinds['benchmark'].as_uri()}#x:sort=%00.up&{'y' * 2000}=1&=&%=")
    other.reload()
    assert methods(other) == given


def test_without_script_everything_is_there(opened: Opened, kinds: dict[str, Path]) -> None:
    with_script = opened(kinds["benchmark"])
    without = opened(kinds["benchmark"], java_script_enabled=False)
    assert without.locator(".tools, thead button").count() == 0
    for part in ("tbody th", "tbody td", "caption", "figcaption", "h1", "h2"):
        assert (
            without.locator(part).all_text_contents()
            == with_script.locator(part).all_text_contents()
        )
    assert without.locator("table").first.is_visible()
    without.locator("summary").first.click()
    assert without.locator("details table").first.is_visible()


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_of_the_two_drawings_of_a_figure_one_is_shown(
    opened: Opened, kinds: dict[str, Path], size: str
) -> None:
    page = opened(kinds["task"], size)
    for figure in page.locator("figure").all():
        visible = [drawing.is_visible() for drawing in figure.locator("svg.chart").all()]
        assert visible == ([True, False] if size == "desk" else [False, True])
    texts = page.locator("figure svg.chart:visible text")
    smallest = texts.evaluate_all(
        "all => Math.min(...all.map(t => t.getBoundingClientRect().height))"
    )
    assert smallest >= 9  # pixels: read without a glass


@pytest.mark.slow
def test_every_page_opens_from_a_file_and_hostile_names_do_nothing(
    opened: Opened, site: Path
) -> None:
    """`opened` fails on a dialog, an error, and a request that leaves the folder."""
    page = opened(site / "index.html", "phone")
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1
        assert sideways(page) <= 0, path.name
    page.goto((site / "methods.html").as_uri())
    shown = page.locator("tbody th").all_inner_texts()
    assert "<script>alert(1)</script>" in shown and "\\u202eevil\\u202c\\u2066x\\u2069" in shown
    page.locator("input[type=search]").fill("<script>")
    assert page.locator("tbody th").all_inner_texts() == ["<script>alert(1)</script>"]


def test_of_a_table_of_thousands_some_are_in_the_page_until_all_are_asked_for(
    opened: Opened, tmp_path: Path
) -> None:
    from markupsafe import Markup

    from clusterbench.pages import (
        DataCell,
        DataColumn,
        DataRow,
        DataTable,
        Page,
        render_page,
        table_html,
    )

    rows = tuple(DataRow((DataCell(f"m{i}"), DataCell((i * 7919) % 3001))) for i in range(3001))
    columns = (DataColumn("name", "Name"), DataColumn("n", "N", "number", 0, best="high"))
    table = DataTable("t", "Many", columns, rows, "name")
    path = tmp_path / "many.html"
    path.write_text(render_page(Page("Many", Markup(table_html(table)), "a site"), inline=True))
    page = opened(path)
    assert page.locator("tbody tr").count() == 100
    assert page.locator("[role=status]").inner_text() == "3,001 rows, the first 100 shown"
    page.locator("th[data-key=n] button").click()
    assert page.locator("tbody td").first.inner_text() == "3,000"  # the largest of all
    page.locator("input").fill("m2999")
    assert page.locator("tbody th").all_inner_texts() == ["m2999"]
    page.locator("input").fill("")
    page.get_by_role("button", name="Show all").click()
    assert page.locator("tbody tr").count() == 3001
    page.get_by_role("button", name="Reset").click()
    assert page.locator("tbody th").first.inner_text() == "m0"
    assert page.locator("tbody tr").count() == 100
