"""Grams of CO2-equivalent per kWh of a country, from the table that an optional package ships.

The package is `carbontracker` (MIT; one value per country, of its latest year). Only its data file is read, by the
package's own metadata: its code, which starts by looking for GPUs and pulls in plotting libraries, is never imported.
The table is not copied into greenexp. What was looked up is written into the resolved sweep, with package, version, row
and year, so that the number of a sweep stays what it was when another version is installed.
"""

from __future__ import annotations

import csv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from greenexp.errors import FieldError, did_you_mean
from greenexp.records.carbon_source import CarbonSource
from greenexp.records.sections import Accounting

PACKAGE = "carbontracker"
EXTRA = "carbon"
FIELD = "accounting.region"
_FILE = "carbontracker/data/carbon-intensities.csv"
_CODES, _YEAR, _NAME, _VALUE = ("alpha-2", "Code"), "Year", "Entity", "Carbon intensity of electricity (gCO2eq/kWh)"
_INSTALL = f"pip install 'greenexp[{EXTRA}]'"


class CountryRow(NamedTuple):
    """A row of the table: country, its codes, grams of CO2-equivalent per kWh, and the year they are of."""

    name: str
    codes: tuple[str, ...]
    g_per_kwh: float
    year: int


def with_region(accounting: Accounting) -> Accounting:
    """`accounting` with the grams per kWh of its region, and where they are from; as it is without a region.

    A region that was looked up before keeps its number, whatever version is installed now.
    FieldError at `accounting.region` if the package or the country is not there.
    """
    if accounting.region is None or accounting.carbon_source is not None:
        return accounting
    package = _package()
    code = accounting.region.upper()
    rows = _rows(package)
    row = next((row for row in rows if code in row.codes), None)
    if row is None:
        known = [known for row in rows for known in row.codes]
        near = did_you_mean(code, known)
        raise FieldError(
            FIELD,
            f"'{accounting.region}' is not in the table of {PACKAGE} {package.version}{near}: "
            "expected the ISO 3166 code of a country, such as DEU; or state carbon_g_per_kwh",
        )
    source = CarbonSource(
        package=PACKAGE,
        version=package.version,
        region=accounting.region,
        row=f"{row.name} ({row.codes[-1]})",
        year=row.year,
        g_per_kwh=row.g_per_kwh,
    )
    return accounting.model_copy(update={"carbon_g_per_kwh": row.g_per_kwh, "carbon_source": source})


def _package() -> Distribution:
    try:
        return distribution(PACKAGE)
    except PackageNotFoundError:
        why = f"needs the table of {PACKAGE}, which is not installed: {_INSTALL}, or state carbon_g_per_kwh"
        raise FieldError(FIELD, why) from None


def _rows(package: Distribution) -> list[CountryRow]:
    """The rows that have a value and a year. FieldError for a package that has another table than is known here."""
    try:
        with Path(str(package.locate_file(_FILE))).open(encoding="utf-8", newline="") as file:
            return [
                CountryRow(row[_NAME], tuple(row[code] for code in _CODES), float(row[_VALUE]), int(row[_YEAR]))
                for row in csv.DictReader(file)
                if row[_VALUE] and row[_YEAR]
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        why = f"the table of {PACKAGE} {package.version} cannot be read ({error}): state carbon_g_per_kwh"
        raise FieldError(FIELD, why) from error
