"""Replay and stream, decision by decision, against what the official code did with the same logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import streamed

from greenexp.exits.policies.softmax import entropy
from greenexp.replay import ExitRecord, exits_taken, softmax
from greenexp.replay.naming import resolve

Shared = Callable[[str], Path]
OFFICIAL = ["hf_deebert", "castorini_deebert_563eac1", "castorini_berxit"]


@pytest.fixture(scope="module")
def pabee(shared: Shared) -> dict[str, Any]:
    return dict(json.loads(shared("reference/earlyexit/pabee_patience.json").read_text()))


@pytest.fixture(scope="module")
def deebert(shared: Shared) -> dict[str, Any]:
    return dict(json.loads(shared("reference/earlyexit/deebert_entropy.json").read_text()))


def record_of(logits: Any, labels: Any) -> ExitRecord:
    return ExitRecord(np.array(logits), np.array(labels), np.ones(len(labels)))


def answers_of(record: ExitRecord, policy: Any) -> list[float]:
    family = resolve(policy)[1]
    return family.answers(record)[family.taken(record), np.arange(len(record.labels))].tolist()


@pytest.mark.parametrize("case", [0, 1])
def test_patience_of_classes_is_pabees(pabee: dict[str, Any], case: int) -> None:
    """K = 2 and 3, patience 0 (all layers) to 13 (more than 12 exits can have)."""
    given = pabee["cases"][case]
    record = record_of(given["logits"], given["labels"])
    assert (record.logits.shape, len(given["by_patience"])) == ((12, 48, case + 2), 14)
    for patience, official in given["by_patience"].items():
        policy = f"patience:{patience}"
        assert exits_taken(record, policy).tolist() == official["exit_layer"]
        assert answers_of(record, policy) == official["prediction"]
        assert streamed(record, policy) == (official["exit_layer"], official["prediction"])


@pytest.mark.parametrize("case", [2, 3, 4, 5])
def test_patience_of_numbers_is_pabees(pabee: dict[str, Any], case: int) -> None:
    given = pabee["cases"][case]
    assert given["kind"] == "regression"
    outputs = np.array(given["outputs"], dtype=np.float32).reshape(12, -1, 1)
    record = record_of(outputs, np.zeros(outputs.shape[1]))
    for patience, official in given["by_patience"].items():
        policy = {"name": "patience", "patience": int(patience), "tolerance": given["threshold"]}
        assert exits_taken(record, policy).tolist() == official["exit_layer"]
        assert answers_of(record, policy) == official["prediction"]
        assert streamed(record, policy) == (official["exit_layer"], official["prediction"])


def test_entropy_is_that_of_three_official_functions_where_theirs_is_finite(deebert: dict[str, Any]) -> None:
    for given in deebert["entropy"]:
        logits = torch.tensor(given["logits"])
        ours = entropy(logits).numpy()
        assert np.array_equal(ours, softmax.entropy(record_of([given["logits"]], [0] * len(logits)), False)[0])
        for name in OFFICIAL:
            np.testing.assert_allclose(ours, given["nats"][name], rtol=2e-5, atol=2e-6)


def test_entropy_is_finite_and_right_where_the_official_ones_are_not(deebert: dict[str, Any]) -> None:
    """Logits of 89, 100, -200 and 1000: each official function gives a NaN at least once, and nobody leaves on a NaN.

    The fixture's own value for (100, 0) lacks the term of the larger class, ln(1 + e^-100) = e^-100, which its
    log-softmax rounds to 0: 100 e^-100 in place of 101 e^-100.
    """
    edges = deebert["entropy_edge_cases"]
    record = record_of([edges["logits"]] * 2, [0] * 5)
    ours = softmax.entropy(record, False)[0]
    assert np.array_equal(ours, entropy(torch.tensor(edges["logits"])).numpy())
    correct = np.array(edges["correct_nats"])
    assert correct[1] == pytest.approx(100 * np.exp(-100))
    correct[1] = 101 * np.exp(-100)
    np.testing.assert_allclose(ours, correct.astype(np.float32), rtol=1e-6)
    for name in OFFICIAL:
        official = np.array([float(text) for text in edges["official"][name]])
        assert np.isnan(official).any()
        finite = np.isfinite(official)
        np.testing.assert_allclose(ours[finite], official[finite], rtol=0.02)
    assert exits_taken(record, "entropy:0.6").tolist() == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("classes", [2, 3])
def test_entropy_decides_as_deebert_but_for_its_last_off_ramp(deebert: dict[str, Any], classes: int) -> None:
    """Twelve thresholds. The official encoder also asks the off-ramp of layer 12, which its second stage never trains.

    Everybody leaves at the same layer. Where the official answer is a trained off-ramp's or the classifier's, ours is
    the same. Another source answers only those that reach layer 12 while the off-ramp there is below the threshold: 7
    decisions of 576 for K = 2 and 12 for K = 3. There the official code answers with the untrained off-ramp, ours with
    the classifier, the last exit of a record of the eleven trained off-ramps and the classifier: 4 and 9 other classes.
    """
    given = deebert["inputs"][str(classes)]
    ramps, final = np.array(given["highway_logits"]), np.array(given["final_logits"])
    record = record_of(np.concatenate((ramps[:-1], final[None])), given["labels"])
    untrained = softmax.entropy(record_of(ramps, given["labels"]), False)[-1]
    runs = [run for run in deebert["exits"] if run["num_labels"] == classes]
    bugs = others = 0
    for run in runs:
        policy = {"name": "entropy", "threshold": run["threshold"]}
        assert exits_taken(record, policy).tolist() == run["exit_layer"]
        ours = answers_of(record, policy)
        assert streamed(record, policy) == (run["exit_layer"], ours)
        at_the_end = np.array(run["exit_layer"]) == 12
        bug = at_the_end & (np.array(run["logits_from"]) == "highway")
        assert bug.tolist() == (at_the_end & (untrained < np.float32(run["threshold"]))).tolist()
        assert np.array(ours)[~bug].tolist() == np.array(run["prediction"])[~bug].tolist()
        assert np.array(ours)[bug].tolist() == final.argmax(axis=1)[bug].tolist()
        assert np.array(run["prediction"])[bug].tolist() == ramps[-1].argmax(axis=1)[bug].tolist()
        bugs += int(bug.sum())
        others += int((np.array(ours) != run["prediction"]).sum())
    assert len(runs) == 12
    assert (bugs, others) == {2: (7, 4), 3: (12, 9)}[classes]
