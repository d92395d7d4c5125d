"""What the report says: one file per section, `section(SweepTables) -> Section`, pure and without markup.

`SECTIONS` is the order in the report. To add one: a file here and a line in the tuple. May not enter: HTML, LaTeX, file
access. A section of a sweep with nothing to show says so in words; it does not fail and does not vanish.
"""

from collections.abc import Callable

from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections import (
    appendix,
    assumptions,
    calibration,
    compared_searches,
    configurations,
    costs,
    early_stopping,
    energy,
    exit_profile,
    exits,
    failures,
    front,
    front_over_trials,
    headline,
    held_out,
    objectives,
    overthinking,
    policies,
    price_tag,
    search,
    search_space,
    seeds,
    simulated,
    target,
    trials,
    tuning_band,
)

SECTIONS: tuple[Callable[[SweepTables], Section], ...] = (
    headline.section,
    held_out.section,
    search.section,
    tuning_band.section,
    compared_searches.section,
    target.section,
    objectives.section,
    front.section,
    policies.section,
    exit_profile.section,
    front_over_trials.section,
    exits.section,
    overthinking.section,
    calibration.section,
    early_stopping.section,
    simulated.section,
    configurations.section,
    seeds.section,
    search_space.section,
    trials.section,
    price_tag.section,
    costs.section,
    energy.section,
    failures.section,
    assumptions.section,
    appendix.section,
)

__all__ = ["SECTIONS"]
