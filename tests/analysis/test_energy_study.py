"""What a sweep's energy came to, whose it was, and what may be concluded from it."""

from __future__ import annotations

import dataclasses

import pytest
from made_settings import changed_spec
from made_sweeps import NO_ENERGY, sweep
from told import tells

from greenexp.analysis.sweeps.energy import energy_of_sweep, energy_remarks, measured_energy
from greenexp.records.energy import EnergyMeasurement, EnergyMethod, MeteredDevice
from greenexp.records.tables import SweepTables, typed_frame
from greenexp.report.sections import energy as section
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.sweeps import sweep_scores


def device(span: str, name: str, trials: float, overhead: float, unattributed: float) -> MeteredDevice:
    parts = (trials, overhead, unattributed)
    counter = (name, "RAPL, packages", 60.0)
    return MeteredDevice("9f", span, *counter, sum(parts), *parts, 40.0, "no trial", 2.5, 0.5, 120, 0, 0.2)


def with_methods(tables: SweepTables, *methods: EnergyMethod) -> SweepTables:
    """The trials in turn by these methods."""
    names = list(tables.trials["trial"])
    of = {name: str(methods[place % len(methods)]) for place, name in enumerate(names)}
    return dataclasses.replace(
        tables,
        trials=tables.trials.assign(energy_method=tables.trials["trial"].map(of)),
        epochs=tables.epochs.assign(energy_method=tables.epochs["trial"].map(of)),
    )


def with_meters(tables: SweepTables, *devices: MeteredDevice) -> SweepTables:
    return dataclasses.replace(tables, energy=typed_frame("energy", [one.to_json() for one in devices]))


def test_spans_of_a_device_add_up_and_parts_are_the_whole() -> None:
    spans = [device("s1", "cpu", 60, 30, 10), device("s2", "cpu", 40, 0, 10), device("s1", "GPU", 5, 5, 0)]
    tables = with_meters(sweep(energy_j=2.0), *spans)
    found = energy_of_sweep(tables)["devices"].set_index("device")
    assert list(found.loc["cpu", ["meter_j", "trials_j", "overhead_j", "unattributed_j"]]) == [150, 100, 30, 20]
    assert found.loc["GPU", "meter_j"] == 10
    parts = found[["trials_j", "overhead_j", "unattributed_j"]].sum(axis=1)
    assert parts.to_list() == pytest.approx(found["meter_j"].to_list())
    assert tells(energy_of_sweep(tables).verdict[0], "160 J … 65.6 % … 21.9 % … 12.5 %")


def test_reports_are_counted_by_their_method() -> None:
    tables = with_methods(sweep(2, 2, energy_j=2.0), EnergyMethod.MEASURED_EXCLUSIVE, EnergyMethod.MODELLED)
    methods = energy_of_sweep(tables)["methods"]
    assert list(methods["method"]) == ["measured_exclusive", "modelled"]
    assert list(methods["trials"]) == [2, 2]
    assert methods["energy_j"].sum() == pytest.approx(tables.epochs["energy_j"].sum())


def test_without_energy_the_reason_is_told() -> None:
    findings = energy_of_sweep(sweep())
    assert NO_ENERGY in findings.refusal
    assert NO_ENERGY in section.section(sweep()).headline[0]


@pytest.mark.parametrize(
    ("methods", "notes", "warnings"),
    [
        ([EnergyMethod.MEASURED_EXCLUSIVE], 0, 0),
        ([EnergyMethod.MEASURED_SHARED_UTILISATION], 1, 0),
        ([EnergyMethod.MODELLED], 1, 0),
        ([EnergyMethod.MODELLED, EnergyMethod.MEASURED_EXCLUSIVE], 0, 1),
    ],
)
def test_a_curve_over_energy_says_what_its_costs_are(methods: list[EnergyMethod], notes: int, warnings: int) -> None:
    tables = with_methods(sweep(energy_j=2.0), *methods)
    found = energy_remarks(tables)
    assert (len(found[0]), len(found[1])) == (notes, warnings)
    scores = sweep_scores(tables, ScoreRequest(cost="energy_j"), View.CONFIGURATIONS)
    assert set(found[0]) <= set(scores.notes)
    assert set(found[1]) <= set(scores.warnings)
    assert energy_remarks(tables, "train_flops") == ((), ())
    assert energy_remarks(tables, "money") == ((), ()), "energy has no price here"
    priced = dataclasses.replace(tables, spec=changed_spec(tables.spec, accounting={"price_per_kwh": 0.3}))
    assert energy_remarks(priced, "money") == found


def test_repeats_alone_have_a_mean_and_a_spread() -> None:
    tables = sweep(energy_j=2.0)
    name = tables.trials["trial"].iloc[0]
    measured = [
        EnergyMeasurement(name, "training", "", repeat, joules, 12.0, 5.0, 100, "RAPL", reproduced=repeat < 3)
        for repeat, joules in enumerate((10.0, 12.0, 14.0), start=1)
    ]
    rows = [one.to_json() for one in measured]
    tables = dataclasses.replace(tables, measurements=typed_frame("measurements", rows))
    findings = measured_energy(tables)
    row = findings["measured"].iloc[0]
    assert (row["energy_j"], row["sd_j"], row["repeats"]) == (12.0, 2.0, 3)
    assert row["sweep_j"] == tables.trials["energy_j"].iloc[0]
    assert not row["reproduced"]
    assert name in findings.warnings[0]
    assert "energy-alone" in [
        table.name for table in section.section(with_meters(tables, device("s", "cpu", 1, 0, 0))).tables
    ]


def test_the_section_draws_each_device() -> None:
    drawn = section.section(
        with_meters(sweep(energy_j=2.0), device("s1", "cpu", 60, 30, 10), device("s1", "GPU", 5, 5, 0))
    )
    (plate,) = drawn.plates
    assert tells(plate.figure.alt, "cpu 100 J, of it 60 J trials, 30 J overhead … 10 J unattributed … GPU 10 J")
    assert len(plate.table.frame) == 2
