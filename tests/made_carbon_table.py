"""A stand-in for the package that ships a table of carbon intensities: the same files, other numbers."""

from __future__ import annotations

from pathlib import Path

TABLE = (
    "alpha-2,Year,Entity,Code,Carbon intensity of electricity (gCO2eq/kWh)\n"
    "AA,2024,Aland,AAA,100.5\nBB,2022,Borduria,BBB,400.0\nCC,2023,Cascara,CCC,\n"
)


def made_carbon_table(folder: Path, *, version: str = "2.4.7", table: str | None = TABLE) -> Path:
    """Make the distribution in `folder`, to be put in front of the module path; table: None leaves its file out."""
    facts = folder / f"carbontracker-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: carbontracker\nVersion: {version}\n")
    package = folder / "carbontracker"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('its code is not to be imported')\n")
    if table is not None:
        (package / "data").mkdir()
        (package / "data" / "carbon-intensities.csv").write_text(table)
    return folder
