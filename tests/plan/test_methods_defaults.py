"""What a sweep file leaves out is taken from the method's publication, and shows in the trial's settings."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.plan.configurations import resolve
from greenexp.plan.plugins import installed
from greenexp.records.sections import Exits, Metric, Training


def settings_of(method: dict[str, Any], **sections: Any) -> dict[str, Any]:
    base = {
        "task": {"name": "clauses"},
        "backbone": {"name": "bert"},
        "exits": Exits().model_dump(mode="json"),
        "method": method,
        "training": Training().model_dump(mode="json"),
        "metric": Metric().model_dump(mode="json"),
    }
    found = resolve({**base, **sections}, {}, installed())
    assert found.problems == ()
    assert found.settings is not None
    return found.settings.to_json()


@pytest.mark.parametrize(
    ("method", "head", "pooling"),
    [
        ("branchynet", "linear", None),
        ("pabee", "linear", "pooler"),
        ("deebert", "pooled", "pooler"),
        ("fastbert", "attention", None),
        ("shallow_deep", "mixed_pool", None),
    ],
)
def test_head_and_pooling_of_the_publication(method: str, head: str, pooling: str | None):
    settings = settings_of({"name": method})
    assert settings["exits"]["head"]["name"] == head
    assert settings["backbone"]["pooling"] == pooling


def test_the_file_has_the_last_word():
    written = {"exits": {"layers": "all", "head": {"name": "linear"}}, "backbone": {"name": "bert", "pooling": "mean"}}
    settings = settings_of({"name": "deebert"}, **written)
    assert settings["exits"]["head"] == {"name": "linear", "dropout": 0.1}
    assert settings["backbone"]["pooling"] == "mean"


def test_a_field_of_the_methods_head_alone():
    settings = settings_of({"name": "deebert"}, exits={"layers": "all", "head": {"name": "pooled", "dropout": 0.3}})
    assert settings["exits"]["head"]["dropout"] == 0.3
