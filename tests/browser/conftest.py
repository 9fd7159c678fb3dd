"""A real browser without a window, where there is one; a site with names that mean harm."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boards import board, entry
from charts_to_see import every_chart
from hostile_names import HOSTILE
from markupsafe import Markup

from clusterbench.leaderboard import build_site
from clusterbench.pages import Page, figure, render_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

#: The sizes and schemes that every kind of page is looked at in.
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium that Playwright drives."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on PATH ({', '.join(BROWSERS)})")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install 'clusterbench[browser]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which a package brings along."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("axe is not installed: pip install 'clusterbench[browser]'")
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8")


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a file at a size and in a scheme; what it asks for elsewhere, or logs, is an error."""
    contexts = []
    faults: list[str] = []

    def show(path: Path, size: str = "desk", scheme: str = "light", **more: Any) -> Any:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: _local(request.url, faults))
        page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert faults == []


def _local(url: str, faults: list[str]) -> None:
    if not url.startswith(("file:", "data:")):
        faults.append(f"asked for {url}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of five methods and of as many more as there are hostile names."""
    some = board(n_tasks=3)
    hostile = [
        entry("scale", "somewhere", "task-0", "kmeans", 0).model_copy(
            update={"method": name, "encoder": name, "key": f"{place:064x}", "params": {name: name}}
        )
        for place, name in enumerate(HOSTILE)
    ]
    whole = some.model_copy(update={"entries": (*some.entries, *hostile)})
    return build_site(whole, tmp_path_factory.mktemp("built") / "site").folder


@pytest.fixture(scope="session")
def kinds(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind, and one of charts with a page's style and script in it."""
    charts = tmp_path_factory.mktemp("charts") / "charts.html"
    body = Markup("").join(figure(chart) for chart in every_chart())
    charts.write_text(render_page(Page("Charts", body, "a site"), inline=True), "utf-8")
    return {
        "charts": charts,
        "overview": site / "index.html",
        "methods": site / "methods.html",
        "downloads": site / "downloads.html",
        "submit": site / "submit.html",
        "benchmark": next(site.glob("boards/scale-*")),
        "task": next(site.glob("tasks/scale-*-task-0-*")),
        "method": next(site.glob("methods/temi-*")),
        "data set": next(site.glob("data-sets/*")),
    }
