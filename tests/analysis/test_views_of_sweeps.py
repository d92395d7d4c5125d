"""Searched fields on axes, workers over time, sweeps side by side: facts of made-up sweeps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_sweeps import score_of, sweep
from told import tells

from greenexp.analysis.views.compared_sweeps import compared_sweeps
from greenexp.analysis.views.contours import FEWEST, score_contour
from greenexp.analysis.views.parallel import SCORE_FIELD, parallel_coordinates
from greenexp.analysis.views.searched import FieldAxis, field_axes, field_values, settings_texts, short_names
from greenexp.analysis.views.slices import score_slices
from greenexp.analysis.views.timeline import worker_timeline
from greenexp.errors import InputError
from greenexp.records.stints import SessionSpan, Stint
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import PARAMS, SweepTables

METHODS = {"dist": "choice", "values": ["branchynet", "dbt"]}
SPACE: dict[str, Any] = {
    "training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2},
    "method.name": METHODS,
    "method.temperature": {"dist": "uniform", "low": 1.0, "high": 5.0, "when": {"method.name": ["dbt"]}},
    "exits.layers": {"dist": "choice", "values": [[1, 3], "all"]},
}


def searching(tables: SweepTables, columns: dict[str, list[Any]], space: dict[str, Any]) -> SweepTables:
    """The same sweep, each configuration with other values: field -> value per configuration."""
    order = {name: k for k, name in enumerate(dict.fromkeys(tables.trials["configuration"]))}
    places = tables.trials["configuration"].map(order)
    drawn = {PARAMS + field: [values[k] for k in places] for field, values in columns.items()}
    spec = SweepSpec.from_json({**tables.spec.model_dump(mode="json"), "space": space})
    trials = tables.trials.drop(columns=[c for c in tables.trials if str(c).startswith(PARAMS)])
    return dataclasses.replace(tables, trials=trials.assign(**drawn), spec=spec)


@pytest.fixture(scope="module")
def conditional() -> SweepTables:
    columns: dict[str, list[Any]] = {
        "training.learning_rate": [1e-4, 1e-3, 1e-2, 1e-3],
        "method.name": ["branchynet", "dbt", "branchynet", "dbt"],
        "method.temperature": [np.nan, 1.0, np.nan, 4.0],
        "exits.layers": ["[1, 3]", "all", "all", "[1, 3]"],
    }
    return searching(sweep(ends={"c000": ("stopped", 1)}), columns, SPACE)


def test_positions_are_on_the_scale_of_the_space(conditional: SweepTables) -> None:
    points = parallel_coordinates(conditional)["points"].sort_values("configuration")
    at = {field: own["position"].tolist() for field, own in points.groupby("field")}
    assert at["training.learning_rate"] == pytest.approx([0, 0.5, 1, 0.5])
    assert at["method.name"] == [0, 1, 0, 1]
    assert at["method.temperature"] == pytest.approx([np.nan, 0, np.nan, 0.75], nan_ok=True)
    assert at["exits.layers"] == [0, 1, 1, 0]
    means = _means()
    low, high = min(means), max(means)
    assert at[SCORE_FIELD] == pytest.approx([(mean - low) / (high - low) for mean in means])


def _means() -> list[float]:
    epochs = [1, 9, 9, 9]
    return [(score_of(c, 0, epoch) + score_of(c, 1, epoch)) / 2 for c, epoch in enumerate(epochs)]


def test_axes_say_their_kind_and_ends_and_the_score_is_last(conditional: SweepTables) -> None:
    found = parallel_coordinates(conditional)
    axes = found["axes"]
    assert dict(zip(axes["field"], axes["kind"], strict=True)) == {
        "training.learning_rate": "log", "method.name": "category", "method.temperature": "linear",
        "exits.layers": "category", SCORE_FIELD: "linear",
    }  # fmt: skip
    assert axes["categories"].tolist()[3] == ["[1, 3]", "all"]
    assert axes.loc[0, ["low", "high"]].tolist() == [1e-4, 1e-2]
    assert any(tells(note, "method.temperature … gap") for note in found.notes)
    ticks = found["ticks"]
    assert ticks["position"].between(0, 1).all()
    assert ticks.loc[ticks["field"] == "training.learning_rate", "text"].tolist() == ["0.0001", "0.001", "0.01"]


def test_a_field_that_does_not_apply_is_no_setting(conditional: SweepTables) -> None:
    texts = settings_texts(conditional)
    assert texts["c000"] == "learning_rate 0.0001, method branchynet, layers [1, 3]"
    assert "temperature 4" in texts["c003"]
    assert field_values(conditional)["c000"]["exits.layers"] == (1, 3)


def test_listed_points_have_the_axis_of_their_values() -> None:
    columns = {"training.learning_rate": [1e-5, 1e-2, 1e-3, 1e-4], "training.batch_size": [8, 16, 32, 24]}
    tables = searching(sweep(), columns, {})
    kinds = {axis.field: (axis.kind, axis.low, axis.high) for axis in field_axes(tables, field_values(tables))}
    assert kinds == {"training.learning_rate": ("log", 1e-5, 1e-2), "training.batch_size": ("linear", 8, 32)}


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-1.0, 1.0), (0.013, 0.017), (3.0, 3e6)])
@pytest.mark.parametrize("kind", ["linear", "log"])
def test_ticks_lie_on_the_axis_in_order(kind: str, low: float, high: float) -> None:
    if kind == "log" and low <= 0:
        return
    ticks = FieldAxis("f", "f", kind, low, high).ticks()
    assert [at for at, _ in ticks] == sorted(at for at, _ in ticks)
    assert 1 <= len(ticks) <= 12
    assert all(0 <= at <= 1 for at, _ in ticks)


def test_labels_tell_fields_apart() -> None:
    assert short_names(["method.name", "a.rate", "b.rate", "training.epochs"]) == {
        "method.name": "method", "a.rate": "a.rate", "b.rate": "b.rate", "training.epochs": "epochs",
    }  # fmt: skip


def test_a_slice_has_every_trial_that_has_the_field(conditional: SweepTables) -> None:
    points = score_slices(conditional)["points"]
    counts = points["field"].value_counts()
    assert counts["training.learning_rate"] == 8
    assert counts["method.temperature"] == 4
    assert set(points.loc[points["configuration"] == "c000", "kind"]) == {"stopped early"}
    only = score_slices(conditional, ["params.method.name"])
    assert set(only["points"]["field"]) == {"method.name"}
    with pytest.raises(InputError):
        score_slices(conditional, ["method.nam"])


def plane(configurations: int, stopped: int = 0) -> SweepTables:
    """Configurations over two numbers, of which the first `stopped` were stopped early."""
    rng = np.random.default_rng(0)
    space = {
        "training.learning_rate": SPACE["training.learning_rate"],
        "training.warmup": {"dist": "uniform", "low": 0.0, "high": 0.5},
    }
    columns = {
        "training.learning_rate": (10 ** rng.uniform(-4, -2, configurations)).tolist(),
        "training.warmup": rng.uniform(0, 0.5, configurations).tolist(),
    }
    ends = {f"c{c:03d}": ("stopped", 1) for c in range(stopped)}
    return searching(sweep(configurations, 1, ends=ends, epochs=2), columns, space)


def test_a_surface_lies_between_the_scores_of_enough_configurations() -> None:
    found = score_contour(plane(20))
    scores, surface = found["points"]["score"], found["surface"]
    assert len(surface) > 50
    assert surface["score"].between(scores.min() - 1e-9, scores.max() + 1e-9).all()
    assert (surface["x_low"] < surface["x_high"]).all()
    assert found["axes"]["field"].tolist() == ["training.learning_rate", "training.warmup"]


@pytest.mark.parametrize("tables", [plane(FEWEST - 1), plane(20, stopped=12)], ids=["few", "stopped"])
def test_without_enough_full_trainings_points_are_drawn_alone(tables: SweepTables) -> None:
    found = score_contour(tables)
    assert found["surface"].empty
    assert len(found["points"]) == tables.trials["configuration"].nunique()
    assert any(tells(note, f"No surface … {FEWEST}") for note in found.notes)


def test_configurations_on_one_line_have_no_surface() -> None:
    values = np.linspace(0.01, 0.5, 15)
    space = {"training.warmup": {"dist": "uniform", "low": 0.0, "high": 1.0},
             "training.weight_decay": {"dist": "uniform", "low": 0.0, "high": 1.0}}  # fmt: skip
    columns = {"training.warmup": values.tolist(), "training.weight_decay": values.tolist()}
    found = score_contour(searching(sweep(15, 1, epochs=1), columns, space))
    assert found["surface"].empty
    assert any(tells(note, "one line") for note in found.notes)


def test_a_contour_needs_two_fields(conditional: SweepTables) -> None:
    assert score_contour(sweep()).refusal
    with pytest.raises(InputError):
        score_contour(conditional, x="method.name", y="method.name")
    named = score_contour(conditional, y="method.name")
    assert named["axes"]["field"].tolist() == ["training.learning_rate", "method.name"]


def worked(tables: SweepTables) -> SweepTables:
    """Two trials: one paused and gone on, one that broke off and was repeated in a second session."""
    stints = (
        Stint("c000-i0-o0", 1, 0, 1.0, 5.0, "paused"),
        Stint("c000-i1-o0", 1, 0, 2.0, 9.0, "driver ended"),
        Stint("c000-i0-o0", 1, 1, 5.5, 9.5, "finished"),
        Stint("c000-i1-o0", 2, 0, 21.0, 26.0, "finished"),
    )
    spans = (SessionSpan(1, 0.5, 9.5), SessionSpan(2, 20.0, 27.0, "finished"))
    rows = [
        ("c000-i0-o0", 1, 1, False, 4.5, 3.0), ("c000-i0-o0", 1, 2, False, 9.5, 4.0),
        ("c000-i1-o0", 1, 1, True, 6.0, 3.5), ("c000-i1-o0", 2, 1, False, 26.0, 4.5),
    ]  # fmt: skip
    names = ["trial", "attempt", "epoch", "repeated", "time_s", "wall_s"]
    base = tables.epochs.drop_duplicates("trial").set_index("trial")
    epochs = pd.DataFrame([{**base.loc[row[0]].to_dict(), **dict(zip(names, row, strict=True))} for row in rows])
    epochs = epochs[list(tables.epochs)].astype(tables.epochs.dtypes.to_dict())
    history = dataclasses.replace(tables.history, stints=stints, spans=spans)
    return dataclasses.replace(tables, epochs=epochs, history=history)


def test_workers_hold_one_trial_at_a_time_and_their_time_is_split_into_kinds() -> None:
    found = worker_timeline(worked(sweep(1, 2)))
    stints = found["stints"]
    assert stints["slot"].tolist() == [1, 2, 1, 1]
    segments = found["segments"]
    split = segments.groupby(["trial", "attempt"])["seconds"].sum()
    assert split["c000-i1-o0", 1] == pytest.approx(7.0)
    first = segments[(segments["trial"] == "c000-i1-o0") & (segments["attempt"] == 1)]
    assert list(zip(first["kind"], first["start_s"], first["end_s"], strict=True)) == [
        ("set-up", 2.0, 2.5), ("done again", 2.5, 6.0), ("lost", 6.0, 9.0),
    ]  # fmt: skip
    paused = segments[(segments["trial"] == "c000-i0-o0") & (segments["end_s"] == 5.0)]
    assert paused["kind"].tolist() == ["saving"]
    assert found["sessions"]["end"].tolist() == ["", "finished"]
    assert found["events"]["kind"].tolist() == ["paused", "broke off"]
    share = found["slots"].set_index("slot")["share"]
    assert share[2] == pytest.approx(7.0 / 16.0)


def fused(tables: SweepTables) -> SweepTables:
    """Two seeds that a worker trains as one model, paused and gone on, beside a third that is alone for a while."""
    a, b, c = "c000-i0-o0", "c000-i1-o0", "c000-i2-o0"
    stints = (
        Stint(a, 1, 0, 1.0, 6.0, "paused", (b,)), Stint(b, 1, 0, 1.1, 6.1, "paused", (a,)),
        Stint(c, 1, 0, 2.0, 8.0, "finished"),
        Stint(a, 1, 1, 7.0, 12.0, "finished", (b,)), Stint(b, 1, 1, 7.1, 11.0, "interrupted", (a,)),
        Stint(b, 2, 1, 11.1, 12.0, "finished", (a,)),
    )  # fmt: skip
    names = ["trial", "attempt", "epoch", "time_s", "wall_s", "fused_seeds"]
    rows = [
        (a, 1, 1, 6.0, 2.0, 2), (b, 1, 1, 6.0, 2.0, 2), (c, 1, 1, 8.0, 6.0, pd.NA), (a, 1, 2, 12.0, 2.0, 2),
        (b, 2, 2, 12.0, 0.4, 2),
    ]  # fmt: skip
    base = tables.epochs.drop_duplicates("trial").set_index("trial")
    epochs = pd.DataFrame([{**base.loc[row[0]].to_dict(), **dict(zip(names, row, strict=True))} for row in rows])
    epochs = epochs[list(tables.epochs)].astype(tables.epochs.dtypes.to_dict())
    return dataclasses.replace(tables, epochs=epochs, history=dataclasses.replace(tables.history, stints=stints))


def test_seeds_that_are_trained_as_one_model_have_one_worker_and_equal_parts_of_its_time() -> None:
    found = worker_timeline(fused(sweep(1, 3)))
    stints = found["stints"]
    assert stints["slot"].tolist() == [1, 1, 2, 1, 1, 1], "also where one of them is begun anew in the worker"
    assert stints["seat"].tolist() == [1, 2, 1, 1, 2, 2]
    assert len(found["slots"]) == 2
    first = found["segments"].query("trial == 'c000-i0-o0' and end_s == 6.0").iloc[0]
    assert (first["kind"], first["start_s"], first["seconds"]) == ("training", 2.0, 2.0)
    assert found["slots"]["held_s"].tolist() == pytest.approx([2 * 2.5 + 2.5 + 1.95 + 0.45, 6.0])
    derived = dataclasses.replace(fused(sweep(1, 3)).history, stints=())
    rebuilt = worker_timeline(dataclasses.replace(fused(sweep(1, 3)), history=derived))["stints"]
    assert sorted(rebuilt.loc[rebuilt["trial"] == "c000-i0-o0", "start_s"]) == [2.0, 8.0]


def test_segments_of_a_slot_do_not_overlap() -> None:
    segments = worker_timeline(sweep())["segments"].sort_values(["slot", "start_s"])
    for _, own in segments.groupby("slot"):
        assert (own["start_s"].to_numpy()[1:] >= own["end_s"].to_numpy()[:-1] - 1e-6).all()


def test_without_a_record_stays_are_derived_from_the_reports_and_it_says_so() -> None:
    found = worker_timeline(sweep(1, 2))
    assert len(found["stints"]) == 2
    assert any(tells(note, "not on record … first report") for note in found.notes)
    assert worker_timeline(sweep(1, 1, ends={"c000": ("planned", 0)})).refusal
    (one,) = worker_timeline(sweep(1, 1)).verdict
    assert tells(one, "1 trial held … 1 worker at … 1 time:")


def test_sweeps_that_measure_different_things_are_told_apart() -> None:
    one, same = sweep(), sweep(2, 2)
    other = sweep(metric={"name": "macro_f1"})
    found = compared_sweeps({"one": one, "same": same, "other": other})
    pairs = found["pairs"].set_index(["a", "b"])
    assert pairs["comparable"].to_dict() == {("one", "same"): True, ("one", "other"): False, ("same", "other"): False}
    assert tells(pairs.loc[("one", "other"), "reason"], "metric … accuracy in one … macro_f1 in other")
    rows = found["sweeps"].set_index("sweep")
    assert rows["group"].to_dict() == {"one": 1, "same": 1, "other": 2}
    assert rows.loc["one", ["planned", "chosen", "epochs"]].tolist() == [8, "c002", 72.0]
    assert rows.loc["one", "score_mean"] == pytest.approx((score_of(2, 0, 9) + score_of(2, 1, 9)) / 2)
    assert rows["wall_s"].tolist() == [123.0] * 3
    assert np.isnan(rows.loc["one", "test_mean"])


def test_the_other_direction_is_no_comparison() -> None:
    most, least = sweep(metric={"name": "loss"}), sweep(metric={"name": "loss", "mode": "min"})
    pairs = compared_sweeps({"most": most, "least": least})["pairs"]
    assert not pairs["comparable"].any()
    assert tells(pairs["reason"].iloc[0], "greatest in most … least in least")


def test_the_best_so_far_of_all_is_on_one_axis() -> None:
    found = compared_sweeps({"one": sweep(energy_j=2.0), "dark": sweep()}, axis="energy_j")
    assert set(found["incumbent"]["sweep"]) == {"one"}
    assert found["incumbent"]["cost"].iloc[-1] == pytest.approx(2.0 * 72)
    assert any(tells(note, "dark … energy_j … not measured") for note in found.notes)
    with pytest.raises(InputError):
        compared_sweeps({"one": sweep()}, axis="energy")
    with pytest.raises(InputError):
        compared_sweeps({})
