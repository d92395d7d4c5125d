"""The dashboard as people look at it: by pointer, by keyboard, in the dark, on a phone, while a sweep runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from served_board import served_board
from stand_ins import Sweep, Workers

from greenexp.api.views import VIEWS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from recorded_sweeps import write_sweep

pytestmark = pytest.mark.slow

SHOTS = os.environ.get("GREENEXP_SCREENSHOTS")
OURS = ("http://127.0.0.1:", "http://localhost:", "data:", "about:")
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = """() => axe.run(document, {resultTypes: ["violations"]}).then(result => result.violations.map(
    violation => [violation.id, violation.nodes.map(node => node.html.slice(0, 200))]))"""
UNFOLD = "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("sweeps")
    for name in ("small", "halved"):
        (folder / name).mkdir()
    write_sweep(folder / "small")
    conductor = Sweep(folder / "halved").open()
    Workers(conductor, fail={"c000-i1-o0": 2}).play()
    conductor.journal.close()
    with served_board([folder]) as served:
        yield served.address


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    page.set_viewport_size({"width": 1200, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(OURS) else complaints.append(asked.url))
    yield page
    page.close()
    assert complaints == []


def look(page: Page, address: str, query: str) -> None:
    """Open a view, and wait until what it says stands there and is drawn."""
    page.goto(f"{address}/?{query}")
    page.wait_for_selector("#answer:not([aria-busy]) > *")
    page.wait_for_function("() => [...document.querySelectorAll('.drawing')].every(each => each.childElementCount)")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_read_by_everybody(page: Page, address: str, axe: str, view: str) -> None:
    for sweep, theme, width in (("halved", "light", 1200), ("small", "dark", 320)):  # 320: 1,280 at 400 %
        page.set_viewport_size({"width": width, "height": 900})
        look(page, address, f"view={view}&sweep={sweep}&theme={theme}")
        page.evaluate(UNFOLD)
        page.evaluate(axe)
        assert page.evaluate(AXE) == []
        assert page.evaluate(OVERFLOW) <= 0
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS) / f"{view}-{theme}-{width}.png"), full_page=True)


def test_the_list_of_sweeps_leads_to_a_sweep_and_back(page: Page, address: str, axe: str) -> None:
    look(page, address, "view=sweeps")
    page.evaluate(axe)
    assert page.evaluate(AXE) == []
    page.get_by_role("link", name="halved").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    assert "sweep=halved" in page.url
    page.go_back()
    expect(page.get_by_role("heading", name="All sweeps", level=1)).to_be_visible()


def test_a_sweep_is_found_by_a_part_of_its_name(page: Page, tmp_path: Path, axe: str) -> None:
    for name in [f"other,{number}" for number in range(16)] + ["looked-for"]:
        (tmp_path / name).mkdir()
        write_sweep(tmp_path / name)
    with served_board([tmp_path]) as served:
        look(page, served.address, "view=sweeps")
        page.get_by_label("Name contains").fill("Looked")
        page.keyboard.press("Enter")
        expect(page.locator("#answer tbody tr")).to_have_count(1)
        expect(page).to_have_url(f"{served.address}/?view=sweeps&find=Looked")
        page.evaluate(axe)
        assert page.evaluate(AXE) == []
        page.get_by_role("link", name="looked-for").click()
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        assert "find" not in page.url
        page.get_by_role("link", name="Compare sweeps").click()
        page.get_by_label("Other sweeps").select_option("other,3")
        compared = page.locator("details.table[data-name='sweeps'] tbody tr")
        expect(compared).to_have_count(2)
        page.reload()
        expect(compared).to_have_count(2)
        expect(page.get_by_label("Other sweeps")).to_have_values(["other,3"])
        page.goto("about:blank")


@pytest.mark.parametrize(("query", "heading"), [("", "All sweeps"), ("view=overview", "Overview")])
def test_the_first_sweep_appears_on_a_page_that_was_empty(page: Page, tmp_path: Path, query: str, heading: str) -> None:
    with served_board([tmp_path]) as served:
        page.goto(f"{served.address}/?{query}")
        expect(page.locator("#answer")).to_contain_text("no sweep")
        (tmp_path / "small").mkdir()
        write_sweep(tmp_path / "small")
        expect(page.locator("#answer")).not_to_contain_text("no sweep", timeout=20_000)
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        expect(page.locator("#answer table").first).to_be_attached()
        page.goto("about:blank")


def test_an_option_is_part_of_the_address(page: Page, address: str) -> None:
    look(page, address, "view=curves&sweep=halved")
    page.get_by_label("Axis", exact=True).select_option("train_flops")
    expect(page).to_have_url(f"{address}/?view=curves&sweep=halved&axis=train_flops")
    expect(page.get_by_role("figure")).to_contain_text("FLOP")
    look(page, address, "view=curves&sweep=halved&axis=train_flops")
    expect(page.get_by_label("Axis", exact=True)).to_have_value("train_flops")


def test_a_threshold_is_picked_for_a_speed_up(page: Page, address: str) -> None:
    """What the slider says is the operating point on record, and the drawing marks it."""
    look(page, address, "view=thresholds&sweep=small#policy=%E0%A4%A&at=1")  # cut on its way
    page.get_by_label("Policy", exact=True).select_option("max_probability")
    page.get_by_label("Speed-up of at least").fill("1.5")
    page.get_by_role("button", name="Set to the best score").click()
    told = page.locator("section.panel output")
    expect(told).to_contain_text("max_probability at")
    speed_up = float(told.inner_text().partition(" at ")[2].partition("×")[0].split()[-1])
    assert speed_up >= 1.5
    shares = page.locator("table.bars tbody tr td:last-child").all_inner_texts()
    assert sum(float(share.replace("%", "")) for share in shares) == pytest.approx(100, abs=0.2)
    slider = page.get_by_label("Threshold", exact=True)
    slider.focus()
    before = told.inner_text()
    page.keyboard.press("ArrowLeft")
    assert told.inner_text() != before
    page.get_by_label("Speed-up of at least").fill("99")
    page.get_by_role("button", name="Set to the best score").click()
    expect(told).to_contain_text("no speed-up of 99")


def test_ranges_of_axes_leave_configurations(page: Page, address: str) -> None:
    look(page, address, "view=parallel&sweep=halved")
    page.get_by_text("Show only ranges").click()
    told = page.locator("details.panel output")
    expect(told).to_contain_text("All 6 configurations")
    slider = page.get_by_label("at most").first
    slider.focus()
    page.keyboard.press("Home")
    expect(told).to_contain_text("1 of 6 configurations")


def test_a_trial_in_a_table_leads_to_its_view(page: Page, address: str) -> None:
    look(page, address, "view=decisions&sweep=halved&action=stop")
    name = page.locator("details.table tbody a").first
    trial = name.inner_text()
    name.click()
    expect(page.get_by_role("heading", name="One trial", level=1)).to_be_visible()
    expect(page.locator(".result").first).to_contain_text(trial)


def test_a_wide_screen_is_used(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 3840, "height": 2160})
    look(page, address, "view=policies&sweep=small")
    assert page.evaluate(OVERFLOW) <= 0
    left, right = (each.bounding_box() for each in page.get_by_role("figure").all()[:2])
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


def test_parts_can_be_hidden_for_a_frame_on_another_page(page: Page, address: str, tmp_path: Path) -> None:
    look(page, address, "view=overview&sweep=small&hide=menu,head,tables,notes")
    assert not page.locator("#menu").is_visible()
    assert not page.locator("#head").is_visible()
    assert page.locator("details.table").count() == 0
    site = "http://localhost:1/"  # another site, so that a browser sends the frame no cookie
    write_sweep(tmp_path)
    with served_board([tmp_path], token="a/b c", embedded=True) as served:
        frame = f'<iframe title="sweep" src="{served.address}/?view=overview&token=a%2Fb%20c"></iframe>'
        page.route(site, lambda asked: asked.fulfill(body=frame, content_type="text/html"))
        page.goto(site)
        expect(page.frame_locator("iframe").locator("figure svg").first).to_be_attached()
        page.goto("about:blank")


def test_a_table_is_sorted_by_the_keyboard(page: Page, address: str) -> None:
    look(page, address, "view=configurations&sweep=halved")
    page.evaluate(UNFOLD)
    table = page.locator("details.table", has=page.locator("summary", has_text="standard deviation")).first
    button = table.get_by_role("button", name="configuration", exact=False).first
    button.focus()
    page.keyboard.press("Enter")
    assert table.locator("th[aria-sort='ascending']").count() == 1
    first = table.locator("tbody tr").first.inner_text()
    page.keyboard.press("Enter")
    assert table.locator("tbody tr").first.inner_text() != first


def test_a_sweep_that_runs_is_followed(page: Page, tmp_path: Path) -> None:
    """What was unfolded stays so when the view is drawn again."""
    conductor = Sweep(tmp_path).open()
    workers = Workers(conductor)
    workers.play(3)
    with served_board([tmp_path]) as served:
        look(page, served.address, f"view=overview&sweep={tmp_path.resolve().name}")
        page.wait_for_timeout(1500)
        folded = page.locator("details[data-name='trials']")
        folded.locator("summary").click()
        before: Any = page.locator("#answer").inner_text()
        workers.play(12)
        expect(page.locator("#updated")).to_contain_text("Updated", timeout=15_000)
        assert page.locator("#answer").inner_text() != before
        assert page.locator("details[data-name='trials']").get_attribute("open") is not None
        page.goto("about:blank")
    conductor.journal.close()


def test_a_server_that_has_gone_is_said(browser: BrowserContext, tmp_path: Path) -> None:
    write_sweep(tmp_path)
    page = browser.new_page()  # the browser itself complains here
    with served_board([tmp_path]) as served:
        look(page, served.address, f"view=overview&sweep={tmp_path.resolve().name}")
    expect(page.locator("#news")).to_contain_text("cannot be heard", timeout=15_000)
    page.close()


def test_a_view_without_a_figure_opens_its_first_table(page: Page, address: str) -> None:
    look(page, address, "view=price&sweep=small")
    assert page.get_by_role("figure").count() == 0
    tables = page.locator("details.table")
    assert [table.get_attribute("open") is not None for table in tables.all()] == [
        place == 0 for place in range(tables.count())
    ]
    look(page, address, "view=curves&sweep=small")
    assert page.get_by_role("figure").count() > 0
    assert page.locator("details.table[open]").count() == 0


def test_counts_have_whole_numbers_on_their_axis(page: Page, address: str) -> None:
    for sweep in ("halved", "small"):  # of 6 and of few configurations
        look(page, address, f"view=search&sweep={sweep}")
        axis = page.locator("figure .role-axis", has=page.locator(".role-axis-title", has_text="Configuration")).first
        shown = axis.locator(".role-axis-label text").all_text_contents()
        assert len(shown) > 1
        assert len(set(shown)) == len(shown)
        assert all(label.isdigit() for label in shown)


def test_a_phone_shows_whole_titles_and_legends(page: Page, address: str) -> None:
    """Titles are broken between words, and nothing of a drawing lies outside it."""
    page.set_viewport_size({"width": 320, "height": 900})
    look(page, address, "view=thresholds&sweep=small")
    outside = """() => [...document.querySelectorAll('.drawing svg')].flatMap(svg => {
        const frame = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('.role-axis-title text, .role-legend text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1 || text.textContent.includes('\u2026');
        }).map(text => text.textContent);
    })"""
    assert page.locator(".drawing svg .role-axis-title text").count() > 0
    assert page.evaluate(outside) == []
    page.locator(".result").first.evaluate("each => { each.textContent = 'path/'.repeat(60) + 'x'.repeat(300); }")
    assert page.evaluate(OVERFLOW) <= 0


def test_a_dark_page_has_inks_of_its_own(page: Page, address: str) -> None:
    inks = "() => [...document.querySelectorAll('.drawing svg [stroke]')].map(each => each.getAttribute('stroke'))"
    look(page, address, "view=thresholds&sweep=small&theme=light")
    light = set(page.evaluate(inks))
    look(page, address, "view=thresholds&sweep=small&theme=dark")
    dark = set(page.evaluate(inks))
    assert "#0072b2" in light
    assert not dark & {"#0072b2", "#1a1a1a", "#e6e6e6"}
