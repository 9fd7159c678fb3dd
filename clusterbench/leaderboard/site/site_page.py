"""One page of a site before it is written: its template, what it shows, its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...pages import DataTable, PageLink

Section = Literal["overview", "benchmarks", "methods", "data", "downloads", "submit"]


@dataclass(frozen=True)
class SitePage:
    """A page.

    path: in the site, at most one folder deep. template: its name among this room's. trail: (text,
    path) of the pages above it. tables: those that are offered as files beside it.
    """

    path: str
    title: str
    description: str
    template: str
    section: Section
    context: Mapping[str, Any] = field(default_factory=dict)
    trail: tuple[tuple[str, str], ...] = ()
    tables: tuple[DataTable, ...] = ()

    @property
    def root(self) -> str:
        """From the page to the folder of the site: "" or "../"."""
        return root_of(self.path)

    def links(self) -> tuple[PageLink, ...]:
        """Its trail, as links of the page."""
        return tuple(PageLink(text, f"{self.root}{path}") for text, path in self.trail)


def root_of(path: str) -> str:
    """From a page of the site to its folder."""
    return "../" * path.count("/")


OVERVIEW = ("Overview", "index.html")
