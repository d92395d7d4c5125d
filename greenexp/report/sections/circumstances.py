"""What a reader must know of methods, weights and scores before comparing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.scored_exits import exits_at_the_end
from greenexp.records.tables import SweepTables
from greenexp.report.sections.wording import counted


def circumstances(tables: SweepTables) -> tuple[str, ...]:
    """Paragraphs on reconstructed methods, trials scored over different exits, notes on weights and the journal."""
    return (
        *_methods(tables),
        *_exits(tables),
        *_noted(tables, "notes", "Weights"),
        *_noted(tables, "score_remark", "Scores"),
        *_divided(tables),
        *_fused(tables),
        *_shared(tables),
        *([f"The sweep's journal is {tables.remarks.journal}."] if tables.remarks.journal else []),
    )


def _methods(tables: SweepTables) -> Iterable[str]:
    """What the methods said of themselves when the sweep was run."""
    said = [str(caution) for session in tables.history.sessions for caution in session.get("cautions") or ()]
    return dict.fromkeys(said)


def _exits(tables: SweepTables) -> Iterable[str]:
    """Of trials scored over different exits: which, and how many."""
    metric = metric_of(tables)
    found = Counter(exits_at_the_end(tables).values())
    if metric.exit not in ("mean", "best") or len(found) < 2:
        return
    parts = [f"{', '.join(map(str, exits))} ({counted(trials, 'trial')})" for exits, trials in found.most_common()]
    yield (
        f"A trial's score is the {metric.exit} over the exits that it trained, and these are not the same for all: "
        f"exits {'; '.join(parts)}. Trials with different exits are better compared exit by exit."
    )


def _noted(tables: SweepTables, column: str, about: str) -> Iterable[str]:
    """What workers noted, once each, with the number of trials."""
    rows = tables.epochs.loc[~tables.epochs["repeated"], ["trial", column]].dropna().drop_duplicates()
    trials: dict[str, set[str]] = {}
    for trial, text in zip(rows["trial"].tolist(), rows[column].tolist(), strict=True):
        for note in filter(None, str(text).split("; ")):
            trials.setdefault(note, set()).add(trial)
    if trials:
        said = [f"{note} ({counted(len(own), 'trial')})" for note, own in trials.items()]
        yield f"{about}: {'; '.join(said)}."


def _divided(tables: SweepTables) -> Iterable[str]:
    """Of trials whose batches did not fit into memory: how many, and what that means."""
    rows = tables.epochs.loc[tables.epochs["micro_batch_size"].notna() & ~tables.epochs["repeated"]]
    if not rows.empty:
        least = int(rows["micro_batch_size"].min())
        yield (
            f"Memory: batches of {counted(rows['trial'].nunique(), 'trial')} did not fit into memory and were computed "
            f"in parts, of {counted(least, 'example')} at the least. Their numbers are those of whole batches, but for "
            "rounding."
        )


def _fused(tables: SweepTables) -> Iterable[str]:
    """Of seeds that were trained as one model: how many trials, and what that means for their costs."""
    rows = tables.epochs.loc[tables.epochs["fused_seeds"].notna() & ~tables.epochs["repeated"]]
    if not rows.empty:
        fewest, most = int(rows["fused_seeds"].min()), int(rows["fused_seeds"].max())
        together = f"{most}" if fewest == most else f"{fewest} to {most}"
        yield (
            f"Seeds: {counted(rows['trial'].nunique(), 'trial')} were trained with other seeds of their configuration "
            f"as one model, {together} at a time. Their time and energy are equal parts of what the seeds used "
            "together; training FLOPs are each trial's own."
        )


def _shared(tables: SweepTables) -> Iterable[str]:
    """Of trials that several processes trained: how many, and whether their numbers are those of one process."""
    rows = tables.epochs.loc[tables.epochs["processes"].notna() & ~tables.epochs["repeated"]]
    for (processes, masks), own in rows.groupby(["processes", "dropout_masks"]):
        numbers = (
            f"Their dropout masks differ from those of one process: {masks}."
            if masks
            else ("Their numbers are those of one process, but for rounding.")
        )
        trials = counted(own["trial"].nunique(), "trial")
        yield (
            f"Processes: {trials} were trained by {processes} processes each. {numbers} CPU time, GPU time and energy "
            "are sums over the processes."
        )
