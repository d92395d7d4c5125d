"""`Scores` of any source, or of several: a file, a data frame, a sweep's folder, an MLflow address, tables at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from greenexp.errors import InputError
from greenexp.records.scores import ALL, COST, GROUP, SCORE, TEST, TRIAL, Scores
from greenexp.records.tables import SweepTables
from greenexp.sources.files import SUFFIXES, is_table, read_file
from greenexp.sources.folders import JOURNAL
from greenexp.sources.frames import read_frame
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.table_scores import table_scores
from greenexp.sources.tables import WithTables

Source: TypeAlias = str | Path | pd.DataFrame | SweepTables | Scores | WithTables
Sources: TypeAlias = Source | Sequence[Source] | Mapping[str, Source]
LEAST_SIZE, MOST_SIZE = 1e-50, 1e50
NAMED_AFTER_SOURCE = "source"
"""What the groups are where nothing but their source tells them apart."""


def read_scores(source: Sources, request: ScoreRequest | None = None, view: View = View.CONFIGURATIONS) -> Scores:
    """The scores at `source`, in the view that a study needs.

    source: a table in a file, by its suffix; a data frame; a sweep's folder, or with a score column the runs at an
        MLflow address; a sweep recorded at an MLflow address; `SweepTables`; `Scores`, which are taken as they are.
        Of several, in a list or by name, the groups are named after their source too.
    request: the columns and rows to read; view: what a row is to be
    Raises InputError, with the place, for what is wrong with a source, and TrackingError for what MLflow does not have.
    """
    scores = _any(source, request or ScoreRequest(), view)
    _refuse_sizes(scores)
    return scores


def _any(source: Sources, request: ScoreRequest, view: View) -> Scores:
    if isinstance(source, Mapping):
        return _together({name: _read(one, request, view) for name, one in source.items()}, request)
    if isinstance(source, Sequence) and not isinstance(source, str):
        if not source:
            raise InputError("no source of scores is named")
        if len(source) > 1:
            names = _short_names(source)
            return _together(
                {name: _read(one, request, view) for name, one in zip(names, source, strict=True)}, request
            )
        source = source[0]
    return _read(source, request, view)


def _refuse_sizes(scores: Scores) -> None:
    """InputError for numbers so large or small that their powers are no longer numbers."""
    for name, column in ((scores.score, SCORE), (scores.cost or "", COST), (scores.test or "", TEST)):
        sizes = scores.frame[column].abs()
        wrong = scores.frame[((sizes < LEAST_SIZE) & (sizes > 0)) | (sizes > MOST_SIZE)]
        if len(wrong):
            raise InputError(
                f"{wrong[TRIAL].iloc[0]}: column '{name}': {len(wrong)} of {len(sizes)} numbers are beyond "
                f"what is computed with (here: {wrong[column].iloc[0]:g}); they must be 0 or {LEAST_SIZE:g} to "
                f"{MOST_SIZE:g} in size: give them in another unit"
            )


def _read(source: Source, request: ScoreRequest, view: View) -> Scores:
    """The scores at one source."""
    if isinstance(source, Scores):
        if request.given:
            raise InputError(f"these scores have been read already: leave out {', '.join(request.given)}")
        return source
    if isinstance(source, pd.DataFrame):
        return table_scores(read_frame(source), request, view)
    if isinstance(source, SweepTables):
        from greenexp.sources.sweeps import sweep_scores

        return sweep_scores(source, request, view)
    if isinstance(source, WithTables):
        return _read(source.tables, request, view)
    path = Path(source)
    if is_table(path):
        return table_scores(read_file(path), request, view)
    if request.score is None or (path / JOURNAL).is_file():
        from greenexp.sources.sweeps import sweep_scores
        from greenexp.sources.tables import read_tables

        return sweep_scores(read_tables(source).tables, request, view, str(source))
    if path.is_file():
        raise InputError(f"{source}: expected a table that ends in {', '.join(SUFFIXES)}")
    from greenexp.sources.runs import run_scores

    return run_scores(str(source), request, view)


def _short_names(sources: Sequence[Source]) -> list[str]:
    """A name for each source: the last part of its path, or, where that is not enough, all of it."""
    whole = [_named(one) or f"source {k}" for k, one in enumerate(sources, start=1)]
    short = [Path(name).stem for name in whole]
    names = short if len(set(short)) == len(short) else whole
    if len(set(names)) < len(names):
        raise InputError("a source is named twice")
    return names


def _named(source: Source) -> str:
    """A path or an address as text, also of a sweep that was opened; "" for data at hand."""
    place = source if isinstance(source, str | Path) else getattr(source, "source", "")
    return str(place) if isinstance(place, str | Path) else ""


def _together(parts: Mapping[str, Scores], request: ScoreRequest) -> Scores:
    """The scores of several sources as groups. InputError if they are no scores of one kind."""
    (first_name, first), *others = parts.items()
    for name, scores in others:
        known = [kind for part in (first, scores) for kind in part.measured if kind.metric]
        same = scores.score == first.score or len(known) > 1  # what differs of two sweeps is for the study to say
        if not same or scores.minimize != first.minimize:
            direction = ["smaller" if part.minimize else "larger" for part in (first, scores)]
            raise InputError(
                f"{first_name} scores {first.score} ({direction[0]} is better), and {name} {scores.score} "
                f"({direction[1]} is better): not to be compared"
            )
    frames = []
    for name, scores in parts.items():
        groups = scores.frame[GROUP]
        alone = request.by is None and (groups == ALL).all()
        frames.append(scores.frame.assign(**{GROUP: name if alone else name + ": " + groups.astype(str)}))
    return dataclasses.replace(
        first,
        frame=pd.concat(frames, ignore_index=True),
        by=first.by or NAMED_AFTER_SOURCE,
        bound=next((scores.bound for scores in parts.values() if scores.bound), ""),
        not_random="; ".join(f"{name}: {scores.not_random}" for name, scores in parts.items() if scores.not_random),
        nested=any(scores.nested for scores in parts.values()),
        measured=tuple(
            dataclasses.replace(kind, source=name) for name, scores in parts.items() for kind in scores.measured
        ),
        notes=tuple(f"{name}: {note}" for name, scores in parts.items() for note in scores.notes),
    )
