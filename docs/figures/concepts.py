"""The figures of README.md and docs/concepts.md: two diagrams, and drawings of recorded sweeps from `data/`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from diagrams import Arrow, Box, diagram

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.api.statistics import curve
from greenexp.figures.figure import Figure
from greenexp.figures.policy_curves import policy_curves_figure
from greenexp.figures.style import BLUE, GREY, ORANGE, VERMILLION, chart, quantity

DATA = Path(__file__).parent / "data"


def data_flow() -> Figure:
    """From the sweep file to the report."""
    y, below = 110, 215
    columns = {"file": 60, "plan": 205, "trials": 370, "journal": 535, "mlflow": 690}
    boxes = [
        Box("sweep file", columns["file"], y, 90, main=False),
        Box("plan:\ntrials and price", columns["plan"], y, 120),
        Box("training:\none trial on Ray", columns["trials"], y, 120),
        Box("journal", columns["journal"], y, 90),
        Box("MLflow", columns["mlflow"], y, 90, main=False),
        Box("scheduler, search", columns["trials"], 25, 130, 34),
        Box("CSV, data frame", columns["mlflow"], below, 110, main=False),
        Box("tables", columns["journal"], below, 90),
        Box("analysis", columns["trials"], below, 120),
        Box("figures", columns["plan"], below, 120),
        Box("report, terminal,\nnotebook", columns["file"], below, 112, main=False),
    ]
    arrows = [
        Arrow((105, y), (145, y)),
        Arrow((265, y), (310, y)),
        Arrow((430, y), (490, y), "reports", shift=(0, -9)),
        Arrow((580, y), (645, y)),
        Arrow((535, y - 22), (435, 34), "scores", back=True, shift=(24, -4)),
        Arrow((370, 42), (370, y - 22), "go on,\npause, stop", back=True, shift=(42, -6)),
        Arrow((305, 34), (225, y - 22), "further\nconfigurations", back=True, shift=(-48, -12)),
        Arrow((535, y + 22), (535, below - 22)),
        Arrow((690, y + 22), (580, below - 14)),
        Arrow((635, below), (580, below)),
        Arrow((490, below), (430, below)),
        Arrow((310, below), (265, below)),
        Arrow((145, below), (116, below)),
    ]
    alt = (
        "Boxes and arrows: a sweep file is planned into trials with a price; each trial is trained on Ray and its "
        "reports go to the journal. From the journal, the scheduler decides which trials go on and the search "
        "proposes further configurations. MLflow is written from the journal. Tables are read from the journal, from "
        "MLflow or from a CSV file; analysis and figures follow from the tables, and the report, the terminal and "
        "notebooks show them."
    )
    return diagram(boxes, arrows, (750, 245), "data-flow", "From the sweep file to the report", alt)


def multi_exit_encoder() -> Figure:
    """An encoder with an exit after each layer, and the share of examples that leaves at each of them."""
    exits = pd.read_csv(DATA / "encoder.csv")
    first, step, top, low = 190, 135, 40, 150
    boxes = [Box("embeddings", 60, top, 100)]
    arrows = []
    for row in exits.itertuples():
        x = first + step * (int(row.exit) - 1)
        boxes.append(Box(f"layer {row.layer}", x, top, 90))
        text = f"exit {row.exit}\naccuracy {row.accuracy:.3f}\n{100 * row.share:.0f} % leave"
        boxes.append(Box(text, x, low, 116, 62, main=False))
        before = 110 if row.exit == 1 else x - step + 45
        arrows += [Arrow((before, top), (x - 45, top)), Arrow((x, top + 22), (x, low - 31))]
    shares = ", ".join(
        f"{100 * share:.1f} % at exit {number}" for number, share in zip(exits["exit"], exits["share"], strict=True)
    )
    scores = ", ".join(f"{score:.3f}" for score in exits["accuracy"])
    alt = (
        f"An encoder with {len(exits)} layers and an exit after each of them. The dev accuracies of the exits are "
        f"{scores}. With one threshold on the largest probability, {shares} of the dev examples leave."
    )
    size = (first + step * len(exits) - 60, 195)
    return diagram(boxes, arrows, size, "multi-exit-encoder", "An encoder with an exit after every layer", alt)


def successive_halving() -> Figure:
    """Learning curves of one sweep under ASHA, with the places where configurations were stopped."""
    epochs = pd.read_csv(DATA / "asha.csv")
    epochs["ended"] = epochs["status"].map({"finished": "trained to the end", "stopped": "stopped at a rung"})
    last = epochs.loc[epochs.groupby("configuration")["epoch"].idxmax()]
    stopped = last.loc[last["status"] == "stopped"]
    ends = " and ".join(
        f"{row.configuration} at epoch {row.epoch} with {row.score:.3f}" for row in stopped.itertuples()
    )
    best = last.loc[last["score"].idxmax()]
    alt = (
        f"Lines of the best dev accuracy so far over epochs, one for each of {len(last)} configurations: {ends} were "
        f"stopped; the others trained to epoch {last['epoch'].max()}, the best of them {best['configuration']} with "
        f"{best['score']:.3f}."
    )
    spec = chart(epochs.to_dict("records"), _halving_layers(last, sorted(stopped["epoch"].unique())))
    return Figure("successive-halving", "A sweep under ASHA", alt, spec, epochs)


def _halving_layers(last: pd.DataFrame, rungs: list[int]) -> list[dict[str, Any]]:
    """Rungs, lines, ends of lines, and names. `last`: the last epoch of each configuration."""
    looks = ["trained to the end", "stopped at a rung"]
    ended = {"field": "ended", "type": "nominal", "title": None}
    colour = {**ended, "scale": {"domain": looks, "range": [BLUE, VERMILLION]}}
    dash = {**ended, "scale": {"domain": looks, "range": [[1, 0], [6, 4]]}}
    shape = {**ended, "scale": {"domain": looks, "range": ["circle", "square"]}}
    x = quantity("epoch", "Epoch", axis={"tickMinStep": 1}, scale={"domain": [1, int(last["epoch"].max())]})
    y = quantity("score", "Best dev accuracy so far, mean over seeds")
    return [
        {
            "mark": {"type": "rule", "color": GREY, "strokeDash": [3, 3]},
            "data": {"values": [{"epoch": int(rung)} for rung in rungs]},
            "encoding": {"x": x},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "detail": {"field": "configuration"}, "color": colour, "strokeDash": dash},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "data": {"values": last.to_dict("records")},
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 8, "fontSize": 12},
            "data": {"values": _named_ends(last)},
            "encoding": {"x": x, "y": y, "text": {"field": "names"}},
        },
    ]


def _named_ends(last: pd.DataFrame) -> list[dict[str, Any]]:
    """Names of configurations at the ends of their lines; ends that lie close together have one text."""
    ends: list[dict[str, Any]] = []
    for row in last.sort_values(["epoch", "score"]).to_dict("records"):
        if ends and ends[-1]["epoch"] == row["epoch"] and row["score"] - ends[-1]["score"] < 0.01:
            ends[-1]["names"] += f", {row['configuration']}"
        else:
            ends.append({"epoch": row["epoch"], "score": row["score"], "names": row["configuration"]})
    return ends


def tuning_curve() -> Figure:
    """The tuning curve of a random search with its band."""
    figure = curve(pd.read_csv(DATA / "random_search.csv"), score="score").figures[0]
    return Figure("tuning-curve", "Median best of n configurations", figure.alt, figure.spec, figure.table)


def exit_policies() -> Figure:
    """Score of each exit policy against speed-up."""
    table = pd.read_csv(DATA / "policies.csv")
    curves, alone = table[table["exit"].isna()].rename(columns={"speed_up": "price"}), table[table["exit"].notna()]
    figure = policy_curves_figure(curves, alone, "speed_up", SweepMetric("accuracy", "mean", "max"))
    return Figure("exit-policies", "Score of every exit policy against speed-up", figure.alt, figure.spec, figure.table)


IDLE_W, BUSY_W = 40.0, 300.0
"""Of the device in the figure: its idle power, and what it draws beyond that at full use."""
PARTS = {"trial a": BLUE, "trial b": VERMILLION, "overhead": GREY, "unattributed": ORANGE}


def energy_divided() -> Figure:
    """Whose the power of one device is: two trials with half of it each, and for a while another process."""
    use = {"trial a": (0, 40, 0.4), "trial b": (10, 60, 0.5), "unattributed": (20, 30, 0.1)}
    rows = []
    for begin in range(0, 60, 10):
        at = {name: part for name, (first, last, part) in use.items() if first <= begin < last}
        held = sum(name.startswith("trial") for name in at) / 2
        powers = {name: BUSY_W * part + (IDLE_W / 2 if name.startswith("trial") else 0.0) for name, part in at.items()}
        powers["overhead"] = IDLE_W * (1.0 - held)
        rows += [{"begin_s": begin, "end_s": begin + 10, "part": name, "place": list(PARTS).index(name),
                  "power_w": power, "energy_j": 10 * power} for name, power in powers.items() if power]  # fmt: skip
    table = pd.DataFrame(rows)
    totals = table.groupby("part")["energy_j"].sum()
    stack = [{"stack": "power_w", "groupby": ["begin_s"], "sort": [{"field": "place"}], "as": ["low", "high"]}]
    x = {"field": "begin_s", "type": "quantitative", "title": "Time (s)", "scale": {"nice": False}}
    y = {"field": "low", "type": "quantitative", "title": "Power of the device (W)"}
    color = {"field": "part", "type": "nominal", "title": None, "sort": list(PARTS),
             "scale": {"domain": list(PARTS), "range": list(PARTS.values())}}  # fmt: skip
    name = {"calculate": "datum.high - datum.low > 30 ? datum.part : ''", "as": "name"}
    middle = [{"calculate": "(datum.low + datum.high) / 2", "as": "middle"}, name,
              {"calculate": "datum.begin_s + 5", "as": "centre"}]  # fmt: skip
    layers: list[dict[str, Any]] = [
        {"transform": stack, "mark": {"type": "rect", "stroke": "white"},
         "encoding": {"x": x, "x2": {"field": "end_s"}, "y": y, "y2": {"field": "high"}, "color": color}},
        {"transform": [*stack, *middle], "mark": {"type": "text", "color": "white", "fontSize": 11},
         "encoding": {"x": {**x, "field": "centre"}, "y": {**y, "field": "middle"}, "text": {"field": "name"}}},
    ]  # fmt: skip
    told = ", ".join(f"{part} {totals[part]:,.0f} J" for part in PARTS)
    alt = (
        f"Power of a device over a minute, stacked by whose it is: {told}, together {totals.sum():,.0f} J, which is "
        "what its meter counted. A trial has its use and half of the idle power while it holds its half."
    )
    return Figure("energy-divided", "Whose the power of a device is", alt, chart(rows, layers), table)


FIGURES: dict[str, Callable[[], Figure]] = {
    "data-flow": data_flow,
    "multi-exit-encoder": multi_exit_encoder,
    "successive-halving": successive_halving,
    "tuning-curve": tuning_curve,
    "exit-policies": exit_policies,
    "energy-divided": energy_divided,
}
"""Name of a figure of README.md or docs/concepts.md -> what draws it."""
