"""Joules per example of a model's operating points, measured on a machine that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from greenexp.inference.answers import Tokens
from greenexp.inference.bench.contest import requests_of
from greenexp.inference.bench.contestants import EngineSettings, answering
from greenexp.inference.bench.energy import Energy, Meter, measure_energy
from greenexp.inference.bench.protocol import Contestant, Stopwatch, fixed_threads
from greenexp.model import load_model, load_serving


def energy_of_points(
    folder: Path,
    policies: Mapping[str, Any],
    tokens: Sequence[Tokens],
    meter: Meter,
    *,
    device: str = "cpu",
    threads: int | None = None,
    batch_size: int = 1,
    window_s: float = 5.0,
) -> Energy:
    """The energy per example of answering with each policy; see `measure_energy`.

    folder: of the model; policies: name -> exit policy; tokens: the examples, answered round after round
    device: `cpu` or `cuda`; window_s: seconds of each policy, and of idling before and after all of them
    """
    with fixed_threads(threads):
        model = load_model(folder, device=device)
        settings = EngineSettings(serving=load_serving(folder))
        engines = {name: settings.engine(model, policy) for name, policy in policies.items()}
        contestants = [Contestant(name, answering(engine)) for name, engine in engines.items()]
        stopwatch = Stopwatch.of(next(model.parameters()).device)
        requests = requests_of(list(tokens), batch_size)
        for contestant in contestants:  # what is done for the first time is not measured
            contestant.answer(requests[0])
        return measure_energy(contestants, requests, meter, stopwatch, time.sleep, window_s)
