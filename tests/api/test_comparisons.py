"""`greenexp.api.comparisons` on data frames, files and sweeps: data in, findings with figures out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp.api.comparisons import front, lead, seeds, simulate
from greenexp.api.statistics import compare
from greenexp.errors import InputError


def trials() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (model, f"c{c}", s, 0.7 + 0.1 * (model == "b") + 0.02 * c + 0.01 * rng.normal(), float(c + 1))
        for model in "ab"
        for c in range(3)
        for s in range(4)
    ]
    return pd.DataFrame(rows, columns=["model", "rate", "seed", "acc", "flops"])


COLUMNS = {"score": "acc", "configuration": "rate", "seed_columns": ["seed"]}


def test_seeds_of_a_data_frame() -> None:
    findings = seeds(trials(), **COLUMNS, where={"model": "a"}, difference=0.01)  # type: ignore[arg-type]
    assert findings["splits"]["configurations"].tolist() == [3]
    assert {"variance", "means", "plans", "worth", "power", "needed"} <= set(findings.tables)
    assert findings["means"]["mean"].is_monotonic_decreasing
    lucky = findings["means"].iloc[0]
    assert lucky["optimism_due_to_seeds"] == pytest.approx(lucky["mean"] - lucky["expected_true"])
    assert lucky["optimism_due_to_seeds"] > 0
    assert [figure.name for figure in findings.figures] == ["seeds"]
    assert "<svg" in findings._repr_html_()


def test_groups_are_compared_and_a_refusal_has_no_tables() -> None:
    findings = seeds(trials(), **COLUMNS, by="model")  # type: ignore[arg-type]
    assert "b is better than a" in findings.verdict[0]
    one = seeds(trials().drop_duplicates("rate"), **COLUMNS)  # type: ignore[arg-type]
    assert one.refusal
    assert (dict(one.tables), one.figures) == ({}, ())


@pytest.mark.parametrize(
    "wrong", [{"power": 0.01}, {"confidence": 1.0}, {"difference": 0.0}, {"trials": 1}, {"paired": True}]
)
def test_options_of_seeds_that_are_not_possible(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        seeds(trials(), **COLUMNS, **wrong)  # type: ignore[arg-type]


def test_fronts_of_a_data_frame(tmp_path: Path) -> None:
    findings = front(trials(), score="acc", cost="flops", by="model", trial="seed", reference=(0.5, 5.0))
    assert any("b Pareto-improves on a" in sentence or "b's front" in sentence for sentence in findings.verdict)
    assert findings["reference"].iloc[0].tolist() == [0.5, 5.0, False]
    (figure,) = findings.figures
    for suffix in ("svg", "pdf", "png"):
        path = tmp_path / f"front.{suffix}"
        figure.save(path)
        assert path.stat().st_size > 1000
    assert front(trials().assign(acc=np.nan), score="acc", cost="flops").refusal


@pytest.mark.parametrize("wrong", [{"levels": (0.0,)}, {"budgets": (1.5,)}, {"reference": (np.nan, 1.0)}])
def test_options_of_fronts_that_are_not_possible(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        front(trials(), score="acc", cost="flops", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("budgets", [("1 kWh",), (0.0,), (None,), (float("inf"),), ()])
def test_budgets_that_are_no_amounts(budgets: tuple[object, ...]) -> None:
    with pytest.raises(InputError):
        compare(trials(), score="acc", cost="flops", by="model", budgets=budgets)  # type: ignore[arg-type]


def test_a_sweep_is_read_as_what_it_is() -> None:
    tables = with_thresholds(sweep(4, 3, epochs=3), 60)
    assert seeds(tables)["splits"]["design"].iloc[0].endswith("seeds shared by the configurations")
    assert set(front(tables, by="policy")["hypervolume"]["by"]) == {"static", "max_probability"}
    findings = simulate(tables, repeats=5, schedulers=["sha"])
    assert findings["searches"]["scheduler"].tolist() == ["sha"]
    with pytest.raises(InputError, match="score"):
        simulate(tables, score="acc")


def test_the_lead_of_a_sweep() -> None:
    findings = lead(sweep(4, 3))
    assert findings["lead"]["first"].tolist() == ["c002"]
    assert lead(sweep(1, 3)).refusal


def test_curves_of_a_data_frame() -> None:
    rows = [(f"r{r}", step, r * step / (step + 2), 2.0 * step) for r in range(12) for step in range(1, 10)]
    table = pd.DataFrame(rows, columns=["run", "step", "score", "seconds"])
    findings = simulate(table, cost="seconds", trials=[9], repeats=20)
    assert findings["searches"].set_index("scheduler").loc["fifo", "cost"] == pytest.approx(9 * 18)
    with pytest.raises(InputError, match="whole"):
        simulate(table, trials=[1.5])
