"""The figures of docs/results: the main tables of each page, drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
from drawings import Axis, Cells, Layout, Lines, Points
from page_tables import number, numbers, page_table

from greenexp.figures.figure import Figure

_COVERAGE, _STOPPING = "results/coverage.md", "results/early-stopping.md"
_SEEDS, _SST5, _METHODS = "results/how-many-seeds.md", "results/sst5.md", "results/methods.md"
_SEARCH = "results/search.md"
_IMAGES = "results/images.md"
_LEAST = 72
"""Accuracies at a speed-up of 2 are drawn from here on, in points."""
_BACKBONES = {"minilm-l6": "## Results: `minilm-l6`", "gte-small": "## Results: `gte-small`"}


def band_coverage() -> Figure:
    """Share of samples whose band contains the truth."""
    table = page_table(_COVERAGE, "## Coverage", first="what contains the truth")
    rows = [
        {"row": row["what contains the truth"], "panel": panel, "value": share, "lower": low, "upper": high}
        for row in table.to_dict("records")
        for panel in ("N = 10", "N = 50")
        for share, low, high in [numbers(row[panel])]
    ]
    axis = Axis("Samples whose band contains the truth (%)", (50, 100), ticks=(50, 60, 70, 80, 90, 95), reference=95)
    alt = (
        "Two panels, for 10 and 50 scores, with the share of samples whose 95 % band contains the truth: the exact "
        "bands and Kolmogorov's at 95 % or a little above, bands of the median curve near 99 %, the percentile "
        "bootstrap at 90, 76 and 54 % with 10 scores and 94, 78 and 56 % with 50."
    )
    drawing = Points(rows, axis, Layout(width=190, columns=2, row=26, names=330))
    return drawing.figure("band-coverage", "How often a 95 % band contains the truth", alt)


def lead_coverage() -> Figure:
    """Share of pairs whose interval contains the true lead."""
    table = page_table(_COVERAGE, "## The lead", first="noise")
    methods = ("seeds and examples", "seeds alone", "percentiles of both")
    rows = [
        {"panel": f"{row['seeds']} seeds", "row": row["noise"], "series": method, "value": share, "lower": low,
         "upper": high}
        for row in table.to_dict("records")
        for method in methods
        for share, low, high in [numbers(row[method])]
        if share > 0
    ]  # fmt: skip
    axis = Axis("Intervals that contain the lead (%)", (80, 100), ticks=(80, 85, 90, 95, 100), reference=95)
    alt = (
        "Three panels, for 2, 3 and 5 seeds, with the share of 95 % intervals that contain the true lead: the "
        "interval over seeds and examples between 91 and 98 %, the one over seeds alone between 83 and 95 % (and 0 % "
        "where the examples make all of the noise, not drawn), the bootstrap percentiles between 86 and 99 %."
    )
    drawing = Points(rows, axis, Layout(width=140, columns=3, row=24, names=130))
    return drawing.figure("lead-coverage", "How often a 95 % interval contains the lead", alt)


def gain_found() -> Figure:
    """What further configurations gained, against what was said."""
    shown = {"10": ("10",), "24": ("10",), "48": ("10", "48")}
    rows: list[dict[str, Any]] = []
    for row in page_table(_SEARCH, "## What the next", first="scores").to_dict("records"):
        if row["m"] in shown[row["N"]]:
            said, found, error = (number(row[name]) for name in ("gain said", "gain found", "its error"))
            rows.append({"panel": f"{row['N']} known, {row['m']} more", "row": row["scores"], "value": found / said,
                         "lower": (found - 2 * error) / said, "upper": (found + 2 * error) / said})  # fmt: skip
    axis = Axis("Gain found / gain said", (0, 2), ticks=(0, 0.5, 1, 1.5, 2), reference=1)
    alt = (
        "Four panels, for 10, 24 and 48 known scores and 10 or 48 more, with the mean gain found as a part of the gain "
        "said: between 0.7 and 1.3 for all scores but those at a plateau, HPOBench car, where it is 0.2 with 10 known, "
        "1 with 24 and 0 with 48."
    )
    drawing = Points(rows, axis, Layout(width=170, columns=2, row=24, names=120))
    return drawing.figure("gain-found", "What the next configurations gained, against what was said", alt)


def schedulers_regret() -> Figure:
    """Regret at equal cost, by scheduler and number of seeds."""
    rows: list[dict[str, Any]] = []
    table = page_table(_SEARCH, "## Schedulers and seeds", first="cost")
    shown = (table["rungs at"] != "whole epochs") | (table["scheduler"] == "one_epoch")
    for row in table[shown].to_dict("records"):
        for seeds in ("1 seed", "2 seeds", "4 seeds", "growing"):
            if row[seeds] != "–":
                regret, error = numbers(row[seeds])
                rows.append({"panel": f"cost of {row['cost']} full trainings", "row": row["scheduler"], "series": seeds,
                             "value": regret, "lower": regret - 2 * error, "upper": regret + 2 * error})  # fmt: skip
    alt = (
        "Three panels, for costs of 8, 16 and 32 full trainings, with the regret of eight schedulers that judge at "
        "quarter epochs, by number of seeds. At 8 one seed is best everywhere, with 1.0 to 1.5 points. At 32, two and "
        "growing seeds are best under asha_promotion and sha, with 0.3 points, where one seed has 0.8 and full "
        "training with one seed 0.6."
    )
    drawing = Points(rows, Axis("Regret (points)", (0, 4.5)), Layout(width=210, columns=3, row=34, names=110))
    return drawing.figure("schedulers-regret", "Regret of schedulers and seed designs at equal cost", alt)


def stopping_saved() -> Figure:
    """What each scheduler saves against full training of the same expected best."""
    rows: list[dict[str, Any]] = []
    for model in ("DeBERTaV3", "DeBERTa"):
        for row in page_table(_STOPPING, f"## {model}", first="begun").to_dict("records"):
            if row["scheduler"] != "fifo":
                saved, low, high = (number(row[name]) for name in ("saved", "from", "to"))
                rows.append({"panel": model, "row": row["scheduler"], "series": f"{row['begun']} trials begun",
                             "value": saved, "lower": low, "upper": high})  # fmt: skip
    alt = (
        "Two panels, DeBERTaV3 and DeBERTa, with the cost saved against full training of the same expected best for "
        "searches that begin 17, 34 and 102 trials: SHA 55 to 61 %, ASHA 50 to 60 %, Hyperband 28 to 41 %, with "
        "intervals of about 1 to 4 points on either side."
    )
    axis = Axis("Cost saved (%)", (20, 70))
    drawing = Points(rows, axis, Layout(width=210, columns=2, row=26, names=90))
    return drawing.figure("stopping-saved", "Cost saved by stopping trials early", alt)


def stopping_best_so_far() -> Figure:
    """Best score so far over cost, a line per scheduler."""
    table = page_table(_STOPPING, "## Best score so far", first="spent, 10⁶ examples")
    rows = [
        {"x": number(row["spent, 10⁶ examples"]), "value": number(row[way]), "series": way}
        for way in ("fifo", "sha", "asha", "hyperband")
        for row in table.to_dict("records")
    ]
    alt = (
        "Best dev accuracy so far over millions of examples processed, a line for each scheduler: ASHA is highest up "
        "to about 18 million, SHA is lowest until about 7 million, and at 33 million full training (fifo) is highest "
        "with 0.9061."
    )
    x = Axis("Examples processed (millions)", log=True, ticks=(1, 2, 5, 10, 20, 33))
    drawing = Lines(rows, x, Axis("Best dev accuracy so far", (0.88, 0.908)))
    return drawing.figure("stopping-best-so-far", "Best score so far over cost", alt)


def seed_noise() -> Figure:
    """Standard deviation over seeds, task by task."""
    table = page_table(_SEEDS, "## The noise of one seed", first="task")
    rows = [
        {"panel": row["task"], "row": row["model"], "value": number(row["sd"]), "lower": low, "upper": high}
        for row in table.to_dict("records")
        for low, high in [numbers(row["sd, 95 %"])]
    ]
    alt = (
        "Three panels, RTE, MRPC and SST-2, with the standard deviation of the score over seeds for six models and "
        "its 95 % interval on a logarithmic axis: 1.9 to 3.4 points on RTE, 0.7 to 1.2 on MRPC and 0.3 to 0.6 on "
        "SST-2; XLNet-large 15.9 on RTE and 1.7 on SST-2."
    )
    axis = Axis("Standard deviation over seeds (points)", (0.2, 50), log=True, ticks=(0.2, 0.5, 1, 2, 5, 10, 20, 50))
    drawing = Points(rows, axis, Layout(width=170, columns=3, row=26, names=120))
    return drawing.figure("seed-noise", "How much one seed changes the score", alt)


def seed_differences() -> Figure:
    """The smallest difference found, by number of seeds."""
    table = page_table(_SEEDS, "## The noise of one seed", first="task")
    columns = {"3 seeds": "least, 3 seeds", "5 seeds": "5", "10 seeds": "10", "20 seeds": "20"}
    rows = [
        {"panel": row["task"], "row": row["model"], "series": seeds, "value": number(row[column])}
        for row in table.to_dict("records")
        if row["model"] != "xlnet-large"
        for seeds, column in columns.items()
    ]
    alt = (
        "Three panels, RTE, MRPC and SST-2, with the smallest true difference that a t test finds with 80 % power, "
        "for 3, 5, 10 and 20 seeds of each model: with 5 seeds 3.7 to 6.8 points on RTE, 1.5 to 2.4 on MRPC and 0.6 "
        "to 1.3 on SST-2. XLNet-large is left out."
    )
    axis = Axis("Smallest difference found (points)", (0.2, 12), log=True, ticks=(0.2, 0.5, 1, 2, 5, 10))
    drawing = Points(rows, axis, Layout(width=170, columns=3, row=26, names=120))
    return drawing.figure("seed-differences", "Which differences a number of seeds finds", alt)


def false_alarms() -> Figure:
    """How often each rule calls equal distributions different."""
    table = page_table(_SEEDS, "## How often each rule is wrong", first="rule")
    rows = [
        {"row": row["rule"], "series": sample, "value": share, "lower": low, "upper": high}
        for row in table.to_dict("records")
        for sample in ("n = 3", "n = 5", "n = 10", "n = 30")
        for share, low, high in [numbers(row[sample])]
    ]
    alt = (
        "How often three rules call two samples of one distribution different, for 3, 5, 10 and 30 scores each: "
        "almost-stochastic order with the bound 0.5 in 18 to 21 % of the samples, with the bound 0.2 in 9 to 3 %, "
        "Welch's test in 3.5 to 4.7 %."
    )
    axis = Axis("Samples called different (%)", (0, 25), reference=5)
    drawing = Points(rows, axis, Layout(width=320, row=26, names=320))
    return drawing.figure("false-alarms", "Rules on samples of one distribution", alt)


def best_of_trials() -> Figure:
    """Median best at equal numbers of trials."""
    table = page_table(_SST5, "## At equal numbers", first="n")
    alt = (
        "Median best dev accuracy over the number of trials, a line per model: the LSTM is highest everywhere, from "
        "0.395 to 0.434; the bag of embeddings rises from 0.324, the lowest, to 0.426 and passes the CNN between 1 "
        "and 2 trials."
    )
    x = Axis("Number of trials", log=True, ticks=(1, 2, 3, 5, 10, 20, 50))
    drawing = Lines(_models(table, "n"), x, Axis("Median best dev accuracy", (0.32, 0.44)))
    return drawing.figure("best-of-trials", "Best of n trials of four models", alt)


def best_at_cost() -> Figure:
    """Median best at equal cost."""
    table = page_table(_SST5, "## At equal cost", first="seconds")
    alt = (
        "Median best dev accuracy over seconds, a line per model: at 100 s the CNN is highest with 0.369, at 150 and "
        "200 s the LSTM and the bag of embeddings are level, from 400 s on the LSTM is highest; the bag of words has "
        "a median from 3,000 s on."
    )
    x = Axis("Seconds of training, in all", log=True, ticks=(100, 200, 400, 1000, 3000, 7000))
    drawing = Lines(_models(table, "seconds"), x, Axis("Median best dev accuracy", (0.3, 0.44)))
    return drawing.figure("best-at-cost", "Best for a cost of four models", alt)


def _models(table: pd.DataFrame, x: str) -> list[dict[str, Any]]:
    """Rows of lines, a series per model of the searches on SST-5; a dash is no value."""
    names = {"lstm": "lstm", "boe": "boe (bag of embeddings)", "cnn": "cnn", "linear": "linear (bag of words)"}
    return [
        {"x": number(row[x]), "value": number(row[model]), "series": name}
        for model, name in names.items()
        for row in table.to_dict("records")
    ]


def methods_exits(backbone: str) -> Figure:
    """Every exit of every method."""
    table = page_table(_METHODS, _BACKBONES[backbone], first="configuration")
    layers = [name for name in table if str(name).startswith("layer ")]
    rows = [
        {"row": row["configuration"], "column": int(name.removeprefix("layer ")), "value": number(row[name])}
        for row in table.to_dict("records")
        for name in layers
        if row[name] != "-"
    ]
    shown = pd.DataFrame(rows)
    first, last = (shown.loc[shown["column"] == layer, "value"] for layer in (1, len(layers)))
    alt = (
        "Cells with the dev accuracy of each exit, a row per configuration and a column per layer: from "
        f"{first.min():.1f} to {first.max():.1f} points after layer 1 and from {last.min():.1f} to {last.max():.1f} "
        f"after layer {len(layers)}."
    )
    cell = (62, 20) if len(layers) < 10 else (42, 20)
    drawing = Cells(rows, "Dev accuracy (points) of the exit after layer", 50, cell)
    return drawing.figure(f"methods-exits-{backbone}", f"Every exit of every method, {backbone}", alt)


def methods_speed_up(backbone: str, layers: int) -> Figure:
    """Accuracy at a speed-up of at least 2, by policy."""
    table = page_table(_METHODS, _BACKBONES[backbone], "**2. At a speed-up of at least 2x", first="configuration")
    rows = [
        {"row": row["configuration"], "series": policy, "value": mean, "lower": mean - sd, "upper": mean + sd}
        for row in table.to_dict("records")
        for policy in ("entropy", "static")
        if row[policy] not in {"-", "as entropy"}
        for mean, sd in [_mean_and_sd(row[policy])]
    ]
    alone = float(next(row["value"] for row in rows if row["row"] == f"finetune layers={layers}"))
    best = max((row for row in rows if row["series"] == "entropy"), key=lambda row: float(row["value"]))
    shown = [row for row in rows if row["value"] >= _LEAST]
    below = [f"{row['row']} ({row['series']}) with {row['value']:.2f}" for row in rows if row["value"] < _LEAST]
    alt = (
        "Dev accuracy of each configuration at a speed-up of at least 2, with the exit policy entropy and with the "
        "one exit that is best at that speed-up (static), with the standard deviation over seeds where there are two "
        f"seeds. The best configuration with entropy is {best['row']} with {best['value']:.2f} points; fine-tuning "
        f"{layers} layers alone, the dashed line, has {alone:.2f}."
    )
    if below:
        alt += f" Not drawn, as they lie below {_LEAST} points: {', '.join(below)}."
    axis = Axis("Dev accuracy (points)", (_LEAST, 88), reference=alone)
    drawing = Points(shown, axis, Layout(width=330, row=20, names=230))
    return drawing.figure(f"methods-2x-{backbone}", f"Score at twice the speed, {backbone}", alt)


def methods_differences() -> Figure:
    """Differences from branchynet with their intervals."""
    table = page_table(_METHODS, "**3. mean over exits", first="a")
    rows = [
        {"row": row["a"], "value": number(row["a - b"]), "lower": low, "upper": high}
        for row in table.to_dict("records")
        for low, high in [numbers(row["95 % interval"].replace("+", ""))]
    ]
    alt = (
        "Difference of each method's mean over exits from branchynet's, with its 95 % interval over two seeds, from "
        "-13.4 to +2.5 points; the intervals of all but the methods with pooled heads contain 0, and none is "
        "significant after correction."
    )
    axis = Axis("Difference from branchynet, mean over exits (points)", (-20, 12), reference=0)
    drawing = Points(rows, axis, Layout(width=380, row=20, names=230))
    return drawing.figure("methods-differences", "Methods against branchynet, minilm-l6", alt)


def _mean_and_sd(cell: str) -> tuple[float, float]:
    """`81.65 ± 0.13 (2.00x)` -> (81.65, 0.13); with one seed the deviation is 0, so that no interval is drawn."""
    read = numbers(cell.split("(")[0])
    return read[0], read[1] if len(read) > 1 else 0.0


def images_exits() -> Figure:
    """Accuracy of every exit of the short training on images, a line per method."""
    table = page_table(_IMAGES, "## Results", first="method")
    blocks = [column for column in table.columns if str(column).startswith("block ")]
    rows = [
        {"x": int(number(block)), "value": number(row[block]), "series": row["method"]}
        for row in table.to_dict("records")
        for block in blocks
    ]
    known = [row for row in rows if row["value"] == row["value"]]
    least, most = (end(known, key=lambda row: float(row["value"])) for end in (min, max))
    alt = (
        "Dev accuracy over the nine blocks of a ResNet-20 of half the width, a line for each of five methods after 200 "
        f"steps, one seed: from {least['value']:.1f} points ({least['series']}, block {least['x']}) to "
        f"{most['value']:.1f} points ({most['series']}, block {most['x']})."
    )
    x = Axis("Block after which the exit sits", ticks=range(1, len(blocks) + 1))
    drawing = Lines(rows, x, Axis("Dev accuracy (points)"))
    return drawing.figure("images-exits", "Accuracy of every exit after a short training on CIFAR-10", alt)


def images_confusion() -> Figure:
    """Errors of the last exit by confusion, a line per method."""
    table = page_table(_IMAGES, "## Confusion", first="tenth")
    methods = [column for column in table.columns if column != "tenth"]
    tenths = table[table["tenth"] != "area under ROC"].to_dict("records")
    rows = [
        {"x": int(number(row["tenth"])), "value": number(row[method]), "series": method}
        for method in methods
        for row in tenths
    ]
    ends = [[row["value"] for row in rows if row["x"] == tenth] for tenth in (1, 10)]
    alt = (
        "Share of dev examples that the last exit gets wrong over tenths of rising confusion, a line for each of "
        f"{len(methods)} methods: {min(ends[0]):.0f} to {max(ends[0]):.0f} % of the least confused tenth, "
        f"{min(ends[1]):.0f} to {max(ends[1]):.0f} % of the most confused one."
    )
    x = Axis("Tenth of the dev examples, by rising confusion", ticks=range(1, 11))
    drawing = Lines(rows, x, Axis("Wrong at the last exit (%)", (0, 100)))
    return drawing.figure("images-confusion", "Errors of the last exit by confusion", alt)


FIGURES: dict[str, Callable[[], Figure]] = {
    "band-coverage": band_coverage,
    "lead-coverage": lead_coverage,
    "gain-found": gain_found,
    "schedulers-regret": schedulers_regret,
    "stopping-saved": stopping_saved,
    "stopping-best-so-far": stopping_best_so_far,
    "seed-noise": seed_noise,
    "seed-differences": seed_differences,
    "false-alarms": false_alarms,
    "best-of-trials": best_of_trials,
    "best-at-cost": best_at_cost,
    "methods-exits-minilm-l6": partial(methods_exits, "minilm-l6"),
    "methods-exits-gte-small": partial(methods_exits, "gte-small"),
    "methods-2x-minilm-l6": partial(methods_speed_up, "minilm-l6", 3),
    "methods-2x-gte-small": partial(methods_speed_up, "gte-small", 6),
    "methods-differences": methods_differences,
    "images-exits": images_exits,
    "images-confusion": images_confusion,
}
"""Name of a figure of docs/results -> what draws it from the tables of its page."""
