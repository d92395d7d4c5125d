"""What early stopping stopped, where, and what that saved."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.front_places import front_places
from greenexp.analysis.sweeps.savings import Savings, rung_table, savings
from greenexp.analysis.sweeps.scheduling import SweepScheduler, recorded_scheduler
from greenexp.figures import rungs_figure
from greenexp.records.axes import AXES, EPOCHS, rung_name
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted, share
from greenexp.report.table import Column, Table

COLUMNS = (
    Column("bracket", "Bracket", "count"),
    Column("rung", "Rung (epoch)", "count"),
    Column("seeds", "Seeds", "count"),
    Column("trials", "Trials", "count"),
    Column("configurations", "Configurations", "count"),
    Column("went_on", "Went on", "count"),
    Column("stopped", "Stopped", "count"),
    Column("waiting", "Waiting", "count"),
    Column("joined", "Later seeds that joined", "count"),
    Column("given_up", "Later seeds given up", "count"),
    Column("last_cutoff", "Last cutoff", "score"),
    Column("noise", "Noise", "score"),
)
PLACES = (
    Column("unit", "Unit", "name"),
    Column("rung", "Rung (epoch)", "count"),
    Column("seeds", "Seeds", "count"),
    Column("value", "Score", "score"),
    Column("front", "Front", "count"),
    Column("place", "Place", "count"),
    Column("action", "Decision"),
    Column("reason", "Reason", "prose"),
)
NOISE = (
    "Noise: the standard error of the difference of two configurations' means at the rung, from the standard deviation "
    "between the seeds of a configuration, pooled over those with at least two there; it includes what the effect of a "
    "seed has in common in all configurations, which cancels in a difference."
)


def section(tables: SweepTables) -> Section:
    """Rungs as bars and table, epochs saved, and the word that nothing was stopped if so."""
    scheduler = recorded_scheduler(tables)
    rungs = rung_table(tables)
    numbers = savings(tables)
    plates: tuple[Plate, ...] = ()
    if len(rungs):
        figure = rungs_figure(rungs, scheduler.resource)
        later = rungs[["joined", "given_up"]].to_numpy().any()
        shown = (column for column in COLUMNS if later or column.name not in ("joined", "given_up"))
        columns = tuple(_rung_column(scheduler) if column.name == "rung" else column for column in shown)
        plates = (Plate(figure, Table(figure.name, figure.title, rungs, columns)),)
    return Section(
        name="early-stopping",
        title="Early stopping",
        headline=(*_sentences(scheduler, numbers, rungs), *_given_up(numbers), *_patience(numbers)),
        plates=plates,
        tables=(_ledger(numbers), *_places(tables)),
        assumptions=(
            *_assumptions(scheduler, numbers),
            *_at_costs(scheduler, tables),
            *((NOISE,) if rungs["noise"].notna().any() else ()),
        ),
    )


def _rung_column(scheduler: SweepScheduler) -> Column:
    """Rungs in epochs, or in the unit of the axis that they lie on."""
    if scheduler.resource == EPOCHS:
        return Column("rung", "Rung (epoch)", "count")
    return Column("rung", f"Rung ({scheduler.resource})", "quantity", AXES[scheduler.resource].unit)


def _sentences(scheduler: SweepScheduler, numbers: Savings, rungs: pd.DataFrame) -> tuple[str, ...]:
    if not numbers.stopped and not numbers.given_up:
        never = "has stopped no trial" if scheduler.stops else "never stops a trial"
        return (f"The scheduler ({scheduler.name}) {never}: no epoch was saved by early stopping.",)
    where = "; ".join(
        f"{stopped} of the {trials} at "
        f"{rung_name(scheduler.resource, rung)}{f' of bracket {bracket}' if len(rungs['bracket'].unique()) > 1 else ''}"
        for bracket, rung, trials, stopped in zip(
            rungs["bracket"], rungs["rung"], rungs["trials"], rungs["stopped"], strict=True
        )
        if stopped
    )
    return (
        f"{scheduler.name} stopped {share(numbers.stopped, numbers.trials)} trials{f' ({where})' if where else ''}.",
        f"{share(numbers.saved_epochs, numbers.planned_epochs)} planned epochs were saved by it.",
    )


def _given_up(numbers: Savings) -> tuple[str, ...]:
    """What trials never began, since their configuration was stopped before their turn."""
    if not numbers.given_up:
        return ()
    return (
        (
            f"{share(numbers.given_up, numbers.trials)} trials were given up before they began: later seeds of "
            "configurations that were stopped."
        ),
    )


def _patience(numbers: Savings) -> tuple[str, ...]:
    """What trials ended by themselves, which no scheduler did."""
    if not numbers.ended:
        return ()
    return (
        (
            f"{share(numbers.ended, numbers.finished)} finished trials ended before their last epoch by their own "
            f"patience (training.patience), which left {share(numbers.ended_epochs, numbers.planned_epochs)} planned "
            "epochs untrained; their scores are final."
        ),
    )


def _places(tables: SweepTables) -> tuple[Table, ...]:
    """Front and place at each rung, where several objectives were compared."""
    places = front_places(tables)
    if places.empty:
        return ()
    note = (
        f"Compared by {', '.join(tables.spec.objectives)}. Front 1: no other that had come to the rung is at least as "
        "good in all objectives and better in one; the place is that in the order by fronts."
    )
    shown = places.assign(action=places["action"].map({"go_on": "goes on", "stop": "stopped"}))
    return (Table("places-at-rungs", "Fronts and places at the rungs", shown, PLACES, note),)


def _ledger(numbers: Savings) -> Table:
    rows = [
        ("planned: all trials trained to the end", numbers.planned_epochs),
        ("trained", numbers.run_epochs),
        ("not trained: trial stopped early", numbers.saved_epochs),
        *([("not trained: trial ended by its own patience", numbers.ended_epochs)] if numbers.ended else []),
        ("not trained: trial or another seed failed, interrupted or not ended", numbers.open_epochs),
        ("trained again after a break (in addition)", numbers.repeated_epochs),
    ]
    frame = pd.DataFrame(rows, columns=["what", "epochs"])
    return Table("epochs-saved", "Epochs", frame, (Column("what", "Epochs"), Column("epochs", "Number", "count")))


def _at_costs(scheduler: SweepScheduler, tables: SweepTables) -> tuple[str, ...]:
    """What it means that rungs lie at costs, and how many trials could not be judged there."""
    if scheduler.resource == EPOCHS or not scheduler.stops:
        return ()
    given = tables.decisions
    unjudged = given[given["level"].notna() & (given["action"] == "go_on") & given["value"].isna()]
    said = (
        f"Rungs lie at equal {AXES[scheduler.resource].title.lower()} ({scheduler.resource}) of a trial: it is judged "
        "at its first report that has used as much, and has used more there, by less than the cost of a report."
    )
    count = unjudged["trial"].nunique()
    return (said, *([f"{counted(count, 'trial')} went on unjudged, as this was not measured."] if count else []))


def _assumptions(scheduler: SweepScheduler, numbers: Savings) -> tuple[str, ...]:
    if not scheduler.stops:
        return ()
    unit = "trial" if scheduler.per_trial else "configuration (mean over its seeds)"
    notes = [f"The unit of decision is the {unit}; trials are counted by their last verdict at a rung."]
    if numbers.abandoned:
        notes.append(
            f"{counted(numbers.abandoned, 'trial')} ended because another seed of the configuration failed: not "
            "counted as stopped, and nothing was saved there."
        )
    if numbers.stopped:
        notes.append(
            "Saved epochs are counted against training every trial to the end. Whether that search would have found "
            "a better configuration is not known, since the stopped trials were not trained to the end."
        )
    return tuple(notes)
