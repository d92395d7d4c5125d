"""`accounting.region`: looked up once, recorded with its origin, refused where it cannot be known."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from made_carbon_table import STATES, TABLE, made_carbon_table, made_regional_table
from pydantic import ValidationError
from told import tells

from greenexp.errors import FieldError
from greenexp.records.sections import Accounting
from greenexp.spec import carbon_table as module
from greenexp.spec import load_sweep
from greenexp.spec.accounting import carbon_g, embodied_g
from greenexp.spec.carbon_table import with_region

SOURCE = {
    "package": "carbontracker",
    "version": "2.4.7",
    "region": "AAA",
    "row": "Aland (AAA)",
    "year": 2024,
    "g_per_kwh": 100.5,
}


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path)))


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("code", ["AAA", "AA", "aaa"])
def test_a_country_gives_its_grams_and_where_they_are_from(code):
    found = with_region(Accounting(region=code, pue=1.5))
    assert (found.carbon_g_per_kwh, found.pue, found.region) == (100.5, 1.5, code)
    assert found.carbon_source is not None
    assert found.carbon_source.model_dump() == {**SOURCE, "region": code}
    assert carbon_g(3.6e6, found) == pytest.approx(1.5 * 100.5)


@pytest.mark.parametrize(("code", "row", "g_per_kwh", "year"), [
    ("us-na", "United States · New Aland (US-NA)", 453.59237, 2023),
    ("CN-XX", "China · Xan, CO2 alone (CN-XX)", 500.5, 2023),
    ("SE-SE9", "Sweden · SE9 (SE-SE9)", 20.5, 2025),
])  # fmt: skip
def test_a_part_of_a_country_gives_its_own(code, row, g_per_kwh, year, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_regional_table(tmp_path)))
    found = with_region(Accounting(region=code))
    assert found.carbon_g_per_kwh == pytest.approx(g_per_kwh)
    source = found.carbon_source
    assert source is not None
    assert (source.package, source.version, source.region) == ("codecarbon", "3.3.2", code)
    assert (source.row, source.year, source.g_per_kwh) == (row, year, found.carbon_g_per_kwh)


@pytest.mark.parametrize("code", ["US-XX", "SE-FI", "USA-NA"])
def test_a_part_that_is_not_there_is_refused(code, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_regional_table(tmp_path)))
    with pytest.raises(FieldError) as raised:
        with_region(Accounting(region=code))
    assert tells(str(raised.value), f"accounting.region … '{code}' … codecarbon 3.3.2 … carbon_g_per_kwh")


@pytest.mark.parametrize("states", [{}, {**STATES, "_unit": {"emissions": "kg/MWh"}}, {**STATES, "new aland": 7}])
def test_another_regional_table_than_the_known_one_is_refused(states, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_regional_table(tmp_path, states=states)))
    with pytest.raises(FieldError, match="cannot be read"):
        with_region(Accounting(region="US-NA"))


@pytest.mark.usefixtures("table")
def test_a_region_that_was_looked_up_keeps_its_number():
    older = {**SOURCE, "version": "1.0", "g_per_kwh": 77.0}
    recorded = Accounting.model_validate({"region": "AAA", "carbon_g_per_kwh": 77.0, "carbon_source": older})
    assert with_region(recorded) == recorded


@pytest.mark.parametrize("change", [{"region": "BBB"}, {"carbon_g_per_kwh": 50.0}, {"region": None}])
def test_a_number_that_is_not_of_its_source_is_refused(change):
    """As by `--set accounting.region=BBB` over a resolved file."""
    recorded = {"region": "AAA", "carbon_g_per_kwh": 100.5, "carbon_source": SOURCE}
    assert Accounting.model_validate(recorded)
    with pytest.raises(ValidationError, match="carbon_source"):
        Accounting.model_validate({**recorded, **change})


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("code", ["ABA", "CCC"])
def test_a_country_without_a_value_is_refused(code):
    with pytest.raises(FieldError) as raised:
        with_region(Accounting(region=code))
    assert tells(str(raised.value), f"accounting.region … '{code}' … carbontracker 2.4.7 … carbon_g_per_kwh")


def test_without_the_package_the_extra_is_named(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", absent)
    with pytest.raises(FieldError) as raised:
        with_region(Accounting(region="DEU"))
    assert tells(str(raised.value), "accounting.region … greenexp[carbon]")
    with pytest.raises(FieldError) as raised:
        with_region(Accounting(region="US-CA"))
    assert tells(str(raised.value), "accounting.region … greenexp[carbon-regions]")
    assert with_region(Accounting()) == Accounting()


@pytest.mark.parametrize("table", [None, "a,b\n1,2\n", TABLE.replace("2024", "now")])
def test_another_table_than_the_known_one_is_refused(table, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path, table=table)))
    with pytest.raises(FieldError, match="cannot be read"):
        with_region(Accounting(region="AAA"))


def test_a_number_and_a_region_together_are_an_error_in_the_file():
    text = "name: x\ntask: {name: clauses}\naccounting: {region: DEU, carbon_g_per_kwh: 380}\n"
    document = load_sweep(text)
    assert [(problem.path, problem.line) for problem in document.problems] == [("accounting", 3)]
    with pytest.raises(ValidationError):
        Accounting.model_validate({"region": "DEU", "carbon_source": SOURCE})


def test_a_limit_on_carbon_may_follow_from_a_region():
    text = "name: x\ntask: {name: clauses}\nbudget: {carbon_g: 200 g}\naccounting: {pue: 1.2}\n"
    assert [problem.path for problem in load_sweep(text).problems] == ["budget.carbon_g"]
    assert not load_sweep(text.replace("pue: 1.2", "region: DEU")).problems


def test_norway_is_a_country_and_not_a_truth_value():
    text = "name: x\ntask: {name: clauses}\naccounting: {region: NO}\n"
    assert load_sweep(text).checked().accounting.region == "NO"


def test_embodied_carbon_is_held_hours_times_what_is_stated():
    both = Accounting(embodied_g_per_gpu_h=10.0, embodied_g_per_cpu_h=0.5)
    assert embodied_g(7200.0, 3600.0, both) == pytest.approx(20.5)
    assert embodied_g(None, 3600.0, both) is None
    assert embodied_g(None, 3600.0, Accounting(embodied_g_per_cpu_h=0.5)) == pytest.approx(0.5)
    assert embodied_g(7200.0, 3600.0, Accounting()) is None
