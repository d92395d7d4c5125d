"""Budgets out of reach are told in the unit of their axis."""

from __future__ import annotations

import pandas as pd
import pytest
from told import tells

from greenexp.analysis.numbers.budgets import within_reach
from greenexp.api.statistics import compare, curve
from greenexp.errors import InputError


def test_amounts_have_units_and_numbers_of_trials_have_none() -> None:
    assert within_reach([1.0, 12_345.0], 5.0) == ((1.0,), "12345")
    assert within_reach([1.0, 3.6e6, 7.2e6], 5.0, "energy_j") == ((1.0,), "3.6 MJ (1 kWh), 7.2 MJ (2 kWh)")
    assert within_reach([4.0, 2e12], 5.0, "flops") == ((4.0,), "2e+12"), "of a column, its number"


def test_what_a_group_cost_in_all_is_told_in_joules_and_kilowatt_hours() -> None:
    trials = pd.DataFrame(
        {"method": list("aabb") * 3, "accuracy": [0.5 + 0.01 * k for k in range(12)], "energy_j": [4e5, 6e5] * 6}
    )
    asked = {"score": "accuracy", "cost": "energy_j", "by": "method"}
    with pytest.raises(InputError) as refused:
        compare(trials, **asked, budgets=[3.6e6])
    assert tells(str(refused.value), "cost 3 MJ (0.833 kWh)")
    notes = " ".join(compare(trials, **asked, budgets=[2e6, 3.6e6]).notes)
    assert tells(notes, "cost 3 MJ (0.833 kWh) … 3.6 MJ (1 kWh)")
    notes = " ".join(curve(trials, **asked, budgets=[2e6, 3.6e6]).notes)
    assert tells(notes, "cost 3 MJ (0.833 kWh) … 3.6 MJ (1 kWh)")
