"""How the sections of `greenexp seeds` are laid out for people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.cli.seed_sources import BY, SeedTable

HEADINGS = {
    "splits": "what one seed is worth: standard deviations, with intervals of {percent:g} %",
    "variance": "variance by source, as standard deviations with intervals of {percent:g} %",
    "worth": "seeds worth having to find the best configuration (least, most: at the ends of the noise's interval)",
    "plans": "as many trials, spent on fewer or more seeds",
    "power": "the smallest true difference so many seeds of each show with {sure:g} % (one test at {alpha:g})",
    "needed": "seeds of each it takes to see a true difference with {sure:g} %",
    "methods": "scores by group: quantiles with intervals of {percent:g} %, a group's together",
    "pairs": "pairs: a - b with its interval of {percent:g} %, effect sizes, almost-stochastic order (no test), and\n"
    "the smallest true difference that a t test at this noise shows with {sure:g} %",
    "tests": "tests, two-sided; p_holm is corrected over the pairs",
    "reach": "the smallest p-value that so few seeds can give (-: no such bound is known)",
}
_LEFT_OUT = {
    "variance": ["estimate", "variance"],
    "plans": ["reliability", "standard_error"],
    "tests": ["n_a", "n_b", "least_p"],
    "power": ["test"],
}


def laid_out(name: str, frame: pd.DataFrame, table: SeedTable) -> pd.DataFrame:
    """The section as it is printed; everything is in the JSON."""
    shown = frame.drop(columns=_LEFT_OUT.get(name, []))
    if name == "variance":
        shown = shown.assign(lower=np.sqrt(shown["lower"]), upper=np.sqrt(shown["upper"]))
    if name == "power":
        columns = frame.set_index([BY, "seeds"])["smallest_difference"].unstack(sort=False)  # noqa: PD010
        columns = columns[sorted(columns.columns)]
        shown = columns.rename(columns=lambda seeds: f"{seeds} seeds").reset_index()
        shown["test"] = frame.drop_duplicates(BY)["test"].to_numpy()
    if name == "reach":
        bounds = {name: shown[name].where(shown["least_p"] > 0) for name in ("least_p", "least_p_holm")}
        shown = shown.assign(
            **bounds, can_find=[{True: "yes", False: "no"}.get(able, "-") for able in shown["can_find"]]
        )
    if BY in shown:
        shown = shown.drop(columns=BY) if table.by is None else shown.rename(columns={BY: table.by})
    return shown.rename(columns={"group": table.by})
