"""Photograph the first page of a leaderboard's site, as docs/images/leaderboard*.png.

    clusterbench leaderboard build -l leaderboard.json --out site
    python scripts/pages/screenshot_site.py site docs/images

Needs `pip install 'clusterbench[browser]'` and a Chromium on PATH.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image

#: File, width of the window, most height of the picture, scheme, device pixels per pixel.
PICTURES = (
    ("leaderboard.png", 1280, 1500, "light", 1.0),
    ("leaderboard-dark.png", 1280, 1500, "dark", 1.0),
    ("leaderboard-phone.png", 390, 1400, "light", 2.0),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Colours of a picture: text and flat marks need no more, and take a third of the bytes.
COLOURS = 200


def main() -> None:
    """Write the pictures."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("site", type=Path)
    options.add_argument("folder", type=Path)
    options.add_argument("--page", default="index.html", help="path in the site")
    arguments = options.parse_args()
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"no browser on PATH ({', '.join(BROWSERS)})")
    from playwright.sync_api import sync_playwright

    address = (arguments.site / arguments.page).resolve().as_uri()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, width, height, scheme, scale in PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=scale,
            )
            page.goto(address)
            whole = int(page.evaluate("() => document.documentElement.scrollHeight"))
            content = page.screenshot(
                full_page=True,
                clip={"x": 0, "y": 0, "width": width, "height": min(height, whole)},
            )
            target = arguments.folder / name
            with Image.open(io.BytesIO(content)) as image:
                image.convert("RGB").quantize(COLOURS).save(target, optimize=True)
            print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
