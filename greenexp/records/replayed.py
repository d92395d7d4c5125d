"""What was replayed from trials' logits, placed in the tables of a sweep, and what they lack, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from greenexp.records.at_rest import AT_REST, LogitsNames, logits_at_rest
from greenexp.records.epoch import EpochRecord
from greenexp.records.exit_tables import ExitTables
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.progress import Epochs
from greenexp.records.tables import REPLAYED, SweepFacts, TrialFacts, typed_frame


def standing_logits(facts: SweepFacts) -> dict[str, LogitsNames]:
    """Trial -> the logits that stand for it, of those that stored some."""
    records: dict[str, dict[Epochs, EpochRecord]] = {}
    for report in facts.epochs:
        records.setdefault(report.trial, {})[report.record.epoch] = report.record
    tested: dict[str, list[HeldOutRecord]] = {}
    for made in facts.held_out:
        tested.setdefault(made.trial, []).append(made.record)
    found = {
        trial.trial: logits_at_rest(trial.status, records.get(trial.trial, {}), tested.get(trial.trial, ()))
        for trial in facts.trials
    }
    return {trial: logits for trial, logits in found.items() if logits is not None}


def with_replayed_points(static: pd.DataFrame, replays: Mapping[str, ExitTables]) -> pd.DataFrame:
    """The table of operating points: each trial's static points, followed by its other policies' where it has them."""
    parts = []
    for trial, rows in static.groupby("trial", sort=False):
        parts.append(rows)
        found = replays.get(str(trial))
        if found is not None and len(found.points):
            first = rows.iloc[0]
            parts.append(found.points.assign(trial=trial, configuration=first["configuration"], epoch=first["epoch"]))
    if len(parts) == static["trial"].nunique():
        return static
    return pd.concat([part[static.columns] for part in parts], ignore_index=True).astype(static.dtypes.to_dict())


def replayed_tables(trials: Iterable[TrialFacts], replays: Mapping[str, ExitTables]) -> dict[str, pd.DataFrame]:
    """The tables of `REPLAYED`, trials in the order given."""
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in REPLAYED}
    for trial in trials:
        found = replays.get(trial.trial)
        for name, rows in found.tables.items() if found is not None else ():
            parts[name].append(rows.assign(trial=trial.trial, configuration=trial.configuration))
    return {
        name: pd.concat(frames, ignore_index=True)[list(REPLAYED[name])].astype(dict(REPLAYED[name]))
        if frames
        else typed_frame(name, ())
        for name, frames in parts.items()
    }


def lacking_points(trials: Iterable[TrialFacts], with_static: set[str], replays: Mapping[str, ExitTables]) -> str:
    """Why trials have static points alone, in words; empty if none has.

    with_static: trials with any operating point
    """
    have = {trial for trial, found in replays.items() if len(found.points)}
    lacking = {trial.trial: trial.status for trial in trials if trial.trial in with_static - have}
    if not lacking:
        return ""
    causes = Counter[str]()
    for trial, status in lacking.items():
        found = replays.get(trial)
        at_rest = "; ".join(found.remarks) if found is not None and found.remarks else "without dev logits at hand"
        causes[at_rest if status in AT_REST else "still in training or paused"] += 1
    told = ", ".join(f"{count} {cause}" for cause, count in causes.items())
    verb = "has" if len(lacking) == 1 else "have"
    return f"{len(lacking)} of {len(with_static)} trials {verb} static points alone: {told}"


def replay_remarks(replays: Mapping[str, ExitTables]) -> list[str]:
    """What could not be worked out, each once, with the number of trials it is true of."""
    causes = Counter(remark for found in replays.values() for remark in found.remarks if len(found.points))
    return [f"{count} of {len(replays)} trials: {remark}" for remark, count in causes.items()]


def unread_logits(replays: Mapping[str, ExitTables]) -> str:
    """Which logits that trials recorded could not be read, and what is missing for it; empty if all could be."""
    causes = Counter(cause for found in replays.values() for cause in found.unread)
    if not causes:
        return ""
    told = ", ".join(f"{cause} ({count} of {len(replays)} trials)" for cause, count in causes.items())
    return (
        f"the sweep recorded logits that could not be read: {told}. Operating points of exit policies, exit profiles, "
        "overthinking, calibration and thresholds on test that follow from them are missing"
    )
