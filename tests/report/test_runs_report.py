"""The report about runs of other programs: every format, and nothing claimed that cannot be known."""

from __future__ import annotations

import math
import re

import pytest
from foreign_runs import pairs_of, run, runs, two_groups

from greenexp.analysis.comparing.groups import compare_groups
from greenexp.report import FORMATS, Question, render_runs_report
from greenexp.report.runs.foreign import runs_sections

NASTY = "<script>alert('x')</script> | `rm` & 100 % \\end{document}"


def question(cost=None, by=None, **more):
    return Question("metrics.acc", cost, by, "sqlite:///mlflow.db", ("search",), **more)


CASES = {
    "two groups": (two_groups, "metrics.seconds", "params.model"),
    "no cost": (two_groups, None, "params.model"),
    "one group": (lambda: runs(run(1, 0.5), run(2, 0.7)), None, None),
    "one run": (lambda: runs(run(1, 0.5, cost=3.0)), "duration", None),
    "nothing counts": (lambda: runs(run(1, 0.5, status="RUNNING"), run(2, math.inf)), "duration", None),
    "costs unknown": (lambda: runs(run(1, 0.5), run(2, 0.7, cost=2.0)), "metrics.seconds", None),
    "costs nothing": (lambda: runs(run(1, 0.5, cost=0.0), run(2, 0.7, cost=0.0)), "metrics.seconds", None),
    "a group without scores": (
        lambda: runs(run(1, 0.5, group="x"), run(2, status="FAILED", group="y")), "duration", "params.model",
    ),
    "many groups": (lambda: runs(*(run(k, k / 20, group=f"g{k}", cost=1.0) for k in range(20))), "duration", "tags.x"),
    "nasty names": (lambda: runs(run(1, 0.5, group=NASTY), run(2, 0.6, group="b")), None, "params.model"),
    "losses": (lambda: runs(*(run(k, 1e-6 * (k + 1)) for k in range(5))), None, None),
}  # fmt: skip


def made(case, minimize=False):
    table, cost, by = CASES[case]
    comparison = compare_groups(table(), costs=cost is not None, minimize=minimize)
    return comparison, question(cost, by, query="params.x = '1'", left_out=(1, 2)), pairs_of(comparison)


def text_of(case, name=None, minimize=False):
    sections = [part for part in runs_sections(*made(case, minimize)) if name in {None, part.name}]
    return "\n".join("\n".join((*part.headline, *part.paragraphs, *part.assumptions)) for part in sections)


@pytest.mark.parametrize("case", CASES)
def test_every_case_gives_every_format(case, tmp_path):
    paths = render_runs_report(*made(case), FORMATS, tmp_path)
    assert {path.suffix for path in paths} >= {".html", ".md", ".tex", ".csv"}
    text = (tmp_path / "report.md").read_text()
    assert not re.search(r"\bnan\b|NaN\b(?! or infinite)|<NA>|None", text)
    assert len(re.findall(r"\binf\b", text)) == (case == "nothing counts"), "only where a run logged it"
    page = (tmp_path / "report.html").read_text()
    assert page.count("<script") == 1
    assert page.count("<figure ") == text.count("![") == len(list(tmp_path.glob("figures/*.svg")))
    assert (tmp_path / "report.tex").read_text().count("\\end{document}") == 1


def test_same_runs_same_bytes(tmp_path):
    first = render_runs_report(*made("two groups"), FORMATS, tmp_path / "a")
    again = render_runs_report(*made("two groups"), FORMATS, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_headline_counts_leaders_and_cost():
    text = text_of("two groups", "headline")
    assert "5 runs with a final metrics.acc in 2 groups by params.model." in text
    assert "Not counted: 1 failed, 1 killed, 1 not ended, 1 with a score that is NaN or infinite." in text
    assert "Best run: run 6 of a, 0.8000." in text
    assert "Expected of one run drawn at random: b 0.6500, a 0.6333." in text
    assert "Expected best of 2 runs, the most that every group has: a 0.7333, b 0.7000." in text
    assert "metrics.seconds of all runs that ended, with or without a score: 129." in text


def test_smaller_is_better_turns_the_order_round():
    text = text_of("two groups", "headline", minimize=True)
    assert "Smaller values of metrics.acc" in text
    assert "Expected of one run drawn at random: a 0.6333, b 0.6500." in text


def test_what_cannot_be_checked_is_said():
    text = text_of("two groups", "expected")
    assert "not to be checked from these records" in text
    assert "ended early by a scheduler. MLflow records neither" in text
    assert "Each line ends at its own N, from 2 to 3 runs; beyond n = 2 not all groups can be compared." in text
    assert "3 runs ended without a final score and are left out" in text
    assert "Expected best over cost is not drawn yet: n times the mean cost is wrong where costs vary" in text
    assert "40 times the metrics.seconds of the cheapest" in text
    assert "--cost" in text_of("no cost", "expected")


def test_equal_costs_need_no_other_axis():
    assert "All runs that count have the same duration" in text_of("many groups", "expected")
    assert "Drawn: the 8 of 20 groups with the best runs. The table has all." in text_of("many groups", "expected")


def test_unknown_costs_are_told():
    comparison = compare_groups(runs(run(1, 0.5, cost=3.0), run(2, status="FAILED")), costs=True)
    text = str(runs_sections(comparison, question("metrics.seconds"), pairs_of(comparison)))
    assert "1 run that ended has no metrics.seconds: no total." in text
    assert "the lines lie too far left" in text
    assert "Not drawn: all runs (1 of its 2 runs with a score have no cost)." in text_of("costs unknown", "best-so-far")


def test_parents_and_own_trials_are_told():
    comparison = compare_groups(runs(run(1, 0.9), run(2, 0.9, parent="r1", own=True)), costs=False)
    (expected,) = [
        part for part in runs_sections(comparison, question(), pairs_of(comparison)) if part.name == "expected"
    ]
    assert "tags.`mlflow.parentRunId` IS NULL" in " ".join(expected.assumptions)
    assert "greenexp report without --score" in " ".join(expected.assumptions)
    assert "parentRunId" not in text_of("two groups")
    assert "without --score" not in text_of("two groups")


def test_one_group_is_not_compared():
    text = text_of("one group")
    assert "One run drawn at random is expected to reach 0.6000, the best of 2 0.7000." in text
    assert "Each line ends" not in text


def test_where_it_is_from():
    assert "2 runs in 1 experiment without any metrics.acc left out." in text_of("two groups", "origin")
    comparison, asked, pairs = made("two groups")
    facts = runs_sections(comparison, asked, pairs)[-1].tables[0].frame.set_index("fact")["value"]
    assert facts["filter"] == "params.x = '1'"
    assert facts["experiments"] == "search"
