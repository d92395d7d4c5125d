"""What came out, what it costs to use, what it cost to find."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.comparing.lead_of_sweep import Lead, lead_of_best
from greenexp.analysis.fronts.operating_points import cheapest_within, operating_front
from greenexp.analysis.sweeps.configurations import configuration_table, is_given_up
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.analysis.sweeps.overview import leading_trial
from greenexp.analysis.sweeps.savings import abandoned, savings
from greenexp.records.axes import AXES
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables
from greenexp.records.worth import WORTH, worth_reached
from greenexp.report.section import Section
from greenexp.report.sections.baselines import no_better_than_a_constant, sentences_on_test
from greenexp.report.sections.held_out import sentence_on_test as test_sentence
from greenexp.report.sections.held_out import warnings
from greenexp.report.sections.key_numbers import key_numbers
from greenexp.report.sections.settings import setting_of
from greenexp.report.sections.wording import (
    SHARED_SEEDS,
    counted,
    is_crossed,
    lead_assumed,
    listed,
    mean_and_std,
    settings_of,
    share,
)
from greenexp.units import format_quantity

POINT = 0.01
"""One point of a metric between 0 and 1."""
ABANDONED = "ended with a failed seed"
GIVEN_UP = "given up before they began"


def section(tables: SweepTables) -> Section:
    """The sentences a reader should leave with."""
    metric = metric_of(tables)
    configurations = configuration_table(tables)
    test = held_out(tables)
    tested = [] if test is None else [test_sentence(test, tables), *sentences_on_test(tables), *warnings(test)]
    lead = lead_of_best(tables)
    best = _best(tables, configurations, metric, lead)
    incomplete = [f"Warning: {warning}" for warning in tables.remarks.warnings]
    sentences = [
        *incomplete,
        *best,
        *no_better_than_a_constant(tables, configurations),
        *tested,
        *_cheapest(tables, metric),
        _trials(tables),
        _budget(tables),
    ]
    saved = _stopped(tables)
    others = "All scores are" if test is None else "All other scores are"
    return Section(
        name="headline",
        title="In short",
        headline=tuple(sentences + ([saved] if saved else [])),
        paragraphs=(
            (
                "Trial score = best dev value so far: every trial counts with its best epoch, also one that was "
                f"stopped early. {others} on {_dev(tables)}, which also chose among epochs and configurations, so "
                "the scores of what was chosen are too good on average."
            ),
        ),
        tables=(key_numbers(tables),),
        assumptions=_assumptions(tables, lead),
    )


def _dev(tables: SweepTables) -> str:
    folds = tables.spec.seeds.folds
    if not folds:
        return "the dev set"
    return f"the fold of the training set that a trial left out (one of {folds}, called dev here)"


def _assumptions(tables: SweepTables, lead: Lead | None) -> tuple[str, ...]:
    """What the comparison of the best two presumes, where there are two."""
    if lead is None:
        return ()
    shared = (SHARED_SEEDS,) if is_crossed(tables.spec.seeds) else ()
    return (lead_assumed(lead), *shared)


def _best(tables: SweepTables, configurations: pd.DataFrame, metric: SweepMetric, lead: Lead | None) -> list[str]:
    shown = configurations.dropna(subset=["score_mean"])
    if shown.empty:
        best = configurations["best_score"].dropna()
        if best.empty:
            return ["No trial has a score, so the configurations cannot be compared."]
        return [
            (
                "No configuration has ended with a score from all its seeds. The best single trial reached "
                f"{metric.best(best):.4f} {metric.label}."
            )
        ]
    first = shown.iloc[0]
    settings = settings_of(first, tables)
    seeds = tables.spec.seeds
    spread = mean_and_std(first["score_mean"], first["score_std"], int(first["seeds"]), seeds)
    stopped = f" It was stopped early: a {metric.bound}." if first["state"] == "stopped" else ""
    name = f"{first['configuration']} ({settings})" if settings else first["configuration"]
    among = _among(shown["seeds"].tolist(), len(configurations), complete=tables.history.complete)
    leader = leading_trial(tables, float(first["score_mean"]))
    sentences = [f"{among}: {name}, {metric.label} {spread}.{stopped}{f' {leader}' if leader else ''}"]
    return sentences + ([] if lead is None else [lead.sentence])


def _among(seeds: list[int], planned: int, *, complete: bool) -> str:
    """Whom the first was compared with.

    seeds: of each configuration with a mean, the most first; complete: whether the sweep has ended
    """
    scored = seeds.count(seeds[0])
    whole = "all seeds" if len(set(seeds)) == 1 else f"{counted(seeds[0], 'seed')}, the most of any"
    of = f"with a score from {whole}" if complete else f"whose seeds have ended, with a score from {whole}"
    of += f" ({planned} planned)"
    return f"Best of the {scored} configurations {of}" if scored > 1 else f"The only configuration {of}"


def _cheapest(tables: SweepTables, metric: SweepMetric) -> list[str]:
    points = operating_front(tables)
    known = points.dropna(subset=["score", "inference_flops"])
    if known.empty or metric.minimize:
        return []
    best = known.sort_values(["score", "inference_flops"], ascending=[False, True], kind="stable").iloc[0]
    cheap = cheapest_within(known, POINT, minimize=False)
    if cheap is None:
        return []
    top = (
        f"The best operating point is {best['trial']} leaving at {setting_of(best)}: dev {metric.name} "
        f"{best['score']:.4f} at {format_quantity(float(best['inference_flops']), 'FLOP')} per example"
    )
    chosen = ", settings chosen on the same dev set" if (known["policy"] != STATIC).any() else ""
    if cheap["inference_flops"] == best["inference_flops"]:
        return [f"{top}; no cheaper one comes within {POINT} of it{chosen}."]
    ratio = best["inference_flops"] / cheap["inference_flops"]
    return [
        (
            f"{top}; the cheapest within {POINT} of it is {cheap['trial']} leaving at {setting_of(cheap)}: "
            f"{cheap['score']:.4f} at {format_quantity(float(cheap['inference_flops']), 'FLOP')}, {ratio:.2f} times "
            f"cheaper{chosen}."
        )
    ]


def _trials(tables: SweepTables) -> str:
    status = tables.trials["status"].where(~is_given_up(tables.trials), GIVEN_UP).where(~abandoned(tables), ABANDONED)
    names = ("finished", "stopped", GIVEN_UP, "failed", ABANDONED, "interrupted", "paused", "running", "planned")
    words = {"stopped": "stopped early", "planned": "not started"}
    parts = [f"{(status == name).sum()} {words.get(name, name)}" for name in names if (status == name).any()]
    early = int(((status == "finished") & (tables.trials["epochs"] < tables.trials["max_epochs"])).sum())
    if early:
        parts[0] += f" ({early} of them by their own patience)"
    configurations = tables.trials["configuration"].nunique()
    return (
        f"{counted(len(status), 'trial')} planned ({counted(configurations, 'configuration')}): "
        f"{', '.join(parts) or 'none'}."
    )


def _budget(tables: SweepTables) -> str:
    """What was used on every measured axis, with its limit; what was not measured by name."""
    used, missing = [], []
    for row in tables.ledger.to_dict("records"):
        axis = AXES[str(row["axis"])]
        if axis.name == "trials":
            continue
        if pd.isna(row["used"]) and tables.epochs.empty:
            continue  # nothing was reported, which says nothing about what can be measured
        if pd.isna(row["used"]):
            missing.append(axis.title.lower() if axis.title != "CO2e" else axis.title)
            continue
        if row["used"] > 0:
            used.append(f"{format_quantity(float(row['used']), _unit(axis.unit, tables))} {_what(axis.name)}".strip())
    held = float(tables.trials["wall_s"].sum(min_count=1))
    workers = "" if pd.isna(held) else f"; workers were held for {format_quantity(held, 's')}"
    absent = f" Not measured: {listed(missing, 9)}." if missing else ""
    return f"Used: {', '.join(used) or 'nothing'}{workers}.{absent}{_limit(tables)}"


def _limit(tables: SweepTables) -> str:
    """That the budget ended the sweep, if it did."""
    reached = tables.history.limit
    if reached is not None and reached.axis == WORTH and tables.spec.budget.worth is not None:
        return f" The sweep ended because {worth_reached(reached, tables.spec.budget.worth.per)}."
    if reached is None or reached.axis not in AXES:
        return ""
    axis = AXES[reached.axis]
    what = "time on the clock" if axis.name == "wall_s" else axis.title
    limit = format_quantity(reached.limit, _unit(axis.unit, tables))
    if reached.used is not None and reached.used < reached.limit:
        used = format_quantity(reached.used, _unit(axis.unit, tables))
        why = "the next epochs no longer fitted into its budget"
        return f" The sweep ended because {why}: {what}, {used} of {limit} used."
    return f" The sweep ended because its budget was used up: {what}, limit {limit}."


def _unit(unit: str, tables: SweepTables) -> str:
    currency = tables.spec.accounting.currency
    return str(currency or "money") if unit == "money" else unit


def _what(axis: str) -> str:
    return {
        "epochs": "epochs", "wall_s": "on the clock", "gpu_s": "of GPU time", "cpu_s": "of CPU time",
        "train_flops": "of training", "energy_j": "of energy", "carbon_g": "CO2e",
    }.get(axis, "")  # fmt: skip


def _stopped(tables: SweepTables) -> str:
    numbers = savings(tables)
    if not numbers.stopped and not numbers.given_up:
        return ""
    scheduler = tables.spec.scheduler.name
    never = f", gave {share(numbers.given_up, numbers.trials)} up before they began," if numbers.given_up else ""
    return (
        f"Early stopping ({scheduler}) ended {share(numbers.stopped, numbers.trials)} trials before their last epoch"
        f"{never} and saved {share(numbers.saved_epochs, numbers.planned_epochs)} planned epochs."
    )
