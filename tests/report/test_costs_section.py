"""The section of costs: what was used in one sentence, what was not measured, and the price that was told before."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_sweeps import NO_ENERGY, sweep
from told import tells

from greenexp.records.tables import SCHEMA, typed_frame
from greenexp.report.sections.costs import NOT_YET, section


def with_ledger(**changes):
    """A made sweep whose ledger has other entries: axis -> column -> value."""
    tables = sweep(energy_j=3.0)
    rows = tables.ledger.set_index("axis")
    for axis, columns in changes.items():
        for column, value in columns.items():
            rows.loc[axis, column] = value
    return dataclasses.replace(tables, ledger=rows.reset_index())


def rows_of(tables):
    return section(tables).tables[0].frame.set_index("axis")


def test_what_was_measured_stands_first_in_one_sentence_with_units() -> None:
    first, *others = section(sweep()).headline
    assert tells(first, "trials 8 … epochs 72 … 2m 03s")
    assert "GPU time 0.00 s" in first, "words in capitals keep them inside a sentence"
    assert "training FLOPs 144 GFLOP" in first
    assert "nergy" not in first
    assert any(tells(sentence, f"Energy … {NO_ENERGY}") for sentence in others)


def test_a_part_that_was_not_measured_is_said_beside_the_sum() -> None:
    told = section(with_ledger(energy_j={"reason": "without gpu: no NVML"}))
    assert "energy 216 J" in told.headline[0]
    assert any(tells(sentence, "Energy … in part … without gpu: no NVML") for sentence in told.headline)
    complete = section(with_ledger(carbon_g={"used": 2.5}, money={"used": 0.01})).headline
    assert len(complete) == 2
    assert "not measured" not in " ".join(complete)


def test_what_is_unknown_is_never_zero() -> None:
    tables = with_ledger(train_flops={"lost": np.nan, "used": np.nan})
    row = rows_of(tables).loc["train_flops"]
    assert (row["used_text"], row["lost_text"], row["limit_text"]) == ("not measured", "", "none")
    assert rows_of(tables).loc["wall_s", "limit_text"] == "5m 00s"


def test_before_the_first_report_nothing_is_said_to_be_used() -> None:
    tables = sweep(2, 1)
    unused = tables.ledger.assign(used=np.nan)
    none = typed_frame("epochs", [])[list(SCHEMA["epochs"])]
    ended = dataclasses.replace(tables, ledger=unused, epochs=none)
    assert section(ended).headline == ("No trial has reported.",)
    empty = dataclasses.replace(ended, history=dataclasses.replace(tables.history, complete=False))
    assert not any("used" in sentence for sentence in section(empty).headline)
    assert set(rows_of(empty)["used_text"]) == {NOT_YET}


def test_the_price_is_set_beside_what_was_used() -> None:
    tables = sweep(energy_j=3.0)
    price = {
        "epochs": {"low": 60.0, "expected": 70.0, "high": 80.0, "source": "counted"},
        "energy_j": {"low": 100.0, "expected": 108.0, "high": 120.0, "source": "2 trials"},
        "trials": {"low": 8.0, "expected": 8.0, "high": 8.0, "source": "counted"},
    }
    priced = dataclasses.replace(tables.history, sessions=({"versions": {}, "price": price},))
    told = section(dataclasses.replace(tables, history=priced))
    (judged,) = (sentence for sentence in told.headline if "price" in sentence)
    assert tells(judged, "1 of 2 axes … Energy … 2.00"), "the number of trials was certain"
    rows = told.tables[0].frame.set_index("axis")["price_text"]
    assert (rows["epochs"], rows["trials"], rows["energy_j"], rows["wall_s"]) == (
        "60 to 80", "8", "100 J to 120 J", "not known",
    )  # fmt: skip
    going_on = dataclasses.replace(tables, history=dataclasses.replace(priced, complete=False))
    assert not any("price" in sentence for sentence in section(going_on).headline)
