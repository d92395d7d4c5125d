"""From stored logits to the tables about leaving early, for trials at rest; what is lacking is said."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from told import tells

from greenexp.errors import StateError
from greenexp.records.at_rest import LogitsNames, logits_at_rest
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.exit_tables import ExitTables
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.policies import with_added
from greenexp.records.replayed import lacking_points, replay_remarks, replayed_tables, with_replayed_points
from greenexp.records.tables import REPLAYED, TrialFacts, typed_frame
from greenexp.replay import ExitCosts, operating_points
from greenexp.replay.exit_tables import exit_tables, logged_points
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.replay.policy_points import POINTS, empty_points
from greenexp.replay.standing import StandingLogits, read_standing

POLICIES = ["max_probability", {"name": "entropy", "normalised": True}, "patience", "oracle"]
COSTS = ExitCosts([2, 4], [3, 4, 5], [[3, 4, 5], [6, 8, 10]], [[3, 4, 5], [7, 9, 11]])


def stored(classes: int = 2, costs: bool = True, seed: int = 0, examples: int = 40) -> StoredLogits:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 6, examples)
    labels = rng.integers(0, classes, examples) if classes > 1 else rng.normal(size=examples).astype(np.float32)
    logits = rng.normal(size=(2, examples, classes))
    return StoredLogits.of(logits, labels, lengths, [1, 3], COSTS if costs else None)


def both(**how: Any) -> StandingLogits:
    return StandingLogits(stored(**how), stored(**{"seed": 9, "examples": 30, **how}))


def record(epoch: int, score: float, best: float, logits: str | None) -> EpochRecord:
    return EpochRecord(
        epoch=epoch, step=epoch, examples=8, train_loss=1.0, learning_rate=1e-3, score=score, best_score=best,
        exits=(ExitScore(1, 2, {"accuracy": score}, 4.0),), costs=Costs(1.0), dev_logits=logits,
    )  # fmt: skip


def trial(name: str, status: str = "finished") -> TrialFacts:
    return TrialFacts(name, name[:4], 0, "f", 0, 0, 3, {}, status, "", 1, 0.0, started=True)


class TestFiles:
    def test_costs_survive(self, tmp_path: Path) -> None:
        made = stored()
        found = read_logits(tmp_path, write_logits(tmp_path, made))
        assert found.costs is not None
        assert made.costs is not None
        for name in ("layers", "lengths", "static_flops", "dynamic_flops"):
            assert np.array_equal(getattr(found.costs, name), getattr(made.costs, name))
        assert found.record.numbers.tolist() == [1, 3]

    def test_logits_without_costs_can_be_read(self, tmp_path: Path) -> None:
        assert read_logits(tmp_path, write_logits(tmp_path, stored(costs=False))).costs is None

    def test_a_file_of_another_version_is_named(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "x.npz", logits=np.zeros((1, 1, 2)))
        content = (tmp_path / "x.npz").read_bytes()
        name = hashlib.sha256(content).hexdigest()
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(StateError, match="cannot be understood"):
            read_logits(tmp_path, name)

    def test_what_is_absent_or_damaged_is_a_problem_and_names_no_folder(self, tmp_path: Path) -> None:
        dev, test = write_logits(tmp_path, stored()), write_logits(tmp_path, stored(seed=1))
        assert read_standing(tmp_path, LogitsNames(dev, test)).problems == ()
        (tmp_path / f"{test}.npz").write_bytes(b"no")
        found = read_standing(tmp_path, LogitsNames(dev, test))
        assert found.dev is not None
        assert found.test is None
        assert found.problems == (f"test logits {test[:16]} are damaged, or of another version",)
        (tmp_path / f"{dev}.npz").unlink()
        gone = read_standing(tmp_path, LogitsNames(dev, test))
        assert (gone.dev, gone.test, gone.problems) == (None, None, ("dev logits are not at hand",))


class TestStanding:
    def test_only_a_trial_at_rest_has_logits_that_stand(self) -> None:
        records = {1: record(1, 0.5, 0.5, "a"), 2: record(2, 0.7, 0.7, "b"), 3: record(3, 0.6, 0.7, None)}
        at_rest = {"finished", "stopped", "failed", "interrupted"}
        for status in ("planned", "running", "paused", *at_rest):
            assert logits_at_rest(status, records) == (LogitsNames("b") if status in at_rest else None)
        assert logits_at_rest("failed", {}) is None
        assert logits_at_rest("finished", {1: record(1, 0.5, 0.5, None)}) is None

    def test_test_logits_are_those_of_the_last_evaluation_of_the_same_epoch(self) -> None:
        records = {1: record(1, 0.5, 0.5, "a"), 2: record(2, 0.7, 0.7, "b")}
        made = [HeldOutRecord(epoch, 9, 0.5, (), logits) for epoch, logits in ((2, "x"), (2, "y"), (1, "z"), (2, None))]
        assert logits_at_rest("finished", records, made) == LogitsNames("b", "y")
        assert logits_at_rest("finished", records, made[2:]) == LogitsNames("b")


class TestTables:
    def test_points_are_the_replay_of_the_logits(self) -> None:
        made = stored()
        found = exit_tables(StandingLogits(made), POLICIES, "accuracy")
        assert found.remarks == ()
        parts = [operating_points(made.record, policy, COSTS) for policy in POLICIES]
        expected = pd.concat(parts, ignore_index=True).rename(columns={"accuracy": "score"})
        pd.testing.assert_frame_equal(found.points, expected[list(POINTS)])
        assert found.points["policy"].unique().tolist() == [
            "max_probability", "entropy:normalised=true", "patience", "oracle"
        ]  # fmt: skip

    def test_every_table_has_the_columns_of_its_schema(self) -> None:
        found = exit_tables(both(), POLICIES, "accuracy")
        assert found.remarks == ()
        assert set(found.tables) == set(REPLAYED)
        tables = replayed_tables([trial("c000-a")], {"c000-a": found})
        for name, frame in tables.items():
            assert frame.dtypes.astype(str).to_dict() == typed_frame(name, ()).dtypes.astype(str).to_dict()
            assert len(frame) == len(found.tables[name])
        shares = tables["exit_profiles"].groupby(["policy", "threshold"])["share"].sum()
        assert shares.to_numpy() == pytest.approx(1)
        assert set(tables["calibration"]["split"]) == {"dev", "test"}
        assert tables["calibration"].groupby("exit")["layer"].first().to_dict() == {1: 2, 3: 4}
        assert "oracle" not in set(tables["thresholds_on_test"]["policy"])
        assert "static" in set(tables["thresholds_on_test"]["policy"])

    def test_without_test_logits_there_are_no_rows_on_test(self) -> None:
        found = exit_tables(StandingLogits(stored()), POLICIES, "accuracy")
        assert set(REPLAYED) - set(found.tables) == {"thresholds_on_test"}
        assert set(found.tables["calibration"]["split"]) == {"dev"}

    def test_test_logits_without_costs_give_scores_and_speed_ups_but_no_flops(self) -> None:
        dev, test = both().dev, stored(costs=False, seed=9, examples=30)
        found = exit_tables(StandingLogits(dev, test), POLICIES, "accuracy")
        whole = exit_tables(both(), POLICIES, "accuracy").tables["thresholds_on_test"]
        rows = found.tables["thresholds_on_test"]
        assert rows["test_inference_flops"].isna().all(), "not known is NaN, never 0"
        pd.testing.assert_frame_equal(
            rows.drop(columns="test_inference_flops"), whole.drop(columns="test_inference_flops")
        )
        assert found.remarks == ("test logits were stored without costs: their FLOPs are not known",)

    def test_test_logits_of_other_exits_are_left_out(self) -> None:
        test = dataclasses.replace(stored(seed=9), exits=np.array([1, 2], dtype=np.int32))
        found = exit_tables(StandingLogits(stored(), test), POLICIES, "accuracy")
        assert found.remarks == ("test logits are of other exits or classes than dev logits",)
        assert "thresholds_on_test" not in found.tables

    def test_regression_has_points_and_profiles_but_no_calibration(self) -> None:
        policies = ["max_probability", {"name": "patience", "tolerance": 0.5}]
        found = exit_tables(both(classes=1), policies, "pearson")
        assert {label.partition(":")[0] for label in found.points["policy"]} == {"patience"}
        assert any("max_probability" in remark for remark in found.remarks)
        assert {"calibration", "reliability", "overthinking"}.isdisjoint(found.tables)
        assert "exit_profiles" in found.tables

    @pytest.mark.parametrize(("examples", "remarks"), [(40, 0), (300, 1)])
    def test_that_settings_on_numbers_are_a_grid_is_said(self, examples: int, remarks: int) -> None:
        rng, costs = np.random.default_rng(0), ExitCosts([1, 2, 3], [4], [[1], [2], [3]], [[1], [2], [3]])
        numbers = rng.normal(size=(3, examples, 1))
        made = StoredLogits.of(numbers, numbers[2, :, 0], np.full(examples, 4), [1, 2, 3], costs)
        found = exit_tables(StandingLogits(made), ["patience:patience=1"], "pearson")
        assert len([remark for remark in found.remarks if "200 settings" in remark]) == remarks

    @pytest.mark.parametrize("metric", ["f1", "macro_f1", "matthews"])
    def test_metrics_of_classes_are_replayed(self, metric: str) -> None:
        made = stored()
        found = exit_tables(StandingLogits(made), ["max_probability"], metric)
        expected = operating_points(made.record, "max_probability", COSTS, metric)[metric]
        assert np.array_equal(found.points["score"], expected, equal_nan=True)

    def test_a_metric_that_cannot_be_replayed_leaves_what_needs_none(self) -> None:
        found = exit_tables(both(), POLICIES, "loss")
        assert len(found.points) == 0
        assert any("loss" in remark for remark in found.remarks)
        assert set(REPLAYED) - set(found.tables) == {"thresholds_on_test"}

    @pytest.mark.parametrize(
        "policy",
        [
            "learned",
            "of-a-package-that-is-gone",
            {"name": "entropy", "option": 1},
            {"name": "patience", "patience": -1},
        ],
    )
    def test_a_policy_that_cannot_be_applied_costs_its_own_rows_alone(self, policy: Any) -> None:
        with_it = exit_tables(both(), [policy, "max_probability"], "accuracy")
        without = exit_tables(both(), ["max_probability"], "accuracy")
        assert len(with_it.remarks) == 1
        assert (policy if isinstance(policy, str) else policy["name"]) in with_it.remarks[0]
        pd.testing.assert_frame_equal(with_it.points, without.points)
        for name in REPLAYED:
            pd.testing.assert_frame_equal(with_it.tables[name], without.tables[name])

    def test_a_package_that_breaks_costs_its_own_rows_alone(self) -> None:
        class Broken:
            parameter = "threshold"
            evaluates_all = True

            def taken(self, record: Any) -> Any:
                raise ZeroDivisionError("oops")

            staircase = answers = taken

        found = exit_tables(both(), [Broken(), "patience"], "accuracy")
        assert len(found.remarks) == 1
        assert "ZeroDivisionError: oops" in found.remarks[0]
        assert set(found.points["policy"]) == {"patience"}

    def test_the_same_policy_given_twice_is_there_once(self) -> None:
        twice = exit_tables(both(), ["patience", {"name": "patience", "threshold": 7}, "static"], "accuracy")
        once = exit_tables(both(), ["patience"], "accuracy")
        pd.testing.assert_frame_equal(twice.points, once.points)

    @pytest.mark.parametrize(("dev", "words"), [(None, "not at hand"), (stored(costs=False), "without the costs")])
    def test_where_there_is_nothing_to_replay_it_is_said(self, dev: StoredLogits | None, words: str) -> None:
        problems = ("dev logits are not at hand",) if dev is None else ()
        found = exit_tables(StandingLogits(dev, None, problems), POLICIES, "accuracy")
        assert len(found.points) == len(found.tables) == 0
        assert words in found.remarks[0]

    def test_points_that_were_logged_serve_without_logits(self) -> None:
        points = exit_tables(both(), POLICIES, "accuracy").points
        found = logged_points(points.assign(other=1), "accuracy", ["gone"])
        pd.testing.assert_frame_equal(found.points, points)
        assert found.remarks == ("operating points alone, as they were logged: gone",)
        with pytest.raises(ValueError, match="lacks score"):
            logged_points(points.drop(columns="score"), "accuracy", ())


def static_points() -> pd.DataFrame:
    rows = [
        {"trial": trial, "configuration": trial[:4], "epoch": epoch, "policy": "static", "threshold": 1.0, "score": 0.5,
         "inference_flops": 4.0, "mean_layers": 2.0, "speed_up": 2.0}
        for trial, epoch in (("c000-a", 3), ("c001-a", 5))
    ]  # fmt: skip
    return typed_frame("operating_points", rows)


def test_points_follow_the_static_points_of_their_trial() -> None:
    static, found = static_points(), exit_tables(StandingLogits(stored()), ["max_probability"], "accuracy")
    table = with_replayed_points(static, {"c000-a": found})
    assert table["policy"].tolist() == ["static", *["max_probability"] * len(found.points), "static"]
    assert table.dtypes.equals(static.dtypes)
    assert set(table.loc[table["policy"] == "max_probability", "epoch"]) == {3}
    assert set(table.loc[table["policy"] == "max_probability", "configuration"]) == {"c000"}
    pd.testing.assert_frame_equal(with_replayed_points(static, {}), static)


def test_why_there_are_static_points_alone_is_said() -> None:
    trials = [trial(name, status) for name, status in
              (("a", "finished"), ("b", "running"), ("c", "planned"), ("d", "failed"))]  # fmt: skip
    whole = exit_tables(StandingLogits(stored()), ["patience"], "accuracy")
    absent = ExitTables(empty_points(), {}, ("dev logits are not at hand",))
    assert lacking_points(trials, {"a", "b", "d"}, dict.fromkeys("abd", whole)) == ""
    assert lacking_points(trials, set(), {}) == ""
    told = lacking_points(trials, {"a", "b", "d"}, {"a": whole, "d": absent})
    assert tells(told, "2 of 3 trials … 1 … 1 dev logits")
    assert replay_remarks({"a": whole, "d": absent}) == [], "said already"
    broken = dataclasses.replace(whole, remarks=("policy x: no",))
    assert replay_remarks({"a": whole, "b": broken, "c": broken}) == ["2 of 3 trials: policy x: no"]


def test_policies_of_a_sweep() -> None:
    written = [{"name": "patience"}, {"name": "entropy", "normalised": True}]
    assert with_added(written, ["voting", "patience", "voting"]) == ("patience", written[1], "voting")
    assert with_added([], []) == ()
