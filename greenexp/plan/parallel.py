"""`resources.processes_per_trial`: whether several processes can train what a plan could train."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from greenexp.errors import FieldError
from greenexp.plan.flops import without_weights
from greenexp.plan.fusing import form_of, name_of
from greenexp.plan.plans import Plan
from greenexp.records.settings import Settings

if TYPE_CHECKING:
    from greenexp.tasks.prepared import PreparedTask

FIELD = "resources.processes_per_trial"


def check_parallel(plan: Plan, prepare: Callable[[Settings], PreparedTask]) -> None:
    """Raises FieldError with every section that stands in the way, of each kind of trial that the plan could hold."""
    processes = plan.spec.resources.processes_per_trial
    if processes == 1:
        return
    from greenexp.methods.parallel import why_not_parallel

    kinds = {(form_of(one), _computed_at_once(one)): one for one in plan.possible_settings()}
    found: dict[str, str] = {}
    for settings in kinds.values():
        model, run = without_weights(settings, prepare(settings), plan.trials[0].seeds.order)
        for section, why in why_not_parallel(run, model, settings.training, processes):
            named = section if section == "training" else f"{section} ({name_of(settings, section)})"
            found.setdefault(f"{section}: {why}", f"{named}: {why}")
    if found:
        raise FieldError(FIELD, f"several processes cannot train a trial: {'; '.join(found.values())}")


def _computed_at_once(settings: Settings) -> int:
    return settings.training.micro_batch_size or settings.training.batch_size
