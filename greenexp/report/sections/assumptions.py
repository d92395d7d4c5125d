"""What holds for the whole report."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.comparing.lead import Basis
from greenexp.analysis.comparing.lead_of_sweep import lead_of_best
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.sections import Seeds
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.circumstances import circumstances
from greenexp.report.sections.wording import SHARED_SEEDS, counted, is_crossed, over_seeds


def section(tables: SweepTables) -> Section:
    """The setting in sentences: metric, selection, seeds, search, noise of the dev set."""
    metric = metric_of(tables)
    spec = tables.spec
    notes = [
        (
            f"Metric: {metric.label}, {'smaller' if metric.minimize else 'larger'} is better. Trial score = best dev "
            "value so far."
        ),
        (
            "Epochs, configurations and operating points were all chosen on the dev set that the scores are from. "
            f"{_test(tables)}"
        ),
        _seeds(spec.seeds),
        *_folds(spec.seeds.folds),
        *_reports(spec.training.reports_per_epoch, tables.epochs["dev_examples"]),
        *_patience(spec.training.patience),
        _search(tables),
        *_noise(tables),
        *circumstances(tables),
    ]
    if not tables.history.complete:
        notes.append("The sweep is not complete: trials that have not ended can still change every number here.")
    return Section("assumptions", "Assumptions of all sections", paragraphs=tuple(notes))


def _test(tables: SweepTables) -> str:
    if tables.held_out.empty:
        return "No test set was evaluated in this report."
    if tables.thresholds_on_test.empty and not (tables.calibration["split"] == "test").any():
        return "Only the section on the test set has scores from elsewhere."
    return (
        "Only the sections on the test set, on exit policies and on calibration have numbers from elsewhere, and name "
        "them TEST or test."
    )


def _seeds(seeds: Seeds) -> str:
    """What was repeated with other seeds and what was the same in all trials, so that no spread contains it."""
    initialisation, order = seeds.initialisation, seeds.order
    if initialisation == order == 1:
        return "One seed: nothing was repeated, so there is no spread, and what a seed does is in every difference."
    trials = initialisation * order if is_crossed(seeds) else max(initialisation, order)
    begin = f"Every configuration has {over_seeds(trials, seeds)}, the same for all."
    end = "The spread is not the uncertainty of the dev set."
    if order == 1:
        varied = "The initialisation was varied; data order and dropout were not, so no spread here contains them."
    elif initialisation == 1:
        varied = "Data order and dropout were varied; the initialisation was not, so no spread here contains it."
    else:
        varied = "Initialisation, data order and dropout were varied."
    return f"{begin} {varied} {SHARED_SEEDS} {end}" if is_crossed(seeds) else f"{begin} {varied} {end}"


def _folds(folds: int | None) -> tuple[str, ...]:
    """What dev is in a sweep that cross-validates."""
    if not folds:
        return ()
    return (
        (
            f"Cross-validation: every seed of every configuration was trained {folds} times, each time on the training "
            f"set without one of {folds} folds, the same for all, and scored on that fold: this is what the report "
            "calls dev. The task's own dev set was not looked at. A configuration's score is the mean over its seeds "
            "and folds, and every model saw "
            f"{folds - 1} of {folds} parts of the training set. Folds are no seeds: the spread between them is no "
            "standard error, as their training sets overlap, so they are averaged before seeds are compared. Sections "
            "about single trials count each seed with each fold as one."
        ),
    )


def _reports(per_epoch: int, on: pd.Series[int]) -> tuple[str, ...]:
    """on: of each report, on how many examples of dev it was; missing: all of them."""
    if per_epoch == 1:
        return ()
    if on.notna().any():
        sizes = " or ".join(f"{size:,}" for size in sorted(set(on.dropna())))
        return (
            (
                f"Trials were scored {per_epoch} times per epoch (training.reports_per_epoch), within epochs on "
                f"{sizes} examples of dev, the same for all trials (training.report_dev). Only scores at "
                "the ends of epochs, on all of dev, are scores of trials; the others decided at rungs within epochs."
            ),
        )
    return (
        (
            f"Trials were scored on dev {per_epoch} times per epoch (training.reports_per_epoch). The score of a trial "
            "is the best of all these values, which is better on average than the best of one value per epoch."
        ),
    )


def _patience(epochs: int | None) -> tuple[str, ...]:
    if epochs is None:
        return ()
    return (
        (
            f"Trials ended after {counted(epochs, 'epoch')} in a row without a better dev score (training.patience): "
            "such a score is final and no bound. The learning rate followed the schedule of the full length."
        ),
    )


def _search(tables: SweepTables) -> str:
    name = tables.spec.search.name
    fields = ", ".join(tables.parameters) or "nothing"
    return f"Search: {name}, over {fields}. What was not searched has the value in the sweep file at the end."


def _noise(tables: SweepTables) -> tuple[str, ...]:
    """Sampling error of an accuracy on a dev set of n examples: sqrt(p (1 - p) / n), at the best trial's p."""
    size = tables.spec.task.options.get("dev")
    if (
        tables.spec.seeds.folds
    ):  # a score on a fold has another number of examples, and a configuration's is over all of them
        return ()
    metric = metric_of(tables)
    best = metric.best(tables.trials.loc[tables.trials["status"] != "failed", "score"])
    if metric.name != "accuracy" or not isinstance(size, int) or size <= 0 or not 0 <= best <= 1:
        return ()
    # The standard deviation of a mean is at most the mean standard deviation, and sqrt(p (1 - p)) is concave.
    most = "; a mean over exits at most that" if metric.exit == "mean" else ""
    error = math.sqrt(best * (1 - best) / size)
    return (
        (
            f"The dev set has {size:,} examples: an accuracy of {best:.4f} measured on it has a standard error of "
            f"about {error:.4f} (binomial{most}) from the choice of examples alone.{_of_differences(tables)}"
        ),
    )


def _of_differences(tables: SweepTables) -> str:
    """Why a difference has a smaller error than a score, with the one of the lead."""
    lead = lead_of_best(tables)
    if lead is None or lead.interval.basis not in {Basis.BOTH, Basis.EXAMPLES}:
        return " Configurations share the examples, so their differences vary less than that."
    return (
        " Configurations share the examples, so their differences vary less: the lead of the best has a standard error "
        f"of {lead.interval.error_of_examples:.4f} from the choice of examples."
    )
