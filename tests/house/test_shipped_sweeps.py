"""Every sweep file that greenexp brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.assets import find_sweep, shipped_sweeps
from greenexp.plan import make_plan, price_plan
from greenexp.spec import load_sweep

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


def test_all_files_are_shipped() -> None:
    assert set(shipped_sweeps()) == {path.stem for path in SWEEPS.iterdir()}
    assert "smoke" in shipped_sweeps()


@pytest.mark.parametrize("name", shipped_sweeps())
def test_a_shipped_sweep_plans_and_has_a_price(name: str) -> None:
    plan = make_plan(load_sweep(find_sweep(name)))
    assert plan.spec.name == name
    price = price_plan(plan)
    assert price.bounds["trials"].most == len(plan.trials)
    assert (price.bounds["train_flops"].most or 0) > 0
