"""The metadata of a model card, in the form and with the checks of the library `huggingface_hub`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from greenexp.analysis.search.price_tag import amounts
from greenexp.report.checklists.record import RecordFacts
from greenexp.report.model_card.model import CardModel, exit_scores
from greenexp.report.model_card.points import card_points
from greenexp.report.sections.price_tag import amount
from greenexp.report.sections.settings import setting_of
from greenexp.units import format_quantity
from greenexp.version import VERSION

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[0-9a-f]{7,40})?$")
_CLASSIFICATION = "text-classification"


def card_metadata(facts: RecordFacts, model: CardModel) -> ModelCardData:
    """The block at the head of the card. What is not known, such as language and licence, is left to the author."""
    from huggingface_hub import ModelCardData

    source = model.setting(facts.tables, "backbone.source", facts.tables.spec.backbone.options.get("source"))
    emissions = _emissions(facts, pretrained=source is not None)
    further: dict[str, Any] = {"co2_eq_emissions": emissions} if emissions else {}
    return ModelCardData(
        base_model=source.partition("@")[0] if isinstance(source, str) and _HUB_ID.match(source) else None,
        eval_results=list(_results(facts, model)) or None,
        library_name="greenexp",
        metrics=[facts.metric.name],
        model_name=f"{facts.tables.history.name}-{model.trial}",
        pipeline_tag=_task_type(model) if model.num_labels > 1 else None,
        tags=["early-exit", "multi-exit", "greenexp"],
        **further,
    )


def _emissions(facts: RecordFacts, *, pretrained: bool) -> dict[str, Any]:
    """Grams of the whole search, and how they were come by; nothing if they were not measured."""
    if facts.price.refusal:
        return {}
    search, alone = amounts(facts.price, "search"), amounts(facts.price, "model")
    if math.isnan(search["carbon_g"]):
        return {}
    trials = format_quantity(search["experiments"], "")
    own = "" if math.isnan(alone["carbon_g"]) else f"; the training of this model alone: {alone['carbon_g']:.4g} g"
    weights = "" if pretrained else "; trained from random weights"
    energy = amount("energy_j", "J", search["energy_j"], None)
    found: dict[str, Any] = {
        "emissions": float(f"{search['carbon_g']:.6g}"),
        "source": (
            f"greenexp {VERSION}: the whole search, {trials} trials, stopped and failed ones included{own}. {energy} "
            f"by {facts.energy_method}, times PUE and grams per kWh{weights}"
        ),
        "training_type": "fine-tuning" if pretrained else "pre-training",
    }
    source = facts.tables.spec.accounting.carbon_source
    if source is not None:
        found["geographical_location"] = source.row
    hardware = facts.hardware
    return {**found, "hardware_used": hardware} if hardware else found


def _results(facts: RecordFacts, model: CardModel) -> Iterator[EvalResult]:
    """Each exit and each operating point, on test where there is a test score, else on dev."""
    metric = facts.metric.name
    exits = exit_scores(facts.tables, model.trial, metric)
    for row in exits.to_dict("records"):
        yield from _result(facts, model, f"exit {row['exit']}", row["test"], row["dev"])
    for _, point in card_points(facts.tables, model.trial).iterrows():
        where = f"{setting_of(point)}, speed-up {point['dev_speed_up']:.2f} on dev"
        yield from _result(facts, model, where, point["test_score"], point["dev_score"])


def _result(facts: RecordFacts, model: CardModel, where: str, on_test: float, on_dev: float) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    split, value = ("validation", on_dev) if math.isnan(on_test) else ("test", on_test)
    if math.isnan(value):
        return
    task = facts.tables.spec.task.name
    yield EvalResult(
        task_type=_task_type(model),
        dataset_type=task,
        dataset_name=task,
        dataset_split=split,
        metric_type=facts.metric.name,
        metric_name=f"{facts.metric.name} ({where})",
        metric_value=float(f"{value:.6g}"),
    )


def _task_type(model: CardModel) -> str:
    if model.images:
        return "image-classification"
    return _CLASSIFICATION if model.num_labels > 1 else "text-regression"
