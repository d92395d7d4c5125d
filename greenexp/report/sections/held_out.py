"""The chosen configuration on the test set."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.held_out import HeldOut, held_out
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.wording import counted, mean_and_std
from greenexp.report.table import Column, Table

TITLE = "Test set"


def section(tables: SweepTables) -> Section:
    """Test scores beside dev scores, per seed and per exit, and how often the test set was looked at."""
    found = held_out(tables)
    if found is None:
        return Section("held-out", TITLE, ("The test set was not evaluated: every score in this report is on dev.",))
    trials = (
        Column("trial", "Trial", "name"), Column("evaluation", "Evaluation", "count"),
        Column("epoch", "Epoch", "count"), Column("examples", "Test examples", "count"),
        Column("dev_score", "Dev", "score"), Column("test_score", "Test", "score"),
    )  # fmt: skip
    exits = (
        Column("exit", "Exit", "count"), Column("layer", "Layer", "count"), Column("trials", "Trials", "count"),
        Column("dev_mean", "Dev, mean", "score"), Column("test_mean", "Test, mean", "score"),
        Column("test_std", "Test, standard deviation", "score"),
        Column("inference_flops", "FLOPs per test example", "quantity", "FLOP", "not measured"),
    )  # fmt: skip
    metric = metric_of(tables)
    return Section(
        name="held-out",
        title=TITLE,
        headline=(sentence_on_test(found, tables), *warnings(found)),
        tables=(
            Table("held-out", "Test scores of every evaluated trial", found.evaluations, trials, _label(metric)),
            Table("held-out-exits", f"Exits of {found.configuration} on test", found.exits, exits,
                  f"{metric.name} of each exit used alone, over seeds."),
        ),
        assumptions=(
            "The configuration and the epoch of each seed were chosen on dev before the test set was looked at.",
            "Not the best seed is reported but the mean; the spread over seeds leaves out the choice of test examples.",
        ),
    )  # fmt: skip


def sentence_on_test(found: HeldOut, tables: SweepTables) -> str:
    """The test score of the chosen configuration, beside its dev score."""
    scores = found.latest["test_score"]
    spread = mean_and_std(float(scores.mean()), float(scores.std()), len(scores), tables.spec.seeds)
    dev = found.latest["dev_score"].mean()
    beside = "" if pd.isna(dev) else f"; on dev, at the same epochs, {dev:.4f}"
    once = "evaluated once" if found.uses == 1 else f"evaluated {found.uses} times"
    seeds = int((tables.trials["configuration"] == found.configuration).sum())
    part = "" if len(scores) == seeds else f" ({len(scores)} of its {counted(seeds, 'seed')})"
    return f"On test, {once}: {found.configuration}{part}, {_label(metric_of(tables))} {spread}{beside}."


def warnings(found: HeldOut) -> tuple[str, ...]:
    """What is wrong with the test score as an estimate."""
    said = []
    if found.uses > 1:
        evaluated = found.evaluations["configuration"].nunique()
        said.append(
            f"Warning: the test set was used {found.uses} times ({counted(evaluated, 'configuration')}). If a choice "
            "was made after the first time, later test scores are too good on average, as dev scores are."
        )
    if found.chosen != found.configuration:
        best = f"the best on dev is now {found.chosen}" if found.chosen else "no configuration is the best on dev now"
        said.append(f"Warning: the configuration on test, {found.configuration}, is not the chosen one: {best}.")
    return tuple(said)


def _label(metric: SweepMetric) -> str:
    return metric.label.removeprefix("dev ")
