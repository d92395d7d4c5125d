"""The price of a sweep beside what it used: in `status`, in the report, and the table before it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_speeds import exactly
from stand_ins import Sweep, Workers

from greenexp.journal.tables import read_tables
from greenexp.records.priced import PriceFact
from greenexp.report.sections.costs import section
from greenexp.sources.status import read_state, status_of_tables, sweep_status

Command = Callable[..., tuple[int, str, str]]


def fact(low: float, high: float, source: str = "2 trials of out/before") -> PriceFact:
    return {"low": low, "expected": (low + high) / 2, "high": high, "source": source}


PRICE = {
    "trials": fact(4, 4, ""),
    "epochs": fact(20, 36, ""),
    "wall_s": fact(1.0, 2.0),
    "train_flops": fact(2e10, 4e10),
}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "priced"
    folder.mkdir()
    conductor = Sweep(folder).open(configurations=2, scheduler={"name": "fifo"}, facts={"price": PRICE})
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    return folder


def test_status_shows_the_price_beside_what_was_used(command: Command, sweep: Path) -> None:
    _, out, _ = command("status", sweep)
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert "price" in rows["axis"]
    assert "20 to 36" in rows["epochs"]
    assert "20 GFLOP to 40 GFLOP" in rows["train_flops"]
    assert json.loads(command("status", sweep, "--json")[1])["price"] == PRICE


def test_the_tables_say_what_the_journal_says(sweep: Path) -> None:
    of_tables = status_of_tables(read_tables(sweep), str(sweep))
    assert of_tables.price == sweep_status(read_state(sweep), sweep).price == PRICE


def test_the_report_says_what_ended_outside_its_price(sweep: Path) -> None:
    costs = section(read_tables(sweep))
    frame = costs.tables[0].frame.set_index("axis")
    assert frame.loc["epochs", "price_text"] == "20 to 36"
    assert frame.loc["energy_j", "price_text"] == "not known"
    (said,) = (sentence for sentence in costs.headline if "80 %" in sentence)
    assert "2 of 3" in said
    assert "Wall clock" in said


def test_a_sweep_of_an_earlier_version_has_no_price(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    conductor = Sweep(folder).open(configurations=1, scheduler={"name": "fifo"})
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    assert "price" not in command("status", folder)[1]
    assert "price_text" not in {column.name for column in section(read_tables(folder)).tables[0].columns}


def test_a_calibration_is_made_of_what_was_never_trained(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price of it is in every unit, and says where it comes from."""
    asked: list[Any] = []

    def calibrated(_plan: Any, wanted: Any, *_: Any) -> Any:
        asked.append(wanted)
        return exactly(1e-9, 1e-8)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("greenexp.api.calibrating._calibrated", calibrated)
    monkeypatch.setattr("greenexp.records.speeds.Speeds.and_then", lambda _, later: later)
    factors = ["--set", "accounting={carbon_g_per_kwh: 300, price_per_kwh: 0.3, currency: EUR}"]
    code, out, _ = command("plan", "smoke", "--set", "search.samples=2", *factors, "--calibrate")
    assert code == 0
    assert [len(wanted) for wanted in asked] == [1]
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith(" ")}
    for axis, unit in (("elapsed", ""), ("energy", "kWh"), ("carbon_g", "g"), ("money", "EUR"), ("cpu_s", "")):
        assert f" {unit}" in rows[axis], axis
        assert rows[axis].endswith("made")
    command("plan", "smoke", "--set", "search.samples=2")
    assert len(asked) == 1, "nothing is run unless it is asked for"


def test_where_no_sweep_is_one_is_told(command: Command, tmp_path: Path) -> None:
    code, _, err = command("plan", "smoke", "--from", tmp_path / "nowhere")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "nowhere" in err
