"""What the models of other sweeps cost that a sweep begins with: a search that needs one has paid for it too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from greenexp.errors import InputError
from greenexp.journal.chosen_model import chosen_model
from greenexp.journal.events import NAME
from greenexp.journal.file import read_events
from greenexp.journal.origins import identity, origins_of
from greenexp.journal.state import SweepState
from greenexp.plan.prices import Bound
from greenexp.records.origins import OriginFact, origin_name, origins_flops, recorded_origins
from greenexp.records.settings import Settings


def priced_origins(every: Iterable[Settings]) -> tuple[OriginFact, ...]:
    """The sweeps whose models trials with these settings begin with, once each, however many of their models do."""
    found: dict[Path, OriginFact] = {}
    for source in dict.fromkeys(source for settings in every for source in origins_of(settings).values()):
        try:
            model, own = chosen_model(Path(source)).resolve(), identity(source)
        except InputError:  # whoever needs the model says that it is not there
            continue
        sweep = model.parent.parent
        known = (sweep / NAME).is_file()
        spent = _train_flops(sweep) if known else None
        fact = found.setdefault(sweep if known else model, OriginFact(sources={}, train_flops=spent))
        fact["sources"][source] = own
    return tuple(found.values())


def with_origins(
    bounds: Mapping[str, Bound], origins: Iterable[OriginFact]
) -> tuple[dict[str, Bound], tuple[str, ...]]:
    """The bounds with the training FLOPs of these sweeps, and notes that say so.

    Of a model that lies in no sweep's folder the costs are not known, and the note says that.
    """
    found, notes = dict(bounds), []
    for one in origins:
        name, flops = origin_name(one), one["train_flops"]
        if flops is None:
            notes.append(f"what the training of {name} cost is not on record and not in this price")
            continue
        found["train_flops"] = _raised(found["train_flops"], flops)
        notes.append(f"train_flops includes {flops:.3g} FLOP by which {name} was trained, in a sweep of its own")
    return found, tuple(notes)


def _raised(bound: Bound, flops: float) -> Bound:
    def more(value: float | None) -> float | None:
        return None if value is None else value + flops

    return replace(
        bound, most=more(bound.most), expected=more(bound.expected), low=more(bound.low), high=more(bound.high)
    )


def _train_flops(sweep: Path) -> float | None:
    """Of all trials of `sweep`, and of what it began with itself; None where a part of it was not measured."""
    state = SweepState(read_events(sweep / NAME))
    earlier = recorded_origins(session.data for session in state.sessions)
    spent = [record.costs.train_flops for trial in state.trials.values() for record in trial.records.values()]
    before = origins_flops(earlier)
    if None in spent or math.isnan(before):
        return None
    return float(sum(flops for flops in spent if flops is not None)) + before
