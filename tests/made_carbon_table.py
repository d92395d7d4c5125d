"""Stand-ins for the packages that ship tables of carbon intensities: the same files, other numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLE = (
    "alpha-2,Year,Entity,Code,Carbon intensity of electricity (gCO2eq/kWh)\n"
    "AA,2024,Aland,AAA,100.5\nBB,2022,Borduria,BBB,400.0\nCC,2023,Cascara,CCC,\n"
)
STATES: Mapping[str, Any] = {
    "_unit": {"emissions": "lbs/MWh"},
    "_source": {"year": 2023},
    "new aland": {"emissions": 1000.0, "regionCode": "NA"},
    "usa": {"emissions": 1.0, "regionCode": "usa"},
}
PROVINCES: Mapping[str, Any] = {
    "data": {"CN-XX": {"emission_factor": 500.5, "unit": "gCO2/kWh", "description": "Xan", "year": 2023}}
}
ZONES: Mapping[str, Any] = {
    "data": {
        "SE9": {"emission_factor": 20.5, "unit": "gCO2eq/kWh", "description": "Sweden Bidding Zone 9", "year": 2025},
        "FI": {"emission_factor": 70.0, "unit": "gCO2eq/kWh", "description": "Finland", "year": 2025},
    }
}


def made_carbon_table(folder: Path, *, version: str = "2.4.7", table: str | None = TABLE) -> Path:
    """Make the distribution in `folder`, to be put in front of the module path; table: None leaves its file out."""
    _distribution(folder, "carbontracker", version, {} if table is None else {"carbon-intensities.csv": table})
    return folder


def made_regional_table(folder: Path, **changed: Mapping[str, Any]) -> Path:
    """The same of the package with parts of countries; changed: `states`, `provinces` or `zones`."""
    tables = {"states": STATES, "provinces": PROVINCES, "zones": ZONES, **changed}
    names = {
        "states": "2023/usa_emissions.json",
        "provinces": "2023/china_provincial_emissions.json",
        "zones": "nordic_emissions.json",
    }
    files = {f"private_infra/{names[name]}": json.dumps(table) for name, table in tables.items()}
    _distribution(folder, "codecarbon", "3.3.2", files)
    return folder


def _distribution(folder: Path, name: str, version: str, files: Mapping[str, str]) -> None:
    facts = folder / f"{name}-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('its code is not to be imported')\n")
    for path, text in files.items():
        file = package / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
