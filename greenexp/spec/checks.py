"""Checks across the fields of several sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any

from pydantic import ValidationError

from greenexp.records.conditional_space import condition_problems
from greenexp.records.explain import message
from greenexp.records.metrics import LOSS, less_is_better
from greenexp.records.places import FieldProblem
from greenexp.records.sections import Accounting, Budget, Component, Exits, Metric, Replay, Resources, Seeds, Training
from greenexp.records.worth import PAYMENTS
from greenexp.spec.paths import with_value, wrong_path

Space = Mapping[str, Any]


def check(sections: Mapping[str, Any], data: Mapping[str, Any]) -> list[FieldProblem]:
    """All findings of the checks whose sections are valid by themselves; `data` is the whole file."""
    space = data.get("space")
    found = list(_space_paths(space)) if isinstance(space, Mapping) else []
    if isinstance(space, Mapping) and "space" in sections:
        found += condition_problems(sections["space"], list(space))
    for needs, function in _CHECKS:
        if all(name in sections for name in needs):
            found += function(*(sections[name] for name in needs))
    return found


def _space_paths(space: Space) -> Iterator[FieldProblem]:
    for path in space:
        if (wrong := wrong_path(path)) is not None:
            yield FieldProblem(f"space.{path}", wrong, of_key=True)
            continue
        for other in space:
            if other.startswith(f"{path}."):
                yield FieldProblem(f"space.{other}", f"lies inside '{path}', which is searched too")


def value_problems(path: str, values: Mapping[str, Any], sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """What is wrong with values that a search could set at `path`, each tried in its section; plug-ins are left out.

    values: where a value stands in the sweep file -> the value; sections: those of a document that are valid
    """
    section = next((name for name in ("training", "exits") if _own(path, name)), None)
    base = sections.get(section or "")
    if section is None or base is None:
        return
    if section == "training":
        # A searched batch size is tried without micro-batches: the two are compared where both are known, in the plan.
        base = base.model_copy(update={"micro_batch_size": None, "batch_size": 2**31})
    field = path.removeprefix(f"{section}.")
    for at, value in values.items():
        data = with_value(base.model_dump(mode="python"), field, value)
        try:
            type(base).model_validate(data)
        except ValidationError as error:
            yield FieldProblem(at, message(error.errors(include_url=False)[0]))


def _own(path: str, section: str) -> bool:
    """Whether the value is this section's own field, not a plug-in's."""
    return path.startswith(f"{section}.") and not path.startswith("exits.head.") and wrong_path(path) is None


def _values_of_space(name: str, space: Space, section: Training | Exits) -> Iterator[FieldProblem]:
    for path, distribution in space.items():
        ends = {f"space.{path}.{end}": value for end, value in distribution.ends().items()}
        yield from value_problems(path, ends, {name: section})


def _seed_design(seeds: Seeds) -> Iterator[FieldProblem]:
    if seeds.design == "paired" and seeds.initialisation != seeds.order:
        counts = f"{seeds.initialisation} initialisation and {seeds.order} data-order seeds"
        yield FieldProblem("seeds", f"paired seeds need equal counts, got {counts}")


def _metric_mode(metric: Metric) -> Iterator[FieldProblem]:
    if less_is_better(metric.name) and metric.mode == "max":
        what = "a loss" if metric.name == LOSS else metric.name
        yield FieldProblem("metric", f"{what} is minimised: write mode: min")


def _factors(budget: Budget, accounting: Accounting) -> Iterator[FieldProblem]:
    places = {axis: f"budget.{axis}" for axis in budget.limits()}
    if budget.worth is not None:
        places.setdefault(PAYMENTS[budget.worth.per].axis, "budget.worth.per")
    if "carbon_g" in places and accounting.carbon_g_per_kwh is None and accounting.region is None:
        wanted = "accounting.carbon_g_per_kwh, the grams of CO2e per kWh, or accounting.region"
        yield FieldProblem(places["carbon_g"], f"needs {wanted}")
    prices = (accounting.price_per_gpu_h, accounting.price_per_cpu_h, accounting.price_per_kwh)
    if "money" in places and all(price is None for price in prices):
        wanted = "accounting.price_per_gpu_h, price_per_cpu_h or price_per_kwh"
        yield FieldProblem(places["money"], f"needs a price: {wanted}")


def _gpus(resources: Resources) -> Iterator[FieldProblem]:
    gpus = resources.gpus_per_trial
    if gpus > 1 and not float(gpus).is_integer():
        yield FieldProblem("resources.gpus_per_trial", f"must be a fraction up to 1 or a whole number, got {gpus}")
    if resources.mps and not 0 < gpus < 1:
        wanted = "is for trials that share a GPU: write gpus_per_trial as a fraction below 1, or leave this out"
        yield FieldProblem("resources.mps", f"{wanted}; it is {gpus:g}")


def _processes(resources: Resources) -> Iterator[FieldProblem]:
    number, cpus, gpus = resources.processes_per_trial, resources.cpus_per_trial, resources.gpus_per_trial
    if cpus % number:
        wanted = f"the {number} processes of a trial have equal parts of its cores: write a multiple of {number}"
        yield FieldProblem("resources.cpus_per_trial", f"{wanted}, got {cpus}")
    if number > 1 and gpus > number and gpus % number:
        wanted = f"the {number} processes of a trial have equal parts of its GPUs: write {number} or a multiple of it"
        yield FieldProblem("resources.gpus_per_trial", f"{wanted}, got {gpus:g}")
    if 1 < gpus < number and number % gpus:  # a process has a part of one GPU, never parts of two
        wanted = f"{number} processes cannot be put on {gpus:g} GPUs in equal numbers: write a divisor of {number}"
        yield FieldProblem("resources.gpus_per_trial", f"{wanted}, got {gpus:g}")
    if number > 1 and resources.fuse_seeds:
        wanted = "seeds that are trained as one model are trained by one process: leave fuse_seeds out, or this"
        yield FieldProblem("resources.processes_per_trial", wanted)


def _finite_options(name: str, section: Component | Exits) -> Iterator[FieldProblem]:
    path, component = ("exits.head", section.head) if isinstance(section, Exits) else (name, section)
    for at in _not_finite({} if component is None else component.options, path):
        yield FieldProblem(at, "expected a finite number")


def _finite_policies(replay: Replay) -> Iterator[FieldProblem]:
    for i, policy in enumerate(replay.policies):
        yield from _finite_options(f"replay.policies.{i}", policy)


def _not_finite(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not isfinite(value):
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _not_finite(inner, f"{path}.{i}")


_CHECKS: tuple[tuple[tuple[str, ...], Callable[..., Iterator[FieldProblem]]], ...] = (
    *((("space", name), partial(_values_of_space, name)) for name in ("training", "exits")),
    (("seeds",), _seed_design),
    (("metric",), _metric_mode),
    (("budget", "accounting"), _factors),
    (("resources",), _gpus),
    (("resources",), _processes),
    (("replay",), _finite_policies),
    *(
        ((name,), partial(_finite_options, name))
        for name in ("task", "backbone", "exits", "method", "compression", "search", "scheduler")
    ),
)
