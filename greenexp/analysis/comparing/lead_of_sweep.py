"""The lead of the best configuration of a sweep over the others: what every section of the report quotes."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.comparing.lead import (
    RESAMPLES,
    Basis,
    LeadInterval,
    LeadVerdict,
    lead_interval,
    lead_verdict,
)
from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.analysis.sweeps.once import once_per_sweep
from greenexp.analysis.sweeps.repetitions import FOLD, SEEDS
from greenexp.records.answers import ExampleAnswers
from greenexp.records.arrays import Floats
from greenexp.records.tables import SweepTables
from greenexp.replay.resampling import can_be_resampled, resampled_scores

ACCURACY = "accuracy"
CHUNK = 4_000_000
"""Weights held in memory at a time."""
REPRODUCED = 1e-6
"""How far the score from the answers may be from the recorded one: both are means, in different order."""
BOUNDS = {(True, True): "by these bounds", (True, False): "at least", (False, True): "at most"}
"""Whether the first and the second were stopped early -> what the lead is of the one after full training."""
STOPPED = "the next was stopped early, and full training could only have improved its score"
FEWER = "it has fewer seeds, and on those that both have its score is the better one"
"""Why the next configuration was not chosen although it leads."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One configuration ahead of another.

    interval: the lead, above 0 if the first is better, and how sure it is; verdict, reason: as `lead_verdict` has them
    bound: "" for final scores, else what the lead is of the one after full training: `at least`, `at most`, or `by
        these bounds` where both were stopped early
    note: why examples were not resampled, or an empty text
    """

    first: str
    second: str
    interval: LeadInterval
    verdict: LeadVerdict
    reason: str
    bound: str = ""
    note: str = ""

    @property
    def over(self) -> str:
        """What the uncertainty is over, in words: `2 shared seeds and 800 dev examples`."""
        seeds = f"{self.interval.seeds} shared seed{'s' * (self.interval.seeds != 1)}"
        examples = f"{self.interval.examples:,} dev examples"
        if self.interval.basis is Basis.BOTH:
            return f"{seeds} and {examples}"
        if self.interval.basis is Basis.EXAMPLES:
            return f"{examples}, with one seed each"
        return f"{seeds}, and a binomial bound for {examples}" if self.interval.basis is Basis.BINOMIAL else seeds

    @property
    def sentence(self) -> str:
        """The lead, its interval and the verdict."""
        bound = f"{self.bound} " if self.bound else ""
        lead = abs(self.interval.lead)
        begin = f"{self.first} is {bound}{_decimals(lead)} better than the next, {self.second}"
        if self.reason == FEWER:
            begin = f"{self.first} is {_decimals(lead)} worse than the next, {self.second}, on the seeds that both have"
        if self.verdict is LeadVerdict.NOT_APART and lead == 0:
            begin = f"{self.first} and the next, {self.second}, have the same score"
        between = ""
        if not math.isnan(self.interval.error):
            ends = f"{_decimals(self.interval.lower)} to {_decimals(self.interval.upper)}"
            between = f" ({100 * self.interval.confidence:g} % interval {ends}, over {self.over})"
        if self.verdict is LeadVerdict.UNKNOWN:
            return f"{begin}{between}; whether {self.first} is really better cannot be told: {self.reason}."
        return f"{begin}{between}: the two are {self.verdict}, as {self.reason}."


@once_per_sweep
def lead_of_best(tables: SweepTables) -> Lead | None:
    """The lead of the best configuration over the next; None if fewer than two have a score from all their seeds."""
    ranked = configuration_table(tables).dropna(subset=["score_mean"])
    if len(ranked) < 2:
        return None
    return lead_over(tables, str(ranked["configuration"].iloc[0]), str(ranked["configuration"].iloc[1]))


def lead_over(tables: SweepTables, first: str, second: str) -> Lead:
    """The lead of one configuration of a sweep over another, by the seeds that both have."""
    return leads_over(tables, first, [second])[0]


def leads_over(tables: SweepTables, first: str, others: Sequence[str]) -> list[Lead]:
    """The lead of one configuration over each of several; the same samples of examples serve all pairs of a sweep."""
    metric = metric_of(tables)
    pairs = [_Pairs.of(tables, first, second) for second in others]
    obstacles = [_obstacle(tables, each, metric) for each in pairs]
    open_pairs = [each for each, obstacle in zip(pairs, obstacles, strict=True) if not obstacle]
    resampled = _resampled_trials(tables, open_pairs, metric)
    leads = []
    for second, each, obstacle in zip(others, pairs, obstacles, strict=True):
        scores = None if obstacle else each.resampled(resampled, metric)
        leads.append(_lead(tables, (first, second), each, metric, scores, obstacle))
    return leads


def _lead(
    tables: SweepTables,
    names: tuple[str, str],
    pairs: _Pairs,
    metric: SweepMetric,
    resampled: Floats | None,
    obstacle: str,
) -> Lead:
    examples = _dev_size(tables) if resampled is None else pairs.examples(tables)
    binomial = _binomial(pairs, metric, examples) if resampled is None else math.nan
    interval = lead_interval(
        pairs.differences(metric),
        resampled,
        examples if resampled is not None or not math.isnan(binomial) else 0,
        binomial,
        scores=pairs.frame[["first", "second"]].to_numpy(),
    )
    verdict, reason = lead_verdict(interval)
    stopped = _is_stopped(tables, names[0]), _is_stopped(tables, names[1])
    if stopped[1] and verdict is LeadVerdict.APART:
        verdict, reason = LeadVerdict.UNKNOWN, STOPPED
    if stopped[1] and interval.lead < 0:
        verdict, reason = LeadVerdict.UNKNOWN, FEWER
    return Lead(*names, interval, verdict, reason, BOUNDS.get(stopped, ""), obstacle)


def lead_study(tables: SweepTables) -> Findings:
    """Whether the best configuration is better than the next.

    Returns
    -------
    Findings
        The table lead, one row: first, second, lead, lower, upper, p, error, error_of_seeds, error_of_examples, seeds,
        examples, basis, verdict, reason. A refusal where fewer than two configurations have a score from all their
        seeds.

    """
    lead = lead_of_best(tables)
    if lead is None:
        return Findings(refusal="fewer than two configurations have a score from all their seeds")
    notes = (lead.note,) if lead.note else ()
    titles = {"lead": "Lead of the best configuration over the next"}
    table = pd.DataFrame([lead_row(lead)])
    return Findings((lead.sentence,), {"lead": table}, titles, notes, tables.remarks.warnings)


def lead_row(lead: Lead) -> dict[str, object]:
    """The lead as a row of a table."""
    interval = lead.interval
    numbers = {
        name: getattr(interval, name)
        for name in ("lead", "lower", "upper", "p", "error", "error_of_seeds", "error_of_examples", "seeds", "examples")
    }
    words = {"basis": str(interval.basis), "verdict": str(lead.verdict), "reason": lead.reason}
    return {"first": lead.first, "second": lead.second, **numbers, **words}


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Trials of two configurations with the same seeds (and fold): SEEDS, fold, first, second, trial_first, ..."""

    frame: pd.DataFrame

    @classmethod
    def of(cls, tables: SweepTables, first: str, second: str) -> _Pairs:
        columns = [*SEEDS, FOLD, "trial", "score"]
        parts = [
            tables.trials.loc[tables.trials["configuration"] == name, columns]
            .assign(fold=lambda rows: rows[FOLD].fillna(-1).astype("int64"))
            .rename(columns={"score": side, "trial": f"trial_{side}"})
            for name, side in ((first, "first"), (second, "second"))
        ]
        both = parts[0].merge(parts[1], on=[*SEEDS, FOLD], how="inner").dropna(subset=["first", "second"])
        return cls(both.reset_index(drop=True))

    def differences(self, metric: SweepMetric) -> Floats:
        """[S]: per pair of seeds, the mean over its folds, above 0 if the first is better."""
        return self._by_seed(((self.frame["first"] - self.frame["second"]) * _sign(metric)).to_numpy(dtype=np.float64))

    def examples(self, tables: SweepTables) -> int:
        """Dev examples, of all folds together."""
        of_folds = self.frame.drop_duplicates(FOLD)["trial_first"]
        return sum(tables.answers[trial].examples for trial in of_folds)

    def _by_seed(self, values: Floats) -> Floats:
        """[..., pairs] -> [..., S]: means over the folds of each pair of seeds."""
        number = self.frame.groupby(list(SEEDS), sort=False).ngroup().to_numpy()
        if not number.size:
            return np.full((*values.shape[:-1], 1), math.nan)
        means = [values[..., number == seed].mean(axis=-1) for seed in range(number.max() + 1)]
        stacked: Floats = np.stack(means, axis=-1)
        return stacked

    def resampled(self, scores: Mapping[str, Floats], metric: SweepMetric) -> Floats:
        """[R, S]: differences on samples of the examples. scores: trial -> its score on each sample."""
        sides = [
            np.stack([scores[str(trial)] for trial in self.frame[f"trial_{side}"]]) for side in ("first", "second")
        ]
        return self._by_seed((sides[0] - sides[1]).T * _sign(metric))


def _resampled_trials(tables: SweepTables, pairs: Sequence[_Pairs], metric: SweepMetric) -> dict[str, Floats]:
    """Trial -> [R], its score on samples of the examples, which are the same for all trials of a fold."""
    frames = [
        each.frame[[FOLD, f"trial_{side}"]].set_axis([FOLD, "trial"], axis=1)
        for each in pairs
        for side in ("first", "second")
    ]
    scores: dict[str, Floats] = {}
    if not frames:
        return scores
    seed = zlib.crc32(tables.history.fingerprint.encode())
    for fold, rows in pd.concat(frames).drop_duplicates().groupby(FOLD, sort=True):
        trials = [str(trial) for trial in rows["trial"]]
        scores |= {trial: np.empty(RESAMPLES) for trial in trials}
        rng = np.random.default_rng([seed, int(str(fold)) + 1])
        for start, weights in _samples(tables.answers[trials[0]].examples, rng):
            for trial in trials:
                of_samples = exit_score(tables.answers[trial], metric, weights)
                scores[trial][start : start + len(weights)] = of_samples
    return scores


def exit_score(answers: ExampleAnswers, metric: SweepMetric, weights: NDArray[np.float64]) -> Floats:
    """[samples]: the sweep's score on samples of examples, over the exits that `metric.exit` means."""
    each = resampled_scores(metric.name, answers, weights)
    if metric.exit == "mean":
        return np.asarray(each.mean(axis=1), dtype=np.float64)
    if metric.exit == "best":
        return np.asarray(each.min(axis=1) if metric.minimize else each.max(axis=1), dtype=np.float64)
    place = -1 if metric.exit == "last" else answers.exits.tolist().index(int(metric.exit))
    return np.asarray(each[:, place], dtype=np.float64)


def _samples(size: int, rng: np.random.Generator) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(number of the first sample, [samples, size] how often each example was drawn), RESAMPLES in all."""
    rows = max(1, CHUNK // size)
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        drawn = rng.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
        yield start, np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float64)


def _obstacle(tables: SweepTables, pairs: _Pairs, metric: SweepMetric) -> str:
    """Why the examples of these trials cannot be resampled, or an empty text."""
    if pairs.frame.empty:
        return "they have no seed in common"
    names = [*pairs.frame["trial_first"], *pairs.frame["trial_second"]]
    missing = [name for name in names if name not in tables.answers]
    if missing:
        return f"the dev logits of {len(missing)} of {len(names)} trials are not at hand"
    answers = {name: tables.answers[name] for name in names}
    if not all(can_be_resampled(metric.name, each) for each in answers.values()):
        return f"the metric {metric.name} cannot be resampled over examples"
    for row in pairs.frame.itertuples():
        ours, theirs = answers[str(row.trial_first)], answers[str(row.trial_second)]
        if not np.array_equal(ours.labels, theirs.labels):
            return "the two configurations were scored on different dev examples"
        for side, recorded in ((ours, row.first), (theirs, row.second)):
            again = exit_score(side, metric, np.ones((1, side.examples)))[0]
            if abs(again - float(str(recorded))) > REPRODUCED * max(1.0, abs(again)):
                return "the recorded scores are not those of the stored dev logits"
    return ""


def _binomial(pairs: _Pairs, metric: SweepMetric, examples: int) -> float:
    """A bound of the standard error of the lead over dev examples: that of two independent accuracies."""
    if metric.name != ACCURACY or examples < 1 or pairs.frame.empty:
        return math.nan
    means = [float(pairs.frame[side].mean()) for side in ("first", "second")]
    if not all(0 <= mean <= 1 for mean in means):
        return math.nan
    return math.sqrt(sum(mean * (1 - mean) for mean in means) / examples)


def _dev_size(tables: SweepTables) -> int:
    """Dev examples as the sweep file has them, 0 if it does not say so (or names files)."""
    size = tables.spec.task.options.get("dev")
    return size if isinstance(size, int) and not tables.spec.seeds.folds else 0


def _is_stopped(tables: SweepTables, configuration: str) -> bool:
    trials = tables.trials
    return bool((trials.loc[trials["configuration"] == configuration, "status"] == "stopped").any())


def _sign(metric: SweepMetric) -> float:
    return -1.0 if metric.minimize else 1.0


def _decimals(value: float) -> str:
    """Four decimals, as scores have, or the first digit of what would print as 0."""
    return f"{value:.4f}" if abs(value) >= 5e-5 or value == 0 else f"{value:.1g}"
