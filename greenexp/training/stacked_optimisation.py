"""The optimiser steps of several seeds at once: one optimiser over the stacked weights, everything else per seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from greenexp.errors import DivergedError
from greenexp.model.stacked import StackedModels
from greenexp.records.sections import Training
from greenexp.training.optimisation import Optimisation
from greenexp.training.schedule import make_optimiser, set_learning_rate


class StackedOptimisation:
    """Steps for all seeds of a stack; it works on each weight apart, so that each seed gets the step it would alone.

    own: each seed's optimiser, at the same step of the same stage; what this one knows comes from them, and goes back
        to them by `hand_back`
    """

    def __init__(self, stack: StackedModels, own: Sequence[Optimisation], training: Training) -> None:
        self.own = tuple(own)
        self._stacked = {name: stack.parameters[name] for name in self.own[0].named}
        self._optimiser = make_optimiser(self._stacked.values(), training, stacked=True)
        for name, parameter in self._stacked.items():
            states = [one.optimiser.state.get(one.named[name], {}) for one in self.own]
            if all(states):
                self._optimiser.state[parameter] = {
                    quantity: _stacked_state(states, quantity) for quantity in states[0]
                }

    def update(self, losses: Sequence[Tensor]) -> dict[int, DivergedError]:
        """Clip and step each seed, with the stacked gradients in place; they are None afterwards.

        losses: of each seed's step. Returns the seeds, by number, whose loss or gradients are not finite. Nothing of
        theirs reaches the others; their own weights are of no further use.
        """
        failed: dict[int, DivergedError] = {}
        for number, one in enumerate(self.own):
            for name, parameter in self._stacked.items():
                one.named[name].grad = None if parameter.grad is None else parameter.grad[number]
            try:
                one.make_ready(losses[number])
            except DivergedError as error:
                failed[number] = error
            one.optimiser.zero_grad(set_to_none=True)
        rates = [one.learning_rate for number, one in enumerate(self.own) if number not in failed]
        if rates:
            set_learning_rate(self._optimiser, rates[0])
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return failed

    def hand_back(self) -> None:
        """Let each seed's optimiser have its part of the state, as views."""
        for name, parameter in self._stacked.items():
            state = self._optimiser.state.get(parameter, {})
            for number, one in enumerate(self.own):
                if state:
                    one.optimiser.state[one.named[name]] = {
                        quantity: _part(value, number, parameter)
                        for quantity, value in state.items()
                        if isinstance(value, Tensor)  # without momentum SGD keeps None
                    }


def _stacked_state(states: Sequence[dict[str, Tensor]], quantity: str) -> Tensor:
    """Of a parameter; the number of steps is one number for all."""
    return states[0][quantity].clone() if quantity == "step" else torch.stack([state[quantity] for state in states])


def _part(value: Tensor, number: int, parameter: nn.Parameter) -> Tensor:
    """A seed's part. A number is copied: each seed counts on by itself, should it train alone."""
    return value[number] if value.shape == parameter.shape else value.clone()
