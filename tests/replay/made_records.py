"""Records to replay: random and nasty ones, and the stream form asked as an engine asks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from greenexp.exits.policies.base import ExitOutput
from greenexp.exits.policies.choose import stream_policy
from greenexp.replay import ExitCosts, ExitRecord

NASTY = [0.0, -0.0, 1.0, 1e-38, 1e-45, 3e38, -3e38, 89.0, -104.0, np.nan, np.inf, -np.inf]


def streamed(record: ExitRecord, policy: Any, drop: str = "mask", batch: int = 3) -> tuple[list[int], list[float]]:
    """(exit numbers taken, answers), asking the stream form as an engine does; the last exit takes the rest.

    Small batches, leavers dropped by a mask or by indices: what a stream remembers must follow its rows. Or nobody is
    dropped, and the first time counts.
    """
    policy, examples = stream_policy(policy), record.logits.shape[1]
    taken, answers = np.zeros(examples, dtype=np.int64), np.full(examples, np.nan)
    for first in range(0, examples, batch):
        rows = np.arange(first, min(first + batch, examples))
        stream = policy.stream()
        for place, number in enumerate(record.numbers):
            decision = stream.decide(asked(record, place, rows))
            leaves = decision.leaves.numpy() | (place == len(record.numbers) - 1)
            here = leaves & (taken[rows] == 0)
            taken[rows[here]], answers[rows[here]] = number, decision.answers.numpy()[here]
            if drop != "nobody":
                kept = torch.from_numpy(~leaves)
                stream.keep(kept if drop == "mask" else kept.nonzero()[:, 0])
                rows = rows[~leaves]
    return taken.tolist(), answers.tolist()


def asked(record: ExitRecord, place: int, rows: np.ndarray) -> ExitOutput:
    """What a policy is shown of one exit."""
    return ExitOutput(
        int(record.numbers[place]),
        torch.from_numpy(record.logits[place, rows]),
        None if record.learned is None else torch.from_numpy(record.learned[place, rows]),
        torch.from_numpy(record.labels[rows]),
    )


def made_costs(record: ExitRecord) -> ExitCosts:
    """Prices without a pattern that could hide a mistake."""
    exits, lengths = len(record.numbers), np.unique(record.lengths)
    rng = np.random.default_rng(exits)
    static = np.cumsum(rng.integers(1, 10**11, (exits, len(lengths))), axis=0)
    return ExitCosts(2 * record.numbers, lengths, static, static + np.cumsum(static // 7, axis=0))


@st.composite
def records(draw: st.DrawFn, regression: bool = False, examples: int | None = None) -> ExitRecord:
    """Few exits with gaps between them, few examples, many ties and many logits that break formulas."""
    exits, classes = draw(st.integers(1, 5)), 1 if regression else draw(st.integers(2, 4))
    examples = draw(st.integers(1, 9)) if examples is None else examples
    values = st.one_of(st.sampled_from(NASTY), st.floats(-9, 9, width=32), st.integers(-2, 2).map(float))
    logits = draw(arrays.arrays(np.float32, (exits, examples, classes), elements=values.map(np.float32).map(float)))
    labels = draw(arrays.arrays(np.int64, examples, elements=st.integers(0, max(classes, 2) - 1)))
    lengths = draw(arrays.arrays(np.int64, examples, elements=st.integers(1, 4)))
    numbers = sorted(draw(st.sets(st.integers(1, 12), min_size=exits, max_size=exits)))
    odd = st.sampled_from([0.0, -0.0, 1e-45, 0.5, 1.0, 1.5, -0.25, np.nan, np.inf, -np.inf])
    wrong = st.one_of(odd, st.floats(0, 1, width=32)).map(np.float32).map(float)
    learned = draw(arrays.arrays(np.float32, (exits, examples), elements=wrong))
    return ExitRecord(logits, labels, lengths, np.array(numbers), learned)


def random_record(exits: int = 6, examples: int = 300, classes: int = 3, seed: int = 0) -> ExitRecord:
    """Logits that get larger and better from exit to exit."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(exits, examples, classes)) * np.linspace(0.5, 6, exits)[:, None, None]
    logits[:, np.arange(examples), labels] += 1
    return ExitRecord(logits, labels, rng.integers(1, 9, examples))
