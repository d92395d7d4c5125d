"""What `methods.py` reads of a sweep: finished trials, their scores at every exit and at equal speed-up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from greenexp.analysis.exits.exit_means import exit_scores
from greenexp.analysis.sweeps.configuration_names import configuration_names, method_settings
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import SEEDS
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import standing_logits, tables_of
from greenexp.records.at_rest import FOLDER
from greenexp.records.tables import SweepTables
from greenexp.replay import ExitRecord, on_test
from greenexp.replay.halves import on_other_half
from greenexp.replay.policy_points import priced
from greenexp.replay.standing import StandingLogits, read_standing

POLICIES = ("static", "patience", "entropy", "max_probability")
TARGETS = (1.5, 2.0)
MEAN, LAST = "mean over exits", "last exit"


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep's finished trials.

    names: configuration -> what it is called, all of the plan; settings: its searched fields; layers: of those with a
        finished trial the layers of its trained exits; depth: the deepest of all
    scores: a row per finished trial, indexed by (configuration, SEEDS), a column per measure, NaN where there is none
    speed_ups: the same index, what the policies reached; flattered: how much better thresholds look where chosen
    flops: the same index, mean FLOPs per example of what the policies reached
    right: trial's key -> share of exits that answer each dev example rightly, [example]
    split: what scores at equal speed-up are judged on; remarks: what a reader must know
    """

    tables: SweepTables
    names: dict[str, str]
    settings: pd.DataFrame
    layers: dict[str, tuple[int, ...]]
    depth: int
    scores: pd.DataFrame
    speed_ups: pd.DataFrame
    flattered: pd.DataFrame
    flops: pd.DataFrame
    right: dict[tuple[str, int, int], np.ndarray]
    split: str
    remarks: list[str] = field(default_factory=list)

    @property
    def finished(self) -> list[str]:
        """Configurations with a finished trial, in plan order."""
        return [name for name in self.names if name in self.layers]

    def series(self, measure: str) -> dict[str, pd.Series]:
        """Name -> its scores of a measure by seeds; of every configuration, finished or not."""
        column = self.scores[measure] if measure in self.scores else pd.Series(dtype=float, index=self.scores.index)
        level = column.index.get_level_values("configuration")
        return {name: column[level == c].droplevel("configuration") for c, name in self.names.items()}


def at(policy: str, target: float) -> str:
    """Name of the measure."""
    return f"{policy} at {target:g}x"


def read_sweep(folder: Path, repeats: int, seed: int) -> Sweep:
    """Everything of the sweep in `folder`; repeats, seed: of the halves of dev."""
    state = SweepState(read_events(folder / NAME))
    tables = tables_of(state)  # without replays, which are made below on halves
    static = exit_scores(tables)
    layers = {str(c): tuple(sorted(set(rows["layer"]))) for c, rows in static.groupby("configuration", sort=False)}
    depth = max((max(found) for found in layers.values()), default=0)
    names = {trial.spec.trial: standing_logits(trial) for trial in state.trials.values() if trial.status == "finished"}
    logits = {trial: read_standing(folder / FOLDER, name) for trial, name in names.items() if name is not None}
    key = ["configuration", *SEEDS]
    keys = tables.trials.set_index("trial")[key]
    index = {
        str(trial): (str(row[0]), int(row[1]), int(row[2]))
        for trial, row in zip(keys.index, keys.to_numpy(), strict=True)
    }
    exits = static.set_index(key)
    scores = pd.DataFrame({MEAN: exits.groupby(key, sort=False)["score"].mean(),
                           LAST: exits[exits["layer"] == depth]["score"]})  # fmt: skip
    metric = metric_of(tables).name
    tested = bool(logits) and len(logits) == len(names) and all(found.test is not None for found in logits.values())
    rows = [{"trial": trial, **row} for trial, found in logits.items() if found.dev is not None
            for row in _equal_speed_up(found, depth, metric, tested, repeats, seed)]  # fmt: skip
    split = "test (thresholds chosen on dev)" if tested else f"dev, other halves ({repeats} x 2, seed {seed})"
    wide = [_wide(rows, column, index, key) for column in ("score", "speed_up", "flattered", "flops")]
    right = {index[trial]: _right(found.dev.record) for trial, found in logits.items() if found.dev is not None}
    return Sweep(
        tables, configuration_names(tables), method_settings(tables), layers, depth, scores.join(wide[0]), wide[1],
        wide[2], wide[3], right, split, list(_remarks(tables, logits, names)),
    )  # fmt: skip


def _equal_speed_up(
    found: StandingLogits, depth: int, metric: str, tested: bool, repeats: int, seed: int
) -> Iterator[dict[str, object]]:
    """Per policy and target: measure, score, speed_up (against `depth` layers, however many it has), flattered."""
    dev, test = found.dev, found.test
    if dev is None:
        return
    record, costs = dev.record, priced(dev)
    # Replay counts from the model's own last layer: of a truncated model that is not the whole backbone.
    scale = int(costs.layers[-1]) / depth
    targets = [target * scale for target in TARGETS]
    if tested and test is not None:
        table = on_test(record, costs, test.record, priced(test), POLICIES, targets, metric)
        table = table.assign(flattered=table["dev_score"] - table["test_score"])
        names = ("score", "speed_up", "inference_flops")
        table = table.rename(columns={f"test_{name}": name for name in names})
    else:
        table = on_other_half(record, costs, POLICIES, targets, metric, repeats, seed)
    for row in table.to_dict("records"):
        asked = TARGETS[targets.index(row["target"])]
        yield {"measure": at(row["policy"], asked), "score": row["score"], "speed_up": row["speed_up"] / scale,
               "flattered": row["flattered"], "flops": row["inference_flops"]}  # fmt: skip


def _wide(rows: list[dict], column: str, index: dict[str, tuple], key: list[str]) -> pd.DataFrame:
    measures = [at(policy, target) for target in TARGETS for policy in POLICIES]
    if not rows:
        return pd.DataFrame(columns=measures, index=pd.MultiIndex.from_arrays([[], [], []], names=key), dtype=float)
    frame = pd.DataFrame(rows).pivot_table(index="trial", columns="measure", values=column, sort=False)
    frame.index = pd.MultiIndex.from_tuples([index[trial] for trial in frame.index], names=key)
    return frame.reindex(columns=measures)


def _right(record: ExitRecord) -> np.ndarray:
    if record.is_regression:
        return np.full(len(record.labels), np.nan)
    return (record.predictions() == record.labels).mean(axis=0)


def _remarks(tables: SweepTables, logits: dict[str, StandingLogits], names: dict[str, object]) -> Iterator[str]:
    trials = tables.trials
    counts = trials["status"].value_counts()
    rest = ", ".join(f"{count} {status}" for status, count in counts.items() if status != "finished")
    yield f"{counts.get('finished', 0)} of {len(trials)} trials are finished" + (f" ({rest})" if rest else "") + "."
    short = trials[trials["status"] != "finished"].groupby("configuration").size()
    if len(short):
        called = configuration_names(tables)
        alike = len(short) == len(called) and len(set(short)) == 1
        each = (f"{called[c]} {short[c]}" for c in called if c in short.index)
        yield f"Seeds missing: {f'{short.iloc[0]} of every configuration' if alike else ', '.join(each)}."
    lost = [trial for trial in names if trial not in logits or logits[trial].dev is None]
    if lost:
        yield f"Without logits at hand, so not replayed: {', '.join(lost)}."
    labels = {found.dev.labels.tobytes() for found in logits.values() if found.dev is not None}
    if len(labels) > 1:
        yield "WARNING: not all trials were scored on the same examples; nothing below compares them rightly."
    done = trials.loc[trials["status"] == "finished", "trial"]
    used = tables.epochs[tables.epochs["trial"].isin(done)]
    yield "Computed with: " + "; ".join(sorted({f"{row.precision} on {row.device}" for row in used.itertuples()})) + "."
    tested = [trial for trial in dict.fromkeys(tables.held_out["trial"]) if trial in set(done)]
    if len(tested) == len(done) and len(done):
        yield "All finished trials were evaluated on test."
    elif tested:
        yield (f"{len(tested)} of {len(done)} finished trials were evaluated on test ({', '.join(tested)}: what the "
               "sweep chose): all scores below are on dev.")  # fmt: skip
    else:
        yield "No trial was evaluated on test: all scores below are on dev, which also chose the epoch."
