"""Where reports on a part of dev cannot be compared as a scheduler would compare them."""

from __future__ import annotations

from collections.abc import Iterator

from greenexp.records.axes import EPOCHS
from greenexp.records.places import FieldProblem
from greenexp.records.sweep_spec import SweepSpec
from greenexp.schedulers import SchedulerSettings, resource_of

PLACE = "training.report_dev"
PATIENCE = "training.patience"


def check_report_dev(spec: SweepSpec, scheduler: SchedulerSettings) -> Iterator[FieldProblem]:
    """A problem for everything under which scores on a part of dev would meet scores on all of it."""
    if spec.training.report_dev is None or not scheduler.stops:
        return
    name = spec.scheduler.name
    if resource_of(scheduler) != EPOCHS:
        yield FieldProblem(
            PLACE,
            f"is not possible with scheduler.resource {resource_of(scheduler)}: some trials would come to a rung with "
            "a score on all of dev, others with one on a part of it",
        )
    if getattr(scheduler, "compares_reports", False):
        yield FieldProblem(
            PLACE, f"is not possible with scheduler {name}, which compares values of several reports with each other"
        )
    if spec.training.patience is not None or PATIENCE in spec.space:
        yield FieldProblem(
            PLACE,
            f"is not possible with {PATIENCE} under scheduler {name}: a trial that has ended counts at later rungs "
            "with its score on all of dev",
        )
    if spec.budget.worth is not None:
        yield FieldProblem(
            PLACE,
            f"is not possible with budget.worth under scheduler {name}: configurations that are stopped within their "
            "first epoch have no score, and the others are a selection, from which no gain follows",
        )
