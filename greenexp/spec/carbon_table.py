"""Grams of CO2-equivalent per kWh of a country or a part of one, from tables that optional packages ship.

Countries are in `carbontracker` (MIT; one value per country, of its latest year), states, provinces and bidding zones
in `codecarbon` (MIT). Only their data files are read, by the packages' own metadata: their code, which starts by
looking for GPUs and pulls in plotting or network libraries, is never imported. No table is copied into greenexp. What
was looked up is written into the resolved sweep, with package, version, row and year, so that the number of a sweep
stays what it was when another version is installed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

from greenexp.errors import FieldError, did_you_mean
from greenexp.records.carbon_source import CarbonSource
from greenexp.records.sections import Accounting

FIELD = "accounting.region"
PART = "-"
"""In a code: between a country and its part, as in ISO 3166-2."""
_CODES, _YEAR, _NAME, _VALUE = ("alpha-2", "Code"), "Year", "Entity", "Carbon intensity of electricity (gCO2eq/kWh)"
_POUND_G = 453.59237


class RegionRow(NamedTuple):
    """A row of a table: name, its codes, grams of CO2-equivalent per kWh, and the year they are of."""

    name: str
    codes: tuple[str, ...]
    g_per_kwh: float
    year: int


@dataclass(frozen=True, slots=True)
class CarbonTable:
    """A package's table. extra: of greenexp, that installs it; regions: what it holds; rows: reads them all."""

    package: str
    extra: str
    regions: str
    rows: Callable[[Callable[[str], str]], Iterable[RegionRow]]


def with_region(accounting: Accounting) -> Accounting:
    """`accounting` with the grams per kWh of its region, and where they are from; as it is without a region.

    A region that was looked up before keeps its number, whatever version is installed now.
    FieldError at `accounting.region` if the package or the region is not there.
    """
    if accounting.region is None or accounting.carbon_source is not None:
        return accounting
    code = accounting.region.upper()
    table = PARTS_OF_COUNTRIES if PART in code else COUNTRIES
    package = _package(table)
    rows = _rows(table, package)
    row = next((row for row in rows if code in row.codes), None)
    if row is None:
        known = [known for row in rows for known in row.codes]
        near = did_you_mean(code, known)
        raise FieldError(
            FIELD,
            f"'{accounting.region}' is not in the table of {table.package} {package.version}{near}: "
            f"expected the code of {table.regions}; or state carbon_g_per_kwh",
        )
    source = CarbonSource(
        package=table.package,
        version=package.version,
        region=accounting.region,
        row=f"{row.name} ({row.codes[-1]})",
        year=row.year,
        g_per_kwh=row.g_per_kwh,
    )
    return accounting.model_copy(update={"carbon_g_per_kwh": row.g_per_kwh, "carbon_source": source})


def _package(table: CarbonTable) -> Distribution:
    try:
        return distribution(table.package)
    except PackageNotFoundError:
        install = f"pip install 'greenexp[{table.extra}]'"
        why = f"needs the table of {table.package}, which is not installed: {install}, or state carbon_g_per_kwh"
        raise FieldError(FIELD, why) from None


def _rows(table: CarbonTable, package: Distribution) -> list[RegionRow]:
    """All rows. FieldError for a package that has another table than is known here."""

    def text(name: str) -> str:
        return Path(str(package.locate_file(f"{table.package}/data/{name}"))).read_text(encoding="utf-8")

    try:
        return list(table.rows(text))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"the table of {table.package} {package.version} cannot be read ({error}): state carbon_g_per_kwh"
        raise FieldError(FIELD, why) from error


def _countries(text: Callable[[str], str]) -> Iterable[RegionRow]:
    """Those that have a value and a year."""
    for row in csv.DictReader(text("carbon-intensities.csv").splitlines()):
        if row[_VALUE] and row[_YEAR]:
            yield RegionRow(row[_NAME], tuple(row[code] for code in _CODES), float(row[_VALUE]), int(row[_YEAR]))


def _parts_of_countries(text: Callable[[str], str]) -> Iterable[RegionRow]:
    states = json.loads(text("private_infra/2023/usa_emissions.json"))
    year = int(states["_source"]["year"])
    if states["_unit"]["emissions"] != "lbs/MWh":
        raise ValueError(f"emissions of US states in {states['_unit']['emissions']}")
    for name, state in states.items():
        if not name.startswith("_") and len(state["regionCode"]) == 2:
            g_per_kwh = float(state["emissions"]) * _POUND_G / 1000
            yield RegionRow(f"United States · {name.title()}", (f"US-{state['regionCode']}",), g_per_kwh, year)
    yield from _zones(json.loads(text("private_infra/2023/china_provincial_emissions.json")), _province)
    yield from _zones(json.loads(text("private_infra/nordic_emissions.json")), _bidding_zone)


def _zones(table: Any, named: Callable[[str, str], tuple[str, str] | None]) -> Iterable[RegionRow]:
    """Rows that state their unit; named: (code, description) -> (name, code), None for what is no part of a country."""
    for code, zone in table["data"].items():
        found = named(code, zone["description"])
        if zone["unit"] not in ("gCO2eq/kWh", "gCO2/kWh"):
            raise ValueError(f"emissions of {code} in {zone['unit']}")
        if found is not None:
            yield RegionRow(found[0], (found[1],), float(zone["emission_factor"]), int(zone["year"]))


def _province(code: str, description: str) -> tuple[str, str]:
    return f"China · {description}, CO2 alone", code


def _bidding_zone(code: str, description: str) -> tuple[str, str] | None:
    """SE3 is SE-SE3; Finland is a country."""
    country = description.partition(" ")[0]
    return (f"{country} · {code}", f"{code[:2]}{PART}{code}") if len(code) > 2 else None


COUNTRIES = CarbonTable("carbontracker", "carbon", "a country by ISO 3166, such as DEU", _countries)
PARTS_OF_COUNTRIES = CarbonTable(
    "codecarbon",
    "carbon-regions",
    "a state of the US, a province of China or a bidding zone of Norway or Sweden, such as US-CA, CN-GD, NO-NO2",
    _parts_of_countries,
)
