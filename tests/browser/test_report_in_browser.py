"""The report as a reader sees it: by itself with the network cut, and inside MLflow's artifact viewer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, Request, Route

from greenexp.tracking.server import connect, prepare

pytestmark = pytest.mark.slow

SHOTS = os.environ.get("GREENEXP_SCREENSHOTS")
"""A folder for screenshots, to be looked at."""
DRAWN = """() => [...document.querySelectorAll("svg")].map(
    svg => [svg.getBoundingClientRect().width, svg.querySelectorAll("path").length])"""
UNFOLD = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"
BOXES = """selector => [...document.querySelectorAll(selector)].map(one => {
    const box = one.getBoundingClientRect();
    return [box.left, box.top, box.right, box.bottom];
})"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = """() => axe.run(document, {resultTypes: ["violations"]}).then(result => result.violations.map(
    violation => [violation.id, violation.help, violation.nodes.map(node => node.html.slice(0, 200))]))"""


@dataclass
class Watch:
    """What a page asks for and complains about."""

    page: Page
    allowed: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[tuple[str, str]] = field(default_factory=list)
    """(text, where it comes from)"""

    def __post_init__(self) -> None:
        self.page.route("**/*", self._route)
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append((str(error), "")))

    def _route(self, route: Route) -> None:
        self.requests.append(route.request)
        if route.request.url.startswith(self.allowed):
            route.continue_()
        else:
            route.abort()

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append((message.text, message.location["url"]))


@pytest.fixture
def alone(browser: BrowserContext, report: Path) -> Iterator[Watch]:
    """The report opened from its file; every other request is refused."""
    page = browser.new_page()
    watch = Watch(page, report.as_uri())
    page.goto(report.as_uri())
    yield watch
    page.close()


def violations(frame: Frame | Page, axe: str) -> list[Any]:
    frame.evaluate(axe)
    found: list[Any] = frame.evaluate(AXE)
    return found


def shot(page: Page, name: str, **how: Any) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), **how)


def test_it_asks_for_nothing_and_complains_of_nothing(alone: Watch, report: Path) -> None:
    alone.page.wait_for_timeout(300)
    assert [request.url for request in alone.requests] == [report.as_uri()]
    assert alone.complaints == []


def test_its_own_policy_lets_nothing_be_loaded(alone: Watch) -> None:
    policy = alone.page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_every_figure_is_drawn(alone: Watch) -> None:
    alone.page.evaluate(UNFOLD)
    drawn = alone.page.evaluate(DRAWN)
    assert len(drawn) >= 10
    assert all(width > 300 and paths > 5 for width, paths in drawn)
    shot(alone.page, "alone-1200", full_page=True)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(alone: Watch, axe: str, colours: Literal["light", "dark"]) -> None:
    alone.page.emulate_media(color_scheme=colours)
    assert violations(alone.page, axe) == []
    alone.page.evaluate(UNFOLD)  # what is folded away is judged too
    assert violations(alone.page, axe) == []
    shot(alone.page, f"alone-{colours}", full_page=True)


def test_the_first_screen_has_the_result_its_numbers_and_two_figures_side_by_side(alone: Watch) -> None:
    alone.page.set_viewport_size({"width": 1400, "height": 900})
    assert alone.page.locator("#result h2").is_visible()
    assert alone.page.locator("#result .numbers dd.value").count() == 4
    (curve, front) = alone.page.evaluate(BOXES, "#result figure svg")
    assert curve[2] <= front[0]
    assert max(curve[3], front[3]) <= 900
    assert alone.page.locator("details.chapter[open]").count() == 0
    shot(alone.page, "first-screen")


@pytest.mark.parametrize("width", [1400, 1100, 600])
def test_the_contents_stay_in_view(alone: Watch, width: int) -> None:
    alone.page.set_viewport_size({"width": width, "height": 900})
    alone.page.evaluate(UNFOLD)
    alone.page.evaluate("() => scrollTo(0, 5000)")
    ((_, top, _, bottom),) = alone.page.evaluate(BOXES, "nav")
    assert 0 <= top < bottom <= 900
    pairs = alone.page.evaluate(BOXES, "#search .figures figure")
    assert (pairs[0][1] == pairs[1][1]) == (width >= 1100)


def test_a_link_unfolds_what_it_leads_to(alone: Watch) -> None:
    alone.page.locator("nav a", has_text="Costs").first.click()
    assert alone.page.locator("#chapter-costs[open]").count() == 1
    alone.page.goto(f"{alone.page.url.partition('#')[0]}#calibration")
    alone.page.reload()
    assert alone.page.locator("#calibration").is_visible()


def test_a_long_table_shows_its_first_rows_until_it_is_unfolded(alone: Watch) -> None:
    alone.page.locator("#chapter-appendix > summary").click()
    rows = alone.page.locator("#trials tbody tr:visible")
    before = rows.count()
    alone.page.locator("#trials .unfold > summary").click()
    assert 0 < before < rows.count() == 12


def test_on_paper_nothing_is_folded(alone: Watch) -> None:
    alone.page.emulate_media(media="print")
    alone.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert alone.page.locator("details:not([open])").count() == 0
    assert alone.page.locator("#trials tbody tr:visible").count() == 12
    assert not alone.page.locator("nav").is_visible()
    alone.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert alone.page.locator("details[open]").count() == 0


def test_on_paper_words_of_tables_are_whole_and_nothing_is_wider_than_the_page(alone: Watch) -> None:
    split = """() => [...document.querySelectorAll('th, td')].flatMap(cell => [...cell.childNodes].flatMap(node =>
        [...(node.nodeValue ?? '').matchAll(/\\w+/g)].filter(word => word[0].length < 14).filter(word => {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            return range.getClientRects().length > 1;
        }).map(word => word[0])))"""
    alone.page.emulate_media(media="print")
    alone.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    alone.page.set_viewport_size({"width": 718, "height": 1000})  # A4 less 1 cm on each side, in CSS pixels
    assert alone.page.evaluate(split) == []
    assert alone.page.evaluate(OVERFLOW) <= 0


def test_it_can_be_read_in_a_sandbox_without_scripts(browser: BrowserContext, report: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.html"
    outer.write_text(f'<iframe sandbox="" width="600" height="800" src="{report.as_uri()}"></iframe>', encoding="utf-8")
    page = browser.new_page()
    page.goto(outer.as_uri())
    frame = page.frames[1]
    frame.locator("#chapter-seeds > summary").click()
    assert frame.locator("#seeds h3").is_visible()
    frame.locator("nav a", has_text="Appendix").click()
    assert frame.locator("#chapter-appendix > summary").is_visible()
    page.close()


@pytest.mark.parametrize("width", [600, 380])
def test_it_can_be_read_on_a_narrow_page(alone: Watch, axe: str, width: int) -> None:
    alone.page.set_viewport_size({"width": width, "height": 900})
    alone.page.evaluate(UNFOLD)
    assert alone.page.evaluate(OVERFLOW) == 0
    assert all(0 < drawn <= width for drawn, _ in alone.page.evaluate(DRAWN))
    assert violations(alone.page, axe) == []
    shot(alone.page, f"alone-{width}", full_page=True)


def test_it_can_be_read_without_a_pointer(alone: Watch) -> None:
    """The keyboard reaches a folded table and opens it, and a wide table can be scrolled by it."""
    first = alone.page.locator("summary").first
    first.focus()
    alone.page.keyboard.press("Enter")
    assert alone.page.locator("details[open]").count() == 1
    region = alone.page.locator("details[open] [role=region]").first
    region.focus()
    assert region.evaluate("element => element === document.activeElement")


def test_a_table_can_be_downloaded(alone: Watch, tmp_path: Path) -> None:
    alone.page.evaluate(UNFOLD)
    with alone.page.expect_download() as waiting:
        alone.page.locator("a[download='front.csv']").click()
    waiting.value.save_as(tmp_path / "front.csv")
    assert (tmp_path / "front.csv").read_text(encoding="utf-8").startswith("trial,configuration,epoch,setting,policy")


@pytest.fixture(scope="module")
def logged(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(address of a real MLflow server, path of the report's run in its UI)."""
    folder = tmp_path_factory.mktemp("mlflow-ui")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri, address = f"sqlite:///{folder / 'mlflow.db'}", f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", uri, "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(f"{address}/health", folder / "log")
            experiment = prepare(address, "made")
            client = connect(address)
            run = client.create_run(experiment, run_name="made")
            client.log_artifact(run.info.run_id, str(report))
            client.set_terminated(run.info.run_id)
            yield address, f"#/experiments/{experiment}/runs/{run.info.run_id}/artifacts/{report.name}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def wait_for(url: str, log: Path) -> None:
    for _ in range(900):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())


def test_inside_mlflow_it_is_drawn_and_asks_for_nothing(
    logged: tuple[str, str], browser: BrowserContext, axe: str
) -> None:
    address, path = logged
    page = browser.new_page()
    watch = Watch(page, address)
    page.goto(f"{address}/{path}")
    handle = page.wait_for_selector("iframe", timeout=60_000)
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    frame.wait_for_selector("h1", timeout=30_000)
    assert "report" in frame.inner_text("h1")
    frame.evaluate(UNFOLD)
    drawn = frame.evaluate(DRAWN)
    assert len(drawn) >= 5
    assert all(width > 100 and paths > 5 for width, paths in drawn)
    assert frame.evaluate(OVERFLOW) == 0
    assert violations(frame, axe) == []
    shot(page, "inside-mlflow")
    frame.locator("nav a", has_text="Exits").first.click()
    page.wait_for_timeout(200)
    # Scrolled to with the precision of a pixel.
    assert -1 <= frame.evaluate("() => document.getElementById('chapter-exits').getBoundingClientRect().top") < 300
    shot(page, "inside-mlflow-exits")
    # MLflow's own page is allowed its own requests and complaints.
    assert [request.url for request in watch.requests if request.frame == frame] == []
    assert [request.url for request in watch.requests if not request.url.startswith((address, "data:", "blob:"))] == []
    assert [complaint for complaint in watch.complaints if not complaint[1].startswith(f"{address}/")] == []
    page.close()
