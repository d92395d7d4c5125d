"""What single trials are expected to take: the time between two reports, the limit that follows, and the memory."""

from __future__ import annotations

import dataclasses

import pytest
from made_speeds import exactly

from greenexp.cli.sweeps.preview import preview_lines
from greenexp.plan import Plan, make_plan, price_plan
from greenexp.plan.data import prepare_data
from greenexp.plan.flops import epoch_flops
from greenexp.records.foreseen import LEAST_S, MARGIN
from greenexp.records.speeds import Speeds, TrialKind, TrialSpeed
from greenexp.spec import load_sweep
from greenexp.tasks.tokens import TokenisedTask

TEXT = """
name: foreseen
task: {name: clauses, train: 60, dev: 40, test: 20}
backbone: {name: bert, hidden: 16, heads: 2}
training: {epochs: 2, batch_size: 8, max_length: 24}
space: {backbone.layers: {dist: choice, values: [1, 4]}}
search: {name: grid}
resources: {workers: 2}
"""


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides))


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    return prepare_data(plan().trials[0].settings)


def priced(data: TokenisedTask, speeds: Speeds | None, *overrides: str) -> Plan:
    found = plan(*overrides)
    return dataclasses.replace(found, price=price_plan(found, lambda _: data, speeds=speeds))


def line(found: Plan, label: str) -> str:
    return dict(preview_lines(found)).get(label, "")


def test_each_trial_has_the_time_of_its_longest_report(data: TokenisedTask) -> None:
    speed = dataclasses.replace(exactly(1e-6).speed, setup_s=3.0, report_s=0.5)
    found = priced(data, dataclasses.replace(exactly(1e-6), speed=speed))
    assert found.price is not None
    for trial in found.trials:
        flops = epoch_flops(trial, data)
        pairs = list(zip(flops.training, flops.evaluation, strict=True))
        expected = max(1e-6 * sum(pairs[0]) + 3.0, *(1e-6 * sum(pair) for pair in pairs)) + 0.5
        assert found.price.foreseen.report_s[trial.trial] == pytest.approx(expected)
    shallow, deep = (found.price.foreseen.report_s[trial.trial] for trial in found.trials)
    assert deep > 2 * shallow
    said = line(found, "no report")
    assert f"{MARGIN:g} times" in said
    assert "by trial" in said
    assert speed.source in said


def test_at_least_two_minutes(data: TokenisedTask) -> None:
    assert LEAST_S == 120
    assert "2m 00s" in line(priced(data, exactly(1e-12)), "no report")


@pytest.mark.parametrize(
    ("overrides", "fact"), [((), "30 minutes"), (("resources.no_report_limit=42s",), "resources.no_report_limit")]
)
def test_what_is_not_measured_or_is_stated(overrides: tuple[str, ...], fact: str, data: TokenisedTask) -> None:
    assert fact in line(priced(data, None, *overrides), "no report")


def test_memory_of_the_same_shape_whatever_runs_beside_it(data: TokenisedTask) -> None:
    shallow, deep = (TrialKind.of(trial.settings, (7, 3, 0.0)) for trial in plan().trials)

    def speed(peak_b: float | None) -> TrialSpeed:
        return TrialSpeed(1.0, 1e9, peak_memory_b=peak_b, source="there")

    both = Speeds({shallow: speed(3e8), deep: speed(5e8)})
    found = priced(data, both)
    assert found.price is not None
    assert (found.price.foreseen.memory_b, found.price.foreseen.memory_source) == (5e8, "there")
    assert "500 MB" in line(found, "memory")
    wider = Speeds({dataclasses.replace(deep, batch_size=9): speed(1.0)})
    for speeds in (None, Speeds({deep: speed(None)}), wider):
        unknown = priced(data, speeds)
        assert unknown.price is not None
        assert unknown.price.foreseen.memory_b is None
        assert line(unknown, "memory") == ""
    on_gpu = priced(data, both, "resources.gpus_per_trial=1")
    assert on_gpu.price is not None
    assert on_gpu.price.foreseen.memory_b is None
