"""`training.report_dev` in the sweep file: what it may be, with which schedulers, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from told import tells

from greenexp.errors import FieldError, SweepFileError
from greenexp.plan import Plan, make_plan, prepare_data, price_plan
from greenexp.plan.flops import epoch_flops
from greenexp.records.trial import fingerprint
from greenexp.spec import load_sweep

TEXT = """name: part
task: {name: clauses, train: 64, dev: 24, test: 24}
backbone: {name: bert, layers: 3, hidden: 16, heads: 2, intermediate: 24, max_positions: 40}
training: {epochs: 3, batch_size: 8, learning_rate: 1e-3, max_length: 24, reports_per_epoch: 4, report_dev: 10}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 9}
"""


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides, source="f"))


@pytest.mark.parametrize("scheduler", ["fifo", "sha", "asha, grace_period: 0.25", "pasha, grace_period: 0.25"])
def test_it_is_possible_with_schedulers_that_compare_at_one_report(scheduler: str) -> None:
    assert plan(f"scheduler={{name: {scheduler}}}").trials[0].settings.training.report_dev == 10


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (("scheduler={name: median}",), "f:4:109: training.report_dev … median"),
        (("scheduler={name: asha, resource: wall_s, grace_period: 5}",), "training.report_dev … wall_s"),
        (("scheduler={name: asha}", "training.patience=1"), "training.report_dev … training.patience"),
        (
            ("scheduler={name: asha}", "space={training.patience: {dist: int, low: 1, high: 2}}"),
            "training.report_dev … training.patience",
        ),
        (("scheduler={name: asha}", "budget.worth={gain: 0.001, per: cpu_h}"), "training.report_dev … budget.worth"),
        (("training.reports_per_epoch=1",), "report_dev … reports_per_epoch"),
        (("training.report_dev=0",), "training.report_dev: … from 1 … 0"),
        (("training.report_dev=1.5",), "training.report_dev: … 1.5"),
        (("training.report_dev=some",), "training.report_dev: … 'some'"),
        (("space={training.report_dev: {dist: int, low: 1, high: 2}}",), "training.report_dev … cannot be searched"),
    ],
)
def test_what_does_not_fit_has_its_place(overrides: tuple[str, ...], place: str) -> None:
    with pytest.raises(SweepFileError) as caught:
        plan(*overrides)
    assert tells(str(caught.value), place)


def test_the_price_counts_the_smaller_evaluations() -> None:
    data = prepare_data(plan().trials[0].settings)
    prices = {
        wanted: price_plan(plan(f"training.report_dev={wanted}"), lambda settings: data).eval_flops.most or 0.0
        for wanted in ("null", 6, 0.25)
    }
    assert prices[0.25] == prices[6]
    whole = epoch_flops(plan("training.report_dev=null").trials[0], data).evaluation[0]
    assert prices["null"] == pytest.approx(9 * 12 * whole)
    assert 9 * 3 * whole < prices[6] < 9 * 3 * whole + 9 * 9 * 0.5 * whole
    with pytest.raises(FieldError) as caught:
        price_plan(plan("training.report_dev=25"), lambda settings: data)
    assert tells(str(caught.value), "training.report_dev … 25 … 24")


def test_trials_without_it_are_what_they_were() -> None:
    trial = plan("training.report_dev=null").trials[0]
    sections: dict[str, Any] = trial.settings.to_json()
    del sections["training"]["report_dev"]
    assert fingerprint(type(trial.settings).from_json(sections), trial.seeds) == trial.fingerprint
    assert plan().trials[0].fingerprint != trial.fingerprint
