"""Events for the journal's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from made_settings import made_settings

from greenexp.journal.events import FORMAT
from greenexp.journal.file import Journal
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.trial import TrialSeeds, TrialSpec

SPEC: dict[str, Any] = {
    "name": "s",
    "task": {"name": "clauses"},
    "metric": {"name": "accuracy"},
    "budget": {"epochs": 10.0, "wall_s": 60.0},
}


def clock_of(*times: float) -> Callable[[], float]:
    """A clock that shows the given times, then goes on by a second."""
    shown = list(times)
    last = [times[-1] if times else 0.0]

    def clock() -> float:
        last[0] = shown.pop(0) if shown else last[0] + 1.0
        return last[0]

    return clock


def trial_spec(name: str = "c000-i0-o0", index: int = 0, epochs: int = 9, **searched: Any) -> TrialSpec:
    settings = made_settings(training={"epochs": epochs})
    found = {f"training.{key}": value for key, value in searched.items()}
    return TrialSpec(name, name.partition("-")[0], index, settings, found, TrialSeeds(1, 2))


def epoch_record(epoch: int, score: float = 0.5, wall_s: float = 1.0, **changes: Any) -> EpochRecord:
    exits = (
        ExitScore(1, 2, {"loss": 0.5, "accuracy": score}, 1e6),
        ExitScore(2, 4, {"loss": 0.4, "accuracy": None}, 2e6),
    )
    fields: dict[str, Any] = {
        "epoch": epoch, "step": 10 * epoch, "examples": 320, "train_loss": 0.7, "learning_rate": 1e-4, "score": score,
        "best_score": score, "exits": exits, "costs": Costs(wall_s, 0.5, None, 1e9, 1e8, 3.0, 0.001, None, 1e8),
        "encoder_layers": 4, "parameters": 4_000_000,
    }  # fmt: skip
    return EpochRecord(**{**fields, **changes})


def begin(journal: Journal, *specs: TrialSpec, spec: dict[str, Any] | None = None) -> None:
    body = SPEC if spec is None else spec
    journal.append("sweep", format=FORMAT, name=body["name"], fingerprint="f", spec=body)
    journal.append("session", number=1)
    for trial in specs:
        journal.append("trial", spec=trial.to_json())


def report(journal: Journal, trial: str, record: EpochRecord, attempt: int = 1) -> None:
    journal.append("report", trial=trial, attempt=attempt, record=record.to_json())


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | NUMBERS
    | st.text(st.characters(exclude_categories=["Cs"]))
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
JSON_VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=6
)

COSTS = st.builds(Costs, NUMBERS, *[st.none() | NUMBERS] * 8)
EXITS = st.builds(
    ExitScore, st.integers(1, 24), st.integers(1, 24), st.dictionaries(NAMES, st.none() | NUMBERS, max_size=3), NUMBERS
)
RECORDS = st.builds(
    EpochRecord, st.integers(1, 99), st.integers(0), st.integers(0), NUMBERS, NUMBERS, NUMBERS, NUMBERS,
    st.lists(EXITS, max_size=3).map(tuple), COSTS, st.dictionaries(NAMES, NAMES, max_size=2),
    st.none() | NAMES, st.booleans(),
)  # fmt: skip
SEEDS = st.builds(TrialSeeds, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
PLUGINS = st.dictionaries(NAMES, JSON_VALUES, max_size=3).map(lambda fields: {**fields, "name": "x"})
SETTINGS = st.builds(
    made_settings,
    task=PLUGINS,
    method=PLUGINS,
    exits=st.sampled_from([{"layers": [1, 3]}, {"layers": "all"}]),
    training=st.builds(
        lambda epochs, rate: {"epochs": epochs, "learning_rate": rate}, st.integers(1, 10_000), st.floats(1e-9, 1e9)
    ),
)
TRIALS = st.builds(
    TrialSpec, NAMES, NAMES, st.integers(0), SETTINGS,
    st.dictionaries(NAMES, SCALARS, max_size=3), SEEDS,
)  # fmt: skip
