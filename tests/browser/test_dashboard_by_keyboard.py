"""The dashboard without a pointer: where the focus is, and what a reader has set, when a page is made anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from served_board import served_board
from stand_ins import Sweep, Workers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from recorded_sweeps import write_sweep

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    page.set_viewport_size({"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    (tmp_path / "live").mkdir()
    conductor = Sweep(tmp_path / "live").open()
    workers = Workers(conductor)
    workers.play(14)
    yield workers
    conductor.journal.close()


def look(page: Page, address: str, query: str) -> None:
    page.goto(f"{address}/?{query}")
    page.wait_for_selector("#answer:not([aria-busy]) > *")
    page.wait_for_function("() => [...document.querySelectorAll('.drawing')].every(each => each.childElementCount)")


def update(page: Page, workers: Workers) -> None:
    """The sweep goes on, and the page has shown it."""
    page.evaluate("() => { document.querySelector('#updated').textContent = ''; }")
    workers.play(2)
    expect(page.locator("#updated")).to_contain_text("Updated", timeout=15_000)


def stays_focused(page: Page, workers: Workers, *parts: Locator) -> None:
    for part in parts:
        part.focus()
        update(page, workers)
        expect(part).to_be_focused()


def test_a_refresh_takes_nothing_from_the_reader(page: Page, tmp_path: Path, workers: Workers) -> None:
    with served_board([tmp_path]) as served:
        look(page, served.address, "view=overview&sweep=live")
        page.get_by_label("Sweep", exact=True).focus()
        table = page.locator("details[data-name='configurations']")
        table.get_by_role("button", name="configuration", exact=False).first.press("Enter")
        order = table.locator("th[aria-sort='ascending']")
        expect(order).to_have_count(1)
        stays_focused(page, workers, table.locator("th button").first, page.get_by_role("link", name="Timeline"))
        stays_focused(page, workers, page.locator("details[data-name='python'] summary"))
        expect(order).to_have_count(1)
        look(page, served.address, "view=parallel&sweep=live")
        page.get_by_text("Show only ranges").click()
        slider = page.get_by_label("at most").first
        assert slider.get_attribute("aria-valuetext")
        for _ in range(40):
            slider.press("ArrowLeft")
        stays_focused(page, workers, slider)
        expect(slider).to_have_value("60")
        expect(page.locator("details.panel output")).to_be_visible()
        look(page, served.address, page.url.partition("?")[2])
        expect(page.get_by_label("at most").first).to_have_value("60")
        page.goto("about:blank")


def test_updates_can_be_paused(page: Page, tmp_path: Path, workers: Workers) -> None:
    with served_board([tmp_path]) as served:
        look(page, served.address, "view=overview&sweep=live")
        page.get_by_role("button", name="Pause updates").press("Enter")
        page.wait_for_timeout(1000)  # an update that had begun has ended
        before = page.locator("#answer").inner_text()
        workers.play(4)
        page.wait_for_timeout(4000)  # a page that is not paused has read it by then
        assert page.locator("#answer").inner_text() == before
        page.get_by_role("button", name="Resume updates").press("Enter")
        expect(page.locator("#updated")).to_contain_text("Updated", timeout=15_000)
        assert page.locator("#answer").inner_text() != before
        page.goto("about:blank")


def test_options_and_sweeps_are_chosen_without_losing_the_focus(page: Page, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_sweep(tmp_path / name)
    with served_board([tmp_path]) as served:
        look(page, served.address, "view=curves&sweep=one")
        for label, choice in (("Axis", "axis=train_flops"), ("Sweep", "sweep=two")):
            chooser = page.get_by_label(label, exact=True)
            chooser.focus()
            chooser.select_option(choice.partition("=")[2])
            page.wait_for_url(f"**{choice}**")
            page.wait_for_selector("#answer:not([aria-busy]) > *")
            expect(chooser).to_be_focused()
        look(page, served.address, "view=thresholds&sweep=one")
        page.get_by_label("Threshold", exact=True).press("Home")
        chosen = page.url
        page.get_by_role("link", name="Skip to the view").press("Enter")
        expect(page.locator("main")).to_be_focused()
        assert page.url == chosen
        page.goto("about:blank")


def test_forced_colours_keep_the_mark_of_the_view(page: Page, tmp_path: Path) -> None:
    write_sweep(tmp_path)
    page.emulate_media(forced_colors="active")
    border = "part => getComputedStyle(part).borderLeftColor"
    with served_board([tmp_path]) as served:
        look(page, served.address, "view=overview")
        current = page.locator("#menu a[aria-current]").evaluate(border)
        assert page.get_by_role("link", name="Timeline").evaluate(border) != current
        page.goto("about:blank")
