"""Given a report in a browser, it is read, sorted and walked through by anyone, without a network.

Its fixtures are those of the site's tests beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_reports.big_results import write_many
from for_reports.edited_results import edit
from PIL import Image

from clusterbench.reports import build_report

Opened = Callable[..., Any]

HOSTILE = '<img src=x onerror=alert(1)>"\u202e\x1b[31m'


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods of two seeds on one task; a failed run, a hostile name, images."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERBENCH_HOME", str(folder / "home"))
        index = write_many(folder / "home", folder / "results", 24, 2, 2)
        files = sorted((folder / "results" / "ratio-4").rglob("seed-*.json"))
        edit(files[0], **{"method.params": {"name": HOSTILE}})
        content = json.loads(files[1].read_text())
        error = {"stage": "fit", "type": "ValueError", "message": HOSTILE, "where": "a.py:1"}
        gone = dict.fromkeys(("scores", "train_scores", "predictions", "ranked"))
        files[1].write_text(json.dumps({**content, **gone, "status": "failed", "error": error}))
        rng = np.random.default_rng(0)
        for row in range(index.n):
            path = folder / "images" / f"{index.id(row)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)
        build_report(
            folder / "results" / "ratio-4", folder / "report.html", images=folder / "images"
        )
    return folder / "report.html"


def serious(page: Any, axe: str) -> list[tuple[str, list[str]]]:
    """Findings of axe that it calls serious or critical."""
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(axe)
    result = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        (found["id"], [node["html"][:200] for node in found["nodes"][:3]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_and_not_wider_than_its_window(
    opened: Opened, report: Path, axe: str, size: str, scheme: str
) -> None:
    page = opened(report, size, scheme)
    assert page.locator("img").count() > 10
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    assert serious(page, axe) == []


def test_by_keyboard_alone_the_table_is_sorted(opened: Opened, report: Path) -> None:
    page = opened(report)
    table = page.locator(".table[data-tools]").first
    names = "tbody tr > th"
    given = table.locator(names).all_inner_texts()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('th')?.dataset.key") == "method":
            break
    else:
        pytest.fail("the heading of the methods is not reached by Tab")
    page.keyboard.press("Enter")
    once = table.locator(names).all_inner_texts()
    page.keyboard.press("Enter")
    assert table.locator(names).all_inner_texts() == once[::-1] != once
    assert sorted(once) == sorted(given)


def test_without_its_script_all_is_there(opened: Opened, report: Path) -> None:
    page = opened(report, java_script_enabled=False)
    assert page.locator("table").count() > 10 and page.locator("svg.chart").count() > 5
    assert page.locator("summary").first.is_visible()
