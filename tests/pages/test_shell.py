"""Given texts from files, when they name pages or stand on them, they are names and texts."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import jinja2
import pytest
from hostile_names import HOSTILE, names
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from clusterbench.pages import (
    Page,
    PageLink,
    page_id,
    render_page,
    template_environment,
    write_assets,
)


@given(st.lists(names, min_size=1, max_size=3), st.lists(names, min_size=1, max_size=3))
def test_a_name_of_a_page_is_plain_and_of_its_texts_alone(one: list[str], two: list[str]) -> None:
    made = page_id(*one)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,63}", made)
    assert (page_id(*two) == made) == (one == two)


def test_names_that_differ_by_case_or_by_where_they_end_are_other_files() -> None:
    assert page_id("A") != page_id("a") and page_id("ab", "c") != page_id("a", "bc")
    assert (
        page_id("imbalanced", "icons") == "imbalanced-icons-" + page_id("imbalanced", "icons")[-10:]
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_every_place_of_the_frame(name: str) -> None:
    link = PageLink(name, "index.html")
    page = Page(name, Markup("<p>body</p>"), name, description=name, nav=(link,), trail=(link,))
    text = render_page(page)
    assert text.count("<script") == 1 and "<img" not in text and "<svg" not in text
    assert not re.search(r"<[a-z][^<>]* on[a-z]+=", re.sub(r'"[^"]*"', '""', text))
    assert not set(text) & set("\u202e\u2066\u200b\ufeff\x1b\x07\u2028")


def test_an_inline_page_allows_its_own_style_and_script_by_their_hashes() -> None:
    text = render_page(Page("A page", Markup("<p>body</p>"), "a site"), inline=True)
    assert 'href="assets' not in text and "src=" not in text
    for tag in ("style", "script"):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in text


def test_the_script_is_a_few_kilobytes_and_the_assets_are_two_files(tmp_path: Path) -> None:
    write_assets(tmp_path)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "assets").iterdir()}
    assert set(sizes) == {"page.css", "page.js"}
    assert sizes["page.js"] < 8_000 and sizes["page.css"] < 16_000


def test_a_template_that_asks_for_what_is_not_there_fails(tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text("{{ there }}{{ absent }}")
    template = template_environment(room=str(tmp_path)).get_template("room/x.html")
    with pytest.raises(jinja2.UndefinedError, match="absent"):
        template.render(there="<b>")
    assert template.render(there="<b>\x1b", absent="") == "&lt;b&gt;\\x1b"


LIGHT = re.compile(r":root \{(.*?)\}", re.DOTALL)


@pytest.mark.parametrize("place", [0, 1])
def test_texts_have_a_contrast_of_4_5_and_marks_of_3(place: int, tmp_path: Path) -> None:
    """Relative luminance and contrast ratio of WCAG 2.1."""
    write_assets(tmp_path)
    css = (tmp_path / "assets" / "page.css").read_text()
    colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", LIGHT.findall(css)[place]))

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, two: str) -> float:
        high, low = sorted((luminance(colours[one]), luminance(colours[two])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for name in ("ink", "soft", "link"):
        assert contrast(name, "paper") >= 4.5 and contrast(name, "raised") >= 4.5
    for name in ("focus", *(f"s{i}" for i in range(1, 9))):
        assert contrast(name, "paper") >= 3
