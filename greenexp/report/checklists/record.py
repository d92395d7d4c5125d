"""What a sweep's record has to say to checklists: one sentence for each fact, "" where it is not on record."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from greenexp.analysis.curves.evp import ExpectedBest, expected_best
from greenexp.analysis.findings import Findings
from greenexp.analysis.search.price_tag import amounts, price_tag
from greenexp.analysis.sweeps.chosen import ChosenTrials, chosen_trials
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.records.tables import SweepTables
from greenexp.report.sections.costs import carbon_factors
from greenexp.report.sections.held_out import sentence_on_test
from greenexp.report.sections.price_tag import amount
from greenexp.report.sections.wording import counted, mean_and_std, settings_of
from greenexp.report.table import plain_value
from greenexp.units import format_quantity

_MOST_FIELDS = 20


class RecordFacts:
    """Facts of one sweep, each computed when it is first asked for.

    trial: the model that is spoken of, "" for the chosen one that is best on dev
    """

    def __init__(self, tables: SweepTables, trial: str = "") -> None:
        self.tables = tables
        self.trial = trial

    @cached_property
    def metric(self) -> SweepMetric:
        """What was optimised."""
        return metric_of(self.tables)

    @cached_property
    def chosen(self) -> ChosenTrials:
        """The chosen configuration and its trials."""
        return chosen_trials(self.tables)

    @cached_property
    def best(self) -> pd.Series[Any] | None:
        """Its row of the table of configurations."""
        first = configuration_table(self.tables).head(1)
        return None if first.empty or pd.isna(first["score_mean"].iloc[0]) else first.iloc[0]

    @cached_property
    def price(self) -> Findings:
        """The price tag."""
        return price_tag(self.tables, trial=self.trial)

    @property
    def energy_method(self) -> str:
        """What energy was measured with, as the drivers recorded it, and how it was attributed where reports say it."""
        measured = self.session("measured").get("energy_j") or [False, ""]
        counters = str(measured[1]) if measured[0] else "a method that is not on record"
        epochs = self.tables.epochs
        return "; ".join([counters, *epochs.loc[epochs["energy_j"].notna(), "energy_method"].unique()])

    @property
    def hardware(self) -> str:
        """The devices that trials ran on; of the CPU its name."""
        names = [
            str(self.session("machine").get("cpu", "CPU")) if one == "cpu" else one for one in self.values("device")
        ]
        return ", ".join(names)

    @cached_property
    def curve(self) -> ExpectedBest:
        """The expected best."""
        return expected_best(self.tables)

    def session(self, name: str) -> dict[str, Any]:
        """A fact of the drivers, such as their versions: that of the last session that recorded it."""
        return next((dict(found) for one in reversed(self.tables.history.sessions) if (found := one.get(name))), {})

    def values(self, column: str) -> list[str]:
        """The different values of a column of the reports, the most frequent first, empty ones left out."""
        return [str(value) for value, _ in Counter(self.tables.epochs[column].tolist()).most_common() if value]


def parameters(facts: RecordFacts) -> str:
    """Parameters of the chosen model."""
    trials = facts.tables.trials
    own = trials[trials["trial"] == facts.trial] if facts.trial else facts.chosen.rows(trials)
    known = own["parameters"].dropna()
    if known.empty:
        return ""
    everyone = facts.tables.trials["parameters"].dropna()
    spread = (
        f" (of all models of the search: {everyone.min():,} to {everyone.max():,})"
        if everyone.min() < everyone.max()
        else ""
    )
    return f"The {'' if facts.trial else 'chosen '}model has {int(known.iloc[0]):,} parameters{spread}."


def compute_budget(facts: RecordFacts) -> str:
    """What all trials cost, and the chosen model alone."""
    if facts.price.refusal:
        return ""
    search, model = amounts(facts.price, "search"), amounts(facts.price, "model")
    units = dict(zip(facts.price["price"]["quantity"].tolist(), facts.price["price"]["unit"].tolist(), strict=True))
    named = {
        "gpu_s": "GPU time", "core_s": "CPU core time", "train_flops": "training", "energy_j": "energy",
        "carbon_g": "CO2e", "money": "money",
    }  # fmt: skip
    currency = facts.tables.spec.accounting.currency

    def texts(of: dict[str, float]) -> str:
        known = {
            name: "" if name == "money" else f" {noun}" for name, noun in named.items() if not math.isnan(of[name])
        }
        return ", ".join(f"{amount(name, units[name], of[name], currency)}{noun}" for name, noun in known.items())

    trials = counted(search["experiments"], "trial")
    absent = [noun for name, noun in named.items() if math.isnan(search[name])]
    missing = f" Not measured: {', '.join(absent)}." if absent else ""
    every = f"All {trials}, stopped and failed ones included: {texts(search)}."
    factors = "" if math.isnan(search["carbon_g"]) else f" {carbon_factors(facts.tables.spec.accounting)}"
    return f"{every} The chosen model alone: {texts(model)}.{missing}{factors}"


def run_time(facts: RecordFacts) -> str:
    """Mean time of a trial, and the time of the whole sweep."""
    times = facts.tables.trials.loc[facts.tables.trials["status"] == "finished", "wall_s"].dropna()
    if times.empty:
        return ""
    whole = facts.tables.history.elapsed_s
    sweep = "" if whole is None else f"; the whole sweep took {format_quantity(whole, 's')}"
    return f"A trial that trained to its end took {format_quantity(float(times.mean()), 's')} on average{sweep}."


def infrastructure(facts: RecordFacts) -> str:
    """Machine, devices, trials at a time."""
    machine, resources = facts.session("machine"), facts.tables.spec.resources
    devices = [device for device in facts.values("device") if device != "cpu"]
    parts = []
    if machine:
        memory = machine.get("memory_b")
        with_memory = f", {format_quantity(float(memory), 'B')} of memory" if memory else ""
        parts.append(f"The driver's machine: {machine.get('cpus')} cores of {machine.get('cpu')}{with_memory}.")
    if facts.values("device"):
        parts.append(f"Trials ran on {', '.join(devices) or 'the CPU'}.")
    if not parts:
        return ""
    gpus = f" and {resources.gpus_per_trial:g} GPUs" if resources.gpus_per_trial else ""
    at_a_time = (
        f"{counted(resources.workers, 'trial')} at a time, each with {counted(resources.cpus_per_trial, 'CPU core')}"
    )
    return f"{' '.join(parts)} {at_a_time}{gpus}."


def setup(facts: RecordFacts) -> str:
    """Task, method and training."""
    spec = facts.tables.spec
    training = spec.training
    searched = set(facts.tables.parameters)
    shown = {"epochs": training.epochs, "batch size": training.batch_size, "learning rate": training.learning_rate}
    paths = {
        "epochs": "training.epochs",
        "batch size": "training.batch_size",
        "learning rate": "training.learning_rate",
    }
    fixed = ", ".join(f"{name} {plain_value(value)}" for name, value in shown.items() if paths[name] not in searched)
    method = "searched methods" if "method.name" in searched else f"method {spec.method.name}"
    precision = f", numbers in {' and '.join(facts.values('precision'))}" if facts.values("precision") else ""
    return f"Task {spec.task.name}, backbone {spec.backbone.name}, {method}; {fixed}{precision}; AdamW."


def search_bounds(facts: RecordFacts) -> str:
    """Search, space with bounds, number of configurations and seeds."""
    spec = facts.tables.spec
    fields = [f"{path}: {_distribution(dist.model_dump(mode='json'))}" for path, dist in spec.space.items()]
    rest = len(fields) - _MOST_FIELDS
    space = "; ".join(fields[:_MOST_FIELDS]) + (f"; and {rest} more" if rest > 0 else "")
    listed = f"listed values of {', '.join(facts.tables.parameters)}" if facts.tables.parameters else "nothing"
    return f"Search {spec.search.name}, scheduler {spec.scheduler.name}, over {space or listed}."


def _distribution(dist: dict[str, Any]) -> str:
    if "values" in dist:
        return f"one of {', '.join(plain_value(value) for value in dist['values'])}"
    return f"{dist['dist']} from {plain_value(dist['low'])} to {plain_value(dist['high'])}"


def number_of_runs(facts: RecordFacts) -> str:
    """How many trials were planned, and how they ended."""
    trials, seeds = facts.tables.trials, facts.tables.spec.seeds
    statuses = Counter(trials["status"].tolist())
    words = {"stopped": "stopped early", "planned": "not started"}
    ended = ", ".join(f"{number} {words.get(status, status)}" for status, number in statuses.most_common())
    evaluations = len(facts.tables.epochs)
    folds = f" x {seeds.folds} folds" if seeds.folds else ""
    return (
        f"{counted(trials['configuration'].nunique(), 'configuration')}, {counted(len(trials), 'trial')} "
        f"({seeds.initialisation} initialisation x {seeds.order} data-order seeds, {seeds.design}{folds}): {ended}; "
        f"{counted(evaluations, 'evaluation')} on dev."
    )


def best_values(facts: RecordFacts) -> str:
    """The chosen configuration."""
    if facts.best is None:
        return ""
    settings = settings_of(facts.best, facts.tables) or "nothing was searched"
    return f"Chosen: {facts.best['configuration']}, {settings}."


def selection(facts: RecordFacts) -> str:
    """How the configuration, its epoch and its seed were chosen."""
    direction = "lowest" if facts.metric.minimize else "highest"
    return (
        f"Chosen by the {direction} mean over seeds of {facts.metric.label}, each seed at its best epoch on dev; all "
        "configurations have the same seeds, and one with a failed seed cannot be chosen."
    )


def dev_score(facts: RecordFacts) -> str:
    """Mean and standard deviation of the chosen configuration on dev."""
    if facts.best is None:
        return ""
    spread = mean_and_std(
        float(facts.best["score_mean"]),
        float(facts.best["score_std"]),
        int(facts.best["seeds"]),
        facts.tables.spec.seeds,
    )
    what = "a mean over seeds and not a maximum; the configuration is the best of the search"
    return f"{facts.metric.label}: {spread}, {what}."


def score_on_test(facts: RecordFacts) -> str:
    """The test score beside the dev score."""
    found = held_out(facts.tables)
    return "" if found is None else sentence_on_test(found, facts.tables)


def expected_performance(facts: RecordFacts) -> str:
    """Expected validation performance, or why there is none."""
    if facts.curve.refusal:
        return f"No expected validation performance: {facts.curve.refusal}."
    ends = facts.curve.curve.iloc[[0, -1]]
    values = [
        f"{float(value):.4f} for n = {int(number)}"
        for number, value in zip(ends["configurations"], ends["expected_best"], strict=True)
    ]
    bound = f" ({facts.curve.bound})" if facts.curve.bound else ""
    return f"Expected validation performance of n configurations{bound}: {' and '.join(dict.fromkeys(values))}."


def variability(facts: RecordFacts) -> str:
    """What varied between seeds, and which spread is given."""
    seeds = facts.tables.spec.seeds
    numbers = {"initialisation": seeds.initialisation, "data order": seeds.order}
    varied = [name for name, number in numbers.items() if number > 1]
    if not varied:
        return "One seed: no spread was measured."
    data = f"over {seeds.folds} folds of the training set" if seeds.folds else "on one split of the data"
    return (
        f"Varied between seeds: {' and '.join(varied)}, {data}. Spreads are standard deviations (n - 1) over seeds; "
        "intervals and tests are named as such, with their method, where they are given."
    )


def split_sizes(facts: RecordFacts) -> str:
    """Rows of train, dev and test; of records without them, what trials have seen of each."""
    sets = [dict(one) for one in facts.session("data").values()]
    texts = [
        f"{_sizes(one['rows'])} ({one.get('description') or facts.tables.spec.task.name})"
        for one in sets
        if one.get("rows")
    ]
    if not texts and not facts.price.refusal:
        texts = [_sizes(_seen(facts))]
    folds = facts.tables.spec.seeds.folds
    left_out = f" Each trial left out one of {folds} folds of train." if folds and texts else ""
    return f"Examples: {'; '.join(dict.fromkeys(texts))}.{left_out}" if texts else ""


def _sizes(rows: Mapping[str, float]) -> str:
    return ", ".join(f"{split} {number:,.0f}" for split, number in rows.items())


def _seen(facts: RecordFacts) -> dict[str, float]:
    """Split -> examples that the chosen model was trained on, or evaluated on."""
    tables, trial = facts.tables, facts.chosen.best_of(facts.tables.trials)
    found = {"train": amounts(facts.price, "model")["training_set"]}
    if trial in tables.answers:
        found["dev"] = tables.answers[trial].examples
    on_test = tables.held_out.loc[tables.held_out["trial"] == trial, "examples"].tolist()
    if on_test:
        found["test"] = on_test[0]
    return {split: number for split, number in found.items() if not math.isnan(number)}


def versions(facts: RecordFacts) -> str:
    """Packages and their versions."""
    found = facts.session("versions")
    return f"Versions: {', '.join(f'{name} {version}' for name, version in found.items())}." if found else ""


def command(facts: RecordFacts) -> str:
    """How to run it again."""
    mark = facts.tables.history.fingerprint[:12]
    named = f" (fingerprint {mark})" if mark else ""
    return (
        f"The report's appendix holds the sweep file with all defaults{named}: `greenexp run sweep.yaml` runs it again "
        "with the same seeds."
    )


def metric_definition(facts: RecordFacts) -> str:
    """The metric."""
    direction = "smaller" if facts.metric.minimize else "larger"
    return f"Metric: {facts.metric.label}; {direction} is better."
