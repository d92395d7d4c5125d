"""Settings of a trial: typed, the same again from JSON, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from made_settings import SECTIONS, made_model_settings, made_settings

from greenexp.errors import UnknownNameError
from greenexp.methods.pabee import Pabee
from greenexp.records.sections import MethodChoice
from greenexp.records.settings import ModelSettings, Settings


def test_json_and_back() -> None:
    settings = made_settings(exits={"layers": [1, 3]}, method={"name": "branchynet", "weights": [1.0, 2.0]})
    assert Settings.from_json(settings.to_json()) == settings
    assert settings.to_json()["exits"]["layers"] == [1, 3]
    learned = made_model_settings(exits={"learned": True})
    assert ModelSettings.from_json(learned.to_json()) == learned


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": {"epoch": 3}}, "training.epoch"),
        ({"metric": {"mode": "best"}}, "metric.mode"),
        ({"another": {}}, "another"),
    ],
)
def test_what_is_no_setting_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place.replace(".", r"[.\n]*")):
        Settings.from_json({**SECTIONS, **change})


def test_a_choice_makes_its_plug_in() -> None:
    assert MethodChoice(name="pabee").plugin() == Pabee()
    with pytest.raises(UnknownNameError, match="pabee"):
        MethodChoice(name="pabe").plugin()
