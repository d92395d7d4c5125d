"""What pre-training with exits is worth: `python benchmarks/pretraining.py --pretrained DIR ... --finetuned DIR ...`.

pretrained: sweeps by `elasticbert_pretraining`; printed are what they cost and, on dev, the accuracy of masked tokens
    and the loss of every exit.
finetuned: sweeps whose points are the sources of the encoder (`backbone.source`). Per source: the dev score of every
    exit, the mean over exits, and what the policy `entropy` reaches at a speed-up of at least 2, thresholds chosen on
    one half of dev and judged on the other; then every source less the one named by `--against`, over the same seeds,
    with a 95 % t interval, and p-values corrected by Holm's method over the comparisons of one measure.

A source is called by the name of the folder of its sweep. Scores are in points, mean ± standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from methods_scores import MEAN, Sweep, at, read_sweep
from methods_text import Row, Show, as_markdown, as_text, interval, points, probability, signed

from greenexp.analysis.comparing.paired_comparisons import compare_paired
from greenexp.analysis.exits.exit_means import exit_scores
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState

SCRATCH = "not pre-trained"
POLICY = at("entropy", 2.0)


def pretraining(folders: Sequence[Path]) -> list[Row]:
    """A row per sweep: its FLOPs, epochs, and every exit's accuracy and loss of masked tokens after the last epoch."""
    rows: list[Row] = []
    for folder in folders:
        state = SweepState(read_events(folder / NAME))
        for trial in state.trials.values():
            if trial.status != "finished":
                continue
            records = list(trial.records.values())
            spent = sum(record.costs.train_flops or 0 for record in records)
            row: Row = {"pre-training": folder.name, "epochs": len(records), "train TFLOP": f"{spent / 1e12:.1f}"}
            for one in records[-1].exits:
                shown = "-" if one.metrics.get("mlm_loss") is None else _tokens(one.metrics)
                row[f"exit {one.layer}"] = shown
            rows.append(row)
    return rows


def _tokens(metrics: Mapping[str, float | None]) -> str:
    return f"{100 * (metrics['mlm_accuracy'] or 0):.1f} (loss {metrics['mlm_loss']:.2f})"


def sources(folder: Path) -> dict[str, str]:
    """Configuration -> the name of its encoder's sweep."""
    found = {}
    for trial in SweepState(read_events(folder / NAME)).trials.values():
        source = trial.spec.settings.backbone.options.get("source")
        found[trial.spec.configuration] = SCRATCH if source is None else Path(str(source)).parent.parent.name
    return found


def per_exit(sweep: Sweep, names: dict[str, str]) -> dict[str, dict[str, pd.Series]]:
    """Measure -> source -> its scores by seeds."""
    frame = exit_scores(sweep.tables)
    keys = [column for column in frame.columns if column not in {"configuration", "exit", "layer", "score"}]
    measures: dict[str, dict[str, pd.Series]] = {}
    for (layer, configuration), rows in frame.groupby(["layer", "configuration"], sort=False):
        measures.setdefault(f"exit {layer}", {})[names[str(configuration)]] = rows.set_index(keys)["score"]
    level = sweep.scores.index.get_level_values("configuration")
    for measure in (MEAN, POLICY):
        measures[measure] = {
            names[one]: sweep.scores.loc[level == one, measure].droplevel("configuration") for one in sweep.finished
        }
    return measures


def compared(measures: dict[str, dict[str, pd.Series]], against: str) -> list[Row]:
    """Every source less the one it is held against, by measure."""
    rows: list[Row] = []
    for measure, scores in measures.items():
        pairs = [(name, against) for name in scores if name != against]
        in_points = {name: 100 * series for name, series in scores.items()}
        table = compare_paired(in_points, pairs, np.random.default_rng(0), margin=1.0, alpha=0.05, power=0.8)
        rows += [
            {
                "measure": measure,
                "a": one["a"],
                "b": one["b"],
                "n": str(one["n"]),
                "a - b": signed(one["difference"]),
                "95 % interval": interval(one["lower"], one["upper"]),
                "p, corrected": probability(one["p_holm"]),
            }
            for one in table.to_dict("records")
        ]
    return rows


def report(pretrained: Sequence[Path], finetuned: Sequence[Path], against: str, show: Show) -> None:
    """Print all tables."""
    if pretrained:
        show("Pre-training: accuracy of masked tokens on dev", pretraining(pretrained))
    for folder in finetuned:
        sweep = read_sweep(folder, repeats=20, seed=0)
        names = sources(folder)
        measures = per_exit(sweep, names)
        order = [names[one] for one in sweep.finished]
        table = [
            {"encoder": name, **{measure: points(scores[name]) for measure, scores in measures.items()}}
            for name in order
        ]
        show(f"{folder.name}: dev score of every exit", table)
        show(f"{folder.name}: differences over the same seeds", compared(measures, against))


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pretrained", type=Path, nargs="*", default=[], metavar="DIR")
    parser.add_argument("--finetuned", type=Path, nargs="*", default=[], metavar="DIR")
    parser.add_argument("--against", default=SCRATCH, metavar="NAME", help="a source, or 'not pre-trained'")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    report(asked.pretrained, asked.finetuned, asked.against, as_markdown if asked.markdown else as_text)


if __name__ == "__main__":
    main()
