"""Every policy on random and nasty logits: replay equals the stream, and operating points reproduce themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import asked, made_costs, random_record, records, streamed

from greenexp.errors import InputError
from greenexp.exits import POLICIES
from greenexp.exits.policies.choose import stream_policy
from greenexp.replay import FAMILIES, ExitRecord, exits_taken, operating_points
from greenexp.replay.family import Staircase
from greenexp.replay.naming import resolve, text_of

FOR_BOTH = ["learned", "learned:comparator=<=", "static"]
FOR_CLASSES = [
    *FOR_BOTH,
    "entropy",
    "entropy:normalised=true",
    "entropy:comparator=<=",
    "entropy:normalised=true,comparator=<=",
    "max_probability",
    "max_probability:comparator=>",
    "max_probability:unsure=most_confident",
    "max_probability:comparator=>,unsure=most_confident",
    "patience",
    "voting",
    "voting:exponent=0",
    "voting:exponent=0.3",
    "voting:exponent=1",
    "oracle",
]
FOR_NUMBERS = [*FOR_BOTH, "patience:patience=3", "patience:patience=1", "patience:patience=0", "patience:tolerance=0.5"]
CASES = [(label, False) for label in FOR_CLASSES] + [(label, True) for label in FOR_NUMBERS]
PER_EXIT = ["entropy", "entropy:normalised=true,comparator=<=", "max_probability", "learned",
            "max_probability:comparator=>,unsure=most_confident"]  # fmt: skip
several = settings(max_examples=12, deadline=None)


def places_at(steps: Staircase, point: int) -> list[int]:
    """Where everybody leaves at one point, event by event."""
    places = steps.start.copy()
    for at, example, before, after in zip(steps.point, steps.example, steps.before, steps.after, strict=True):
        if at <= point:
            assert places[example] == before
            places[example] = after
    return places.tolist()


def answers_of(record: ExitRecord, policy: Any) -> list[float]:
    family = resolve(policy)[1]
    return family.answers(record)[family.taken(record), np.arange(record.logits.shape[1])].astype(float).tolist()


@pytest.mark.parametrize(("label", "regression"), CASES)
@several
@given(st.data())
def test_every_point_is_what_the_stream_does_at_its_threshold(
    label: str, regression: bool, data: st.DataObject
) -> None:
    record = data.draw(records(regression=regression))
    shown, family = resolve(label, record)
    assert shown == label
    steps = family.staircase(record)
    for point, threshold in enumerate(steps.thresholds):
        policy = text_of(label, float(threshold))
        assert record.numbers[places_at(steps, point)].tolist() == exits_taken(record, policy).tolist()
    for threshold in data.draw(st.lists(st.sampled_from(steps.thresholds.tolist()), min_size=1, max_size=2)):
        policy = {"name": label, "threshold": threshold}
        taken = exits_taken(record, policy).tolist()
        found, answers = streamed(record, policy, data.draw(st.sampled_from(["mask", "indices", "nobody"])))
        assert found == taken
        np.testing.assert_array_equal(answers, answers_of(record, policy))


@pytest.mark.parametrize(("label", "regression"), CASES)
@several
@given(st.data())
def test_no_outcome_is_missing(label: str, regression: bool, data: st.DataObject) -> None:
    """Between two neighbouring thresholds, below the lowest and above the highest one there is no other outcome."""
    record = data.draw(records(regression=regression))
    family = resolve(label, record)[1]
    steps = family.staircase(record)
    thresholds = np.sort(steps.thresholds)
    whole = {
        "static": record.numbers.tolist(),
        "patience": list(range(1, max(len(record.numbers), 2))),
        "patience:tolerance=0.5": list(range(1, max(len(record.numbers), 2))),
    }
    if label in whole:
        assert thresholds.tolist() == whole[label]
        return
    if label == "oracle":
        assert np.isnan(thresholds).tolist() == [True]
        return
    outcomes = {tuple(exits_taken(record, {"name": label, "threshold": float(one)})) for one in thresholds}
    assert len(outcomes) == len(thresholds)
    tried = [*data.draw(st.lists(st.floats(0, 9), max_size=4)), 0.0, 1.0]
    tried += (thresholds[:-1] / 2 + thresholds[1:] / 2).tolist()
    for one in tried:
        assert tuple(exits_taken(record, {"name": label, "threshold": one})) in outcomes


@pytest.mark.parametrize("label", PER_EXIT)
@several
@given(st.data())
def test_thresholds_per_exit_decide_as_the_stream(label: str, data: st.DataObject) -> None:
    record = data.draw(records())
    limits = data.draw(st.dictionaries(st.integers(1, 12), st.floats(0, 1.2), min_size=1))
    policy = {"name": label, "threshold": limits}
    found, answers = streamed(record, policy)
    taken = exits_taken(record, policy)
    assert found == taken.tolist()
    assert answers == answers_of(record, policy)
    assert set(taken) <= {*limits, record.numbers[-1]}
    everywhere = {"name": label, "threshold": dict.fromkeys(range(1, 13), 0.5)}
    assert exits_taken(record, everywhere).tolist() == exits_taken(record, {"name": label, "threshold": 0.5}).tolist()


@pytest.mark.parametrize("label", FOR_CLASSES)
def test_the_table_says_what_happens_at_each_threshold(label: str) -> None:
    record = with_learned(random_record(examples=30))
    costs = made_costs(record)
    points = operating_points(record, label, costs)
    assert set(points["policy"]) == {label}
    for row in points.iloc[:: max(len(points) // 8, 1)].to_dict("records"):
        policy = {"name": row["policy"], "threshold": row["threshold"]}
        taken = np.searchsorted(record.numbers, exits_taken(record, policy))
        assert row["mean_layers"] == costs.layers[taken].mean()
        assert row["accuracy"] == np.mean(np.array(answers_of(record, policy)) == record.labels)
        assert streamed(record, policy)[0] == record.numbers[taken].tolist()


@pytest.mark.parametrize("label", FOR_CLASSES)
@several
@given(st.data())
def test_an_exit_that_is_not_consulted_changes_nothing(label: str, data: st.DataObject) -> None:
    record = data.draw(records())
    kept = data.draw(st.sets(st.sampled_from(record.numbers.tolist()), min_size=1))
    other = dataclasses.replace(record, logits=np.where(
        np.isin(record.numbers, list(kept))[:, None, None], record.logits, record.logits[::-1]
    ))  # fmt: skip
    taken = exits_taken(record.only(kept), label)
    assert set(taken) <= kept
    assert taken.tolist() == exits_taken(other.only(kept), label).tolist() == streamed(record.only(kept), label)[0]


@pytest.mark.parametrize("classes", [2, 3, 30])
@pytest.mark.parametrize("label", ["entropy", "entropy:normalised=true", "voting:exponent=0.7", "patience"])
def test_many_examples_decide_alike(label: str, classes: int) -> None:
    record = random_record(examples=400, classes=classes, seed=classes)
    thresholds = resolve(label)[1].staircase(record).thresholds
    for threshold in thresholds[:: max(len(thresholds) // 6, 1)]:
        policy = {"name": label, "threshold": float(threshold)}
        assert exits_taken(record, policy).tolist() == streamed(record, policy, batch=100)[0]


def test_both_forms_of_a_policy_have_the_same_fields_and_defaults() -> None:
    assert set(POLICIES) == set(FAMILIES)
    for name in POLICIES:
        stream, replay = POLICIES[name], FAMILIES[name]
        assert stream.family == name  # type: ignore[attr-defined]  # of those that have a replay form
        assert fields_of(stream) == fields_of(replay)
        assert replay.parameter in {"", *fields_of(replay)}
        assert name in {label.partition(":")[0] for label in FOR_CLASSES}


@pytest.mark.parametrize("label", [label for label in FOR_CLASSES if label not in FOR_BOTH])
def test_what_needs_classes_refuses_regression_in_both_forms(label: str) -> None:
    record = ExitRecord(np.zeros((2, 3, 1)), [0.1, 0.2, 0.3], [1, 1, 1])
    said = []
    for call in (lambda: exits_taken(record, label), lambda: streamed(record, label)):
        with pytest.raises(InputError) as caught:
            call()
        said.append(str(caught.value))
    assert said[0] == said[1]


def with_learned(record: ExitRecord, seed: int = 0) -> ExitRecord:
    return dataclasses.replace(record, learned=np.random.default_rng(seed).random(record.logits.shape[:2]))


def fields_of(policy: Any) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(policy)}


def test_a_stream_asks_nothing_of_the_host() -> None:
    """Decisions are tensors of the rows asked about, for an engine that synchronises once per segment."""
    record = with_learned(random_record(exits=2, examples=5))
    for label in FOR_CLASSES:
        decision = stream_policy(label).stream().decide(asked(record, 0, np.arange(5)))
        assert decision.leaves.shape == decision.answers.shape == (5,)
        assert str(decision.leaves.dtype) == "torch.bool"
        assert str(decision.answers.dtype) == "torch.int64"
