"""What the teachers of a sweep's methods cost before the sweep began: a search that needs one has paid for it too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from greenexp.plan.prices import Bound
from greenexp.records.settings import Settings


def with_teachers(bounds: Mapping[str, Bound], every: Iterable[Settings]) -> tuple[dict[str, Bound], tuple[str, ...]]:
    """The bounds with the training FLOPs of the sweeps that trained the teachers, once each, and notes that say so.

    Of a teacher that lies in no sweep's folder the costs are not known, and the note says that.
    """
    sources = dict.fromkeys(
        source for settings in every if isinstance(source := settings.method.options.get("teacher"), str)
    )
    found, notes = dict(bounds), []
    for source in sources:
        flops = _train_flops(Path(source).expanduser())
        if flops is None:
            notes.append(f"what the training of the teacher {source} cost is not on record and not in this price")
            continue
        price = found["train_flops"]
        found["train_flops"] = replace(
            price,
            most=None if price.most is None else price.most + flops,
            expected=None if price.expected is None else price.expected + flops,
        )
        notes.append(f"train_flops includes {flops:.3g} FLOP by which {source} trained the teacher")
    return found, tuple(notes)


def _train_flops(source: Path) -> float | None:
    """Of all trials of the sweep that `source` is, or in whose folder it lies."""
    from greenexp.journal.events import NAME
    from greenexp.journal.file import read_events
    from greenexp.journal.state import SweepState

    sweep = next((one for one in (source, source.resolve().parent.parent) if (one / NAME).is_file()), None)
    if sweep is None:
        return None
    state = SweepState(read_events(sweep / NAME))
    spent = [record.costs.train_flops for trial in state.trials.values() for record in trial.records.values()]
    return None if None in spent else float(sum(flops for flops in spent if flops is not None))
