"""Folds where configurations are compared: averaged into a seed's score, never taken for seeds."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pandas as pd
import pytest
from made_settings import changed_spec
from made_sweeps import sweep
from told import tells

from greenexp.analysis.comparing.lead_of_sweep import lead_over
from greenexp.analysis.seeds.variance import seed_scores, variance_split
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.repetitions import has_folds, over_folds
from greenexp.records.tables import SweepTables
from greenexp.report.sections import assumptions, configurations, headline, seeds

FOLDS = 3
SCORES = {
    ("c000", 0): (0.5, 0.7, 0.9), ("c000", 1): (0.6, 0.6, 0.9),
    ("c001", 0): (0.4, 0.7, 0.7), ("c001", 1): (0.5, 0.5, 0.5),
}  # fmt: skip


@pytest.fixture
def folded() -> SweepTables:
    """Two configurations, two seeds, three folds, all finished with known scores."""
    made = sweep(2, 2 * FOLDS)
    rows = []
    for number, ((name, seed), fold) in enumerate(product(SCORES, range(FOLDS))):
        rows.append({"trial": f"{name}-i{seed}-o0-f{fold}", "configuration": name, "initialisation_seed": seed,
                     "fold": fold, "score": SCORES[name, seed][fold], "index": number})  # fmt: skip
    trials = made.trials.assign(**pd.DataFrame(rows)).astype({"fold": "Int64"})
    names = dict(zip(made.trials["trial"], trials["trial"], strict=True))
    frames = {
        name: frame.assign(trial=frame["trial"].map(names))
        for name, frame in made.frames.items()
        if "trial" in frame and len(frame) and name != "trials"
    }
    spec = changed_spec(made.spec, seeds={"initialisation": 2, "order": 1, "folds": FOLDS})
    return dataclasses.replace(made, trials=trials, spec=spec, **frames)


def means(name: str) -> list[float]:
    return [float(np.mean(SCORES[name, seed])) for seed in (0, 1)]


def test_a_configuration_has_the_mean_over_folds_and_seeds_and_the_spread_of_seeds(folded: SweepTables) -> None:
    table = configuration_table(folded).set_index("configuration")
    for name in ("c000", "c001"):
        row = table.loc[name]
        assert row["score_mean"] == pytest.approx(np.mean(means(name)))
        assert row["score_std"] == pytest.approx(np.std(means(name), ddof=1))
        assert (row["seeds"], row["ended"], row["state"]) == (2, 6, "complete")


def test_pairs_are_seeds(folded: SweepTables) -> None:
    found = lead_over(folded, "c000", "c001").interval
    differences = np.subtract(means("c000"), means("c001"))
    assert found.seeds == 2
    assert found.lead == pytest.approx(differences.mean())
    assert found.error_of_seeds == pytest.approx(differences.std(ddof=1) / np.sqrt(2))


def test_one_seed_with_folds_has_no_spread(folded: SweepTables) -> None:
    trials = folded.trials[folded.trials["initialisation_seed"] == 0].reset_index(drop=True)
    one = dataclasses.replace(folded, trials=trials, spec=changed_spec(folded.spec, seeds={"folds": FOLDS}))
    found = lead_over(one, "c000", "c001")
    assert (found.interval.seeds, np.isnan(found.interval.error), str(found.verdict)) == (1, True, "cannot be told")
    assert configuration_table(one)["score_std"].isna().all()
    assert "one seed" in seeds.section(one).headline[0]
    (best, *_) = headline.section(one).headline
    assert tells(best, "1 seed … folds")


def test_the_variance_split_is_over_seeds_of_means_over_folds(folded: SweepTables) -> None:
    scores = seed_scores(folded)
    assert scores["score"].tolist() == pytest.approx(means("c000") + means("c001"))
    assert "fold" not in scores
    assert set(variance_split(scores).table["source"]) == {"configuration", "initialisation_seed"}
    assert any("Folds" in note for note in seeds.section(folded).assumptions)


def test_a_fold_without_a_score_leaves_its_seed_without_one(folded: SweepTables) -> None:
    trials = folded.trials.copy()
    trials.loc[4, "score"] = np.nan
    found = over_folds(trials)
    assert found["score"].isna().tolist() == [False, True, False, False]


def test_a_failed_fold_takes_the_mean_away_and_says_so(folded: SweepTables) -> None:
    trials = folded.trials.copy()
    trials.loc[4, ["status", "reason"]] = ["failed", "loss became nan"]
    table = configuration_table(dataclasses.replace(folded, trials=trials)).set_index("configuration")
    assert np.isnan(table.loc["c000", "score_mean"])
    assert tells(table.loc["c000", "reason"], "1 of 6 trials … c000-i1-o0-f1")


def test_without_folds_nothing_changes() -> None:
    plain = sweep(2, 2)
    assert not has_folds(plain.trials)
    assert over_folds(plain.trials) is plain.trials


def test_the_report_says_what_dev_is(folded: SweepTables) -> None:
    told = " ".join(assumptions.section(folded).paragraphs)
    assert "2 seeds, each a mean over 3 folds, the same for all" in told
    assert "dev set" in told
    assert "The dev set has 500 examples" not in told
    short = headline.section(folded)
    assert tells(short.headline[0], "± 0.0000 … 2 seeds … 3 folds")
    assert "of 3" in short.paragraphs[0]
    assert configurations.section(folded).tables[0].frame["seeds"].tolist() == [2, 2]
