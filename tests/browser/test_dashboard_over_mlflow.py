"""The dashboard over a real MLflow server, in a browser, while a sweep is written there over HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from served_board import served_board
from stand_ins import Sweep, Workers

from greenexp.dashboard import board
from greenexp.tracking.server import prepare
from greenexp.tracking.writer import Tracker

pytestmark = pytest.mark.slow

LONGEST_MS = 60_000


def test_a_sweep_is_followed_over_http_while_it_is_written(
    browser: BrowserContext, mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the workers; journal, tracker, server, dashboard and browser are those of a real sweep."""
    monkeypatch.setattr(board, "ASKED_AFTER_S", 0.5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    experiment = "followed in a browser"
    prepare(mlflow_server, experiment)
    (tmp_path / "sweep").mkdir()
    conductor = Sweep(tmp_path / "sweep").open(configurations=3, seeds=1)
    workers = Workers(conductor)
    tracker = Tracker(tmp_path / "sweep", mlflow_server, experiment)
    tracker.start()
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with served_board([f"{mlflow_server}#{experiment}"]) as served:
        workers.play(4)
        page.goto(f"{served.address}/?view=sweeps")
        link = page.get_by_role("link", name=re.compile("^stand-in"))
        expect(link).to_be_visible(timeout=LONGEST_MS)
        link.click()
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        page.wait_for_selector("#answer:not([aria-busy]) > *")
        before = page.locator("#answer").inner_text()
        running = set(workers.running)
        workers.play(1)
        assert running == set(workers.running)  # a report ends none of them, and is shown all the same
        expect(page.locator("#updated")).to_contain_text("Updated", timeout=LONGEST_MS)
        expect(page.locator("#answer")).not_to_have_text(before, use_inner_text=True, timeout=LONGEST_MS)
        before = page.locator("#answer").inner_text()
        workers.play()
        conductor.close()
        expect(page.locator("#answer")).not_to_contain_text("still running", timeout=LONGEST_MS)
        assert tracker.stop(60)
        expect(page.locator("#answer")).to_contain_text("0.63", timeout=LONGEST_MS)
        assert page.locator("#answer").inner_text() != before
        page.goto("about:blank")
    page.close()
    conductor.journal.close()
    assert complaints == []
