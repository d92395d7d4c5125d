"""The energy report: fields that the data model requires are there, and nothing that was not measured."""

from __future__ import annotations

import dataclasses
import json

import jsonschema
import numpy as np
import pytest
from made_sweeps import sweep
from told import tells

import greenexp
from greenexp.errors import InputError
from greenexp.report.boamps import boamps_report

TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def an_object(required: dict, optional: dict | None = None) -> dict:
    fields = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": fields, "additionalProperties": False}


def a_list(of: dict) -> dict:
    return {"type": "array", "minItems": 1, "items": of}


# What BoAmps requires (commit 3bfefec of its repository), in our own words, and the further fields that are written.
SCHEMA = an_object(
    {
        "task": an_object(
            {
                "taskStage": TEXT,
                "taskFamily": TEXT,
                "algorithms": a_list({"type": "object", "additionalProperties": {"type": ["string", "number"]}}),
                "dataset": a_list(
                    an_object({"dataUsage": {"enum": ["input", "output"]}, "dataType": TEXT}, {"dataQuantity": NUMBER})
                ),
            },
            {"measuredAccuracy": {"type": "number", "minimum": 0, "maximum": 1}, "taskDescription": TEXT},
        ),
        "measures": a_list(
            an_object(
                {"measurementMethod": TEXT, "powerConsumption": NUMBER},
                {
                    **dict.fromkeys(("version", "cpuTrackingMode", "gpuTrackingMode", "measurementDateTime"), TEXT),
                    "measurementDuration": NUMBER,
                },
            )
        ),
        "infrastructure": an_object(
            {
                "infraType": {"enum": ["publicCloud", "privateCloud", "onPremise", "other"]},
                "components": a_list(
                    an_object(
                        {"componentType": TEXT, "nbComponent": {"type": "integer"}},
                        {"componentName": TEXT, "memorySize": NUMBER},
                    )
                ),
            }
        ),
    },
    {
        "header": an_object(
            {"reportDatetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}},
            {
                "formatVersionSpecificationUri": TEXT,
                "reportId": TEXT,
                "reportStatus": {"enum": ["draft", "final", "corrective", "other"]},
            },
        ),
        "system": an_object({"os": TEXT}),
        "software": an_object({"language": TEXT}, {"version": TEXT}),
        "environment": an_object({"country": TEXT}, {"powerSourceCarbonIntensity": NUMBER}),
    },
)
GERMANY = {
    "package": "p",
    "version": "1",
    "region": "DEU",
    "row": "Germany (DEU)",
    "year": 2024,
    "g_per_kwh": 344.0,
}
SESSION = {
    "versions": {"python": "3.12.1", "torch": "2.13.0"},
    "machine": {"system": "Linux 6.1", "cpu": "A CPU", "cpus": 8, "memory_b": 16e9},
    "measured": {"energy_j": [True, "counters of gpu (cpu_package: shared with other trials)"]},
}


def metered(**spec):
    made = sweep(3, 2, energy_j=1800.0, **spec)
    history = dataclasses.replace(made.history, sessions=(SESSION,), began=1_700_000_000.0)
    return dataclasses.replace(made, history=history, epochs=made.epochs.assign(device="A GPU", precision="bf16"))


def test_a_report_has_what_the_data_model_requires():
    found = boamps_report(metered(resources={"gpus_per_trial": 0.5, "workers": 3}))
    jsonschema.validate(found, SCHEMA)
    (measure,) = found["measures"]
    assert measure["powerConsumption"] == pytest.approx(54 * 1800 / 3.6e6)
    assert measure["measurementDuration"] == 123.0
    assert found["task"]["algorithms"][0]["epochsNumber"] == 9
    assert measure["gpuTrackingMode"] == "nvml"
    assert "cpuTrackingMode" not in measure, "the CPU was not measured"
    assert {one["componentType"]: one["nbComponent"] for one in found["infrastructure"]["components"]} == {
        "cpu": 1,
        "gpu": 2,
        "ram": 1,
    }
    assert found["header"]["reportDatetime"] == "2023-11-14 22:15:23"
    assert json.dumps(found, allow_nan=False)


def test_what_is_not_on_record_is_left_out():
    bare = metered()
    bare = dataclasses.replace(bare, history=dataclasses.replace(bare.history, sessions=(), elapsed_s=None))
    found = boamps_report(dataclasses.replace(bare, epochs=bare.epochs.assign(device="", precision="")))
    jsonschema.validate(found, SCHEMA)
    assert "environment" not in found
    assert "system" not in found
    assert "parametersNumber" not in found["task"]["algorithms"][0]
    assert "measuredAccuracy" not in found["task"]


def test_a_region_is_the_environment():
    source = GERMANY
    accounting = {"region": "DEU", "carbon_g_per_kwh": 344.0, "carbon_source": source}
    found = boamps_report(metered(accounting=accounting))
    assert found["environment"] == {"country": "Germany", "powerSourceCarbonIntensity": 344.0}


def test_a_sweep_without_measured_energy_has_no_report_and_the_reason_is_told():
    with pytest.raises(InputError) as raised:
        boamps_report(sweep())
    assert tells(str(raised.value), "not measured … no energy counter")
    partly = metered()
    used = partly.ledger["used"].mask(partly.ledger["axis"] == "energy_j", np.nan)
    with pytest.raises(InputError):
        boamps_report(dataclasses.replace(partly, ledger=partly.ledger.assign(used=used)))


def test_how_energy_was_attributed_is_said_where_reports_say_it():
    made = metered()
    made = dataclasses.replace(made, epochs=made.epochs.assign(energy_method="measured_exclusive"))
    assert tells(boamps_report(made)["measures"][0]["measurementMethod"], "counters of gpu … measured_exclusive")


def test_the_file_is_written_where_it_was_asked_for(tmp_path):
    (tmp_path / "journal.jsonl").touch()
    opened = greenexp.Sweep(tmp_path)
    opened.__dict__["tables"] = metered()
    path = opened.energy_report()
    assert path == tmp_path / "boamps.json"
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), SCHEMA)
    with pytest.raises(InputError):
        opened.energy_report(out=tmp_path / "absent" / "boamps.json")
