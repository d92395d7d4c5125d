"""Replay and stream, decision by decision, against what the official code did with the same logits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from made_records import streamed

from greenexp.exits.policies.softmax import entropy
from greenexp.replay import ExitRecord, exits_taken, softmax
from greenexp.replay.naming import resolve

Reference = Callable[[str], Any]


@pytest.fixture(scope="module")
def inputs(reference: Reference) -> dict[str, Any]:
    """By the number of classes: logits of 12 exits, of a classifier after them, and labels."""
    return dict(reference("exit_logits")["classes"])


@pytest.fixture(scope="module")
def deebert(reference: Reference) -> dict[str, Any]:
    return dict(reference("entropy"))


def record_of(logits: Any, labels: Any) -> ExitRecord:
    return ExitRecord(np.array(logits), np.array(labels), np.ones(len(labels)))


def answers_of(record: ExitRecord, policy: Any) -> list[float]:
    family = resolve(policy)[1]
    return family.answers(record)[family.taken(record), np.arange(len(record.labels))].tolist()


@pytest.mark.parametrize("classes", [2, 3])
def test_patience_of_classes_is_pabees(reference: Reference, inputs: dict[str, Any], classes: int) -> None:
    """Patience 0 (all layers) to 13 (more than 12 exits can have)."""
    given, by_patience = inputs[str(classes)], reference("patience")["classification"][str(classes)]
    record = record_of(given["logits"], given["labels"])
    assert (record.logits.shape, len(by_patience)) == ((12, 48, classes), 14)
    for patience, official in by_patience.items():
        policy = f"patience:{patience}"
        assert exits_taken(record, policy).tolist() == official["exit_layer"]
        assert answers_of(record, policy) == official["prediction"]
        assert streamed(record, policy) == (official["exit_layer"], official["prediction"])


@pytest.mark.parametrize("threshold", ["0.0", "0.1", "0.5", "0.94"])
def test_patience_of_numbers_is_pabees(reference: Reference, threshold: str) -> None:
    given = reference("patience")["regression"]
    outputs = np.array(given["outputs"], dtype=np.float32).reshape(12, -1, 1)
    record = record_of(outputs, np.zeros(outputs.shape[1]))
    for patience, official in given["by_threshold"][threshold].items():
        policy = {"name": "patience", "patience": int(patience), "tolerance": float(threshold)}
        assert exits_taken(record, policy).tolist() == official["exit_layer"]
        assert answers_of(record, policy) == official["prediction"]
        assert streamed(record, policy) == (official["exit_layer"], official["prediction"])


@pytest.mark.parametrize("classes", [2, 3])
def test_entropy_is_that_of_three_official_functions_where_theirs_is_finite(
    inputs: dict[str, Any], deebert: dict[str, Any], classes: int
) -> None:
    logits = np.array(inputs[str(classes)]["logits"]).reshape(-1, classes)[::4]
    ours = entropy(torch.tensor(logits, dtype=torch.float32)).numpy()
    assert np.array_equal(ours, softmax.entropy(record_of([logits], [0] * len(logits)), False)[0])
    official = deebert["entropy"]["nats"][str(classes)]
    assert len(official) == 3
    for nats in official.values():
        np.testing.assert_allclose(ours, nats, rtol=2e-5, atol=2e-6)


def test_entropy_is_finite_and_right_where_the_official_ones_are_not(deebert: dict[str, Any]) -> None:
    """Logits of 89, 100, -200 and 1000: each official function gives a NaN at least once; nobody leaves on a NaN."""
    edges = deebert["edges"]
    record = record_of([edges["logits"]] * 2, [0] * 5)
    ours = softmax.entropy(record, False)[0]
    assert np.array_equal(ours, entropy(torch.tensor(edges["logits"])).numpy())
    apart = [abs(one - other) for one, other in edges["logits"]]  # d: the entropy is ln(1 + e^-d) + d e^-d / (1 + e^-d)
    correct = [math.log1p(math.exp(-d)) + d * math.exp(-d) / (1 + math.exp(-d)) for d in apart]
    np.testing.assert_allclose(ours, np.array(correct, dtype=np.float32), rtol=1e-6)
    assert len(edges["nats"]) == 3
    for nats in edges["nats"].values():
        official = np.array([float(text) for text in nats])
        assert np.isnan(official).any()
        finite = np.isfinite(official)
        np.testing.assert_allclose(ours[finite], official[finite], rtol=0.02)
    assert exits_taken(record, "entropy:0.6").tolist() == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("classes", [2, 3])
def test_entropy_decides_as_deebert_but_for_its_last_off_ramp(
    inputs: dict[str, Any], deebert: dict[str, Any], classes: int
) -> None:
    """Twelve thresholds. The official encoder also asks the off-ramp of layer 12, which its second stage never trains.

    Everybody leaves at the same layer. Where the official answer is a trained off-ramp's or the classifier's, ours is
    the same. Another source answers only those that reach layer 12 while the off-ramp there is below the threshold: 7
    decisions of 576 for K = 2 and 12 for K = 3. There the official code answers with the untrained off-ramp, ours with
    the classifier, the last exit of a record of the eleven trained off-ramps and the classifier: 4 and 9 other classes.
    """
    given, runs = inputs[str(classes)], deebert["exits"]["by_classes"][str(classes)]
    ramps, final = np.array(given["logits"]), np.array(given["final_logits"])
    record = record_of(np.concatenate((ramps[:-1], final[None])), given["labels"])
    untrained = softmax.entropy(record_of(ramps, given["labels"]), False)[-1]
    bugs = others = 0
    for run in runs:
        policy = {"name": "entropy", "threshold": run["threshold"]}
        assert exits_taken(record, policy).tolist() == run["exit_layer"]
        ours = answers_of(record, policy)
        assert streamed(record, policy) == (run["exit_layer"], ours)
        at_the_end = np.array(run["exit_layer"]) == 12
        bug = at_the_end & (np.array(run["off_ramp"]) == 1)
        assert bug.tolist() == (at_the_end & (untrained < np.float32(run["threshold"]))).tolist()
        assert np.array(ours)[~bug].tolist() == np.array(run["prediction"])[~bug].tolist()
        assert np.array(ours)[bug].tolist() == final.argmax(axis=1)[bug].tolist()
        assert np.array(run["prediction"])[bug].tolist() == ramps[-1].argmax(axis=1)[bug].tolist()
        bugs += int(bug.sum())
        others += int((np.array(ours) != run["prediction"]).sum())
    assert len(runs) == 12
    assert (bugs, others) == {2: (7, 4), 3: (12, 9)}[classes]
