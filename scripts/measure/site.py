"""Measure the site of a large board: seconds to build it, and to sort its longest table.

    python scripts/measure/site.py [--entries 5000] [--out FOLDER]

Three boards of as many entries: few methods on many tasks, a thousand methods, and a method per
entry, whose tables have a row for each. Sorting is timed in headless Chromium on PATH, from the
click to the frame after it; needs `pip install 'clusterbench[browser]'`.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "toys"))

from boards import DEFAULT_METHODS, board  # type: ignore[import-not-found]

from clusterbench.leaderboard import Leaderboard, build_site

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

#: Clicks on every heading of the longest table of a page, twice: milliseconds of each.
SORT = """async () => {
  const boxes = [...document.querySelectorAll(".table[data-tools]")];
  const rows = (box) => {
    const counts = box.querySelector("[role=status]").textContent.match(/[\\d,]+/g);
    return Math.max(...counts.map((text) => Number(text.replaceAll(",", ""))));
  };
  const box = boxes.sort((a, b) => rows(b) - rows(a))[0];
  const frame = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 0)));
  await new Promise((go) => setTimeout(go, 2000));
  const taken = [];
  for (const button of box.querySelectorAll("thead button"))
    for (let turn = 0; turn < 2; turn++) {
      await frame();
      const start = performance.now();
      button.click();
      await frame();
      taken.push(performance.now() - start);
    }
  return taken;
}"""


def boards(n: int) -> dict[str, Leaderboard]:
    """Boards of about n entries by what they are."""
    some = (*DEFAULT_METHODS[:-1], *(f"method-{i}" for i in range(10)))
    tasks = max(1, round(n / len(some) / 5 / 8))
    families = ("imbalanced", "scale", "easy", "granularity")
    many = tuple(f"method-{i}" for i in range(n // 5 - 1))
    alone = tuple(f"method-{i}" for i in range(n - 1))
    one: dict[str, Any] = {"benchmarks": ("imbalanced",), "n_tasks": 1}
    return {
        "few methods, many tasks": board(some, families, ("one", "two"), tasks, 5),
        "a fifth as many methods": board(("kmeans", *many), **one, n_seeds=5),
        "a method per entry": board(("kmeans", *alone), **one, n_seeds=1),
    }


def main() -> None:
    """Print a line per board and page."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--entries", type=int, default=5000)
    options.add_argument("--out", type=Path, help="keep the sites there")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.out or Path(temporary)
        for number, (name, made) in enumerate(boards(arguments.entries).items()):
            start, used = time.perf_counter(), time.process_time()
            site = build_site(made, folder / f"site-{number}")
            took, cpu = time.perf_counter() - start, time.process_time() - used
            size = sum(p.stat().st_size for p in site.folder.rglob("*") if p.is_file()) / 1e6
            print(
                f"{name}: {len(made.entries):,} entries, {site.pages:,} pages, {site.files:,} "
                f"files, {size:.0f} MB; built in {took:.1f} s ({cpu:.1f} s of CPU)",
                flush=True,
            )
            _sort(site.folder)


def _sort(site: Path) -> None:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        print("  no browser on PATH: sorting is not measured")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for page_path in (
            site / "index.html",
            site / "methods.html",
            *sorted(site.glob("boards/*"))[:1],
        ):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(page_path.resolve().as_uri())
            taken = page.evaluate(SORT)
            page.close()
            print(
                f"  {page_path.name[:24]}: sorted in {statistics.median(taken):.0f} ms (median of "
                f"{len(taken)}), {max(taken):.0f} ms at most",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
