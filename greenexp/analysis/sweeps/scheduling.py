"""What the scheduler of a recorded sweep does: asked of the scheduler itself, never of its name."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.errors import InputError
from greenexp.records.axes import EPOCHS
from greenexp.records.tables import SweepTables
from greenexp.schedulers import resource_of, scheduler_of


@dataclass(frozen=True, slots=True)
class SweepScheduler:
    """name: as in the sweep file; stops: it can stop a trial; per_trial: it judges every trial by itself.

    resource: the budget axis that its rungs lie on
    """

    name: str
    stops: bool
    per_trial: bool
    resource: str = EPOCHS


def recorded_scheduler(tables: SweepTables) -> SweepScheduler:
    """The scheduler of a sweep. One that is not installed here is taken for one that stops trials."""
    section = tables.spec.scheduler
    resource = str(section.options.get("resource", EPOCHS))
    try:
        scheduler = scheduler_of(section.to_json())
    except (InputError, ImportError, AttributeError):  # a plug-in that is not here, or has other settings now
        return SweepScheduler(
            section.name, stops=True, per_trial=bool(section.options.get("per_trial")), resource=resource
        )
    return SweepScheduler(
        section.name, stops=scheduler.stops, per_trial=scheduler.per_trial, resource=resource_of(scheduler)
    )
