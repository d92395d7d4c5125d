"""Trials with their configuration and seeds, wherever they are recorded, as the study of seeds takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from greenexp.cli.columns import NOT_SET, read_columns
from greenexp.cli.score_tables import FILES, searched_values
from greenexp.errors import InputError, did_you_mean
from greenexp.records.scores import ALL, COLUMNS, CONFIGURATION, GROUP, SCORE, Scores, score_frame


@dataclass(frozen=True)
class SeedColumns:
    """The names of columns, and rows to keep by the value of others."""

    score: str | None
    configuration: str | None
    seeds: tuple[str, ...]
    by: str | None
    where: Mapping[str, str]

    @property
    def words(self) -> dict[str, str]:
        """Column -> the option that names it, of all columns that hold no scores."""
        options = dict.fromkeys(self.where, "--where") | dict.fromkeys(self.seeds, "--seed-column")
        if self.configuration is not None:
            options[self.configuration] = "--configuration"
        return options


def read_seeds(source: str, columns: SeedColumns, *, minimize: bool, paired: bool, query: str | None) -> Scores:
    """The trials at `source`: a file by its suffix, with `score` runs at an MLflow address, else a sweep.

    paired: equal seeds are one and the same thing to all. InputError for what cannot be read so.
    """
    path = Path(source)
    is_file = path.suffix.lower() in FILES
    if query is not None and (columns.score is None or is_file):
        raise InputError("--filter: only for runs at an MLflow address, with --score")
    if columns.where and not is_file:
        raise InputError("--where: only for a table in a file")
    if columns.score is None and not is_file:
        return _of_sweep(source, columns, minimize)
    if (path / "journal.jsonl").is_file():
        raise InputError(f"{source} is a sweep's folder, which says itself what its score is: no --score")
    _check(source, columns)
    rows, notes = _of_file(path, columns) if is_file else _of_runs(source, columns, minimize, query or "")
    frame = score_frame({str(name): rows[name].tolist() for name in rows}, len(rows))
    return Scores(
        frame=frame,
        score=str(columns.score),
        by=columns.by,
        minimize=minimize,
        seeds=columns.seeds,
        shared_seeds=paired,
        notes=tuple(notes),
    )


def _check(source: str, columns: SeedColumns) -> None:
    if columns.score is None:
        raise InputError(f"--score COLUMN is needed: which column of {source} holds the scores?")
    if columns.configuration is None and columns.by is None:
        raise InputError(
            "--configuration COLUMN is needed: which column tells trials apart that differ by more than their seeds? "
            "(With --by alone, every group is one configuration.)"
        )
    if len(columns.seeds) > 2:
        raise InputError(f"--seed-column: one or two columns can be told apart, received {len(columns.seeds)}")
    others = {name for name in (columns.configuration, columns.by) if name is not None}
    names = [columns.score, *columns.seeds, *others]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"'{twice[0]}' cannot be two things at once (--score, --configuration or --by, --seed-column)")
    taken = [name for name in columns.seeds if name in COLUMNS]
    if taken:
        raise InputError(f"--seed-column {taken[0]}: rename this column, the name stands for something else here")


def _of_file(path: Path, columns: SeedColumns) -> tuple[pd.DataFrame, list[str]]:
    words = list(dict.fromkeys([*columns.words, *([columns.by] if columns.by else [])]))
    table = read_columns(path, numbers=[str(columns.score)], words=words)
    keep = np.ones(len(table.lines), dtype=bool)
    for name, value in columns.where.items():
        here = np.array(table.words[name], dtype=object)
        if value not in table.words[name]:
            known = list(dict.fromkeys(table.words[name]))
            listed = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
            raise InputError(f"--where {name}={value}: no row has it{did_you_mean(value, known)} (there are: {listed})")
        keep &= here == value
    if not keep.any():
        raise InputError("--where: no row has all of these values together")
    frame = pd.DataFrame({name: table.words[name] for name in words} | {"": table.numbers[str(columns.score)]})[keep]
    return _named(frame.reset_index(drop=True), "", columns), []


def _of_runs(source: str, columns: SeedColumns, minimize: bool, query: str) -> tuple[pd.DataFrame, list[str]]:
    from greenexp.analysis.comparing.groups import COUNTED
    from greenexp.cli.foreign import compare_runs

    comparison, _ = compare_runs(
        source, str(columns.score), None, columns.by, minimize=minimize, experiments=(), query=query, also=columns.words
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
    values = {name: kept[name].where(kept[name].notna(), NOT_SET).astype(str) for name in columns.words}
    scores = kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan)
    frame = pd.DataFrame(
        values | ({} if columns.by is None else {columns.by: kept["group"].astype(str)}) | {"": scores}
    )
    return _named(frame, "", columns), notes


def _named(frame: pd.DataFrame, score: str, columns: SeedColumns) -> pd.DataFrame:
    """CONFIGURATION, SCORE, BY and the seeds; a trial without one of the first or the last has no place in a split."""
    for name, option in columns.words.items():
        missing = int((frame[name] == NOT_SET).sum())
        if missing and option != "--where":
            raise InputError(f"{option} {name}: {missing} of {len(frame)} trials have no value there")
    by = frame[columns.by] if columns.by else pd.Series([ALL] * len(frame))
    configuration = frame[columns.configuration] if columns.configuration else by
    seeds = {name: frame[name] for name in columns.seeds}
    return pd.DataFrame({CONFIGURATION: configuration, SCORE: frame[score], GROUP: by, **seeds})


def _of_sweep(source: str, columns: SeedColumns, minimize: bool) -> Scores:
    from greenexp.analysis.seeds.of_sweep import sweep_seed_scores
    from greenexp.analysis.sweeps.metric import metric_of
    from greenexp.cli.sources import read_source

    if columns.configuration is not None or columns.seeds:
        raise InputError("a sweep says itself what its configurations and seeds are: no --configuration, --seed-column")
    tables, _ = read_source(source)
    metric = metric_of(tables)
    if minimize:
        raise InputError(f"--minimize: the sweep file says which is better ({metric.name}, mode {metric.mode})")
    scores = sweep_seed_scores(tables)
    if columns.by is None:
        return scores
    groups = searched_values(tables, columns.by, list(scores.frame[CONFIGURATION]))
    return dataclasses.replace(scores, frame=scores.frame.assign(**{GROUP: groups}), by=columns.by)
