"""The report: true for whole and broken sweeps, self-contained, escaped, the same each time."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_sweeps import NO_ENERGY, sweep, with_thresholds

from greenexp.errors import GreenexpError, UnknownNameError
from greenexp.records.history import LimitReached
from greenexp.records.tables import SCHEMA, typed_frame
from greenexp.report import FORMATS, render_report, report_sections
from greenexp.report.contents import CHAPTERS, LINE_TO_LINE, SECTION_NAMES
from greenexp.report.page import Page as ReportPage
from greenexp.report.render import render_page

STOPPED = {"c000": ("stopped", 1), "c003": ("stopped", 3)}
NASTY = "loss <script>alert('x')</script> | `rm` & 100 % \\end{document} \x1b[31m\x00 _*#\n\nsecond line ]]>"
CHAPTER_IDS = [f"chapter-{chapter.name}" for chapter in CHAPTERS]
FIGURES = 10
"""Of the sweep `asha`."""
VOID = {"wbr", "meta", "br", "hr", "img", "input", "link", "path", "line", "rect"}


def empty():
    return dataclasses.replace(sweep(1, 1), **{name: typed_frame(name, []) for name in SCHEMA})


SWEEPS = {
    "full": sweep,
    "asha": lambda: sweep(ends=STOPPED, scheduler="asha"),
    "failures": lambda: sweep(ends={"c001-i0-o0": ("failed", 3)}, reasons={"c001-i0-o0": NASTY}, task={"name": NASTY}),
    "all failed": lambda: sweep(2, 1, ends={"c000": ("failed", 0), "c001": ("failed", 4)}),
    "none finished": lambda: sweep(ends={f"c00{c}": ("running", 1 + c) for c in range(4)}),
    "nothing reported": lambda: sweep(ends={f"c00{c}": ("planned", 0) for c in range(4)}),
    "one trial": lambda: sweep(1, 1),
    "one epoch": lambda: sweep(2, 1, epochs=1),
    "one exit": lambda: sweep(2, 2, exits=1),
    "stopped apart": lambda: sweep(ends={"c001-i0-o0": ("stopped", 3)}, scheduler="asha"),
    "interrupted": lambda: sweep(ends={"c002-i0-o0": ("interrupted", 4), "c003": ("planned", 0)}),
    "grid": lambda: sweep(search="grid"),
    "minimised": lambda: sweep(metric={"name": "loss", "mode": "min", "exit": 2}),
    "metric no exit reports": lambda: sweep(metric={"name": "matthews"}),
    "energy": lambda: sweep(energy_j=3.0, accounting={"currency": "EUR", "carbon_g_per_kwh": 56.0, "pue": 1.2}),
    "empty": empty,
    "leaving early": lambda: with_thresholds(
        sweep(2, 2, exits=4), 60, policies=("max_probability", "patience", "voting", "oracle"), test=True
    ),
    "leaving early, regression": lambda: with_thresholds(
        sweep(2, 1, exits=4, metric={"name": "pearson"}), 60, policies=("patience",), classes=1
    ),
}


class Page(HTMLParser):
    """Collects what the tests ask about, and refuses tags that do not close."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in {"href", "src", "srcset", "action", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(path):
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    return page


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_gives_every_format(name, tmp_path):
    paths = render_report(SWEEPS[name](), FORMATS, tmp_path)
    assert {path.suffix for path in paths} >= {".html", ".md", ".tex", ".csv"}
    page = page_of(tmp_path / "report.html")
    text = "".join(page.text)
    assert set(SECTION_NAMES) - {LINE_TO_LINE} <= {attrs.get("id") for _, attrs in page.tags}
    assert [attrs["id"] for attrs in page.named("details") if attrs.get("class") == "chapter"] == CHAPTER_IDS
    assert not re.search(r"\bnan\b|NaN|<NA>|\binf\b|NaT", text.replace("loss became nan", ""))
    assert "None" not in text
    assert "<NA>" not in (tmp_path / "report.md").read_text()


@pytest.fixture(scope="module")
def asha(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asha")
    render_report(SWEEPS["asha"](), FORMATS, folder)
    return folder


def test_html_needs_no_network_and_runs_no_script_but_its_own(asha):
    page = page_of(asha / "report.html")
    assert page.named("script") == [{}]
    assert [link for link in page.links if not link.startswith(("#", "data:text/csv"))] == []
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    text = (asha / "report.html").read_text()
    assert re.findall(r"@import|url\((?!#)", text) == []
    policy = next(attrs for attrs in page.named("meta") if attrs.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"].startswith(f"default-src 'none'; script-src 'sha256-{digest}'; style-src")
    assert len(text) < 3_000_000


def test_html_has_what_a_screen_reader_needs(asha):
    page = page_of(asha / "report.html")
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("title")) == len(page.named("main")) == len(page.named("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.links if link.startswith("#") and len(link) > 1} <= set(ids)
    figures = page.named("figure")
    assert len(figures) == FIGURES
    assert len(page.named("figcaption")) == len(figures)
    assert len(page.named("summary")) == len(page.named("details")) > len(figures)
    assert all(attrs.get("aria-label") for attrs in page.named("svg"))
    assert len(page.named("caption")) == len(page.named("table"))


def test_csv_in_the_page_is_the_csv_beside_it(asha):
    page = page_of(asha / "report.html")
    links = {attrs["download"]: attrs["href"] for attrs in page.named("a") if "download" in attrs}
    written = {path.name: path.read_bytes() for path in (asha / "report-tables").iterdir()}
    assert set(links) == set(written)
    for name, link in links.items():
        assert base64.b64decode(link.partition("base64,")[2]) == written[name]


def test_csv_has_full_precision_and_empty_cells(asha):
    rows = list(csv.DictReader(io.StringIO((asha / "report-tables" / "trials.csv").read_text())))
    scores = SWEEPS["asha"]().trials["score"]
    assert [float(row["score"]) for row in rows] == scores.tolist()
    assert {row["energy_j"] for row in rows} == {""}


def test_the_same_tables_give_the_same_bytes(asha, tmp_path):
    for path in render_report(SWEEPS["asha"](), FORMATS, tmp_path):
        again = (asha / path.relative_to(tmp_path)).read_bytes()
        if path.suffix == ".pdf":  # its objects come in any order
            assert len(path.read_bytes()) == len(again)
        else:
            assert path.read_bytes() == again


def test_user_text_is_text_in_every_format(tmp_path):
    render_report(SWEEPS["failures"](), FORMATS, tmp_path)
    page = page_of(tmp_path / "report.html")
    assert page.named("script") == [{}]
    assert "<script>alert('x')</script>" in "".join(page.text)
    assert "\x1b" not in (tmp_path / "report.html").read_text()
    prose = re.sub(r"```.*?```", "", (tmp_path / "report.md").read_text(), flags=re.S)
    assert "<script>" not in prose
    assert not re.search(r"(?<!\\)\| `rm`", prose)
    latex = (tmp_path / "report.tex").read_text()
    assert latex.count("\\end{document}") == 1
    assert "\\textbackslash{}end\\{document\\}" in latex


def test_markdown_tables_have_as_many_cells_as_columns(tmp_path):
    render_report(SWEEPS["failures"](), ["md"], tmp_path)
    blocks = re.findall(r"(?:^\|.*\n)+", (tmp_path / "report.md").read_text(), flags=re.M)
    assert len(blocks) >= 6
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_markdown_figures_exist(asha):
    names = re.findall(r"\]\((figures/[^)]+)\)", (asha / "report.md").read_text())
    assert len(names) == FIGURES
    assert all((asha / name).is_file() for name in names)


def test_latex_braces_and_environments_close(asha):
    latex = (asha / "report.tex").read_text()
    assert "\\toprule" in latex
    assert "\\hline" not in latex
    bare = re.sub(r"\\[{}\\]", "", latex)
    assert bare.count("{") == bare.count("}")
    for environment in set(re.findall(r"\\begin\{(\w+)\}", latex)):
        assert latex.count(f"\\begin{{{environment}}}") == latex.count(f"\\end{{{environment}}}")


def test_latex_includes_its_figures_and_every_table_is_a_file_of_its_own(asha):
    latex = (asha / "report.tex").read_text()
    figures = re.findall(r"\\includegraphics\[.*?\]\{(.*?)\}", latex)
    assert len(figures) == FIGURES
    assert all((asha / name).read_bytes().startswith(b"%PDF") for name in figures)
    tables = sorted((asha / "latex-tables").iterdir())
    lists = latex.count("\\begin{description}")
    assert lists == 3, "the checklists, whose rows are sentences"
    assert len(tables) - lists == latex.count("\\begin{table}") > 0
    assert all(table.read_text().strip() in latex for table in tables)


def section_text(tables, name):
    (section,) = report_sections(tables, [name])
    return " ".join([*section.headline, *section.paragraphs, *section.assumptions])


def test_headline_names_the_best_configuration_with_its_spread():
    text = section_text(sweep(ends=STOPPED, scheduler="asha"), "headline")
    assert "c002 (training.learning_rate = 0.001), dev accuracy (mean over exits) 0.8990 ± 0.0070" in text
    assert "stopped 4 of 8" not in text
    assert "Early stopping (asha) ended 4 of 8 (50 %) trials before their last epoch and saved 28 of 72" in text
    assert "Trial score = best dev value so far" in text
    assert "Not measured: energy, CO2e, money" in text


def test_headline_does_not_tell_apart_what_the_seeds_do_not():
    tied = dataclasses.replace(
        sweep(), trials=sweep().trials.assign(score=[0.8, 0.82, 0.81, 0.815, 0.7, 0.7, 0.7, 0.7])
    )
    assert "not told apart" in section_text(tied, "headline")


def test_a_best_configuration_that_was_stopped_is_called_a_bound():
    tables = sweep(ends={"c002": ("stopped", 3)}, scheduler="asha")
    trials = tables.trials.assign(score=np.where(tables.trials["configuration"] == "c002", 0.99, 0.5))
    assert "It was stopped early: a lower bound." in section_text(
        dataclasses.replace(tables, trials=trials), "headline"
    )


def test_search_section_labels_the_bound_or_gives_the_refusal():
    assert "estimated to reach at least" in section_text(sweep(ends=STOPPED, scheduler="asha"), "search")
    assert "at least" not in section_text(sweep(), "search")
    assert "No expected-best curve: the curve presumes" in section_text(sweep(search="grid"), "search")
    assert "if it does not fail," in section_text(sweep(ends={"c001-i0-o0": ("failed", 3)}), "search")


def test_costs_say_why_something_was_not_measured():
    assert f"Energy was not measured: {NO_ENERGY}." in section_text(sweep(), "costs")


def test_exits_that_score_alike_are_not_ranked():
    tables = sweep()
    points = tables.operating_points
    level = points.assign(score=0.878 + 1e-16 * points["threshold"] % 2e-16)
    middle = points.assign(score=np.where(points["threshold"] == 2, 0.9, 0.8))
    texts = [section_text(dataclasses.replace(tables, operating_points=p), "exits") for p in (level, middle)]
    assert ["not the last but exit 2, with 0.9000" in text for text in texts] == [False, True]
    assert "not the last" not in texts[0]


def test_a_reached_limit_is_named():
    tables = sweep(ends={"c003": ("planned", 0)})
    history = dataclasses.replace(tables.history, limit=LimitReached("wall_s", 301.0, 300.0), began=1.5e9)
    tables = dataclasses.replace(tables, history=history)
    assert "its budget was used up: time on the clock, limit 5m 00s" in section_text(tables, "headline")
    earlier = dataclasses.replace(history, limit=LimitReached("wall_s", 240.0, 300.0))
    found = section_text(dataclasses.replace(tables, history=earlier), "headline")
    assert "no longer fitted into its budget: time on the clock, 4m 00s of 5m 00s used" in found
    values = report_sections(tables)[-1].tables[0].frame.set_index("fact")["value"]
    assert values["began"] == "2017-07-14 02:40:00 UTC"
    assert "its budget" not in section_text(sweep(), "headline")


def test_appendix_holds_the_whole_sweep_file():
    section = report_sections(sweep())[-1]
    assert "name: made" in section.listing
    assert "initialisation: 2" in section.listing
    assert section.tables[0].frame["fact"].tolist() == [
        "name", "fingerprint", "began", "elapsed_s", "complete", "sessions.1.versions.x", "operating_points"
    ]  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_every_section_speaks(name):
    for section in report_sections(SWEEPS[name]()):
        assert section.headline or section.paragraphs


def test_a_big_sweep_stays_below_the_limit(tmp_path):
    tables = sweep(1500, 1, epochs=2, exits=4, ends={f"c{c:03d}": ("stopped", 1) for c in range(700)}, scheduler="asha")
    render_report(tables, ["html"], tmp_path)
    page = page_of(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000
    assert "The first 200 of 1500 rows" in " ".join("".join(page.text).split())


def test_an_unknown_format_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'html'"):
        render_report(sweep(1, 1), ["csv", "htm"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_tables_of_one_name_are_refused(tmp_path):
    (appendix,) = report_sections(sweep(1, 1), ["appendix"])
    with pytest.raises(GreenexpError, match="both called facts"):
        render_page(ReportPage("twice", [appendix, appendix]), ["csv"], tmp_path)
