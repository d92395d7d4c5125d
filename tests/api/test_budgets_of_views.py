"""Budgets as a reader of a view writes them: their unit says the axis."""

from __future__ import annotations

import pytest
from told import tells

from greenexp.api.views.of_sweep import _amounts, _axis_of
from greenexp.errors import InputError

MEASURED = ("trials", "epochs", "wall_s", "train_flops", "energy_j")


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("1 kWh", "energy_j"),
        ("0.5 kWh, 3.6 MJ", "energy_j"),
        ("2 TFLOP", "train_flops"),
        ("90 min", "wall_s"),
        ("20", "trials"),
        ("1 kWh, 2 TFLOP", "trials"),
        ("", "trials"),
    ],
)
def test_the_unit_of_budgets_says_the_axis(text: str, axis: str) -> None:
    assert _axis_of(text, MEASURED) == axis


def test_budgets_are_read_in_the_unit_of_the_axis() -> None:
    assert _amounts("0.5 kWh, 1 kWh,", "energy_j") == (1.8e6, 3.6e6)
    assert _amounts("5,10", "trials") == (5.0, 10.0)
    assert _amounts(" ", "energy_j") is None


@pytest.mark.parametrize(("text", "axis", "told"), [("many", "trials", "trials … many"), ("1 mile", "energy_j", "kwh")])
def test_what_is_no_budget_is_refused(text: str, axis: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        _amounts(text, axis)
    assert tells(str(caught.value), told)
