"""Take a picture of a page of ours in a browser, as a small PNG.

    python scripts/pages/photograph_page.py PAGE.html OUTPUT.png [--at ID] [--height PIXELS]

Needs a Chromium on PATH and `pip install 'clusterbench[browser]'`.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COLOURS = 64


def photograph(page: Path, at: str, width: int, height: int, dark: bool) -> Image.Image:
    """The part of a page from an element on (from its top for ""), `width` x `height` pixels."""
    from playwright.sync_api import sync_playwright  # only for pictures of documents

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"no browser on PATH ({', '.join(BROWSERS)})")
    with sync_playwright() as driver:
        browser: Any = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        shown = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        shown.goto(page.resolve().as_uri())
        top = shown.locator(f"[id='{at}']").bounding_box()["y"] - 8 if at else 0
        clip = {"x": 0, "y": top, "width": width, "height": height}
        content = shown.screenshot(full_page=True, clip=clip)
        browser.close()
    return Image.open(io.BytesIO(content)).convert("RGB")


def main() -> None:
    """Write the picture."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("page", type=Path)
    options.add_argument("output", type=Path)
    options.add_argument("--at", default="", metavar="ID", help="element at the top")
    options.add_argument("--width", type=int, default=880)
    options.add_argument("--height", type=int, default=1400)
    options.add_argument("--dark", action="store_true")
    given = options.parse_args()
    image = photograph(given.page, given.at, given.width, given.height, given.dark)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(COLOURS).save(given.output, optimize=True)
    print(f"{given.output}: {given.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
