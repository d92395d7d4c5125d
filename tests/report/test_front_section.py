"""The section on score against FLOPs: all operating points, honest about where thresholds come from, and small."""

from __future__ import annotations

import dataclasses
import io

import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.records.tables import SweepTables, TableRemarks
from greenexp.report import render_report, report_sections
from greenexp.report.section import Section
from greenexp.report.sections.front import MOST_SHOWN


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return with_thresholds(sweep(3, 2))


def section_of(tables: SweepTables, name: str = "front") -> Section:
    return report_sections(tables, [name])[0]


def test_the_front_is_over_all_points_of_all_trials(tables: SweepTables) -> None:
    points, front = tables.operating_points, section_of(tables).tables[0].frame
    assert {"static", "max_probability"} >= set(front["policy"])
    assert "max_probability" in set(front["policy"])
    for _, one in front.iloc[:: max(1, len(front) // 9)].iterrows():
        better = (points["inference_flops"] <= one["inference_flops"]) & (points["score"] >= one["score"])
        strictly = (points["inference_flops"] < one["inference_flops"]) | (points["score"] > one["score"])
        assert not (better & strictly).any()
    assert f"of {len(points):,} are on the Pareto front" in section_of(tables).headline[0]


def test_a_threshold_says_that_it_was_chosen_on_dev(tables: SweepTables) -> None:
    front, short = section_of(tables), section_of(tables, "headline")
    assert "times cheaper, with the setting chosen on the same dev set." in front.headline[1]
    assert any("settings chosen on the same dev set" in sentence for sentence in short.headline)
    assert any("it is optimistic" in note for note in front.assumptions)
    assert any("nothing was timed" in note for note in front.assumptions)


def test_what_leaving_early_saves_can_be_found_in_the_table(tables: SweepTables) -> None:
    points = tables.operating_points
    alone, early = points[points["policy"] == "static"], points[points["policy"] != "static"]
    best = alone.loc[alone["score"] == alone["score"].max()].sort_values("inference_flops").iloc[0]
    cheap = early.loc[early["score"] >= best["score"], "inference_flops"].min()
    assert f"{best['inference_flops'] / cheap:.2f} times cheaper" in section_of(tables).headline[1]


def test_where_thresholds_gain_nothing_it_is_said(tables: SweepTables) -> None:
    points = tables.operating_points
    worse = points.assign(score=points["score"].where(points["policy"] == "static", 0.1))
    headline = section_of(dataclasses.replace(tables, operating_points=worse)).headline[1]
    assert headline.endswith("no exit policy of any trial reaches that score for less.")


def test_without_thresholds_the_reason_is_given() -> None:
    section = section_of(sweep(2, 1))
    assert len(section.headline) == 1
    assert any("2 of 2 trials have static points alone" in note for note in section.assumptions)
    assert not any("Probability" in note for note in section.assumptions)


def test_what_replay_left_out_is_said(tables: SweepTables) -> None:
    lacking = dataclasses.replace(tables, remarks=TableRemarks(replay=("6 of 6 trials: not every setting",)))
    assert "Remark: 6 of 6 trials: not every setting." in section_of(lacking).assumptions


def test_the_table_is_thinned_for_reading_and_whole_as_csv(tables: SweepTables) -> None:
    table = section_of(tables).tables[0]
    whole = operating_front(tables)
    assert len(pd.read_csv(io.StringIO(table.csv()))) == whole["on_front"].sum() > MOST_SHOWN
    cells = table.cells()
    assert len(cells) == MOST_SHOWN
    assert cells[0][2] == f"{table.frame['score'].iloc[0]:.4f}"
    assert cells[-1][2] == f"{table.frame['score'].iloc[-1]:.4f}"
    assert table.note.startswith(f"{MOST_SHOWN} of {len(table.frame)} points")


def test_a_setting_reads_as_one_would_say_it(tables: SweepTables) -> None:
    settings = section_of(tables).plates[0].table.frame.set_index("policy")["setting"]
    assert settings["static"].str.fullmatch(r"exit \d+").all()
    assert settings["max_probability"].str.match(r"probability ≥ [01]\.\d+|probability ≥ 1$|the last exit").all()


def test_what_is_not_drawn_is_counted(tables: SweepTables) -> None:
    section = section_of(tables)
    drawn, known = len(section.plates[0].figure.table), len(tables.operating_points)
    assert drawn < known
    front = len(section.tables[0].frame)
    assert f"all {front:,} points of the front, and of the {known - front:,} others {drawn - front:,}" in " ".join(
        section.paragraphs
    )


@pytest.mark.slow
def test_a_hundred_trials_of_two_thousand_points_stay_below_three_megabytes(tmp_path) -> None:
    tables = with_thresholds(sweep(50, 2, exits=12, epochs=1), examples=600, points_alone=True)
    assert len(tables.operating_points) > 100 * 2000
    (page,) = render_report(tables, ["html"], tmp_path)
    assert page.stat().st_size < 3_000_000
