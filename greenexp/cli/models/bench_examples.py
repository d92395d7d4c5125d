"""What a trained model is timed on: the test texts of the sweep that trained it, or its dev texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from greenexp.sources.checkpoints import FoundModel, recorded_settings

if TYPE_CHECKING:
    from greenexp.inference import Tokens
    from greenexp.tasks.tokens import TokenisedSplit


@dataclass(frozen=True, eq=False)
class BenchExamples:
    """split: `test` or `dev`; total: how many examples it has
    tokens, texts: those that are timed; a text is a pair of texts in a task on pairs
    every_length: one example of each length of dev and test, for the table of latencies
    """  # noqa: D205, D400, D415 - a list of fields

    split: str
    total: int
    tokens: list[Tokens]
    texts: list[Any]
    every_length: list[Tokens]


def bench_examples(found: FoundModel, count: int) -> BenchExamples:
    """`count` examples, evenly over the split in its order, as the recorded settings make them.

    Raises InputError if the model does not lie in a sweep's folder, or its task cannot be read any more.
    """
    from greenexp.plan.data import prepare_data

    settings = recorded_settings(found)
    data = prepare_data(settings)
    name, split = ("dev", data.dev) if data.test is None else ("test", data.test)
    places = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(int)).tolist()
    texts = settings.task.plugin().load().splits[name]
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
    from greenexp.inference import Tokens

    part = slice(split.offsets[place], split.offsets[place + 1])
    return Tokens(split.ids[part].tolist(), None if split.type_ids is None else split.type_ids[part].tolist())
