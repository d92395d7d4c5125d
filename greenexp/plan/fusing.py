"""`resources.fuse_seeds`: whether what a plan could train can be trained with its seeds as one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenexp.errors import FieldError
from greenexp.plan.flops import without_weights
from greenexp.plan.plans import Plan
from greenexp.records.settings import Settings
from greenexp.records.values import canonical_json

if TYPE_CHECKING:
    from greenexp.tasks.prepared import PreparedTask

FIELD = "resources.fuse_seeds"


def check_fused(plan: Plan, prepare: Callable[[Settings], PreparedTask]) -> None:
    """Raises FieldError with every section that stands in the way, of each kind of trial that the plan could hold.

    A plan in which no configuration has two seeds on the same examples passes: its trials are trained alone.
    """
    seeds = Counter((trial.configuration, trial.fold) for trial in plan.trials)
    if not plan.spec.resources.fuse_seeds or max(seeds.values(), default=0) < 2:
        return
    from greenexp.methods.fusing import why_not_fused

    kinds = {form_of(settings): settings for settings in plan.possible_settings()}
    found: dict[str, str] = {}
    for settings in kinds.values():
        model, run = without_weights(settings, prepare(settings), plan.trials[0].seeds.order)
        for section, why in why_not_fused(settings, run, model):
            found.setdefault(f"{section}: {why}", f"{section} ({name_of(settings, section)}): {why}")
    if found:
        raise FieldError(FIELD, f"the seeds cannot be trained as one model: {'; '.join(found.values())}")


def form_of(settings: Settings) -> str:
    """Equal for settings whose models and steps have the same form."""
    sections = settings.to_json()
    form = {name: value for name, value in sections.items() if name not in ("training", "metric")}
    return canonical_json({**form, "compile": settings.training.compile})


def name_of(settings: Settings, section: str) -> str:
    """Of the plug-in that a section chooses, or of the field of `training`."""
    if section == "training":
        return "compile"
    chosen = settings.model.head if section == "exits" else getattr(settings, section)
    return str(chosen.name)
