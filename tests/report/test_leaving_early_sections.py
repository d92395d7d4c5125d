"""The sections about leaving early: what they say follows from the tables, and where there is nothing they say why."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp.records.tables import SweepTables, TableRemarks, typed_frame
from greenexp.report import render_report, report_sections
from greenexp.report.section import Section
from greenexp.report.sections import calibration, confusion, exit_profile, front, headline, overthinking, policies
from greenexp.report.sections.settings import setting, settings

POLICIES = ("max_probability", "entropy", "patience", "voting", "oracle")
NAMES = ("policies", "exit-profiles", "overthinking", "confusion", "calibration")


MAKERS = {
    "headline": headline, "front": front, "policies": policies, "exit-profiles": exit_profile,
    "overthinking": overthinking, "confusion": confusion, "calibration": calibration,
}  # fmt: skip


def section_of(tables: SweepTables, name: str) -> Section:
    return MAKERS[name].section(tables)


def text(tables: SweepTables, name: str) -> str:
    section = section_of(tables, name)
    return " ".join([*section.headline, *section.paragraphs, *section.assumptions])


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return with_thresholds(sweep(3, 2, exits=4), examples=300, policies=POLICIES, test=True)


@pytest.fixture(scope="module")
def sections(tables: SweepTables) -> dict[str, Section]:
    found = {section.name: section for section in report_sections(tables, MAKERS)}
    assert set(MAKERS) == set(found)
    return found


# --- policies


def test_dev_and_test_are_told_apart_in_the_table(sections: dict[str, Section], tables: SweepTables) -> None:
    (table,) = sections["policies"].tables
    titles = {column.name: column.title for column in table.columns}
    assert all(title.startswith("DEV") for name, title in titles.items() if name.startswith("dev_"))
    assert all(title.startswith("TEST") for name, title in titles.items() if name.startswith("test_"))
    assert titles["setting"] == "Setting chosen on DEV"
    rows = tables.thresholds_on_test
    own = rows[(rows["configuration"] == "c002") & (rows["policy"] == "patience") & (rows["target"] == 1.5)]
    shown = table.frame[(table.frame["policy"] == "patience") & (table.frame["target"] == 1.5)].iloc[0]
    assert shown["dev_mean"] == pytest.approx(own["dev_score"].mean())
    assert shown["test_mean"] == pytest.approx(own["test_score"].mean())


def test_the_drop_from_dev_to_test_is_the_tables(sections: dict[str, Section]) -> None:
    said, frame = sections["policies"].headline[1], sections["policies"].tables[0].frame
    drop = frame["dev_mean"] - frame["test_mean"]
    assert f"Over the {len(frame)} rows of the table" in said
    assert f"{abs(drop.mean()):.4f} {'worse' if drop.mean() >= 0 else 'better'} than on dev" in said
    assert f"(from {-drop.max():+.4f} to {-drop.min():+.4f}, positive is better)" in said


def test_the_best_policy_on_dev_is_the_one_that_goes_to_test(sections: dict[str, Section]) -> None:
    first, second = sections["policies"].headline[:2]
    name = re.search(r"dev accuracy: (\w+) [\d.]+ ±", first)
    assert name is not None
    assert f": {name[1]} goes from " in second
    assert "At a speed-up of at least 2.00 on dev" in first


def test_without_test_logits_nothing_is_said_about_test() -> None:
    dev_only = with_thresholds(sweep(2, 2), policies=("patience", "entropy"))
    section = section_of(dev_only, "policies")
    assert "The test set was not evaluated, so thresholds are reported on the dev set" in section.headline[1]
    (table,) = section.tables
    assert table.title == "Chosen and reported on DEV"
    assert not any("TEST" in column.title for column in table.columns)
    assert "all numbers are on the dev set that fitted the temperatures" in text(dev_only, "calibration")
    assert "Reliability" in section_of(dev_only, "calibration").plates[0].figure.title


def test_speed_up_is_named_and_wall_clock_is_not_made_up(tables: SweepTables) -> None:
    said = text(tables, "policies")
    assert "Speed-up here is layers / mean layers used, and FLOPs are analytic" in said
    assert "wall clock was not measured for this report" in said


def test_the_oracle_is_chosen_nowhere(tables: SweepTables, sections: dict[str, Section]) -> None:
    assert "oracle" not in set(sections["front"].tables[0].frame["policy"])
    assert "oracle" not in set(sections["front"].plates[0].table.frame["policy"])
    assert "oracle" not in set(sections["policies"].tables[0].frame["policy"])
    assert "oracle" not in set(sections["exit-profiles"].plates[0].table.frame["policy"])
    assert not any("oracle" in sentence for sentence in sections["headline"].headline)
    assert "It takes no part here." in text(tables, "front")
    assert "a bound on the accuracy of these exits, not a policy" in text(tables, "policies")
    alone = with_thresholds(sweep(2, 1), policies=("max_probability",))
    assert "oracle" not in text(alone, "front") + text(alone, "policies")


def test_the_front_lists_what_two_policies_do_alike_once(sections: dict[str, Section]) -> None:
    front = sections["front"].tables[0].frame
    assert not front.duplicated(["trial", "score", "inference_flops", "mean_layers"]).any()
    assert "entropy" not in set(front["policy"])  # with two classes it does what max_probability does
    assert any("several policies" in note for note in sections["front"].assumptions)


def test_policies_that_are_the_same_are_said_to_be(tables: SweepTables) -> None:
    assert "The lines of max_probability and entropy coincide." in text(tables, "policies")
    three = with_thresholds(sweep(2, 1), policies=("max_probability", "entropy"), classes=3)
    assert "coincide" not in text(three, "policies")


# --- profiles, overthinking, calibration


def test_the_profile_in_words_is_a_row_of_the_table(sections: dict[str, Section]) -> None:
    section = sections["exit-profiles"]
    shares = [float(share) for share in re.findall(r"([\d.]+) % at exit", section.headline[0])]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    frame = section.plates[0].table.frame
    at = re.search(r"a speed-up of ([\d.]+),", section.headline[0])
    assert at is not None
    near = frame[(frame["speed_up"] - float(at[1])).abs() < 0.005]
    assert near["share"].max() * 100 == pytest.approx(max(shares), abs=0.06)


def test_overthinking_in_words_is_in_the_table(sections: dict[str, Section]) -> None:
    seeds = sections["overthinking"].tables[0].frame
    assert (
        f"{100 * seeds['overthought_of_wrong'].mean():.1f} % of the dev examples"
        in sections["overthinking"].headline[0]
    )
    assert f"{seeds['oracle_right'].mean():.4f} ±" in sections["overthinking"].headline[1]
    # right somewhere = right at the last exit, or overthought
    total = seeds["last_right"] + seeds["overthought"]
    assert total.tolist() == pytest.approx(seeds["oracle_right"].tolist())


def test_confusion_in_words_is_in_its_tables(sections: dict[str, Section]) -> None:
    section = sections["confusion"]
    parts, seeds = section.plates[0].table.frame, section.tables[0].frame
    said = section.headline[0]
    assert f"{100 * parts['wrong'].iloc[0]:.1f} % of the least confused" in said
    assert f"{100 * parts['wrong'].iloc[-1]:.1f} % of the most confused" in said
    assert f"{seeds['area'].mean():.4f} ±" in said
    assert parts["wrong"].mean() == pytest.approx(seeds["wrong"].mean())  # tenths of 300 examples are equal


def test_a_temperature_without_a_minimum_is_flagged(tables: SweepTables) -> None:
    rows = tables.calibration
    first = (rows["trial"] == "c002-i0-o0") & (rows["exit"] == 1) & (rows["split"] == "dev")
    marked = dataclasses.replace(tables, calibration=rows.assign(remark=rows["remark"].mask(first, "lower bound 0.01")))
    assert "Exit 1, dev, 1 of 2 seeds: lower bound 0.01." in text(marked, "calibration")
    assert "lower bound" not in text(tables, "calibration")


def test_calibration_reports_test_where_there_is_one(sections: dict[str, Section]) -> None:
    section = sections["calibration"]
    assert "fitted on dev, applied to test" in section.headline[0]
    summary = section.tables[0].frame
    test = summary[summary["split"] == "test"]
    assert f"from {test['nll_before'].mean():.4f} to {test['nll_after'].mean():.4f} nats" in section.headline[0]
    assert set(section.plates[0].table.frame["split"]) == {"test"}


# --- nothing to show


def failing(tables: SweepTables) -> SweepTables:
    return with_thresholds(tables, policies=POLICIES)


NOTHING = {
    "nothing replayed": (lambda: sweep(2, 2), "there are no stored dev logits"),
    "nothing reported": (lambda: sweep(2, 1, ends={"c000": ("planned", 0), "c001": ("planned", 0)}), "has a score yet"),
    "all failed": (
        lambda: failing(sweep(2, 1, ends={"c000": ("failed", 0), "c001": ("failed", 4)})), "has a score yet",
    ),
    "other trials alone": (
        lambda: with_thresholds(sweep(2, 1), policies=POLICIES, only=["c000-i0-o0"]), "for the seeds of c001 there",
    ),
    "one exit": (lambda: with_thresholds(sweep(2, 2, exits=1), policies=POLICIES), "Only one exit was trained"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_one_sentence_says_why(name: str, tmp_path) -> None:
    make, words = NOTHING[name]
    tables = make()
    for section in (section_of(tables, name) for name in NAMES):
        if name == "one exit" and section.name == "calibration":
            continue  # one exit can be calibrated
        assert len(section.headline) == 1
        assert words in section.headline[0]
        assert not section.plates
        assert not section.tables
    if name == "other trials alone":
        assert render_report(tables, ["html", "tex", "md"], tmp_path)


def test_the_recorded_reason_is_given() -> None:
    why = "2 of 2 trials have static points alone: 2 without dev logits at hand"
    tables = sweep(2, 1)
    tables = dataclasses.replace(tables, remarks=TableRemarks(operating_points=why))
    for name in NAMES:
        assert f"({why})." in text(tables, name)


def test_regression_has_curves_and_no_classes(tmp_path) -> None:
    tables = with_thresholds(
        sweep(2, 2, exits=6, metric={"name": "pearson"}), policies=("patience", "max_probability"), classes=1
    )
    assert "dev pearson: patience" in text(tables, "policies")
    assert "No overthinking: " in text(tables, "overthinking")
    assert "No calibration: " in text(tables, "calibration")
    settings_shown = section_of(tables, "exit-profiles").plates[0].table.frame["setting"]
    assert settings_shown.str.startswith("patience 3 within ").all()
    assert render_report(tables, ["html"], tmp_path)


def test_policies_that_let_nobody_leave_are_no_curve() -> None:
    tables = with_thresholds(sweep(2, 1, metric={"name": "pearson"}), policies=("patience",), classes=1)
    assert "with none of the policies replayed (patience:patience=3) does an example leave early" in text(
        tables, "policies"
    )
    assert "patience" in text(tables, "exit-profiles")


def below_an_untrained_exit(tables: SweepTables) -> SweepTables:
    """The same of an encoder of twice as many layers, whose upper half has no trained exit."""
    points = tables.operating_points
    return dataclasses.replace(tables, operating_points=points.assign(speed_up=2 * points["speed_up"]))


def test_an_encoder_may_reach_above_its_last_trained_exit(tables: SweepTables) -> None:
    assert re.search(r"Used alone, the last exit [\d.]+ at 1.00×", text(tables, "policies"))
    assert re.search(r"Used alone, the last exit [\d.]+ at 2.00×", text(below_an_untrained_exit(tables), "policies"))
    kept = with_thresholds(sweep(2, 1, metric={"name": "pearson"}), policies=("patience",), classes=1)
    assert "does an example leave early" in text(below_an_untrained_exit(kept), "policies")


def test_of_a_running_sweep_the_best_trial_is_shown_alone() -> None:
    ends = {"c000-i1-o0": ("interrupted", 2), "c001": ("running", 3)}
    tables = with_thresholds(sweep(2, 2, ends=ends), policies=POLICIES)
    assert "as no configuration has ended with a score from all its seeds" in text(tables, "policies")
    assert "1 seed, so no spread" in text(tables, "policies")


def test_seeds_without_logits_are_counted() -> None:
    tables = with_thresholds(sweep(2, 3), policies=POLICIES, only=["c001-i0-o0", "c001-i2-o0"])
    assert "About 2 of the 3 seeds of c001" in text(tables, "overthinking").replace("Over", "About")


def test_more_classes_and_options_are_worded() -> None:
    more = ({"name": "entropy", "normalised": True}, {"name": "max_probability", "unsure": "most_confident"})
    tables = with_thresholds(sweep(2, 2, exits=6), policies=(*POLICIES, *more), classes=3)
    assert "entropy:normalised=true" in text(tables, "policies")
    section = section_of(tables, "exit-profiles")
    assert "not drawn: " in " ".join(section.paragraphs)
    assert section.plates[0].table.frame["policy"].nunique() == 4


def test_every_plate_has_its_numbers_and_every_section_stays_small(tables: SweepTables, tmp_path) -> None:
    for name in NAMES:
        for plate in section_of(tables, name).plates:
            assert len(plate.table.frame)
            assert plate.table.csv().count("\n") == len(plate.table.frame) + 1
    (page,) = render_report(tables, ["html"], tmp_path)
    assert page.stat().st_size < 3_000_000


# --- words


@pytest.mark.parametrize(
    ("policy", "threshold", "said"),
    [
        ("static", 3.0, "exit 3"),
        ("max_probability", 0.9312, "probability ≥ 0.9312"),
        ("max_probability", 2.0, "the last exit, all evaluated"),
        ("max_probability:comparator=>", 0.5, "probability > 0.5"),
        ("max_probability:unsure=most_confident", 2.0, "the most confident exit, all evaluated"),
        ("max_probability:unsure=most_confident", 0.9, "probability ≥ 0.9, else the most confident exit"),
        ("entropy", 0.3, "entropy < 0.3 nats"),
        ("entropy", -1.0, "the last exit, all evaluated"),
        ("entropy:normalised=true,comparator=<=", 0.3, "entropy / ln K ≤ 0.3"),
        ("entropy:1=0.2,3=0.4", float("nan"), "entropy:1=0.2,3=0.4"),
        ("patience", 3.0, "patience 3"),
        ("patience:tolerance=0.5", 3.0, "patience 3 within 0.5"),
        ("patience:patience=6", 0.25, "patience 6 within 0.25"),
        ("voting", 1.5, "vote score ≥ 1.5"),
        ("voting:exponent=0.7", 1.5, "vote score ≥ 1.5 (exponent=0.7)"),
        ("learned", 0.2, "learned P(wrong) < 0.2"),
        ("learned", -1.0, "the last exit, all evaluated"),
        ("oracle", float("nan"), "oracle"),
        ("oracle:never_right=first", float("nan"), "oracle:never_right=first"),
        ("of_a_package:depth=2", 7.0, "of_a_package 7 (depth=2)"),
    ],
)
def test_a_setting_is_worded(policy: str, threshold: float, said: str) -> None:
    assert setting(policy, threshold) == said


def test_settings_of_seeds_are_a_range() -> None:
    assert settings("max_probability", 0.91, 0.93) == "probability ≥ 0.91 to 0.93"
    assert settings("entropy", 0.2, 0.2) == "entropy < 0.2 nats"
    assert settings("static", 2, 3) == "exit 2 to 3"
    assert settings("max_probability", 0.9, 2.0) == "probability ≥ 0.9 to the last exit, all evaluated"


def test_no_test_rows_without_a_test_split(tables: SweepTables) -> None:
    without = dataclasses.replace(tables, thresholds_on_test=typed_frame("thresholds_on_test", ()))
    assert "TEST" not in "".join(column.title for column in section_of(without, "policies").tables[0].columns)
    assert isinstance(section_of(without, "policies").tables[0].frame, pd.DataFrame)


def test_a_metric_that_is_defined_nowhere_is_the_reason(tables: SweepTables) -> None:
    points = tables.operating_points.assign(score=float("nan"))
    said = text(dataclasses.replace(tables, operating_points=points), "policies")
    assert re.search(r"accuracy is defined at none of their [\d,]+ operating points\.", said)
    assert "no stored dev logits" not in said
