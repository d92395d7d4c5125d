"""`resources.processes_per_trial`: what several processes cannot train is refused before anything runs."""

from __future__ import annotations

import pytest
from told import tells

from greenexp.errors import FieldError, SweepFileError
from greenexp.plan import Plan, make_plan, price_plan
from greenexp.spec import load_sweep

TEXT = """name: parallel
task: {name: clauses, train: 40, dev: 20, test: 20}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2, max_positions: 40}
training: {epochs: 2, batch_size: 16, max_length: 24}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 2}
resources: {processes_per_trial: 2, cpus_per_trial: 2}
"""


def plan(*overrides: str, text: str = TEXT) -> Plan:
    return make_plan(load_sweep(text, overrides))


def test_a_step_costs_what_it_costs_in_one_process() -> None:
    alone = price_plan(plan("resources.processes_per_trial=1"))
    assert price_plan(plan()).bounds == alone.bounds


@pytest.mark.parametrize(
    ("overrides", "facts"),
    [
        (["method.name=dbt"], "method (dbt) … DbtRun … (step)"),
        (["method.name=fastbert"], "method (fastbert) … every process"),
        (["training.micro_batch_size=1"], "training: 1 examples"),
    ],
)
def test_what_cannot_be_shared_is_named_with_its_reason(overrides: list[str], facts: str) -> None:
    with pytest.raises(FieldError) as told:
        price_plan(plan(*overrides))
    assert told.value.path == "resources.processes_per_trial"
    assert tells(told.value.reason, facts)


def test_every_choice_of_a_space_is_looked_at() -> None:
    sizes = "space: {training.batch_size: {dist: choice, values: [16, 1]}, "
    chosen = TEXT.replace("space: {", sizes).replace("samples: 2", "samples: 12")
    with pytest.raises(FieldError) as told:
        price_plan(plan(text=chosen))
    assert tells(told.value.reason, "1 examples")


@pytest.mark.parametrize(
    ("override", "facts"),
    [
        ("resources.cpus_per_trial=3", "resources.cpus_per_trial: … 2 … got 3"),
        ("resources.gpus_per_trial=3", "resources.gpus_per_trial: … 2 … got 3"),
        (
            "resources={processes_per_trial: 3, cpus_per_trial: 3, gpus_per_trial: 2}",
            "resources.gpus_per_trial: … 3 … got 2",
        ),
        ("resources.fuse_seeds=true", "resources.processes_per_trial: … fuse_seeds"),
    ],
)
def test_what_does_not_go_with_it(override: str, facts: str) -> None:
    with pytest.raises(SweepFileError) as told:
        plan(override)
    assert tells(str(told.value), facts)


def test_processes_have_equal_parts() -> None:
    found = plan("resources.cpus_per_trial=4", "resources.gpus_per_trial=1").spec.resources
    assert (found.cpus_per_process, found.gpus_per_process) == (2, 0.5)
    assert "processes" not in plan("resources.processes_per_trial=1").spec.model_dump_json()
