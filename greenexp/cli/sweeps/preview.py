"""The first lines of a run: what will be run, what it costs at most, what can be measured here and what not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from greenexp.cli.printing.labelled import say
from greenexp.cli.printing.text_table import text_rows
from greenexp.records.axes import AXES, rung_name
from greenexp.records.foreseen import LEAST_S, MARGIN, default_limit_s
from greenexp.records.priced import WORKER
from greenexp.records.sections import Resources
from greenexp.units import JOULES, format_duration, format_quantity

if TYPE_CHECKING:
    from greenexp.plan import Plan
    from greenexp.plan.prices import Bound, DataContents, Price
    from greenexp.schedulers import Bracket, Rung
    from greenexp.tasks.contents import SplitContents

MOST_CLASSES = 6
"""That are named one by one."""
FEWEST_STOPPED = 0.05
"""Units that a rung is expected to stop, to be shown."""


def print_preview(plan: Plan, *, err: bool = True) -> None:
    """Print it to stderr, or to stdout."""
    for label, text in preview_lines(plan):
        say(label, text, err=err)


def preview_lines(plan: Plan) -> list[tuple[str, str]]:
    """(label, text) pairs of a plan that has been priced."""
    spec, price = plan.spec, plan.price
    if price is None:
        raise ValueError("the plan has no price yet")
    return [
        (spec.name, f"{_size(plan)} · task {spec.task.name} · {_named(plan, 'backbone')} · {_named(plan, 'method')}"),
        *((("objectives", ", ".join(spec.objectives)),) if len(spec.objectives) > 1 else ()),
        ("scheduler", f"{spec.scheduler.name} · {_at_a_time(spec.resources)}"),
        *(("", line) for line in bracket_lines(price.brackets)),
        *_held_back(plan, price),
        *data_lines(price.data),
        *price_lines(price, plan.spec.accounting.currency),
        *_trial_lines(plan, price),
        *(
            ("budget", f"{axis}: {format_quantity(limit, AXES[axis].unit)}")
            for axis, limit in spec.budget.limits().items()
        ),
        *_carbon_line(plan),
        *_meter_lines(plan),
        *(
            ("note", note)
            for note in (
                *_budget_notes(plan, price),
                *_patience_note(price),
                *_folds_note(plan),
                *_reconstructions(plan),
                *price.notes,
                *plan.notes,
            )
        ),
    ]


def _at_a_time(resources: Resources) -> str:
    if resources.fuse_seeds:
        return f"{resources.workers} configurations at a time, the seeds of each as one model"
    number = resources.processes_per_trial
    return f"{resources.workers} trials at a time" + ("" if number == 1 else f", each trained by {number} processes")


def _size(plan: Plan) -> str:
    """`18 trials (9 configurations x 2 seeds)`."""
    folds = plan.spec.seeds.folds
    each = len(plan.trials) // len(plan.configurations)
    seeds = f"{each // (folds or 1)} seeds" + (f" x {folds} folds" if folds else "")
    search = plan.spec.search
    per = "" if search.per is None else f", a search for each value of {search.per},"
    if plan.size is None:
        return f"{seeds} of each configuration that search {search.name} proposes{per.removesuffix(',')}"
    proposed = "" if plan.complete else f" that search {search.name} proposes"
    return f"{plan.size * each} trials ({plan.size} configurations{proposed}{per} x {seeds})"


def _named(plan: Plan, section: str) -> str:
    """The plug-ins of a section over all configurations, in their order."""
    return ", ".join(dict.fromkeys(getattr(trial.settings, section).name for trial in plan.trials))


def _budget_notes(plan: Plan, price: Price) -> tuple[str, ...]:
    """Which limits the sweep may reach before it is through."""
    limits = plan.spec.budget.limits()
    notes = []
    for axis in price.over_budget(limits):
        bound, unit = price.bounds[axis], AXES[axis].unit
        most, limit = format_quantity(bound.most, unit), format_quantity(limits[axis], unit)
        expects = bound.expected is not None and bound.expected > limits[axis]
        end = "is expected to end there" if expects else "may end there"
        notes.append(f"budget.{axis} is {limit}, and all trials take up to {most}: the sweep {end}")
    return tuple(notes)


def _patience_note(price: Price) -> tuple[str, ...]:
    if not price.patience:
        return ()
    return ("training.patience may end trials before their last epoch, so all of this is at most; by how much is open",)


def _folds_note(plan: Plan) -> tuple[str, ...]:
    folds = plan.spec.seeds.folds
    if not folds:
        return ()
    trained = f"every seed is trained {folds} times, on the training set without one fold, and scored there"
    return (f"seeds.folds: {trained}; the task's dev set stays unseen",)


def _reconstructions(plan: Plan) -> tuple[str, ...]:
    """That a method is no faithful copy of what was published, and why."""
    from greenexp.methods import METHODS

    names = dict.fromkeys(trial.settings.method.name for trial in plan.trials)
    said = {name: METHODS[name].reconstruction for name in names}
    return tuple(
        f"the method {name} is a reconstruction {of}: do not report it as theirs" for name, of in said.items() if of
    )


def bracket_lines(brackets: Iterable[Bracket]) -> list[str]:
    """`bracket 0: epoch 1 with 1 seed: 8 in, about 2.9 on, ...`, one line per bracket that stops anybody."""
    lines = []
    for bracket in brackets:
        # A scheduler that looks after every epoch has many at which hardly anybody is stopped.
        shown = [rung for rung in bracket.rungs if bracket.exact or rung.entering - rung.going_on >= FEWEST_STOPPED]
        if shown:
            rungs = [f"{_place(rung, bracket.resource)}: {_count(rung, exact=bracket.exact)}" for rung in shown]
            end = [f"{bracket.seeds} seeds in the end"] if bracket.seeds else []
            lines.append(f"bracket {bracket.number}: {', '.join([*rungs, *end])}")
    return lines


def _place(rung: Rung, resource: str) -> str:
    with_seeds = f" with {rung.seeds} seed{'s' * (rung.seeds > 1)}" if rung.seeds else ""
    return f"{rung_name(resource, rung.epoch)}{with_seeds}"


def _held_back(plan: Plan, price: Price) -> list[tuple[str, str]]:
    """How many trials are expected to begin, where seeds are held back until their configuration has climbed."""
    bound = price.bounds["trials"]
    if bound.expected is None or not any(bracket.seeds for bracket in price.brackets):
        return []
    about = "" if all(bracket.exact for bracket in price.brackets) else "about "
    each = len(plan.trials) // len(plan.configurations)
    trials = each * sum(bracket.units for bracket in price.brackets)
    rest = trials - bound.expected
    given_up = f"{about}{rest:.3g} seeds ({rest * plan.max_epochs:,.0f} epochs) are given up with their configurations"
    return [("seeds", f"{about}{bound.expected:.3g} of {trials} trials begin, {given_up}")]


def _count(rung: Rung, *, exact: bool) -> str:
    about = "" if exact else "about "
    return f"{rung.entering:.3g} in, {about}{rung.going_on:.2g} on"


def price_lines(price: Price, currency: str | None = None) -> list[tuple[str, str]]:
    """A row per axis: what is expected, its 80 % interval, the most, and where that comes from; then what is not known.

    Axes that are not known for one reason have one line.
    """
    bounds = {**price.bounds, WORKER: price.worker_s}
    order = [name for axis in price.bounds for name in ((axis, WORKER) if axis == "wall_s" else (axis,))]
    known = [axis for axis in order if not _is_empty(axis, bounds[axis])]
    if not known:
        return [("price", "not known")]
    table = text_rows(
        pd.DataFrame([_price_row(axis, bounds[axis], currency, certain=not price.patience) for axis in known])
    )
    lines = [("price" if number == 0 else "", line) for number, line in enumerate(table)]
    missing: dict[str, list[str]] = {}
    for axis in price.bounds:
        if bounds[axis].most is None and bounds[axis].expected is None and bounds[axis].reason:
            missing.setdefault(bounds[axis].reason, []).append(axis)
    return [*lines, *(("not known", f"{', '.join(axes)}: {reason}") for reason, axes in missing.items())]


def _trial_lines(plan: Plan, price: Price) -> list[tuple[str, str]]:
    """After what time without a report a worker is given up, and what memory it asks for; where that is from."""
    found, stated = price.foreseen, plan.spec.resources.no_report_limit
    limits = sorted(map(default_limit_s, found.report_s.values()))
    if stated is not None:
        said = f"{format_duration(stated)} (resources.no_report_limit)"
    elif limits:
        least, most = format_duration(limits[0]), format_duration(limits[-1])
        span = least if least == most else f"{least} to {most}, by trial"
        said = f"{span} ({MARGIN:g} times a report's expected time, at least {format_duration(LEAST_S)}; from "
        said += f"{found.report_source})"
    else:
        said = "30 minutes before a trial's first report, then ten times its longest (nothing was measured before)"
    memory = []
    if found.memory_b is not None:
        asked = format_quantity(found.memory_b, "B")
        memory.append(("memory", f"a worker asks for {asked}, the largest peak of such trials ({found.memory_source})"))
    return [("no report", f"a worker is given up after {said}"), *memory]


def _is_empty(axis: str, bound: Bound) -> bool:
    """Nothing is known of it, or a GPU's time is known to be none."""
    return (bound.most is None and bound.expected is None) or (axis == "gpu_s" and not bound.most)


def _price_row(axis: str, bound: Bound, currency: str | None, *, certain: bool) -> dict[str, str]:
    unit = AXES[axis].unit if axis in AXES else "s"
    unit = (currency or unit) if unit == "money" else unit
    name = {"wall_s": "elapsed", WORKER: "worker time", "energy_j": "energy"}.get(axis, axis)
    interval = "" if bound.low is None else f"{_amount(bound.low, unit)} to {_amount(bound.high, unit)}"
    counted = "counted" if not unit else "computed"
    decisions = f"{counted}, over random orders" if interval else counted
    return {
        "axis": name,
        "expected": _amount(bound.expected, unit),
        "80 % interval": interval or ("certain" if certain and bound.expected is not None else "-"),
        "at most": _amount(bound.most, unit),
        "from": bound.source or decisions,
    }


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "J":  # what energy is paid for in
        return f"{value / JOULES['kwh']:.3g} kWh"
    return format_quantity(value, unit) if unit else f"{value:,.0f}"


def data_lines(data: Iterable[DataContents]) -> list[tuple[str, str]]:
    """Rows, classes and cut texts of each split, and what splits share."""
    lines = []
    for each in data:
        for name, split in each.splits.items():
            # Images have no length in tokens.
            share = 100 * split.truncated / split.rows
            cut = [f"{share:.1f} % cut at {each.max_length} tokens"] if each.max_length else []
            parts = [f"{name} {split.rows:,} rows", *_balance(split), *cut]
            kind = "texts" if each.max_length else "images"
            parts += [
                f"{count:,} of the {kind} ({100 * count / split.rows:.1f} %) are also in {other}"
                for other, count in split.shared.items()
                if count
            ]
            lines.append(("data", " · ".join(parts)))
    return lines


def _balance(split: SplitContents) -> list[str]:
    """The shares of the classes, of many the largest and the smallest."""
    if not split.classes:
        return ["values"]
    shares = {name: f"{name} {100 * count / split.rows:.1f} %" for name, count in split.classes.items()}
    if len(shares) <= MOST_CLASSES:
        return [", ".join(shares.values())]
    ranked = sorted(split.classes, key=lambda name: split.classes[name])
    return [f"{len(shares)} classes, from {shares[ranked[0]]} to {shares[ranked[-1]]}"]


def _carbon_line(plan: Plan) -> list[tuple[str, str]]:
    """Where the grams per kWh of a region are from."""
    accounting = plan.spec.accounting
    source = accounting.carbon_source
    if source is None:
        return []
    origin = f"{source.row}, {source.year}, {source.package} {source.version}"
    return [("carbon", f"{accounting.carbon_g_per_kwh:.4g} g CO2e per kWh ({origin})")]


def _meter_lines(plan: Plan) -> list[tuple[str, str]]:
    from greenexp.meters import survey

    resources = plan.spec.resources
    found = survey(
        exclusive=resources.workers == 1,
        accounting=plan.spec.accounting,
    )
    can = [axis for axis, (measured, _) in found.items() if measured]
    cannot = [f"{axis} ({how})" for axis, (measured, how) in found.items() if not measured]
    return [("measured", ", ".join(can)), *(("not measured", line) for line in cannot)]
