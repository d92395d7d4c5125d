"""Who leaves where: the share of dev examples at each exit, over speed-up."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.leaving import profile_at, ranked_policies
from greenexp.analysis.exits.policies import leaves_early
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures import exit_profiles_figure
from greenexp.figures.exit_profiles import MOST_POLICIES
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.replayed import nothing_replayed
from greenexp.report.sections.settings import setting_of
from greenexp.report.sections.wording import counted, listed
from greenexp.report.table import Column, Table

TITLE = "Exit profiles"


def section(tables: SweepTables) -> Section:
    """Profiles of the chosen configuration's best trial, of the policies that are best at a stated speed-up."""
    metric, chosen = metric_of(tables), chosen_trials(tables)
    profiles = chosen.rows(tables.exit_profiles)
    profiles = profiles[leaves_early(profiles["policy"])]
    trial = chosen.best_of(profiles)
    if not trial:
        return Section("exit-profiles", TITLE, (nothing_replayed(tables, chosen, "exit profile"),))
    if profiles["exit"].nunique() < 2:
        return Section("exit-profiles", TITLE, ("Only one exit was trained: all examples leave there.",))
    reached, ranked = ranked_policies(chosen.rows(tables.operating_points), minimize=metric.minimize)
    own = profiles[profiles["trial"] == trial]
    names = [*ranked["policy"], *(name for name in own["policy"].unique() if name not in set(ranked["policy"]))]
    names = [str(name) for name in names if name in set(own["policy"])]
    figure = exit_profiles_figure(own, names[:MOST_POLICIES], trial)
    columns = (
        Column("policy", "Policy", "name"), Column("setting", "Leaves at", "name"),
        Column("speed_up", "Speed-up (layers)", "factor"), Column("exit", "Exit", "count"),
        Column("layer", "Layer", "count"), Column("share", "Share of dev examples", "score"),
    )  # fmt: skip
    drawn = figure.table.assign(setting=[setting_of(row) for _, row in figure.table.iterrows()])
    points = own.drop_duplicates(["policy", "threshold"]).groupby("policy").size()
    return Section(
        name="exit-profiles",
        title=TITLE,
        headline=(_sentence(own, names[0], reached, trial),),
        paragraphs=(_drawn(names, reached, len(ranked) > 0), *_whole(own, points)),
        plates=(Plate(figure, Table(figure.name, figure.title, drawn, columns)),),
        assumptions=(
            f"One trial, {trial}: profiles of different seeds at one speed-up need not be alike.",
            (
                "Only what is drawn is tabled: at most 25 operating points of a policy, those nearest to evenly spaced "
                "speed-ups. Each bar reaches halfway to the next, so its width means nothing."
            ),
        ),
    )


def _sentence(profiles: pd.DataFrame, policy: str, reached: float, trial: str) -> str:
    """The profile of the first policy at the stated speed-up, in words."""
    at = profile_at(profiles[profiles["policy"] == policy], reached)
    first = at.iloc[0]
    leaving = at[at["share"] > 0]
    shares = [f"{100 * s:.1f} % at exit {e}" for e, s in zip(leaving["exit"], leaving["share"], strict=True)]
    return (
        f"At {setting_of(first)}, a speed-up of {first['speed_up']:.2f}, the dev examples of {trial} leave so: "
        f"{listed(shares, 12)}."
    )


def _drawn(names: list[str], reached: float, ranked: bool) -> str:
    """Which policies are drawn, and why these."""
    order = f"in the order of their mean dev score at a speed-up of at least {reached:.2f}" if ranked else "in order"
    if len(names) <= MOST_POLICIES:
        return f"Drawn: {counted(len(names), 'policy', 'policies')}, {order}."
    rest = ", ".join(names[MOST_POLICIES:])
    return f"Drawn: the first {MOST_POLICIES} of {len(names)} policies, {order}; not drawn: {rest}."


def _whole(profiles: pd.DataFrame, points: pd.Series) -> tuple[str, ...]:
    """Policies that cannot be set finely."""
    few = {str(name): int(count) for name, count in points.items() if count < 10}
    if not few or not len(profiles):
        return ()
    told = ", ".join(f"{name} {counted(count, 'setting')}" for name, count in few.items())
    return (f"Some policies have few settings: {told}.",)
