"""One stage's optimiser: checked, clipped, scheduled steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from greenexp.errors import CheckpointError, DivergedError
from greenexp.records.sections import Training
from greenexp.training.schedule import make_optimiser, scheduled_rate, set_learning_rate

_GPU_CHECK_EVERY = 16
"""Steps between two looks at a GPU's losses: each look waits for the GPU."""


class Optimisation:
    """The optimiser and its schedule over the `steps` of a stage, for the parameters that train in it.

    named: the training parameters by name; first_step: optimiser steps made before this stage; peak: learning rate
    optimiser: AdamW over them
    """

    def __init__(
        self, named: Mapping[str, nn.Parameter], training: Training, *, peak: float, steps: int, first_step: int
    ) -> None:
        self.step = first_step
        self.learning_rate = 0.0
        self._first_step, self._steps, self._peak = first_step, steps, peak
        self.named = dict(named)
        self._training = training
        self.optimiser = make_optimiser(self.named.values(), training)
        self._unseen: list[tuple[int, Tensor, Tensor]] = []
        on_gpu = any(parameter.is_cuda for parameter in self.named.values())
        self._check_every = _GPU_CHECK_EVERY if on_gpu else 1

    def update(self, loss: Tensor) -> None:
        """Clip and step, with the gradients in place; they are None afterwards.

        Raises DivergedError when the loss or the gradients' norm is not finite, with the first such step: on a CPU
        before the weights are touched, on a GPU some steps later.
        """
        self.make_ready(loss)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def make_ready(self, loss: Tensor) -> None:
        """All of `update` but the step itself: count it, clip, check, and set the learning rate."""
        self.step += 1
        norm = self._clip()
        self._unseen.append((self.step, loss.detach(), norm))
        if len(self._unseen) >= self._check_every:
            self.check()
        within = min(self.step - self._first_step, self._steps)
        self.learning_rate = scheduled_rate(within, self._steps, self._training, self._peak)
        set_learning_rate(self.optimiser, self.learning_rate)

    def check(self) -> None:
        """Look at the losses and norms not yet looked at."""
        seen, self._unseen = self._unseen, []
        if not seen:
            return
        values = torch.stack([torch.stack((loss.float(), norm.float())) for _, loss, norm in seen]).tolist()
        for (step, _, _), (loss, norm) in zip(seen, values, strict=True):
            if not math.isfinite(loss):
                raise DivergedError("the training loss", loss, step)
            if not math.isfinite(norm):
                raise DivergedError("the norm of the gradients", norm, step)

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state, `<parameter>.<quantity>` -> tensor."""
        return {
            f"{name}.{quantity}": value
            for name, parameter in self.named.items()
            for quantity, value in self.optimiser.state.get(parameter, {}).items()
            if isinstance(value, Tensor)  # without momentum SGD keeps None
        }

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Go on from `tensors()` after optimiser step `step`. Raises CheckpointError if they do not fit."""
        known = {f"{name}.{quantity}": (name, quantity) for name in self.named for quantity in _quantities(tensors)}
        strangers = sorted(set(tensors) - set(known))
        if strangers:
            raise CheckpointError(f"the checkpoint's optimiser holds unknown parameters: {', '.join(strangers[:3])}")
        for key, value in tensors.items():
            name, quantity = known[key]
            parameter = self.named[name]
            is_counter = quantity == "step"
            if not is_counter and value.shape != parameter.shape:
                raise CheckpointError(f"the checkpoint's optimiser has {name} as {tuple(value.shape)}")
            # A copy of its own: tensors read from a file need not be aligned, and alignment can move last digits.
            self.optimiser.state[parameter][quantity] = value.clone().to(parameter.device)
        self.step = step

    def _clip(self) -> Tensor:
        gradients = [p.grad for p in self.named.values() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._training.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._with_gradient(), self._training.clip_norm, norm)
        return norm

    def _with_gradient(self) -> Sequence[nn.Parameter]:
        return [p for p in self.named.values() if p.grad is not None]


def _quantities(tensors: Mapping[str, Tensor]) -> set[str]:
    return {key.rpartition(".")[2] for key in tensors}
