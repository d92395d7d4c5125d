"""Steps of pre-training with `training.compile` against those without: `python benchmarks/compiled.py`.

Four layers of width 128 over 8,000 words, batches of 64 examples of 60 to 128 tokens, one thread. Both models see the
same batches by turns. Printed are the seconds until all is compiled, medians of seconds per step, the quotients of the
pairs, and the largest relative difference of a loss, which is rounding where there is no dropout.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.model import MultiExitModel, build_model
from greenexp.objectives.masked import masked_token_loss
from greenexp.records.settings import ModelSettings
from greenexp.training.compiled import CompiledLayers
from greenexp.training.isolation import isolated
from greenexp.training.precision import autocast

WORDS, EXAMPLES, PAIRS = 8_000, 64, 7
DEVICE = torch.device("cpu")


def say(text: str) -> None:
    """Print it at once: the rest takes minutes."""
    print(text, flush=True)


def made(dropout: float | None = None) -> MultiExitModel:
    """The model, in training; dropout: where other than its own."""
    settings = ModelSettings.from_json({
        "backbone": {"name": "elasticbert", "layers": 4, "hidden": 128, "heads": 2, "max_positions": 128},
        "exits": {"layers": "all", "head": {"name": "pretraining"}},
    })  # fmt: skip
    model = build_model(settings, 2, WORDS, 0, seed=0, device="cpu")
    for module in model.modules():
        if dropout is not None and isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return model.train()


def batch(rng: np.random.Generator) -> tuple[TokenBatch, torch.Tensor]:
    """Random tokens, some of them masked."""
    length = int(rng.integers(60, 129))
    ids = torch.from_numpy(rng.integers(5, WORDS, (EXAMPLES, length)))
    mask = torch.ones_like(ids)
    mask[1:, -3:] = 0
    places = torch.from_numpy(rng.integers(0, length - 3, (EXAMPLES, round(0.15 * length))))
    return TokenBatch(ids, mask, torch.zeros_like(ids), places), ids.gather(1, places)


def step(model: MultiExitModel, inputs: TokenBatch, targets: torch.Tensor) -> tuple[float, float]:
    """Seconds of a forward and a backward pass from two exits, and the loss."""
    begun = time.perf_counter()
    with autocast("fp32", DEVICE):  # as in training: compiled code is for one number format
        said = model.outputs(inputs, (2, 4), equilibrium=True)
    loss = torch.stack([masked_token_loss(one, targets) for one in said.tokens or ()]).sum() / targets.numel()
    loss.backward()
    value = loss.item()
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - begun, value


def compared(dropout: float | None) -> None:
    """Print one comparison."""
    eager, other = made(dropout), made(dropout)
    layers = CompiledLayers(other, DEVICE, "fp32", (EXAMPLES, 128))
    begun = time.perf_counter()
    layers.begin_stage()
    print(
        f"dropout {'as it is' if dropout is None else dropout}: compiled in {time.perf_counter() - begun:.1f} s",
        flush=True,
    )
    rng, found, apart = np.random.default_rng(0), [], 0.0
    for number in range(PAIRS):
        inputs, targets = batch(rng)
        pair = {}
        for which in ("eager", "compiled") if number % 2 else ("compiled", "eager"):
            if which == "eager":
                pair[which] = step(eager, inputs, targets)
            else:
                with layers.computing():
                    pair[which] = step(other, inputs, targets)
        apart = max(apart, abs(pair["compiled"][1] / pair["eager"][1] - 1))
        found.append((pair["eager"][0], pair["compiled"][0]))
    found = found[1:]  # the first one allocates
    quotients = sorted(compiled / usual for usual, compiled in found)
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    say(f"  seconds per step, median: eager {medians[0]:.3f}, compiled {medians[1]:.3f}")
    print(
        f"  compiled / eager, median of pairs: {statistics.median(quotients):.3f} {[round(q, 2) for q in quotients]}",
        flush=True,
    )
    say(f"  largest relative difference of a loss: {apart:.1e}")


def main() -> None:
    """Print both comparisons."""
    with isolated(0, 1, DEVICE):
        compared(0.0)
        compared(None)


if __name__ == "__main__":
    main()
