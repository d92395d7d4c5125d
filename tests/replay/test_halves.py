"""Thresholds chosen on one half and judged on the other."""

from __future__ import annotations

import numpy as np
import pytest
from priced_records import drawn_record, made_costs

from greenexp.replay import operating_points
from greenexp.replay.chosen import chosen_thresholds
from greenexp.replay.halves import COLUMNS, halves, on_other_half, part

TARGETS = (1.0, 1.5, 2.0)


def test_halves_are_a_partition_with_every_label_in_both() -> None:
    labels = drawn_record(examples=101).labels
    cuts = list(halves(labels, 5, seed=1))
    for ours, others in cuts:
        assert sorted([*ours, *others]) == list(range(101))
        for label in np.unique(labels):
            counts = [int((labels[half] == label).sum()) for half in (ours, others)]
            assert abs(counts[0] - counts[1]) <= 1
    assert len({tuple(ours) for ours, _ in cuts}) == 5


def test_models_with_the_same_labels_get_the_same_halves() -> None:
    labels = drawn_record().labels
    same = zip(halves(labels, 3, 7), halves(labels.copy(), 3, 7), strict=True)
    assert all(np.array_equal(x, y) for one, other in same for x, y in zip(one, other, strict=True))
    assert not np.array_equal(next(halves(labels, 1, 7))[0], next(halves(labels, 1, 8))[0])


@pytest.mark.parametrize("policy", ["static", "patience", "entropy"])
def test_against_a_plain_loop(policy: str) -> None:
    """Leave one by one: at the chosen threshold every example of the other half is followed by hand."""
    record = drawn_record(examples=80)
    costs = made_costs(record)
    found = on_other_half(record, costs, [policy], TARGETS, repeats=2, seed=3)
    assert found.columns.tolist() == list(COLUMNS)
    for row in found.itertuples():
        scores, speeds, flattered = [], [], []
        for pair in halves(record.labels, 2, 3):
            for ours, others in (pair, pair[::-1]):
                points = operating_points(part(record, ours), policy, costs)
                chosen = chosen_thresholds(points, [row.target]).iloc[0]
                taken = np.array([leaves(policy, chosen["threshold"], record.logits[:, i]) for i in others])
                right = record.logits[taken, others].argmax(axis=1) == record.labels[others]
                scores.append(right.mean())
                speeds.append(costs.layers[-1] / costs.layers[taken].mean())
                flattered.append(chosen["accuracy"] - right.mean())
        assert row.score == pytest.approx(np.mean(scores))
        assert row.speed_up == pytest.approx(np.mean(speeds))
        assert row.flattered == pytest.approx(np.mean(flattered))


def leaves(policy: str, threshold: float, logits: np.ndarray) -> int:
    """logits: [exit, class] of one example; place of the exit it leaves at."""
    answers, agreeing = logits.argmax(axis=1), 0
    for place in range(len(logits) - 1):
        odds = np.exp(logits[place].astype(np.float64) - logits[place].max())
        p = odds / odds.sum()
        agreeing = agreeing + 1 if place and answers[place] == answers[place - 1] else 0
        now = {"static": place + 1 >= threshold, "patience": agreeing >= threshold,
               "entropy": -(p * np.log(p)).sum() < threshold}[policy]  # fmt: skip
        if now:
            return place
    return len(logits) - 1


def test_a_target_out_of_reach_has_no_row() -> None:
    record = drawn_record(exits=6)
    costs = made_costs(record)
    fastest = costs.layers[-1] / costs.layers[0]
    found = on_other_half(record, costs, ["static", "patience"], [1.0, fastest, fastest + 0.1], repeats=1)
    assert found[found["policy"] == "static"]["target"].tolist() == [1.0, fastest]
    assert found[found["policy"] == "patience"]["target"].tolist() == [1.0]


def test_pure_noise_is_flattered_where_it_was_chosen_and_not_where_it_was_judged() -> None:
    """Labels drawn apart from the logits: 1/3 is right, whatever the threshold."""
    found = []
    for seed in range(30):
        record = drawn_record(examples=90, seed=seed)
        record.labels[:] = np.random.default_rng(1000 + seed).integers(0, 3, 90)
        found.append(on_other_half(record, made_costs(record), ["entropy"], [1.0], repeats=1, seed=seed).iloc[0])
    assert np.mean([row["score"] for row in found]) == pytest.approx(1 / 3, abs=0.03)
    assert np.mean([row["flattered"] for row in found]) > 0.05


def test_too_few_examples() -> None:
    record = drawn_record(examples=3)
    with pytest.raises(ValueError, match="at least 4"):
        on_other_half(record, made_costs(record), ["static"])
