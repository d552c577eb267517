"""Take a picture of the top of a report, for the README.

    python tools/picture.py REPORT.html OUT.png [--width 1200] [--height 1760] [--scale 1]

Needs Chromium (tools/ci/install_chromium.sh) and the `playwright` package. The page is opened from disk, offline.
"""

import argparse
import shutil
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run")


def take(page: Path, picture: Path, *, width_px: int, height_px: int | None, scale: float = 1.0) -> None:
    """Write a PNG of the first `height_px` of the page at a window `width_px` wide; None: of the whole page."""
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        raise SystemExit("chromium is not on PATH; run tools/ci/install_chromium.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
        context = browser.new_context(
            viewport={"width": width_px, "height": height_px or 900}, device_scale_factor=scale, offline=True
        )
        tab = context.new_page()
        tab.goto(page.resolve().as_uri())
        tab.screenshot(path=picture, full_page=height_px is None)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1200, help="of the window, in CSS pixels")
    parser.add_argument("--height", type=int, default=1760, help="of the picture, in CSS pixels; 0: the whole page")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels a CSS pixel")
    asked = parser.parse_args()
    if not asked.report.is_file():
        parser.error(f"{asked.report}: no such file; make it with `emovlm report FOLDER`")
    take(asked.report, asked.picture, width_px=asked.width, height_px=asked.height or None, scale=asked.scale)


if __name__ == "__main__":
    main()
