"""Checks across the fields of several sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

from pydantic import ValidationError

from greenexp.records.explain import message
from greenexp.records.search_space import Choice, GridSearch, Int, LogUniform, PointsSearch, RandomSearch, Uniform
from greenexp.records.sections import Accounting, Budget, Component, Exits, Metric, Replay, Resources, Seeds, Training
from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec.paths import with_value, wrong_path


class FieldProblem(NamedTuple):
    """What is wrong at a dotted path; `of_key`: with the key, not its value."""

    path: str
    message: str
    of_key: bool = False


MAX_TRIALS = 100_000  # a plan is held in memory and a journal line is written per trial

Space = Mapping[str, Any]


def check(sections: Mapping[str, Any], data: Mapping[str, Any]) -> list[FieldProblem]:
    """All findings of the checks whose sections are valid by themselves; `data` is the whole file."""
    space = data.get("space")
    found = list(_space_paths(space)) if isinstance(space, Mapping) else []
    available = dict(sections)
    if isinstance(space, Mapping | None) and len(sections.get("space", {})) == len(space or {}):
        available["whole space"] = sections.get("space", {})
    for needs, function in _CHECKS:
        if all(name in available for name in needs):
            found += function(*(available[name] for name in needs))
    return found


def _space_paths(space: Space) -> Iterator[FieldProblem]:
    for path in space:
        if (wrong := wrong_path(path)) is not None:
            yield FieldProblem(f"space.{path}", wrong, of_key=True)
        for other in space:
            if wrong_path(path) is None and other.startswith(f"{path}."):
                yield FieldProblem(f"space.{other}", f"lies inside '{path}', which is searched too")


def _values_fit(path: str, values: Mapping[str, Any], base: Training | Exits, section: str) -> Iterator[FieldProblem]:
    """Every value a search could set, tried in the section it belongs to."""
    field = path.removeprefix(f"{section}.")
    for at, value in values.items():
        data = with_value(base.model_dump(mode="python"), field, value)
        try:
            type(base).model_validate(data)
        except ValidationError as error:
            yield FieldProblem(at, message(error.errors(include_url=False)[0]))


def _own_values(space: Space, search: Any, section: str, base: Training | Exits) -> Iterator[FieldProblem]:
    for path, distribution in space.items():
        if _own(path, section):
            ends = {f"space.{path}.{end}": value for end, value in distribution.ends().items()}
            yield from _values_fit(path, ends, base, section)
    if isinstance(search, PointsSearch):
        for i, point in enumerate(search.points):
            for path, value in point.items():
                if _own(path, section):
                    yield from _values_fit(path, {f"search.points.{i}.{path}": value}, base, section)


def _own(path: str, section: str) -> bool:
    """Whether the value is this section's own field, not a plug-in's."""
    return path.startswith(f"{section}.") and not path.startswith("exits.head.") and wrong_path(path) is None


def _training_values(space: Space, search: Any, training: Training) -> Iterator[FieldProblem]:
    # A searched batch size is tried without micro-batches: the two are compared where both are known, in the plan.
    alone = training.model_copy(update={"micro_batch_size": None, "batch_size": 2**31})
    yield from _own_values(space, search, "training", alone)


def _exits_values(space: Space, search: Any, exits: Exits) -> Iterator[FieldProblem]:
    yield from _own_values(space, search, "exits", exits)


def _search_fits(search: Any, space: Space) -> Iterator[FieldProblem]:
    if isinstance(search, PointsSearch):
        if space:
            yield FieldProblem(
                "space", "is not used by search 'points', which lists the values itself: remove one of the two"
            )
        yield from _points(search)
    elif isinstance(search, GridSearch):
        if not space:
            yield FieldProblem("search", "a grid needs a 'space'")
        for path, distribution in space.items():
            if isinstance(distribution, Uniform | LogUniform) and distribution.steps is None:
                yield FieldProblem(f"space.{path}", "a grid over a range needs 'steps', the number of values")
    elif isinstance(search, RandomSearch):
        if not space and search.samples > 1:
            yield FieldProblem(
                "search.samples", f"without a 'space' all {search.samples} samples would be the same: write 1"
            )
        if space and _is_default(search):
            yield FieldProblem(
                "space", "says what to search: a 'search' must say how, e.g. search: {name: random, samples: 8}"
            )


def _is_default(search: RandomSearch) -> bool:
    """Whether the file has no `search` section: the default is the one instance that was never parsed."""
    return search is SweepSpec.model_fields["search"].default


def _points(search: PointsSearch) -> Iterator[FieldProblem]:
    for i, point in enumerate(search.points):
        for path in point:
            if (wrong := wrong_path(path)) is not None:
                yield FieldProblem(f"search.points.{i}.{path}", wrong, of_key=True)


def _size(search: Any, space: Space, seeds: Seeds) -> Iterator[FieldProblem]:
    per_configuration = seeds.initialisation * (seeds.order if seeds.design == "crossed" else 1)
    total = configurations(search, space) * per_configuration * (seeds.folds or 1)
    if total > MAX_TRIALS:
        yield FieldProblem("search", f"makes {total:,} trials; at most {MAX_TRIALS:,} are possible")


def configurations(search: Any, space: Space) -> int:
    """How many configurations a search makes."""
    if isinstance(search, RandomSearch):
        return search.samples
    if isinstance(search, PointsSearch):
        return len(search.points)
    count = 1
    for distribution in space.values():
        if isinstance(distribution, Choice):
            count *= len(distribution.values)
        elif isinstance(distribution, Int):
            count *= distribution.count()
        else:
            count *= distribution.steps or 1
    return count


def _seed_design(seeds: Seeds) -> Iterator[FieldProblem]:
    if seeds.design == "paired" and seeds.initialisation != seeds.order:
        counts = f"{seeds.initialisation} initialisation and {seeds.order} data-order seeds"
        yield FieldProblem("seeds", f"paired seeds need equal counts, got {counts}")


def _metric_mode(metric: Metric) -> Iterator[FieldProblem]:
    if metric.name == "loss" and metric.mode == "max":
        yield FieldProblem("metric", "a loss is minimised: write mode: min")


def _factors(budget: Budget, accounting: Accounting) -> Iterator[FieldProblem]:
    limits = budget.limits()
    if "carbon_g" in limits and accounting.carbon_g_per_kwh is None:
        yield FieldProblem("budget.carbon_g", "needs accounting.carbon_g_per_kwh, the grams of CO2e per kWh")
    prices = (accounting.price_per_gpu_h, accounting.price_per_cpu_h, accounting.price_per_kwh)
    if "money" in limits and all(price is None for price in prices):
        wanted = "accounting.price_per_gpu_h, price_per_cpu_h or price_per_kwh"
        yield FieldProblem("budget.money", f"needs a price: {wanted}")


def _gpus(resources: Resources) -> Iterator[FieldProblem]:
    gpus = resources.gpus_per_trial
    if gpus > 1 and not float(gpus).is_integer():
        yield FieldProblem("resources.gpus_per_trial", f"must be a fraction up to 1 or a whole number, got {gpus}")


def _metric_exit(metric: Metric, exits: Exits, space: Space, search: Any) -> Iterator[FieldProblem]:
    points = search.points if isinstance(search, PointsSearch) else ()
    searched = any("exits.layers" in fields for fields in (space, *points))  # then each configuration is checked
    listed = exits.layers if isinstance(exits.layers, tuple) and not searched else None
    if isinstance(metric.exit, int) and listed is not None and metric.exit > len(listed):
        have = f"there are {len(listed)} exits (exits.layers: {list(listed)})"
        yield FieldProblem("metric.exit", f"{have}, got {metric.exit}")


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
    (("space", "search", "training"), _training_values),
    (("space", "search", "exits"), _exits_values),
    (("search", "whole space"), _search_fits),
    (("search", "whole space", "seeds"), _size),
    (("seeds",), _seed_design),
    (("metric",), _metric_mode),
    (("budget", "accounting"), _factors),
    (("resources",), _gpus),
    (("metric", "exits", "space", "search"), _metric_exit),
    (("replay",), _finite_policies),
    *(((name,), partial(_finite_options, name)) for name in ("task", "backbone", "exits", "method", "scheduler")),
)
