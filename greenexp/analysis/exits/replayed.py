"""The study of what exit policies would do with recorded logits, over the trials of one sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.replay.standing import StandingLogits
from greenexp.replay.trial_replay import ReplayOptions, TrialReplay, replay_trial
from greenexp.units import format_quantity


def replay_study(
    trials: Mapping[str, StandingLogits], recorded_policies: Sequence[Any], metric: str, options: ReplayOptions
) -> Findings:
    """Exit policies over the logits of each trial: thresholds chosen on dev, their worth on test, and all points.

    trials: name -> its logits; recorded_policies, metric: of the sweep's record, where `options` names none.
    Tables: `trials` (trial, metric, dev_examples, test_examples), `chosen`, or `budgets` if a budget was given, and
    `points`. The columns are those of `TrialReplay` after `trial`.
    Raises InputError for what was asked for and cannot be.
    """
    replayed = [replay_trial(name, logits, recorded_policies, metric, options) for name, logits in trials.items()]
    about = pd.DataFrame(
        {
            "trial": [one.trial for one in replayed],
            "metric": [one.metric for one in replayed],
            "dev_examples": [one.dev_examples for one in replayed],
            "test_examples": np.array([one.test_examples for one in replayed], dtype=np.float64),
        }
    )
    chosen = "chosen" if options.budget_flops is None else "budgets"
    return Findings(
        tables={
            "trials": about,
            chosen: _together(replayed, chosen),
            "points": _together(replayed, "points"),
        },
        titles={"trials": "Trials", chosen: _rule(options, replayed[0].metric), "points": "Operating points"},
        notes=(*_notes(replayed), *_about_options(options)),
    )


def _together(replayed: Sequence[TrialReplay], name: str) -> pd.DataFrame:
    """One table of all trials, `trial` first."""
    parts = []
    for one in replayed:
        frame: pd.DataFrame = getattr(one, name)
        if len(frame):
            parts.append(frame.assign(trial=one.trial)[["trial", *frame.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _rule(options: ReplayOptions, metric: str) -> str:
    """How the thresholds were chosen."""
    if options.budget_flops is None:
        return f"Thresholds are chosen on dev: the best {metric} among those with at least that speed-up in layers."
    budget = format_quantity(options.budget_flops, "FLOP")
    return f"A threshold per exit, chosen on dev so that an example costs at most {budget} there on average."


def _notes(replayed: Sequence[TrialReplay]) -> list[str]:
    """The notes of the trials, each once; of several trials, one that is not every trial's says whose it is."""
    dev_alone = "there are no test logits, and scores on dev are optimistic, because dev chose the thresholds"
    by_trial = {one.trial: (*([dev_alone] if one.test_examples is None else []), *one.notes) for one in replayed}
    notes = []
    for text in dict.fromkeys(text for texts in by_trial.values() for text in texts):
        named = [trial for trial, texts in by_trial.items() if text in texts]
        notes.append(text if len(named) == len(by_trial) else f"{', '.join(named)}: {text}")
    return notes


def _about_options(options: ReplayOptions) -> list[str]:
    notes = []
    if options.calibrated:
        notes.append("calibrated: each exit's logits divided by a temperature fitted on dev")
    if (table := options.latency) is not None:
        where = f"{table.device}, {table.threads} thread(s), {table.precision}"
        notes.append(f"seconds: of one example alone, exits on the way evaluated, measured on {where}")
    return notes
