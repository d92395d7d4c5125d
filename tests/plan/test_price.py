"""The price before spending equals what is then computed; the scheduler's share follows its bracket plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from climb import Climb
from made_speeds import exactly
from told import tells

from greenexp.cli.sweeps.preview import preview_lines
from greenexp.errors import InputError, SweepFileError
from greenexp.meters import price_costs
from greenexp.plan import Plan, data_key, make_plan, prepare_data, price_plan
from greenexp.plan.flops import epoch_flops, micro_shapes
from greenexp.plan.price import Bound, Price
from greenexp.records.axes import AXES
from greenexp.records.epoch import Costs
from greenexp.searches import SEARCHES
from greenexp.spec import load_sweep
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training.run import TrialRun

TEXT = """name: price
task: {name: clauses, train: 64, dev: 24, test: 24}
backbone: {name: bert, layers: 3, hidden: 16, heads: 2, intermediate: 24, max_positions: 40}
training: {epochs: 9, batch_size: 8, learning_rate: 1e-3, max_length: 24}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 9}
"""


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides))


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    return prepare_data(plan().trials[0].settings)


def prepared(data: TokenisedTask) -> Any:
    return lambda settings: data


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("training.micro_batch_size=3",),
        ("training.freeze_embeddings=true",),
        ("exits.layers=[1, 3]", "method.weights=[0, 1]"),
        ("method={name: finetune, layers: 2}",),
        ("backbone.pooling=mean",),
        ("training.reports_per_epoch=3",),
    ],
)
def test_a_trial_costs_what_was_said(overrides: tuple[str, ...], data: TokenisedTask) -> None:
    trial = plan("training.epochs=2", *overrides).trials[0]
    said = epoch_flops(trial, data)
    run = TrialRun(trial, data, threads=1, logits_folder=None)
    try:
        records = list(run)
    finally:
        run.close()
    assert said.training == tuple(record.costs.train_flops for record in records)
    assert said.evaluation == tuple(record.costs.eval_flops for record in records)


def test_two_orders_of_the_examples_make_different_batches() -> None:
    first, second = plan("seeds.order=2", "task.train=600", "training.epochs=2").trials[:2]
    data = prepare_data(first.settings)
    assert epoch_flops(first, data).training != epoch_flops(second, data).training
    assert epoch_flops(first, data).evaluation == epoch_flops(second, data).evaluation


def test_without_a_scheduler_everything_runs(data: TokenisedTask) -> None:
    price = price_plan(plan(), prepared(data))
    assert list(price.bounds) == list(AXES)
    assert price.bounds["trials"] == Bound(9, 9)
    assert price.bounds["epochs"] == Bound(81, 81)
    assert price.bounds["train_flops"].most == 9 * sum(epoch_flops(plan().trials[0], data).training)
    assert price.bounds["train_flops"].expected == price.bounds["train_flops"].most
    assert price.exact
    assert price.over_budget({"epochs": 80, "trials": 9, "energy_j": 1.0}) == ("epochs",)


def test_a_limit_on_the_clock_is_shared_by_the_workers(data: TokenisedTask) -> None:
    alone, shared = (
        price_plan(plan(f"resources.workers={workers}"), prepared(data), speeds=exactly(1e-9)) for workers in (1, 2)
    )
    seconds = alone.bounds["wall_s"].most
    assert seconds is not None
    assert alone.worker_s.most == shared.worker_s.most == pytest.approx(seconds, rel=0.01), "but for the test set"
    assert shared.bounds["wall_s"].most == pytest.approx(seconds * 5 / 9, rel=0.01), "the ninth trial runs alone"
    assert alone.over_budget({"wall_s": 0.6 * seconds}) == ("wall_s",)
    assert shared.over_budget({"wall_s": 0.6 * seconds}) == ()


def test_successive_halving_is_exact_in_epochs(data: TokenisedTask) -> None:
    halving = plan("scheduler={name: sha, reduction_factor: 3}", "seeds.initialisation=2")
    price = price_plan(halving, prepared(data))
    expected = halving.new_scheduler().expected_epochs
    assert price.bounds["epochs"] == Bound(162, expected.epochs)
    assert price.bounds["epochs"].expected == 2 * (9 * 1 + 3 * 2 + 1 * 6)
    train = price.bounds["train_flops"]
    assert train.expected is not None
    assert train.most is not None
    assert train.expected / train.most == pytest.approx(expected.epochs / 162, rel=0.1)


def test_expected_epochs_agree_with_the_schedulers_own(data: TokenisedTask) -> None:
    for scheduler in ("asha", "hyperband", "sha, per_trial: true"):
        priced = plan(f"scheduler={{name: {scheduler}}}", "search.samples=18")
        bound = price_plan(priced, prepared(data)).bounds["epochs"]
        assert bound.expected == pytest.approx(priced.new_scheduler().expected_epochs.epochs)


def test_seeds_that_are_held_back_are_not_in_the_expected_price(data: TokenisedTask) -> None:
    """9 first seeds to epoch 1; of 3 the first two to epoch 3; of 1 all four to epoch 9."""
    growing = plan("scheduler={name: sha, seeds: [1, 2, 4]}", "seeds.initialisation=4")
    price = price_plan(growing, prepared(data))
    assert price.exact
    assert price.bounds["epochs"] == Bound(9 * 4 * 9, 6 * 1 + 2 * 2 * 3 + 4 * 9)
    assert price.bounds["trials"] == Bound(36, 9 + 3 + 2)
    each = epoch_flops(growing.trials[0], data).training
    expected = 6 * each[0] + 2 * 2 * sum(each[:3]) + 4 * sum(each)
    assert price.bounds["train_flops"].expected == pytest.approx(expected, rel=0.01)
    race = price_plan(plan("scheduler={name: seed_racing}", "seeds.initialisation=4"), prepared(data))
    assert race.bounds["trials"] == Bound(36, 9 + 4 + 2 * 2)
    assert race.bounds["epochs"] == Bound(324, 9 * 17)
    asha = plan("scheduler={name: asha, seeds: [1, 4]}", "seeds.initialisation=4")
    bound = price_plan(asha, prepared(data)).bounds["epochs"]
    assert bound.expected == pytest.approx(asha.new_scheduler().expected_epochs.epochs)
    lines = preview_lines(dataclasses.replace(growing, price=price))
    (rungs,) = (text for _, text in lines if text.startswith("bracket 0"))
    assert tells(rungs, "epoch 1 with 1 seed: 9 in, 3 on … epoch 3 with 2 seeds: 3 in, 1 on … 4 seeds")
    (seeds,) = (text for label, text in lines if label == "seeds")
    assert tells(seeds, "14 of 36 trials … 22 seeds … 198 epochs")


@pytest.mark.parametrize(
    ("scheduler", "place"),
    [
        ("{name: asha, seeds: [1, 3]}", "f:7:32: scheduler.seeds: … 2"),
        ("{name: sha, seeds: [2, 1]}", "scheduler.seeds: … fall"),
        ("{name: hyperband, seeds: [1, 1, 1, 2]}", "scheduler.seeds: … 2 rungs … at most 3"),
        ("{name: asha, seeds: [0, 2]}", "scheduler.seeds.0: … at least 1"),
        ("{name: asha, seeds: []}", "scheduler.seeds: … at least one"),
        ("{name: asha, seeds: [1, 2], per_trial: true}", "scheduler.seeds: … per_trial"),
    ],
)
def test_wrong_numbers_of_seeds_have_their_place_in_the_file(scheduler: str, place: str) -> None:
    text = f"{TEXT}scheduler: {scheduler}\nseeds: {{initialisation: 2}}\n"
    with pytest.raises(SweepFileError) as caught:
        make_plan(load_sweep(text, source="f"))
    assert tells(str(caught.value), place)


@pytest.mark.parametrize("scheduler", ["asha", "sha", "hyperband"])
@pytest.mark.parametrize("per_epoch", [3, 4])
def test_reports_within_epochs_cost_their_evaluations(scheduler: str, per_epoch: int, data: TokenisedTask) -> None:
    overrides = (f"scheduler={{name: {scheduler}, grace_period: 0.5}}", f"training.reports_per_epoch={per_epoch}")
    once, often = (
        price_plan(priced, prepared(data)) for priced in (plan(f"scheduler.name={scheduler}"), plan(*overrides))
    )
    for axis in ("trials", "epochs", "train_flops"):
        assert often.bounds[axis].most == once.bounds[axis].most
    assert often.eval_flops.most == pytest.approx(per_epoch * (once.eval_flops.most or 0))
    expected = often.bounds["epochs"].expected
    assert expected == pytest.approx(plan(*overrides).new_scheduler().expected_epochs.epochs)
    assert expected is not None
    # The first rung is earlier and lets as many go on; Hyperband's s_max is 2 with either.
    before = once.bounds["epochs"].expected or 0.0
    assert expected == before if scheduler == "hyperband" else expected < before


def test_searched_epochs_add_up(data: TokenisedTask) -> None:
    searched = plan("search={name: points, points: [{training.epochs: 2}, {training.epochs: 5}]}", "space={}")
    assert price_plan(searched, prepared(data)).bounds["epochs"] == Bound(7, 7)


def test_what_is_not_calibrated_is_unknown_with_the_reason(data: TokenisedTask) -> None:
    bounds = price_plan(plan(), prepared(data)).bounds
    for axis in ("wall_s", "gpu_s", "cpu_s", "energy_j", "carbon_g", "money"):
        assert bounds[axis].most is None
        assert bounds[axis].reason


def test_calibrated_axes(data: TokenisedTask) -> None:
    priced = plan("resources={cpus_per_trial: 4, gpus_per_trial: 0.5}", "accounting={carbon_g_per_kwh: 100, pue: 2}")
    price = price_plan(priced, prepared(data), speeds=exactly(1e-9, 1e-8))
    flops = (price.bounds["train_flops"].most or 0) + (price.eval_flops.most or 0)
    assert price.worker_s.most == pytest.approx(flops * 1e-9)
    assert price.bounds["cpu_s"].most == pytest.approx(flops * 4e-9)
    assert price.bounds["gpu_s"].most == pytest.approx(flops * 0.5e-9)
    assert price.bounds["energy_j"].most == pytest.approx(flops * 1e-8)
    assert price.bounds["carbon_g"].most == pytest.approx(flops * 1e-8 / 3.6e6 * 2 * 100)
    assert price.bounds["money"].most is None


def test_a_price_beforehand_follows_the_rules_of_what_is_measured(data: TokenisedTask) -> None:
    priced = plan(
        "resources={cpus_per_trial: 4, gpus_per_trial: 2}",
        "accounting={carbon_g_per_kwh: 100, pue: 1.5, price_per_gpu_h: 2, price_per_cpu_h: 0.1, price_per_kwh: 0.3}",
    )
    price = price_plan(priced, prepared(data), speeds=exactly(1e-9, 1e-8))
    bounds = price.bounds
    amounts = {axis: bounds[axis].most for axis in ("gpu_s", "energy_j")}
    amounts["wall_s"] = price.worker_s.most
    measured, reasons = price_costs(Costs(**amounts), priced.spec.accounting, cpus=4)  # type: ignore[arg-type]
    assert reasons == {}
    assert bounds["carbon_g"].most == pytest.approx(measured.carbon_g)
    assert bounds["money"].most == pytest.approx(measured.money, rel=1e-15)


def test_money_is_all_or_nothing(data: TokenisedTask) -> None:
    stated = plan("accounting={price_per_cpu_h: 3.6, price_per_kwh: 1, pue: 2}", "resources.cpus_per_trial=2")
    half = price_plan(stated, prepared(data), speeds=exactly(1e-9))
    assert half.bounds["money"].most is None
    assert half.bounds["money"].reason == half.bounds["energy_j"].reason
    whole = price_plan(stated, prepared(data), speeds=exactly(1e-9, 1e-8))
    flops = (whole.bounds["train_flops"].most or 0) + (whole.eval_flops.most or 0)
    assert whole.bounds["money"].most == pytest.approx(flops * (2e-9 * 1e-3 + 1e-8 / 3.6e6 * 2))


def test_data_is_prepared_once_per_task_and_tokeniser(data: TokenisedTask) -> None:
    asked: list[str] = []

    def prepare(settings: Any) -> TokenisedTask:
        asked.append(data_key(settings))
        return data

    price_plan(plan("space.training.batch_size={dist: choice, values: [4, 8]}"), prepare)
    assert len(asked) == 1
    price_plan(plan("space={training.max_length: {dist: choice, values: [8, 24]}}", "search={name: grid}"), prepare)
    assert len(set(asked[1:])) == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metric.name=acuracy", "acuracy"),
        ("metric.mode=min", "more is better; write mode: max"),
        ("method.weights=[1, 2]", "2 numbers for 3 exits"),
        ("method={name: finetune, layers: 4}", "first 4 of a backbone of 3"),
        ("metric.exit=2", "metric.exit is 2, but the exits trained from the first epoch on are 3"),
        ("metric.exit=3", "metric.exit is 3, but the exits .* are 1, 2 "),
        ("training.reports_per_epoch=9", "reports_per_epoch is 9, but an epoch has only 8"),
    ],
)
def test_what_does_not_fit_together_is_found_before_it_runs(override: str, message: str, data: TokenisedTask) -> None:
    beside = {"metric.exit=2": "method.name=finetune", "metric.exit=3": "compression.name=layer_pruning"}
    overrides = (override, beside[override]) if override in beside else (override,)
    with pytest.raises(InputError, match=message):
        price_plan(plan(*overrides), prepared(data))


def test_a_metric_for_two_classes_is_refused_for_three(data: TokenisedTask) -> None:
    three = dataclasses.replace(data, num_labels=3)
    with pytest.raises(InputError, match=r"'f1'.*2 classes.*3"):
        price_plan(plan("metric.name=f1"), prepared(three))
    values = dataclasses.replace(data, num_labels=1)
    with pytest.raises(InputError, match=r"regression .*mean_squared_error, pearson, .*spearman"):
        price_plan(plan(), prepared(values))
    assert price_plan(plan("metric.name=macro_f1"), prepared(three)).bounds["epochs"].most


def test_the_default_metric_is_noted_where_the_task_is_scored_by_another(data: TokenisedTask) -> None:
    cola = dataclasses.replace(data, metrics=("matthews",))
    assert price_plan(plan(), prepared(cola)).notes == ("metric.name is accuracy; the task's own metric is matthews",)
    assert price_plan(plan("metric.name=f1"), prepared(cola)).notes == ()
    assert price_plan(plan(), prepared(data)).notes == ()


def test_micro_batches_are_padded_one_by_one(data: TokenisedTask) -> None:
    lengths = dataclasses.replace(data.train).lengths[:5]
    shapes: Iterator[tuple[int, int]] = micro_shapes(lengths, 2)
    assert list(shapes) == [
        (2, max(lengths[:2])),
        (2, max(lengths[2:4])),
        (1, lengths[4]),
    ]


class TestOpenPlan:
    """The price of a sweep whose search proposes while it runs; its configurations are priced like the first."""

    @pytest.fixture(autouse=True)
    def climb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert list(SEARCHES)
        monkeypatch.setitem(SEARCHES._targets, "climb", Climb)

    def price(self, data: TokenisedTask, *overrides: str) -> Price:
        return price_plan(plan("search={name: climb, proposals: 9}", *overrides), prepared(data))

    def test_what_changes_no_shape_is_bounded_like_a_known_plan(self, data: TokenisedTask) -> None:
        asha = "scheduler={name: asha}"
        known, grown = price_plan(plan(asha), prepared(data)), self.price(data, asha)
        for axis in ("trials", "epochs", "train_flops"):
            assert grown.bounds[axis] == known.bounds[axis]
        assert grown.brackets == known.brackets
        assert not grown.exact

    def test_what_the_proposals_decide_has_no_upper_bound(self, data: TokenisedTask) -> None:
        price = self.price(data, "space.training.batch_size={dist: choice, values: [8, 16]}")
        bound = price.bounds["train_flops"]
        assert (bound.most, bool(bound.expected), bool(bound.reason)) == (None, True, True)
        assert (price.bounds["trials"].most, price.bounds["epochs"].most) == (9, 81)

    def test_without_a_number_of_configurations_there_is_no_price(self, data: TokenisedTask) -> None:
        price = self.price(data, "search.known=false")
        assert {(bound.most, bound.expected) for bound in price.bounds.values()} == {(None, None)}
        assert price.over_budget({"epochs": 1.0}) == ()
