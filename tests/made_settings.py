"""Settings and sweep files of tests: the defaults, and what a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.records.settings import ModelSettings, Settings
from greenexp.records.sweep_spec import SweepSpec

SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "task": {"name": "clauses"},
    "backbone": {"name": "bert"},
    "exits": {"layers": "all", "head": {"name": "linear"}},
    "method": {"name": "branchynet"},
    "training": {},
    "metric": {},
    "compression": {"name": "none"},
}


def made_settings(**sections: Mapping[str, Any]) -> Settings:
    """Each section given is completed by its default; a plug-in that is named comes without the default's fields."""
    unknown = sections.keys() - SECTIONS.keys()
    assert not unknown, unknown
    return Settings.from_json({name: {**default, **sections.get(name, {})} for name, default in SECTIONS.items()})


def made_model_settings(**sections: Mapping[str, Any]) -> ModelSettings:
    """Of `backbone` and `exits`."""
    return ModelSettings.from_json(
        {name: {**SECTIONS[name], **sections.get(name, {})} for name in ("backbone", "exits")}
    )


def made_spec(**sections: Any) -> SweepSpec:
    """A sweep file with these sections."""
    return SweepSpec.from_json({"name": "made", "task": {"name": "clauses"}, **sections})


def changed_spec(spec: SweepSpec, **sections: Any) -> SweepSpec:
    """The sweep file with other sections."""
    return SweepSpec.from_json({**spec.model_dump(mode="json"), **sections})
