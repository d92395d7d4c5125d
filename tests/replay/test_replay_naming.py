"""Every way of giving a policy means the same policy, its label leads back to it, and what is wrong is said alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import random_record
from told import tells

from greenexp.errors import InputError, UnknownNameError
from greenexp.exits.policies.choose import stream_policy
from greenexp.exits.policies.entropy import Entropy
from greenexp.replay import FAMILIES, ExitRecord, exits_taken
from greenexp.replay.family import Staircase
from greenexp.replay.naming import resolve, text_of, threshold_of

SAME = [
    "entropy:0.2,normalised=true",
    "entropy:normalised=true,threshold=0.2",
    " entropy : normalised = True , 0.2 ",
    {"name": "entropy", "threshold": 0.2, "normalised": True},
    {"name": "entropy:normalised=true", "threshold": np.float64(0.2)},
    Entropy(threshold=0.2, normalised=True),
    FAMILIES["entropy"](threshold=0.2, normalised=True),  # type: ignore[call-arg]  # fields are the family's own
]


@pytest.mark.parametrize("policy", SAME)
def test_one_policy_in_every_way(policy: Any) -> None:
    label, family = resolve(policy)
    assert (label, threshold_of(family)) == ("entropy:normalised=true", 0.2)
    assert family == SAME[-1]
    assert stream_policy(policy) == SAME[-2]
    assert text_of(label, 0.2) == "entropy:0.2,normalised=true"


@pytest.mark.parametrize(
    ("text", "label", "threshold"),
    [
        ("entropy", "entropy", 0.3),
        ("entropy:comparator=<=,normalised=true", "entropy:normalised=true,comparator=<=", 0.3),
        ("max_probability:2", "max_probability", 2.0),
        (
            "max_probability:unsure=most_confident,comparator=>",
            "max_probability:comparator=>,unsure=most_confident",
            0.9,
        ),
        ("patience:4", "patience", 4.0),
        ("patience:4,tolerance=0.5", "patience:tolerance=0.5", 4.0),
        ("voting:1.5,exponent=0.25", "voting:exponent=0.25", 1.5),
        ("static:3", "static", 3.0),
        ("static:none", "static", None),
        ("oracle:never_right=first", "oracle:never_right=first", None),
        ("entropy:3=0.2,6=0.4,normalised=true", "entropy:3=0.2,6=0.4,normalised=true", None),
    ],
)
def test_label_and_threshold_are_the_policy_again(text: str, label: str, threshold: float | None) -> None:
    shown, family = resolve(text)
    value = threshold_of(family)
    assert (shown, None if np.isnan(value) else value) == (label, threshold)
    assert resolve(text_of(shown, value)) == (shown, family)
    if text != "static:none":
        assert resolve({"name": shown, "threshold": value}) == (shown, family)


@given(st.sampled_from(["entropy:normalised=true", "voting:exponent=0.1", "learned"]), st.floats(0, 1e30))
def test_no_digit_of_a_threshold_is_lost(label: str, threshold: float) -> None:
    assert threshold_of(resolve(text_of(label, threshold))[1]) == threshold


def test_the_label_of_a_sweep_leaves_out_what_is_swept() -> None:
    classes, numbers = random_record(), ExitRecord(np.zeros((3, 2, 1)), [0.0, 1.0], [1, 1])
    assert resolve("max_probability:3=0.9", classes)[0] == "max_probability"
    assert resolve("patience:patience=3", classes)[0] == "patience"
    assert resolve("patience", numbers)[0] == "patience:patience=3"
    assert resolve("patience:tolerance=1", numbers)[0] == "patience:tolerance=1"
    assert resolve({"name": "patience:patience=3", "threshold": 0.2})[1] == resolve("patience:3,tolerance=0.2")[1]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("entropi:0.3", "'entropi' … 'entropy'"),
        ("entropy:treshold=1", "'treshold' … 'threshold'"),
        ("entropy:low", "'entropy': threshold … received 'low'"),
        ("entropy:nan", "threshold … received nan"),
        ("entropy:true", "threshold … received True"),
        ("max_probability:3=-1", "received {3: -1}"),
        ({"name": "entropy", "threshold": {}}, "received {}"),
        ({"name": "entropy", "threshold": {0: 0.3}}, "received {0: 0.3}"),
        ("entropy:comparator===", "comparator … received '=='"),
        ("entropy:normalised=1", "normalised … received 1"),
        ("patience:-1", "patience … received -1"),
        ("patience:2.5", "patience … received 2.5"),
        ("patience:3,tolerance=-1", "tolerance … received -1"),
        ("voting:exponent=1.5", "exponent … received 1.5"),
        ("patience:9" + 400 * "9", "patience … 2147483647, received 99"),
        ("voting:9" + 400 * "9", "threshold … received 99"),
        ("static:0", "exit … received 0"),
        ("oracle:0.3", "'oracle' … threshold, received 0.3"),
        ("entropy:0.3,0.4", "threshold … twice"),
        ("entropy:3=0.3,3=0.4", "threshold … twice"),
        ("entropy:3=0.3,0.4", "threshold … twice"),
        ("entropy:", "no empty part"),
        ("entropy:normalised=", "no empty part"),
        ({"name": "entropy:0.3", "threshold": 0.4}, "threshold … twice"),
        ({"name": "static", "exit": 1, "threshold": 2}, "exit … twice"),
        ({"threshold": 0.3}, "name"),
        (7, "7 is"),
        (Entropy, "exit policy"),
    ],
)
def test_both_forms_refuse_in_the_same_words(policy: Any, said: str) -> None:
    messages = []
    for read in (resolve, stream_policy):
        with pytest.raises(InputError) as caught:
            read(policy)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert tells(messages[0], said)


def test_a_policy_of_ones_own_needs_what_the_protocol_says_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dataclass, no `parameters`, no `swept`; found by the name it is registered under, with the threshold's own."""
    monkeypatch.setitem(FAMILIES._targets, "half", f"{__name__}:Half")
    record = random_record()
    assert exits_taken(record, "half").tolist() == [1] * 300
    assert resolve({"name": "half", "threshold": 3.0})[1].place == 3.0  # type: ignore[attr-defined]  # its own field
    assert resolve(Half(2.0), record)[0] == "half"
    with pytest.raises(InputError, match=r"'half'.*'speed'"):
        resolve("half:speed=1")


def test_a_stream_without_a_replay_form_says_so() -> None:
    @dataclass(frozen=True)
    class Alone:
        threshold: float = 1.0

        def stream(self) -> Any:
            return self

    assert stream_policy(Alone()) == Alone()
    with pytest.raises(InputError, match="replay form"):
        resolve(Alone())
    with pytest.raises(UnknownNameError):
        stream_policy("alone")


class Half:
    """Everybody leaves at the first exit."""

    parameter: ClassVar[str] = "place"
    evaluates_all: ClassVar[bool] = True

    def __init__(self, place: float = 1.0) -> None:
        self.place = place

    def taken(self, record: ExitRecord) -> np.ndarray:
        return np.zeros(len(record.labels), dtype=np.int64)

    def staircase(self, record: ExitRecord) -> Staircase:
        none = np.zeros(0, dtype=np.int64)
        return Staircase(np.array([1.0]), self.taken(record), none, none, none, none)

    def answers(self, record: ExitRecord) -> np.ndarray:
        return record.answers()


def test_a_cell_without_a_threshold_is_the_last_exit_of_static() -> None:
    record = random_record()
    taken = exits_taken(record, {"name": "static", "threshold": float("nan")})
    assert set(taken.tolist()) == {int(record.numbers[-1])}


def test_what_only_looks_like_a_digit_is_no_exit() -> None:
    with pytest.raises(InputError, match="'²'"):
        exits_taken(random_record(), "entropy:²=0.3")
