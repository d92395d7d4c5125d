"""Pairs of groups of runs that somebody else logged: what is claimed holds by the tables, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from foreign_runs import pairs_of, run, runs

from greenexp.analysis.comparing.compare import compare_at
from greenexp.analysis.comparing.groups import compare_groups
from greenexp.analysis.comparing.pairs import MOST_COMPARED
from greenexp.analysis.comparing.pairwise import compare_pairwise, holm
from greenexp.report import FORMATS, Question, render_runs_report
from greenexp.report.sections.compared_pairs import compared_section


def drawn(sizes, gap=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows, number = [], 0
    for place, size in enumerate(sizes):
        for _ in range(size):
            rows.append(run(number, float(0.8 + gap * place + 0.03 * rng.normal()), group=f"m{place}"))
            number += 1
    return runs(*rows)


def made(table, minimize=False):
    comparison = compare_groups(table, costs=False, minimize=minimize)
    return comparison, compared_section(pairs_of(comparison), "metrics.acc", "score")


def text(section):
    return " ".join([*section.headline, *section.assumptions])


@pytest.mark.parametrize("minimize", [False, True])
def test_the_table_is_that_of_the_analysis(minimize):
    comparison, section = made(drawn([30, 20], gap=0.01), minimize)
    frame = section.tables[0].frame
    assert frame["budget"].tolist() == [1, 2, 5, 10]
    scores = {
        name: comparison.runs.loc[comparison.runs["group"] == name, "score"].to_numpy()
        for name in dict.fromkeys(comparison.runs["group"])
    }
    a, b = scores
    expected = compare_at(scores[a], scores[b], frame["budget"], minimize=minimize)
    for column in ("difference", "curve_a", "curve_b"):
        assert frame[column].tolist() == expected[column].tolist()
    tested = compare_pairwise(scores, [1, 2, 5, 10], np.random.default_rng(0), minimize)
    assert frame["p"].tolist() == tested["p"].tolist()
    assert frame["p_holm"].tolist() == holm(frame["p"]).tolist()
    assert (frame["lower_95"].isna() | (frame["lower_95"] <= frame["difference"])).all()


def test_groups_that_are_alike_are_not_told_apart():
    said = text(made(drawn([15, 15], seed=1))[1])
    assert "No permutation test finds two groups to differ (p ≤ 0.05 after Holm's correction over 3 tests)" in said
    assert "95 % and 80 % bands of all pairs overlap at every n up to 15" in said


@pytest.mark.parametrize("minimize", [False, True])
def test_groups_far_apart_are_told_apart_in_the_right_direction(minimize):
    section = made(drawn([40, 40], gap=0.2), minimize)[1]
    better, worse = ("m0", "m1") if minimize else ("m1", "m0")
    assert f"{better} than {worse} (n = 1 to 20)" in " ".join(section.headline)
    assert set(section.tables[0].frame["apart_95"]) <= {better, ""}


def test_three_groups_have_three_pairs_and_one_correction():
    _, section = made(drawn([12, 12, 12], gap=0.02))
    frame = section.tables[0].frame
    assert len(frame.drop_duplicates(["a", "b"])) == 3
    assert f"over all {len(frame)} rows" in text(section)


def test_ties_and_groups_left_out_are_said():
    table = runs(*(run(k, 0.5 + (k % 20 + k // 40) / 100, group=f"g{k % 20}") for k in range(80)))
    section = made(table)[1]
    frame = section.tables[0].frame
    assert len({*frame["a"], *frame["b"]}) == MOST_COMPARED
    assert "2 of 4 scores repeat another" in text(section)
    assert f"{20 - MOST_COMPARED} of 20 groups" in text(section)


def test_a_group_without_scores_is_nothing_to_compare_with():
    _, section = made(runs(run(1, 0.5, group="x"), run(2, status="FAILED", group="y")))
    assert "nothing to compare" in text(section)
    assert section.tables == section.plates == ()


def test_single_runs_have_no_figure():
    _, section = made(runs(run(1, 0.5, group="x"), run(2, 0.6, group="y")))
    assert section.plates == ()
    assert section.tables[0].frame["p"].tolist() == [1.0]


def test_it_stands_in_the_report_in_every_format(tmp_path):
    comparison, _ = made(drawn([30, 30], gap=0.05))
    asked = Question("metrics.acc", None, "params.model", "sqlite:///mlflow.db", ("search",))
    render_runs_report(comparison, asked, pairs_of(comparison), FORMATS, tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert "Is one group better than another?" in page
    assert (tmp_path / "figures" / "difference.svg").is_file()
    assert (tmp_path / "report-tables" / "pairs.csv").read_text().startswith("a,b,budget")
