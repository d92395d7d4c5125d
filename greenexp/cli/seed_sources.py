"""Trials with their configuration and seeds, wherever they are recorded: what `greenexp seeds` computes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from greenexp.cli.columns import NOT_SET, read_columns
from greenexp.cli.score_tables import ALL, FILES, searched_values
from greenexp.errors import InputError, did_you_mean

CONFIGURATION, SCORE, BY = "configuration", "score", "by"
REPEAT = "repeat"
"""Stands in for a seed column where none is named: every row of a configuration is another seed."""


@dataclass(frozen=True, eq=False)
class SeedTable:
    """Trials with a score, and how to read them.

    trials: CONFIGURATION, SCORE, BY (`all` if nothing was asked), and the columns `seeds`; every score is finite
    score, by: what they are, for headings; minimize: a smaller score is better
    shared: a seed is the same thing in every configuration
    notes: what must be known of them, one sentence each
    """

    trials: pd.DataFrame
    seeds: tuple[str, ...]
    score: str
    by: str | None
    minimize: bool
    shared: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """What was asked: the names of columns, and rows to keep by the value of others."""

    score: str | None
    configuration: str | None
    seeds: tuple[str, ...]
    by: str | None
    where: Mapping[str, str]

    @property
    def words(self) -> dict[str, str]:
        """Column -> the option that names it, of all columns that hold no scores."""
        asked = dict.fromkeys(self.where, "--where") | dict.fromkeys(self.seeds, "--seed")
        if self.configuration is not None:
            asked[self.configuration] = "--configuration"
        return asked


def read_seeds(source: str, asked: Columns, *, minimize: bool, paired: bool, query: str | None) -> SeedTable:
    """The trials at `source`: a file by its suffix, with `score` runs at an MLflow address, else a sweep.

    paired: equal seeds are one and the same thing to all. InputError for what cannot be read so.
    """
    path = Path(source)
    is_file = path.suffix.lower() in FILES
    if query is not None and (asked.score is None or is_file):
        raise InputError("--filter: only for runs at an MLflow address, with --score")
    if asked.where and not is_file:
        raise InputError("--where: only for a table in a file")
    if asked.score is None and not is_file:
        return _of_sweep(source, asked, minimize)
    if (path / "journal.jsonl").is_file():
        raise InputError(f"{source} is a sweep's folder, which says itself what its score is: no --score")
    _check(source, asked, paired)
    rows, notes = _of_file(path, asked) if is_file else _of_runs(source, asked, minimize, query or "")
    missing = ~np.isfinite(rows[SCORE].to_numpy(dtype=np.float64))
    if missing.any():
        notes.append(
            f"{int(missing.sum())} of {len(rows)} trials have no finite score and are left out: if they collapsed, "
            "what remains is a selection, and its spread is too small"
        )
        rows = rows[~missing].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"{source}: no trial has a score")
    seeds = asked.seeds or (REPEAT,)
    if asked.seeds:
        notes += _repeated(rows, list(seeds), paired)
    else:
        rows = rows.assign(**{REPEAT: rows.groupby([BY, CONFIGURATION], sort=False).cumcount()})
        notes.append("no --seed is named: every trial of a configuration counts as another seed of it")
    return SeedTable(
        rows, seeds, str(asked.score), asked.by, minimize, paired, tuple(notes)
    )  # fmt: skip


def _check(source: str, asked: Columns, paired: bool) -> None:
    if asked.score is None:
        raise InputError(f"--score COLUMN is needed: which column of {source} holds the scores?")
    if asked.configuration is None and asked.by is None:
        raise InputError(
            "--configuration COLUMN is needed: which column tells trials apart that differ by more than their seeds? "
            "(With --by alone, every group is one configuration.)"
        )
    if len(asked.seeds) > 2:
        raise InputError(f"--seed: one or two columns can be told apart, received {len(asked.seeds)}")
    names = [asked.score, *asked.seeds, *{name for name in (asked.configuration, asked.by) if name is not None}]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"'{twice[0]}' cannot be two things at once (--score, --configuration or --by, --seed)")
    taken = [name for name in asked.seeds if name in {CONFIGURATION, SCORE, BY}]
    if taken:
        raise InputError(f"--seed {taken[0]}: rename this column, the name stands for something else here")
    if paired and not asked.seeds:
        raise InputError("--paired needs --seed: which trials have the same seed?")


def _of_file(path: Path, asked: Columns) -> tuple[pd.DataFrame, list[str]]:
    words = list(dict.fromkeys([*asked.words, *([asked.by] if asked.by else [])]))
    found = read_columns(path, numbers=[str(asked.score)], words=words)
    keep = np.ones(len(found.lines), dtype=bool)
    for name, value in asked.where.items():
        here = np.array(found.words[name], dtype=object)
        if value not in found.words[name]:
            known = list(dict.fromkeys(found.words[name]))
            listed = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
            raise InputError(f"--where {name}={value}: no row has it{did_you_mean(value, known)} (there are: {listed})")
        keep &= here == value
    if not keep.any():
        raise InputError("--where: no row has all of these values together")
    frame = pd.DataFrame({name: found.words[name] for name in words} | {"": found.numbers[str(asked.score)]})[keep]
    return _named(frame.reset_index(drop=True), "", asked), []


def _of_runs(source: str, asked: Columns, minimize: bool, query: str) -> tuple[pd.DataFrame, list[str]]:
    from greenexp.analysis.comparing.groups import COUNTED
    from greenexp.cli.foreign import compare_runs

    comparison, _ = compare_runs(
        source, str(asked.score), None, asked.by, minimize=minimize, experiments=(), query=query, also=asked.words
    )
    runs = comparison.runs
    left = runs["outcome"].isin(["not_ended", "summary"])
    notes = []
    if left.any():
        notes.append(f"{int(left.sum())} of {len(runs)} runs have not ended or are parents of others, and are left out")
    if runs["own"].any():
        notes.append(
            f"{int(runs['own'].sum())} runs belong to sweeps of greenexp, where trials may have been stopped early: "
            "leave --score out to have a sweep read as what it is"
        )
    kept = runs[~left].reset_index(drop=True)
    values = {name: kept[name].where(kept[name].notna(), NOT_SET).astype(str) for name in asked.words}
    scores = kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan)
    frame = pd.DataFrame(values | ({} if asked.by is None else {asked.by: kept["group"].astype(str)}) | {"": scores})
    return _named(frame, "", asked), notes


def _named(frame: pd.DataFrame, score: str, asked: Columns) -> pd.DataFrame:
    """CONFIGURATION, SCORE, BY and the seeds; a trial without one of the first or the last has no place in a split."""
    for name, option in asked.words.items():
        missing = int((frame[name] == NOT_SET).sum())
        if missing and option != "--where":
            raise InputError(f"{option} {name}: {missing} of {len(frame)} trials have no value there")
    by = frame[asked.by] if asked.by else pd.Series([ALL] * len(frame))
    configuration = frame[asked.configuration] if asked.configuration else by
    seeds = {name: frame[name] for name in asked.seeds}
    return pd.DataFrame({CONFIGURATION: configuration, SCORE: frame[score], BY: by, **seeds})


def _repeated(rows: pd.DataFrame, seeds: Sequence[str], paired: bool) -> list[str]:
    """What equal seeds twice in a configuration are."""
    again = rows.duplicated([BY, CONFIGURATION, *seeds])
    if not again.any():
        return []
    first = rows[again].iloc[0]
    which = ", ".join(f"{name} {first[name]}" for name in seeds)
    where = f"{first[CONFIGURATION]}, {which}"
    what = f"{int(again.sum())} of {len(rows)} trials have the configuration and seeds of another ({where})"
    if paired:
        raise InputError(
            f"--paired: {what}, so there is no telling which are a pair; choose rows by --where COLUMN=VALUE"
        )
    copies = int(rows.duplicated([BY, CONFIGURATION, *seeds, SCORE]).sum())
    same = f", {copies} of them its very score," if copies else ""
    return [f"{what}{same} and count as repeats of it; if they are something else, choose rows by --where COLUMN=VALUE"]


def _of_sweep(source: str, asked: Columns, minimize: bool) -> SeedTable:
    from greenexp.analysis.seeds.variance import seed_scores
    from greenexp.analysis.sweeps.configurations import configuration_states
    from greenexp.analysis.sweeps.metric import metric_of
    from greenexp.cli.sources import read_source

    if asked.configuration is not None or asked.seeds:
        raise InputError("a sweep says itself what its configurations and seeds are: no --configuration, no --seed")
    tables, _ = read_source(source)
    metric = metric_of(tables)
    if minimize:
        raise InputError(f"--minimize: the sweep file says which is better ({metric.name}, mode {metric.mode})")
    states = [state for state, _ in configuration_states(tables.trials).values()]
    trials = seed_scores(tables).dropna(subset=[SCORE]).reset_index(drop=True)
    if trials.empty:
        raise InputError(f"{source}: no configuration has all its seeds finished")
    values = searched_values(tables, asked.by, list(trials[CONFIGURATION]))
    used = trials[CONFIGURATION].nunique()
    notes = [f"{used} of {len(states)} configurations have all their seeds finished; numbers here are over those"]
    out = {state: states.count(state) for state in dict.fromkeys(states) if state != "complete"}
    if out:
        listed = ", ".join(f"{number} {state}" for state, number in out.items())
        notes.append(
            f"left out: {listed}. Those that remain were chosen for being good, are more alike than the search space, "
            "and their best leads by luck too"
            if {"stopped", "stopped apart"} & out.keys()
            else f"left out: {listed}; what remains is a selection"
        )
    seeds = tuple(name for name in trials.columns if name not in {CONFIGURATION, SCORE})
    return SeedTable(trials.assign(**{BY: values}), seeds, metric.label, asked.by, metric.minimize, True, tuple(notes))
