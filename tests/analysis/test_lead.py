"""One verdict on the lead of the best configuration, over seeds and dev examples."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_settings import changed_spec
from made_sweeps import sweep, with_answers
from scipy import stats

from greenexp.analysis.comparing.lead import Basis, LeadVerdict, lead_interval, lead_verdict
from greenexp.analysis.comparing.lead_of_sweep import exit_score, lead_of_best, lead_over, lead_study, leads_over
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.report import report_sections


def test_seeds_alone_are_the_paired_t_test() -> None:
    a, b = np.array([0.9, 0.88, 0.93, 0.9]), np.array([0.87, 0.86, 0.88, 0.89])
    found = lead_interval(a - b)
    truth = stats.ttest_rel(a, b)
    interval = truth.confidence_interval(0.95)
    assert (found.p, found.lower, found.upper) == pytest.approx((truth.pvalue, interval.low, interval.high))
    assert found.basis is Basis.SEEDS


def test_both_parts_add_up_with_satterthwaites_degrees() -> None:
    rng = np.random.default_rng(0)
    differences, resampled = np.array([0.02, 0.03, 0.01]), rng.normal(0.02, 0.005, (2000, 3))
    found = lead_interval(differences, resampled, 500)
    seeds, examples = differences.var(ddof=1) / 3, resampled.mean(axis=1).var(ddof=1)
    total = seeds + examples
    degrees = total**2 / (seeds**2 / 2 + examples**2 / 499)
    assert found.error == pytest.approx(math.sqrt(total))
    assert found.upper - found.lead == pytest.approx(stats.t.ppf(0.975, degrees) * math.sqrt(total))
    assert found.basis is Basis.BOTH


@pytest.mark.parametrize(("seeds", "shares"), [(2, (0.0, 0.2, 0.2)), (3, (0.01, 0.2, 0.3)), (5, (0.03, 0.1, 0.2))])
def test_the_interval_covers_the_lead(seeds: int, shares: tuple[float, float, float]) -> None:
    """With normal effects of seeds, examples and both; the variance over examples is that of the bootstrap, exactly."""
    rng, size, covered = np.random.default_rng(seeds), 300, 0
    for _ in range(400):
        parts = [
            rng.normal(0, sd, shape) for sd, shape in zip(shares, ((seeds, 1), (1, size), (seeds, size)), strict=True)
        ]
        each = sum(parts, 0.05)
        of_examples = each.mean(axis=0).std(ddof=1) / math.sqrt(size)
        resampled = each.mean() + of_examples * np.array([[-1.0] * seeds, [1.0] * seeds]) / math.sqrt(2)
        found = lead_interval(each.mean(axis=1), resampled, size)
        covered += found.lower <= 0.05 <= found.upper
    assert covered / 400 > 0.92


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (lead_interval([0.1]), LeadVerdict.UNKNOWN),
        (lead_interval([0.1], np.zeros((9, 1)) + 0.1 + 0.001 * np.arange(9)[:, None], 500), LeadVerdict.UNKNOWN),
        (lead_interval([0.1], 0.1 + np.linspace(-1, 1, 9)[:, None], 500), LeadVerdict.NOT_APART),
        (lead_interval([0.0, 0.0]), LeadVerdict.NOT_APART),
        (lead_interval([0.1, 0.1]), LeadVerdict.UNKNOWN),
        (lead_interval([0.1, 0.1], examples=500, binomial=0.02), LeadVerdict.APART),
        (lead_interval([0.03, 0.03], examples=500, binomial=0.02), LeadVerdict.UNKNOWN),
        (lead_interval([0.1, -0.05], examples=500, binomial=0.02), LeadVerdict.NOT_APART),
        (lead_interval([0.1, 0.11, 0.12]), LeadVerdict.APART),
        (lead_interval([0.1, 0.0, 0.12]), LeadVerdict.NOT_APART),
        (lead_interval([math.nan]), LeadVerdict.UNKNOWN),
    ],
)
def test_verdicts(interval: object, verdict: LeadVerdict) -> None:
    assert lead_verdict(interval)[0] is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize("exit_", ["mean", "last", "best", 2])
def test_the_error_over_examples_is_that_of_the_paired_examples(exit_: str | int) -> None:
    tables = with_answers(sweep(3, 4, metric={"name": "accuracy", "exit": exit_}))
    found = lead_of_best(tables)
    assert found is not None
    assert (found.first, found.interval.seeds, found.interval.examples) == ("c002", 4, 400)
    assert found.interval.basis is Basis.BOTH
    assert found.note == ""
    if exit_ == "best":
        return
    right = {trial: (each.answers == each.labels) for trial, each in tables.answers.items()}
    chosen = {"mean": slice(None), "last": slice(-1, None), 2: slice(1, 2)}[exit_]
    each = [
        right[f"c002-i{seed}-o0"][chosen].mean(axis=0) - right[f"{found.second}-i{seed}-o0"][chosen].mean(axis=0)
        for seed in range(4)
    ]
    exact = np.mean(each, axis=0).std() / math.sqrt(400)
    assert found.interval.error_of_examples == pytest.approx(exact, rel=0.06)
    assert found.interval.lead == pytest.approx(np.mean(each))


@pytest.mark.parametrize(
    ("metric", "classes"),
    [
        ({"name": "f1"}, 2),
        ({"name": "macro_f1"}, 3),
        ({"name": "matthews"}, 2),
        ({"name": "pearson"}, 1),
        ({"name": "loss", "mode": "min"}, 2),
    ],
)
def test_other_metrics_are_resampled_too(metric: dict[str, str], classes: int) -> None:
    found = lead_of_best(with_answers(sweep(3, 3, metric=metric), classes=classes))
    assert found is not None
    assert found.interval.basis is Basis.BOTH
    assert found.interval.lead > 0
    assert 0 < found.interval.error_of_examples < 0.2


def test_what_cannot_be_resampled_says_why_and_falls_back() -> None:
    tables = with_answers(sweep(3, 3))
    some = dataclasses.replace(tables, answers={k: v for k, v in tables.answers.items() if k != "c002-i1-o0"})
    found = lead_of_best(some)
    assert found is not None
    assert "1 of 6 trials" in found.note
    assert found.interval.basis is Basis.BINOMIAL
    other = dataclasses.replace(tables, trials=tables.trials.assign(score=tables.trials["score"] + 0.01))
    assert "not those of the stored dev logits" in lead_over(other, "c002", "c001").note
    ranks = with_answers(sweep(3, 3, metric={"name": "pearson"}), classes=1)
    ranks = dataclasses.replace(ranks, spec=changed_spec(ranks.spec, metric={"name": "spearman"}))
    found = lead_over(ranks, "c002", "c001")
    assert "spearman cannot be resampled" in found.note
    assert found.interval.basis is Basis.SEEDS


def test_the_verdict_is_the_same_each_time_and_for_many_as_for_one() -> None:
    tables = with_answers(sweep(4, 3))
    assert lead_of_best(tables) == lead_of_best(tables)
    assert leads_over(tables, "c003", ["c000", "c001", "c002"])[2] == lead_over(tables, "c003", "c002")


def test_a_next_that_was_stopped_early_could_have_caught_up() -> None:
    ends = {"c001": ("stopped", 3), "c000": ("stopped", 3)}
    tables = with_answers(sweep(3, 4, ends=ends, scheduler="asha"))
    found = lead_of_best(tables)
    assert found is not None
    assert (found.verdict, found.bound) == (LeadVerdict.UNKNOWN, "at most")
    first = dataclasses.replace(tables, trials=tables.trials.assign(score=tables.trials["score"].to_numpy()[::-1]))
    assert lead_over(first, "c000", "c002").bound == "at least"
    assert lead_over(first, "c000", "c001").bound == "by these bounds"


def test_every_section_quotes_one_result() -> None:
    tables = with_answers(sweep(4, 3))
    lead = lead_of_best(tables)
    assert lead is not None
    sections = {one.name: one for one in report_sections(tables, ("headline", "seeds", "search-space", "assumptions"))}
    for name in ("headline", "seeds", "search-space"):
        assert lead.sentence in sections[name].headline
    assert f"{lead.interval.error_of_examples:.4f}" in " ".join(sections["assumptions"].paragraphs)
    row = next(table for table in sections["search-space"].tables if table.name == "leaders").frame.iloc[1]
    assert (row["behind"], row["verdict"]) == (lead.interval.lead, str(lead.verdict))
    assert lead_study(tables)["lead"].iloc[0]["p"] == lead.interval.p


def test_one_configuration_has_no_lead() -> None:
    assert lead_of_best(sweep(1, 3)) is None
    assert lead_study(sweep(1, 3)).refusal


def test_scores_of_exits_follow_the_metric() -> None:
    tables = with_answers(sweep(1, 1))
    answers = next(iter(tables.answers.values()))
    each = (answers.answers == answers.labels).mean(axis=1)
    for exit_, expected in (("mean", each.mean()), ("best", each.max()), ("last", each[-1]), (2, each[1])):
        metric = metric_of(
            dataclasses.replace(tables, spec=changed_spec(tables.spec, metric={"name": "accuracy", "exit": exit_}))
        )
        assert exit_score(answers, metric, np.ones((1, answers.examples)))[0] == pytest.approx(expected)
