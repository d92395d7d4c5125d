"""Where the carbon intensity of a sweep's region is from, as it is recorded with the sweep."""

from __future__ import annotations

from pydantic import Field

from greenexp.records.file_section import FileSection


class CarbonSource(FileSection):
    """The row of a table that `accounting.carbon_g_per_kwh` is from; greenexp writes it, so that it never changes."""

    package: str = Field(min_length=1, description="Installed package that the table is part of")
    version: str = Field(min_length=1, description="Version of the package")
    region: str = Field(min_length=2, max_length=6, description="The region that was looked up")
    row: str = Field(min_length=1, description="Row of the table: country and its part, and the code")
    year: int = Field(description="Year that the value is of")
    g_per_kwh: float = Field(ge=0, description="The value")

    def check(self, region: str | None, g_per_kwh: float | None) -> None:
        """ValueError if the sweep file states another region or value beside it."""
        if (self.region, self.g_per_kwh) != (region, g_per_kwh):
            raise ValueError(
                f"carbon_source says where the {self.g_per_kwh} g/kWh of region {self.region} are from, and here are "
                f"carbon_g_per_kwh {g_per_kwh} and region {region}: to change one, leave carbon_source out"
            )
