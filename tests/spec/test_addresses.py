"""Addresses that are recorded keep no password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenexp.plan import make_plan
from greenexp.records.addresses import without_password
from greenexp.spec import dump_resolved, load_sweep, resolved
from greenexp.tuning.opening import open_sweep

SECRET = "geheim-123"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://anna:geheim-123@host:5000/path", "http://host:5000/path"),
        ("https://geheim-123@host", "https://host"),
        ("postgresql://anna:geheim-123@host:5432/runs", "postgresql://anna@host:5432/runs"),
        ("mysql+pymysql://anna:ge%40heim@host/runs", "mysql+pymysql://anna@host/runs"),
        ("postgresql://host/runs?user=anna&password=geheim-123&sslmode=require",
         "postgresql://host/runs?user=anna&sslmode=require"),
        ("http://[::1:geheim-123@broken", "http://broken"),
    ],
)  # fmt: skip
def test_a_password_goes_and_the_rest_stays(address: str, kept: str) -> None:
    assert without_password(address) == kept


@pytest.mark.parametrize("address", ["sqlite:///a b/%40@x.db", "http://host:5000", "databricks", "postgresql://host/a"])
def test_an_address_without_a_password_stays_as_it_is(address: str) -> None:
    assert without_password(address) == address


@given(password=st.text(st.characters(exclude_characters="/?#[]\\@", codec="ascii"), min_size=8))
def test_no_password_survives(password: str) -> None:
    assume(password not in "postgresql://user:@host/runs")
    assert password not in without_password(f"postgresql://user:{password}@host/runs")


def test_nothing_that_is_written_of_a_sweep_has_the_password(tmp_path: Path) -> None:
    text = f"name: private\ntask: {{name: clauses}}\ntracking: {{uri: 'http://anna:{SECRET}@host:5000'}}\n"
    plan = make_plan(load_sweep(text))
    assert plan.spec.tracking.uri == f"http://anna:{SECRET}@host:5000"
    sweep = open_sweep(plan, resolved(plan.spec), tmp_path)
    sweep.journal.close()
    written = [dump_resolved(plan.spec), json.dumps(resolved(plan.spec)), (tmp_path / "journal.jsonl").read_text()]
    assert all("host:5000" in text and SECRET not in text for text in written)
