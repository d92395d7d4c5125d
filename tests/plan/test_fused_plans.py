"""`resources.fuse_seeds`: what cannot be trained as one model is refused before anything runs, section by section."""

from __future__ import annotations

import pytest
from told import tells

from greenexp.errors import FieldError
from greenexp.plan import Plan, make_plan, price_plan
from greenexp.spec import load_sweep

TEXT = """name: fused
task: {name: clauses, train: 40, dev: 20, test: 20}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2, max_positions: 40}
training: {epochs: 2, batch_size: 16, max_length: 24}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 2}
seeds: {initialisation: 2}
resources: {fuse_seeds: true}
"""


def plan(*overrides: str, text: str = TEXT) -> Plan:
    return make_plan(load_sweep(text, overrides))


@pytest.mark.parametrize(
    "override",
    [
        "method.name=finetune",
        "method.name=pabee",
        "method.name=deebert",
        "method.name=ensemble",
        "backbone.name=albert",
    ],
)
def test_what_can_be_fused_is_priced_as_ever(override: str) -> None:
    alone = price_plan(plan(override, "resources.fuse_seeds=false"))
    assert price_plan(plan(override)).bounds == alone.bounds


@pytest.mark.parametrize(
    ("overrides", "facts"),
    [
        (["method.name=berxit"], "method (berxit) … BerxitRun … (step)"),
        (["method.name=fastbert"], "method (fastbert) … (logits)"),
        (["backbone.name=mpnet"], "backbone (mpnet) … MPNetBackbone"),
        (["exits.head.name=scalar_mix"], "exits (scalar_mix) … ScalarMixHead … (mix)"),
        (["compression.name=head_pruning"], "compression (head_pruning)"),
        (["method.name=dbt", "exits.head.name=mixed_pool"], "method (dbt) … exits (mixed_pool)"),
    ],
)
def test_what_cannot_be_is_named_with_its_reason(overrides: list[str], facts: str) -> None:
    with pytest.raises(FieldError) as told:
        price_plan(plan(*overrides))
    assert told.value.path == "resources.fuse_seeds"
    assert tells(told.value.reason, facts)


def test_every_choice_of_a_space_is_looked_at() -> None:
    methods = "space: {method.name: {dist: choice, values: [branchynet, leebert]}, "
    chosen = TEXT.replace("space: {", methods).replace("{name: random, samples: 2}", "{name: tpe, samples: 12}")
    with pytest.raises(FieldError) as told:
        price_plan(plan(text=chosen))
    assert tells(told.value.reason, "method (leebert)")


def test_one_seed_has_nothing_to_be_fused_with() -> None:
    price_plan(plan("method.name=berxit", "seeds.initialisation=1"))


def test_the_default_stands_in_no_file() -> None:
    assert "fuse_seeds" not in plan("resources.fuse_seeds=false").spec.model_dump_json()
    assert plan().spec.resources.fuse_seeds
