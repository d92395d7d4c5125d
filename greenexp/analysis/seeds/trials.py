"""Trials with their configuration and seeds, of a table or of runs: what must hold of them, and what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np

from greenexp.errors import InputError
from greenexp.records.scores import CONFIGURATION, GROUP, SCORE, Scores

REPEAT = "repeat"
"""Stands in for a seed column where none is named: every row of a configuration is another seed."""
WAY_OUT = "choose rows by the value of another column (where)"


def trial_scores(scores: Scores) -> Scores:
    """The trials that have a score, with at least one column of seeds, and notes on what that leaves out.

    Raises InputError if no trial has a score, and, with shared seeds, if it cannot be told which trials are a pair.
    """
    notes = list(scores.notes)
    frame = scores.frame
    missing = frame[SCORE].isna().to_numpy()
    if missing.all():
        raise InputError("no trial has a score")
    if missing.any():
        notes.append(
            f"{int(missing.sum())} of {len(frame)} trials have no finite score and are left out; if they collapsed, "
            "the trials that remain are a selection, and their spread is too small"
        )
        frame = frame[~missing].reset_index(drop=True)
    if not scores.seeds:
        frame = frame.assign(**{REPEAT: frame.groupby([GROUP, CONFIGURATION], sort=False).cumcount()})
        notes.append("no seed column is named: every trial of a configuration counts as another seed of it")
        return dataclasses.replace(scores, frame=frame, seeds=(REPEAT,), notes=tuple(notes))
    scores = dataclasses.replace(scores, frame=frame)
    return dataclasses.replace(scores, notes=(*notes, *_repeated(scores)))


def _repeated(scores: Scores) -> list[str]:
    """What equal seeds twice in a configuration are."""
    keys = [GROUP, CONFIGURATION, *scores.seeds]
    again = scores.frame.duplicated(keys)
    if not again.any():
        return []
    first = scores.frame[again].iloc[0]
    where = ", ".join([str(first[CONFIGURATION]), *(f"{name} {first[name]}" for name in scores.seeds)])
    number = int(np.asarray(again).sum())
    fact = f"{number} of {len(scores.frame)} trials have the configuration and seeds of another trial ({where})"
    if scores.shared_seeds:
        raise InputError(
            f"{fact}, so it is not known which trials are a pair; choose rows by the value of another column (--where)"
        )
    copies = int(scores.frame.duplicated([*keys, SCORE]).sum())
    same = f", {copies} of them also its score," if copies else ""
    return [f"{fact}{same} and count as repeats of it; if they are something else, {WAY_OUT}"]
