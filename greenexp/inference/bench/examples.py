"""What a trained model is timed on: texts of its test split, or of dev where there is no test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from greenexp.errors import InputError
from greenexp.inference.answers import Tokens
from greenexp.tasks.data import TaskData
from greenexp.tasks.prepared import PreparedTask
from greenexp.tasks.tokens import TokenisedSplit, TokenisedTask


@dataclass(frozen=True, eq=False)
class BenchExamples:
    """The examples of a benchmark.

    split: `test` or `dev`; total: how many examples it has
    tokens, texts: those that are timed; a text is a pair of texts in a task on pairs
    every_length: one example of each length of dev and test, for the table of latencies
    """

    split: str
    total: int
    tokens: list[Tokens]
    texts: list[Any]
    every_length: list[Tokens]


def bench_examples(data: PreparedTask, task: TaskData, count: int) -> BenchExamples:
    """`count` examples, evenly over the split in its order.

    data, task: the same splits, as tokens and as texts
    Raises InputError for a task of images.
    """
    if not isinstance(data, TokenisedTask):
        raise InputError("the task gives images, and answers to texts alone are timed")
    name, split = ("dev", data.dev) if data.test is None else ("test", data.test)
    places = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(int)).tolist()
    texts = task.splits[name]
    pairs = texts.pairs
    return BenchExamples(
        split=name,
        total=len(split),
        tokens=[_tokens(split, place) for place in places],
        texts=[texts.texts[place] if pairs is None else (texts.texts[place], pairs[place]) for place in places],
        every_length=[one for part in (data.dev, data.test) if part is not None for one in _one_per_length(part)],
    )


def _one_per_length(split: TokenisedSplit) -> list[Tokens]:
    _, places = np.unique(split.lengths, return_index=True)
    return [_tokens(split, int(place)) for place in places]


def _tokens(split: TokenisedSplit, place: int) -> Tokens:
    part = slice(split.offsets[place], split.offsets[place + 1])
    return Tokens(split.ids[part].tolist(), None if split.type_ids is None else split.type_ids[part].tolist())
