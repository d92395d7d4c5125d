"""The price where rungs lie at training FLOPs: each trial until its own report, by hand; and where nobody knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from made_speeds import exactly
from told import tells

from greenexp.api.running import _watched
from greenexp.cli.sweeps.preview import preview_lines
from greenexp.errors import FieldError, SweepFileError
from greenexp.plan import Plan, make_plan, prepare_data, price_plan
from greenexp.plan.flops import epoch_flops
from greenexp.plan.price import Bound
from greenexp.spec import load_sweep
from greenexp.tasks.tokens import TokenisedTask

TEXT = """name: price
task: {name: clauses, train: 64, dev: 24, test: 24}
backbone: {name: bert, layers: 3, hidden: 16, heads: 2, intermediate: 24, max_positions: 40}
training: {epochs: 9, batch_size: 8, learning_rate: 1e-3, max_length: 24}
search: {name: grid}
space: {backbone.layers: {dist: choice, values: [2, 4, 8]}}
"""


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides, source="f"))


def at(first: float, name: str = "asha", more: str = "") -> str:
    return f"scheduler={{name: {name}, resource: train_flops, grace_period: {first}, reduction_factor: 2{more}}}"


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    return prepare_data(plan().trials[0].settings)


def prepared(data: TokenisedTask) -> Any:
    return lambda settings: data


@pytest.mark.parametrize(("name", "more"), [("asha", ""), ("asha_promotion", ""), ("pasha", ", epsilon: 0.01")])
def test_every_trial_is_priced_until_its_own_reports(name: str, more: str, data: TokenisedTask) -> None:
    flops = [epoch_flops(trial, data).training for trial in plan().trials]
    first = 1.5 * flops[0][0]
    priced = plan(at(first, name, more), "training.reports_per_epoch=1")
    price = price_plan(priced, prepared(data))
    (bracket,) = price.brackets
    assert bracket.rungs
    assert all(rung.epoch <= sum(flops[-1][:-1]) for rung in bracket.rungs)
    epochs = cost = 0.0
    for each in flops:
        share, report = 1.0, 0
        for place in [*bracket.rungs, None]:
            come = next(
                (n for n in range(len(each) + 1) if place is not None and sum(each[:n]) >= place.epoch), len(each)
            )
            epochs += share * (come - report)
            cost += share * sum(each[report:come])
            share, report = 1.0 if place is None else place.going_on / bracket.units, come
    assert price.bounds["epochs"].expected == pytest.approx(epochs)
    assert price.bounds["train_flops"].expected == pytest.approx(cost)
    assert price.bounds["epochs"].most == 27
    assert price.bounds["trials"] == Bound(3, 3)
    assert not price.exact
    assert (price.eval_flops.expected or 0) < (price.eval_flops.most or 0)


def test_equal_trials_cost_what_rungs_in_epochs_let_them_cost(data: TokenisedTask) -> None:
    alike = (
        "space={training.learning_rate: {dist: choice, values: [1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3]}}",
        "training.batch_size=64",
    )
    each = epoch_flops(plan(*alike).trials[0], data).training
    assert len(set(each)) == 1, "one batch per epoch: all cost the same"
    found = price_plan(plan(*alike, at(each[0])), prepared(data))
    expected = price_plan(plan(*alike, "scheduler={name: asha, reduction_factor: 2}"), prepared(data))
    for axis in ("trials", "epochs", "train_flops"):
        assert found.bounds[axis].most == expected.bounds[axis].most
        assert found.bounds[axis].expected == pytest.approx(expected.bounds[axis].expected, rel=0.01)
    seeds = ("seeds.initialisation=2", *alike)
    held = price_plan(plan(*seeds, at(each[0], more=", seeds: [1, 2]")), prepared(data))
    also = price_plan(plan(*seeds, "scheduler={name: asha, reduction_factor: 2, seeds: [1, 2]}"), prepared(data))
    for axis in ("trials", "epochs", "train_flops"):
        assert held.bounds[axis].expected == pytest.approx(also.bounds[axis].expected, rel=0.01)


def test_the_preview_shows_rungs_in_their_unit(data: TokenisedTask) -> None:
    first = sum(epoch_flops(plan().trials[0], data).training[:2])
    priced = plan(at(first))
    lines = preview_lines(dataclasses.replace(priced, price=price_plan(priced, prepared(data))))
    (rungs,) = (text for _, text in lines if text.startswith("bracket 0"))
    assert tells(rungs, "MFLOP train_flops: 3 in … train_flops")


def test_a_first_rung_that_no_trial_comes_to_has_its_place(data: TokenisedTask) -> None:
    most = max(sum(epoch_flops(trial, data).training) for trial in plan().trials)
    with pytest.raises(FieldError) as caught:
        price_plan(plan(at(most)), prepared(data))
    assert caught.value.path == "scheduler.grace_period"
    assert tells(caught.value.reason, "train_flops … at most")


def test_rungs_below_the_first_report_are_noted(data: TokenisedTask) -> None:
    notes = price_plan(plan(at(1.0)), prepared(data)).notes
    assert any(tells(note, "first report … scheduler.grace_period") for note in notes)
    first = epoch_flops(plan().trials[-1], data).training[0]
    assert not any("first report" in note for note in price_plan(plan(at(first)), prepared(data)).notes)


@pytest.mark.parametrize("resource", ["wall_s", "energy_j"])
def test_what_depends_on_a_measurement_is_not_known_before(resource: str, data: TokenisedTask) -> None:
    priced = plan(f"scheduler={{name: asha, resource: {resource}, grace_period: 10}}")
    price = price_plan(priced, prepared(data), speeds=exactly(1e-9))
    assert price.bounds["trials"] == Bound(3, 3)
    for axis in ("epochs", "train_flops", "wall_s"):
        bound = price.bounds[axis]
        assert bound.most is not None
        assert bound.expected is None
        assert resource in bound.reason
    rows = [line.split() for _, line in preview_lines(dataclasses.replace(priced, price=price))]
    assert ["trials", "3", "certain", "3", "counted"] in rows
    assert ("scheduler.resource", resource) in list(_watched(priced.spec))


def test_epochs_may_be_searched_where_rungs_lie_at_costs(data: TokenisedTask) -> None:
    space = "space={training.epochs: {dist: choice, values: [2, 5, 9]}}"
    with pytest.raises(SweepFileError, match=r"training\.epochs"):
        plan(space, "scheduler={name: asha}")
    priced = plan(space, at(2 * epoch_flops(plan().trials[0], data).training[0]))
    bound = price_plan(priced, prepared(data)).bounds["epochs"]
    assert bound.most == 16
    assert bound.expected is not None
    assert bound.expected < 16


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("{name: asha, resource: train_flops}", "f:7:1: scheduler.grace_period"),
        ("{name: asha, resource: wall_s, grace_period: 5 J}", "f:7:57: scheduler.grace_period: … 5 J … min"),
        ("{name: asha, resource: money, grace_period: 5}", "f:7:35: scheduler.resource: … train_flops"),
        ("{name: pasha, resource: wall_s, grace_period: 5}", "scheduler.epsilon"),
        ("{name: sha, resource: wall_s, grace_period: 5}", "f:7:24: scheduler.resource: … sha"),
        ("{name: asha, grace_period: 10m}", "scheduler.grace_period: … number"),
    ],
)
def test_what_is_wrong_has_its_place_in_the_file(section: str, place: str) -> None:
    with pytest.raises(SweepFileError) as caught:
        make_plan(load_sweep(f"{TEXT}scheduler: {section}\n", source="f"))
    assert tells(str(caught.value), place)


@pytest.mark.parametrize(("resource", "written", "first"), [("energy_j", "0.5 Wh", 1800), ("wall_s", "1h 30m", 5400)])
def test_quantities_have_units(resource: str, written: str, first: float) -> None:
    priced = plan(f"scheduler={{name: asha, resource: {resource}, grace_period: {written}}}")
    assert priced.new_scheduler().bracket_plan()[0].rungs[0].epoch == first
    default = plan("scheduler={name: asha}").spec.scheduler.options
    assert (default["resource"], default["grace_period"]) == ("epochs", 1)
