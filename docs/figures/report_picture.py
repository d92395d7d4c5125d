"""Take the picture of a report that README.md shows, with the installed Chromium.

greenexp run smoke --out out/smoke
python docs/figures/report_picture.py out/smoke/report.html
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "report.png"
LEFT, RIGHT, HEIGHT = 760, 640, 800
"""Of the two columns in pixels: the beginning of the report, and its section on score against inference FLOPs."""


def main() -> None:
    """Take it: the beginning of the page, and beside it the section `front`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    report = parser.parse_args().report.resolve().as_uri()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": LEFT + RIGHT, "height": HEIGHT})
        frames = [(report, LEFT, ""), (f"{report}#front", RIGHT, "border-left:1px solid #8c8c8c")]
        columns = "".join(
            f'<iframe src="{address}" style="border:0;{border};width:{width}px;height:{HEIGHT}px"></iframe>'
            for address, width, border in frames
        )
        sheet = PICTURE.with_suffix(".html")
        sheet.write_text(f'<body style="margin:0;display:flex">{columns}</body>', encoding="utf-8")
        try:
            page.goto(sheet.resolve().as_uri())
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PICTURE)
        finally:
            sheet.unlink()
        browser.close()
    Image.open(PICTURE).convert("RGB").quantize(48).save(PICTURE, optimize=True)  # a quarter of the size


if __name__ == "__main__":
    main()
