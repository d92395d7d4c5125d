"""Whatever a readable file holds: a plan that can be repeated, or an InputError."""

from __future__ import annotations

import contextlib
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sweep_plugins import PLUGINS, sections

from greenexp.errors import InputError
from greenexp.plan import make_plan
from greenexp.records.trial import TrialSpec
from greenexp.spec import dump_resolved, load_sweep

BASE = sections(
    training={"epochs": 9, "batch_size": 32, "clip_norm": None},
    metric={"name": "accuracy", "exit": 1, "mode": "max"},
    space={
        "backbone.hidden": {"dist": "int", "low": 8, "high": 64, "step": 8},
        "method.weights": {"dist": "choice", "values": ["uniform", "linear"]},
        "training.warmup": {"dist": "uniform", "low": 0, "high": 1, "steps": 3},
    },
    search={"name": "random", "samples": 4, "seed": 0},
    seeds={"initialisation": 2, "order": 2, "design": "paired"},
    scheduler={"name": "asha", "reduction_factor": 2, "grace_period": 1},
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


PLACES = [place for place in places(BASE) if place]
words = st.sampled_from(
    ["joint", "staged", "tower", "all", "grid", "sha", "hyperband", "fifo", "best", "min", "x", "linear"]
)
numbers = st.integers(-3, 70) | st.sampled_from([0.1, 1.0, 2.5, 1e-300, 1e300, 2**62])
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(words, v, max_size=3), max_leaves=5)


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(yaml.safe_dump(BASE))
    inner: Any = data
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return data


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLACES), values, st.sampled_from(PLACES), values)
def test_a_plan_or_an_input_error(first: tuple[Any, ...], one: Any, second: tuple[Any, ...], other: Any) -> None:
    text = yaml.safe_dump(changed(first, one), sort_keys=False)
    override = f"{'.'.join(map(str, second))}={yaml.safe_dump(other, default_flow_style=True)}"
    for overrides in ((), (override,)):
        with contextlib.suppress(InputError):
            plan = make_plan(load_sweep(text, overrides), PLUGINS)
            assert make_plan(load_sweep(dump_resolved(plan.spec)), PLUGINS) == plan
            assert [TrialSpec.from_json(trial.to_json()) for trial in plan.trials] == list(plan.trials)


def test_the_file_that_is_changed_is_valid() -> None:
    assert len(make_plan(load_sweep(yaml.safe_dump(BASE)), PLUGINS).trials) == 8
