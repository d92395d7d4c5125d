"""How well the exits' confidences agree with how often they are right, before and after a temperature per exit."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.calibration import calibration_summary, one_threshold
from greenexp.analysis.sweeps.chosen import ChosenTrials, chosen_trials
from greenexp.figures import reliability_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.replayed import nothing_replayed, whose
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table

TITLE = "Calibration"


def section(tables: SweepTables) -> Section:
    """Temperatures, NLL and ECE per exit over the seeds of the chosen configuration; reliability of its best trial."""
    chosen = chosen_trials(tables)
    rows = chosen.rows(tables.calibration)
    if rows.empty:
        return Section("calibration", TITLE, (nothing_replayed(tables, chosen, "calibration"),))
    summary = calibration_summary(rows)
    plate = _reliability(tables, chosen)
    return Section(
        name="calibration",
        title=TITLE,
        headline=(*_gain(summary), *_one_threshold(tables, chosen)),
        paragraphs=(f"Over {whose(chosen, rows)}. {_splits(summary)}", *_remarks(summary)),
        plates=plate,
        tables=(_summary_table(summary),),
        assumptions=(
            "One temperature per exit and seed: the minimiser of the negative log-likelihood on dev (Guo et al. 2017).",
            "A temperature changes confidences, and so which examples leave at a threshold; it changes no prediction.",
            (
                "ECE: mean over 15 bins of |accuracy - mean confidence|, weighted by examples. Bins with few examples "
                "make it too large; on dev it is too small on average, as the temperatures were fitted there."
            ),
            "The curves and fronts above are replayed without temperatures.",
        ),
    )


def _gain(summary: pd.DataFrame) -> tuple[str, ...]:
    """What scaling does to NLL and ECE, on test if it is there."""
    split = "test" if (summary["split"] == "test").any() else "dev"
    rows = summary[summary["split"] == split].dropna(subset=["nll_after", "ece_after"])
    if rows.empty:
        return ("No exit has a temperature; the remarks say why.",)
    unseen = "fitted on dev, applied to test" if split == "test" else "fitted and measured on dev"
    return (
        (
            f"A temperature per exit, {unseen}: over the {counted(len(rows), 'exit')}, mean NLL goes from "
            f"{rows['nll_before'].mean():.4f} to {rows['nll_after'].mean():.4f} nats and mean ECE from "
            f"{rows['ece_before'].mean():.4f} to {rows['ece_after'].mean():.4f}; temperatures lie between "
            f"{rows['temperature_low'].min():.2f} and {rows['temperature_high'].max():.2f}."
        ),
    )


def _splits(summary: pd.DataFrame) -> str:
    if (summary["split"] == "test").any():
        return "Dev rows measure temperatures where they were fitted; test rows do not."
    return (
        "No test logits of these seeds are stored, so all numbers are on the dev set that fitted the temperatures: "
        "optimistic."
    )


def _remarks(summary: pd.DataFrame) -> tuple[str, ...]:
    """Exits whose temperature is no minimum, or for which examples were left out."""
    flagged = summary[summary["remarked"] > 0]
    columns = (flagged[name] for name in ("exit", "split", "remarked", "trials", "remark"))
    return tuple(
        f"Exit {number}, {split}, {remarked} of {counted(int(trials), 'seed')}: {remark}."
        for number, split, remarked, trials, remark in zip(*columns, strict=True)
    )


def _one_threshold(tables: SweepTables, chosen: ChosenTrials) -> tuple[str, ...]:
    """Who passes a threshold at the first and at the last exit, and how often they are right."""
    trial, split, bins = _bins(tables, chosen)
    cells = one_threshold(bins)
    if cells.empty:
        return ()
    told = [
        f"exit {number} answers {100 * share:.1f} % of the examples, {100 * accuracy:.1f} % of them right"
        for number, share, accuracy in zip(cells["exit"], cells["share"], cells["accuracy"], strict=True)
    ]
    where = f"with a probability above {cells['threshold'].iloc[0]:.2f} ({trial}, {split})"
    before, after = ", and ".join(told[:2]), ", and ".join(told[2:])
    return (f"What one threshold means: {where}, before scaling {before}; after it, {after}.",)


def _bins(tables: SweepTables, chosen: ChosenTrials) -> tuple[str, str, pd.DataFrame]:
    """(trial, split, bins) of the chosen configuration's best trial, on test if it is there."""
    trial = chosen.best_of(tables.reliability)
    rows = tables.reliability[tables.reliability["trial"] == trial]
    split = "test" if (rows["split"] == "test").any() else "dev"
    return trial, split, rows[rows["split"] == split]


def _reliability(tables: SweepTables, chosen: ChosenTrials) -> tuple[Plate, ...]:
    """The diagram of the first, the middle and the last exit."""
    trial, split, bins = _bins(tables, chosen)
    exits = sorted({int(number) for number in bins.loc[bins["examples"] > 0, "exit"]})
    if not exits:
        return ()
    shown = list(dict.fromkeys((exits[0], exits[len(exits) // 2], exits[-1])))
    rows = tables.calibration
    rows = rows[(rows["trial"] == trial) & (rows["split"] == split)].set_index("exit")
    ece = {number: (float(rows["ece_before"][number]), float(rows["ece_after"][number])) for number in shown}
    figure = reliability_figure(bins[bins["exit"].isin(shown)], ece, trial, split)
    columns = (
        Column("exit", "Exit", "count"), Column("calibrated", "After scaling"), Column("low", "Bin above", "score"),
        Column("high", "Bin up to", "score"), Column("examples", "Examples", "count"),
        Column("confidence", "Mean confidence", "score"), Column("accuracy", "Accuracy", "score"),
    )  # fmt: skip
    note = "Bins without an example are left out. A mark's area grows with its examples."
    return (Plate(figure, Table(figure.name, figure.title, figure.table, columns, note)),)


def _summary_table(summary: pd.DataFrame) -> Table:
    columns = (
        Column("exit", "Exit", "count"), Column("layer", "Layer", "count"), Column("split", "Measured on"),
        Column("temperature_low", "Temperature (dev), least", "number"),
        Column("temperature_high", "Temperature (dev), largest", "number"),
        Column("nll_before", "NLL before, mean", "score"), Column("nll_after", "NLL after, mean", "score"),
        Column("ece_before", "ECE before, mean", "score"), Column("ece_after", "ECE after, mean", "score"),
        Column("examples", "Examples", "count"), Column("trials", "Seeds", "count"),
        Column("remark", "Remark", "prose"),
    )  # fmt: skip
    note = "Means over seeds; NLL in nats. Every exit of every seed has its own temperature, fitted on dev."
    return Table("calibration", "Exits before and after temperature scaling", summary, columns, note)
