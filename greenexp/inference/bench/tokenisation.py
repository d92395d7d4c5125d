"""What comes before the engine: seconds from text to token ids, one text at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from greenexp.errors import InputError
from greenexp.inference.bench.protocol import Stopwatch

_WARM_UPS = 20


@dataclass(frozen=True, slots=True)
class Tokenisation:
    """Seconds per text, over all texts and repeats: quantiles and mean."""

    p50_s: float
    p90_s: float
    p99_s: float
    mean_s: float


def time_tokenisation(
    encode: Callable[[Sequence[Any]], object], texts: Sequence[Any], repeats: int, stopwatch: Stopwatch
) -> Tokenisation:
    """encode: of a list of texts, as `EarlyExitEngine.encode`. Raises InputError if there is no text."""
    if not texts:
        raise InputError("there are no texts to tokenise")
    for warm_up in range(_WARM_UPS):
        encode([texts[warm_up % len(texts)]])
    seconds = [stopwatch.seconds(partial(encode, [text])) for _ in range(repeats) for text in texts]
    p50, p90, p99 = np.quantile(seconds, (0.5, 0.9, 0.99))
    return Tokenisation(float(p50), float(p90), float(p99), float(np.mean(seconds)))
