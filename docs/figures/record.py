"""Write `data/*.csv` from two recorded sweeps, which the figures of docs/concepts.md are drawn from.

greenexp run smoke --out out/smoke
greenexp run smoke --out out/random --set search.samples=40 --set seeds.initialisation=1 \
    --set 'scheduler={name: fifo}' --set budget.wall_s=15m
python docs/figures/record.py out/smoke out/random
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import greenexp
from greenexp.figures.figure import Figure

DATA = Path(__file__).parent / "data"
SPEED_UP = 2.0
DIGITS = 6


def figure_of(sweep: greenexp.Sweep, name: str) -> Figure:
    """A figure of the sweep's report."""
    plates = [plate for section in sweep.sections() for plate in section.plates]
    return next(plate.figure for plate in plates if plate.figure.name == name)


def asha(sweep: greenexp.Sweep) -> pd.DataFrame:
    """Best dev value so far, mean over seeds, by configuration and epoch; with how the configuration ended."""
    means = sweep.tables.epochs.groupby(["configuration", "epoch"])["best_score"].mean().reset_index(name="score")
    trials = sweep.tables.trials
    stopped = set(trials.loc[trials["status"] == "stopped", "configuration"])
    return means.assign(status=["stopped" if name in stopped else "finished" for name in means["configuration"]])


def random_search(sweep: greenexp.Sweep) -> pd.DataFrame:
    """Score of every configuration."""
    return sweep.tables.trials[["configuration", "score"]]


def encoder(sweep: greenexp.Sweep) -> pd.DataFrame:
    """Dev accuracy of the exits of one trial, and the share that leaves at each with `max_probability` at SPEED_UP."""
    profiles = figure_of(sweep, "exit-profiles").table
    rows = profiles[(profiles["policy"] == "max_probability") & (profiles["speed_up"] >= SPEED_UP)]
    rows = rows[rows["speed_up"] == rows["speed_up"].min()]
    points = sweep.tables.operating_points
    alone = points[(points["trial"] == rows["trial"].iloc[0]) & (points["policy"] == "static")]
    accuracy = dict(zip(alone["threshold"].astype(int), alone["score"], strict=True))
    return rows.assign(accuracy=[accuracy[number] for number in rows["exit"]])


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("smoke", type=Path)
    parser.add_argument("random", type=Path)
    given = parser.parse_args()
    smoke, random = greenexp.load(given.smoke), greenexp.load(given.random)
    tables = {
        "asha": asha(smoke),
        "encoder": encoder(smoke),
        "policies": figure_of(smoke, "policies-speed-up").table,
        "random_search": random_search(random),
    }
    DATA.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.round(DIGITS).to_csv(DATA / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
