"""The frame of a page: head, header, navigation, main, footer; style and script are ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from ..files import write_bytes
from ..printable import escaped

STYLE, SCRIPT = "page.css", "page.js"

_ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class PageLink:
    """A link of the navigation; `href` relative to the page that shows it."""

    text: str
    href: str
    current: bool = False


@dataclass(frozen=True)
class Page:
    """One page.

    body: HTML, escaped already (a template's output). site: name of the whole, in the header.
    home: where it leads. root: from the page to the folder of `write_assets`, such as "../".
    nav: links of the header. trail: the way from the home page to this one, without this one.
    footer: HTML.
    """

    title: str
    body: Markup
    site: str
    description: str = ""
    home: str = "index.html"
    root: str = ""
    nav: tuple[PageLink, ...] = ()
    trail: tuple[PageLink, ...] = ()
    footer: Markup = field(default_factory=Markup)
    lang: str = "en"


def render_page(page: Page, *, inline: bool = False) -> str:
    """The page as HTML text.

    inline: style and script within the page, so that it is whole by itself; else beside it, in
    `<root>assets/`. Either way a policy in its head forbids it to load anything from elsewhere.
    """
    style, script = _asset(STYLE), _asset(SCRIPT)
    template = template_environment().get_template("pages/base.html")
    return template.render(
        page=page,
        style=Markup(style) if inline else None,
        script=Markup(script) if inline else None,
        policy_style=_digest(style) if inline else "'self'",
        policy_script=_digest(script) if inline else "'self'",
    )


def write_assets(folder: Path) -> None:
    """Write style and script to `<folder>/assets/`."""
    for name in (STYLE, SCRIPT):
        write_bytes(Path(folder) / "assets" / name, _asset(name).encode())


@cache
def template_environment(**rooms: str) -> jinja2.Environment:
    """Jinja2 that escapes everything and refuses a name that is not there.

    Control and direction characters in what is shown come out as Python writes them. Templates of
    this room are "pages/NAME".

    Args:
        rooms: prefix -> folder of templates of another room.
    """
    loaders: Mapping[str, jinja2.BaseLoader] = {
        "pages": jinja2.FileSystemLoader(_ASSETS),
        **{name: jinja2.FileSystemLoader(folder) for name, folder in rooms.items()},
    }
    return jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _printable(value: object) -> object:
    """Texts without control characters; HTML of ours, which is `Markup`, as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escaped(value)
    return value


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _digest(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
