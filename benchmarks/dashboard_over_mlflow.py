"""Every view of the dashboard in Chromium, over an MLflow that holds many runs.

    python benchmarks/dashboard_over_mlflow.py SWEEP [--runs N] [--folder DIR] [--server] [--axe FILE] [--shots DIR]

SWEEP is the folder of a finished sweep. It is written to a database that holds N trials of other sweeps already
(100,000 by default; as in `mlflow_snapshot.py`), and the dashboard is opened over it: over the SQLite file, or with
--server over a `mlflow server`. Printed: how long the list of sweeps takes to appear with an empty cache and with a
filled one, and for each view the seconds until it is drawn, when it is opened first and when it is opened again, what
axe-core has to say of it (--axe: its axe.min.js), and the errors of the page. Needs Chromium and the extra `test`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mlflow_snapshot import made, server
from playwright.sync_api import Page, sync_playwright

from greenexp.api.views import VIEWS
from greenexp.tracking.sync import sync

LONGEST_MS = 900_000
DRAWN = "() => [...document.querySelectorAll('.drawing')].every(each => each.childElementCount)"
AXE = '() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(each => each.id))'
UNFOLD = "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("sweep", type=Path)
    arguments.add_argument("--runs", type=int, default=100_000)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--server", action="store_true")
    arguments.add_argument("--axe", type=Path)
    arguments.add_argument("--shots", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        file = made(folder, given.runs)
        own = Path(scratch) / "own.db"
        shutil.copyfile(file, own)
        with contextlib.ExitStack() as stack:
            uri = f"sqlite:///{own}"
            if given.server:
                uri, _ = stack.enter_context(server(own, Path(scratch)))
            sync(given.sweep, uri)
            print(f"{uri.partition('://')[0]}, {given.runs:,} trials and those of {given.sweep.name}", flush=True)
            look(uri, given, Path(scratch))


def look(uri: str, given: argparse.Namespace, scratch: Path) -> None:
    """Print a line per page."""
    axe = None if given.axe is None else given.axe.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        context = playwright.chromium.launch_persistent_context(
            scratch / "profile", executable_path=program, headless=True, args=["--no-sandbox", "--disable-gpu"]
        )
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        for cache in ("empty", "filled"):
            with dashboard(uri, scratch) as address:
                began = time.perf_counter()
                page.goto(f"{address}/?view=sweeps")
                page.get_by_role("link", name=re.compile("^sweep-")).first.wait_for(timeout=LONGEST_MS)
                print(f"{'all sweeps, cache ' + cache:32}{time.perf_counter() - began:8.2f} s", flush=True)
                if cache == "filled":
                    key = key_of(page, address, given.sweep)
                    print(f"{'view':32}{'first':>10}{'again':>10}  axe-core, errors")
                    for view in VIEWS:
                        show(page, f"{address}/?view={view}&sweep={key}", view, axe, given.shots, errors)
        context.close()


def key_of(page: Page, address: str, sweep: Path) -> str:
    """What the dashboard calls the sweep that was added last."""
    listed = page.request.get(f"{address}/api/board").json()["sweeps"]
    keys = [str(entry["key"]) for entry in listed if not entry["key"].startswith("sweep-")]
    if len(keys) != 1:
        sys.exit(f"of {sweep} there are {len(keys)} sweeps in the list")
    return keys[0]


def show(page: Page, url: str, view: str, axe: str | None, shots: Path | None, errors: list[str]) -> None:
    """Open a view twice."""
    taken = []
    for width in (1200, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(url + ("&theme=dark" if width == 320 else ""))
        page.wait_for_selector("#answer:not([aria-busy]) > *", timeout=LONGEST_MS)
        page.wait_for_function(DRAWN, timeout=LONGEST_MS)
        taken.append(time.perf_counter() - began)
        if axe is not None:
            page.evaluate(UNFOLD)
            page.evaluate(axe)
            errors += page.evaluate(AXE)
        if shots is not None:
            shots.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(shots / f"{view}-{width}.png"), full_page=True)
    print(f"{view:32}{taken[0]:8.2f} s{taken[1]:8.2f} s  {'; '.join(errors) or 'none'}", flush=True)
    errors.clear()


@contextlib.contextmanager
def dashboard(uri: str, scratch: Path) -> Iterator[str]:
    """`greenexp dashboard` in a process of its own, with a cache of its own; its address."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(scratch / "cache"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "greenexp", "dashboard", uri, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        for line in process.stdout or ():
            if found := re.search(r"http://[^\s/]+", line):
                yield found[0]
                break
        else:
            sys.exit("the dashboard did not start")
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
