"""What the cards claim of the authors' code, as read there at the commits they name."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from greenexp.methods import METHODS
from greenexp.schedulers import SCHEDULERS


def card(name: str) -> str:
    return " ".join((inspect.getdoc(METHODS[name]) or "").split())


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("branchynet", "Adam at a constant learning rate"),
        ("dbt", "SGD with Nesterov momentum 0.9"),
        ("righttool", "Adam at a constant learning rate"),
        ("shallow_deep", "SGD with momentum 0.9"),
    ],
)
def test_another_optimiser_of_the_authors_is_named(name: str, official: str) -> None:
    said, _, departures = card(name).partition("Departures: ")
    assert official in said
    assert departures.startswith(
        "trained as the section `training` says, by default AdamW with warm-up and a linear fall."
    )


def test_methods_of_encoders_need_no_such_remark() -> None:
    """Official code for encoders trains by AdamW with a linear schedule itself; leebert and ensemble have none."""
    others = set(METHODS) - {"branchynet", "dbt", "righttool", "shallow_deep"}
    assert not [name for name in others if "Departures: trained as" in card(name)]


def test_shallow_deep_does_not_deny_the_dropout_of_two_official_networks() -> None:
    assert "have no dropout" not in card("shallow_deep")
    assert "VGG has dropout 0.5 and WideResNet 0.3" in card("shallow_deep")


def test_berxit_names_the_strategy_that_is_left_out() -> None:
    assert "self_distil" in card("berxit")


def test_hyperband_says_where_ray_differs() -> None:
    said = " ".join((inspect.getdoc(SCHEDULERS["hyperband"]) or "").split())
    assert "Ray Tune's `HyperBandScheduler` takes ceil(n / eta)" in said


def test_the_readme_counts_no_plug_ins() -> None:
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8").lower()
    numbers = ("five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen")
    assert not [n for n in numbers for what in ("training methods", "kinds of exit heads") if f"{n} {what}" in text]
