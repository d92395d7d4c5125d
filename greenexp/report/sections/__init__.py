"""What the report says: one file per section, `section(SweepTables) -> Section`, pure and without markup.

`SECTIONS` are by name; `report.contents` says which chapter has which, and in which order they stand. To add one: a
file here, a line below and its place in a chapter. May not enter: HTML, LaTeX, file access. A section of
a sweep with nothing to show says so in words; it does not fail and does not vanish.
"""

from collections.abc import Callable, Mapping

from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections import (
    appendix,
    assumptions,
    calibration,
    compared_searches,
    configurations,
    confusion,
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

SECTIONS: Mapping[str, Callable[[SweepTables], Section]] = {
    "headline": headline.section,
    "search": search.section,
    "tuning-band": tuning_band.section,
    "compared-searches": compared_searches.section,
    "configurations": configurations.section,
    "search-space": search_space.section,
    "early-stopping": early_stopping.section,
    "simulated": simulated.section,
    "target": target.section,
    "objectives": objectives.section,
    "held-out": held_out.section,
    "front": front.section,
    "policies": policies.section,
    "exit-profiles": exit_profile.section,
    "front-over-trials": front_over_trials.section,
    "exits": exits.section,
    "overthinking": overthinking.section,
    "confusion": confusion.section,
    "calibration": calibration.section,
    "seeds": seeds.section,
    "price-tag": price_tag.section,
    "costs": costs.section,
    "energy": energy.section,
    "assumptions": assumptions.section,
    "failures": failures.section,
    "trials": trials.section,
    "appendix": appendix.section,
}

__all__ = ["SECTIONS"]
