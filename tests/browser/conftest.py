"""A headless Chromium without a network, axe-core, and a report to look at.

Needs `chromium` and `npm` (or axe-core already in node_modules). Absent, the tests are skipped with the reason, but not
where CI=true: there `.ci/run` has installed both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from greenexp.report import render_report

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "analysis"))  # the made-up sweeps of the analysis tests

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test makes up may frame what this machine serves
]  # fmt: skip


def absent(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from node_modules or through npm."""
    name = Path("node_modules", "axe-core", "axe.min.js")
    if (ROOT / name).is_file():
        return (ROOT / name).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        absent("needs npm, or axe-core in node_modules")
    folder = tmp_path_factory.mktemp("axe")
    command = [str(npm), "install", "--no-save", "--silent", "--prefix", str(folder), "axe-core@4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)
    if done.returncode or not (folder / name).is_file():
        absent(f"npm cannot install axe-core: {done.stderr.strip()[:200]}")
    return (folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A context of an empty profile."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        absent("needs chromium")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=program, headless=True, args=FLAGS,
            viewport={"width": 1200, "height": 900},
        )  # fmt: skip
        yield context
        context.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report.html of a small sweep with everything: trials stopped, failed, exit policies on dev and test."""
    from made_sweeps import sweep, with_thresholds

    ends: dict[str, Any] = {"c000": ("stopped", 1), "c003": ("stopped", 3), "c001-i0-o0": ("failed", 3)}
    made = sweep(6, 2, exits=6, ends=ends, scheduler="asha", reasons={"c001-i0-o0": "loss became nan"})
    policies = ("max_probability", "entropy", "patience", "voting", "oracle")
    tables = with_thresholds(made, policies=policies, test=True)
    folder = tmp_path_factory.mktemp("report")
    return render_report(tables, ["html"], folder)[0]
