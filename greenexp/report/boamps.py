"""The energy report of a sweep in BoAmps, Boavizta's data model for the energy of computing tasks.

https://github.com/Boavizta/BoAmps has the JSON schemas. A report has a task with algorithms and data sets, measures of
energy in kWh, the infrastructure, and optionally a header, the system, the software and the environment. What is not on
record is left out; what only the publisher knows (name, kind of infrastructure, licence) is theirs to add. Without a
measurement of energy there is no report, since a measure must have one.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from greenexp.analysis.search.price_tag import amounts
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.errors import InputError
from greenexp.records.tables import SweepTables
from greenexp.report.checklists.record import RecordFacts
from greenexp.units import BYTES, JOULES
from greenexp.version import VERSION

SPECIFICATION = "https://github.com/Boavizta/BoAmps/tree/main/model"
_DATE = "%Y-%m-%d %H:%M:%S"
_COUNTERS = {"gpu": ("gpuTrackingMode", "nvml"), "cpu_package": ("cpuTrackingMode", "rapl")}
"""Part of energy, as the drivers recorded it -> the field that says how it was measured, and the value."""


def boamps_report(tables: SweepTables) -> dict[str, Any]:
    """The report as JSON values; epochs and energy are those of all trials, epochs as their mean.

    InputError if energy was not measured in every report of the sweep.
    """
    facts = RecordFacts(tables)
    why = facts.price.refusal or _unmeasured(tables, facts)
    if why:
        raise InputError(f"an energy report needs measured energy, and that of this sweep was not measured: {why}")
    machine = facts.session("machine")
    found = {
        "header": _header(tables),
        "task": _task(tables, facts),
        "measures": [_measure(tables, facts)],
        "system": {"os": str(machine["system"]).partition(" ")[0]} if machine.get("system") else {},
        "software": _software(facts),
        "infrastructure": {"infraType": "other", "components": _components(tables, facts)},
        "environment": _environment(tables),
    }
    return {name: part for name, part in found.items() if part}


def _unmeasured(tables: SweepTables, facts: RecordFacts) -> str:
    """Why there is no total of energy, "" if there is one."""
    if not math.isnan(amounts(facts.price, "search")["energy_j"]):
        return ""
    reasons = tables.ledger.loc[tables.ledger["axis"] == "energy_j", "reason"].tolist()
    return next(filter(None, map(str, reasons)), "no reason is on record")


def _header(tables: SweepTables) -> dict[str, Any]:
    history = tables.history
    ended = history.began + (history.elapsed_s or 0.0)
    return {
        "formatVersionSpecificationUri": SPECIFICATION,
        "reportId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"greenexp:{history.fingerprint}:{history.began}")),
        "reportDatetime": datetime.fromtimestamp(ended, UTC).strftime(_DATE),
        "reportStatus": "final" if history.complete else "draft",
    }


def _task(tables: SweepTables, facts: RecordFacts) -> dict[str, Any]:
    search = amounts(facts.price, "search")
    source = tables.spec.backbone.options.get("source")
    found: dict[str, Any] = {
        "taskStage": "training" if source is None else "finetuning",
        "taskFamily": "text regression" if _is_regression(tables) else "text classification",
        "algorithms": [_algorithm(tables, facts)],
        "dataset": [{"dataUsage": "input", "dataType": "text", **_known({"dataQuantity": search["training_set"]})}],
        "taskDescription": (
            f"Hyperparameter sweep {tables.history.name} of multi-exit encoders on the task {tables.spec.task.name}: "
            f"{search['experiments']:.0f} trials, {search['examples_seen']:,.0f} training examples seen. Stopped and "
            "failed trials are included."
        ),
    }
    tested = held_out(tables)
    if tested is not None and tables.spec.metric.name == "accuracy":
        found |= _known({"measuredAccuracy": float(tested.latest["test_score"].mean())})
    return found


def _is_regression(tables: SweepTables) -> bool:
    return any(each.is_regression for each in tables.answers.values())


def _algorithm(tables: SweepTables, facts: RecordFacts) -> dict[str, Any]:
    spec, search, model = tables.spec, amounts(facts.price, "search"), amounts(facts.price, "model")
    searched = set(tables.parameters)
    found: dict[str, Any] = {
        "trainingType": "supervisedLearning",
        "algorithmType": "neural network",
        "algorithmName": f"transformers ({spec.backbone.name}), {spec.method.name}",
        "framework": "pytorch",
        "optimizer": "AdamW",
    }
    if "method.name" in searched or "backbone.name" in searched:
        found["algorithmName"] = "transformers"
    torch = facts.session("versions").get("torch")
    precisions = facts.values("precision")
    if torch:
        found["frameworkVersion"] = str(torch)
    if len(precisions) == 1:
        found["quantization"] = precisions[0]
    mean_epochs = search["examples_seen"] / (search["training_set"] * search["experiments"])
    return found | _known({"epochsNumber": mean_epochs, "parametersNumber": model["parameters"] / 1e9})


def _measure(tables: SweepTables, facts: RecordFacts) -> dict[str, Any]:
    """The energy of all trials. What no counter covered has no tracking mode."""
    measured = facts.energy_method
    modes = dict(_COUNTERS[part] for part in _COUNTERS if part in measured.partition("(")[0])
    began = tables.history.began
    found: dict[str, Any] = {
        "measurementMethod": f"greenexp: {measured}",
        "version": VERSION,
        **modes,
        "powerConsumption": amounts(facts.price, "search")["energy_j"] / JOULES["kwh"],
    }
    if tables.history.elapsed_s is not None:
        found["measurementDuration"] = tables.history.elapsed_s
    if began:
        found["measurementDateTime"] = datetime.fromtimestamp(began, UTC).strftime(_DATE)
    return found


def _software(facts: RecordFacts) -> dict[str, Any]:
    version = facts.session("versions").get("python")
    return {"language": "python", **({"version": str(version)} if version else {})}


def _components(tables: SweepTables, facts: RecordFacts) -> list[dict[str, Any]]:
    machine, resources = facts.session("machine"), tables.spec.resources
    cpu: dict[str, Any] = {"componentType": "cpu", "nbComponent": 1}
    if machine.get("cpu"):
        cpu["componentName"] = f"{machine['cpu']}, {machine.get('cpus')} cores"
    parts = [cpu]
    devices = [device for device in facts.values("device") if device != "cpu"]
    if devices and resources.gpus_per_trial:
        number = max(1, math.ceil(resources.workers * resources.gpus_per_trial))
        parts.append({"componentType": "gpu", "nbComponent": number, "componentName": ", ".join(devices)})
    if machine.get("memory_b"):
        memory = round(float(machine["memory_b"]) / BYTES["gb"], 1)
        parts.append({"componentType": "ram", "nbComponent": 1, "memorySize": memory})
    return parts


def _environment(tables: SweepTables) -> dict[str, Any]:
    """Country and carbon intensity, if a region was stated: a country is what an environment must have."""
    accounting = tables.spec.accounting
    if accounting.carbon_source is None or accounting.carbon_g_per_kwh is None:
        return {}
    country = accounting.carbon_source.row.partition(" (")[0].partition(" · ")[0]
    return {"country": country, "powerSourceCarbonIntensity": accounting.carbon_g_per_kwh}


def _known(values: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers."""
    return {name: float(value) for name, value in values.items() if not math.isnan(value)}
