"""The Right Tool for the Job (Schwartz et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from greenexp.errors import InputError
from greenexp.methods.base import Method, TrialShape
from greenexp.methods.joint import JointRun

_TWELFTHS = (1, 4, 6, 12)
_OFFICIAL = {12: _TWELFTHS, 24: (1, 5, 13, 24)}


@dataclass(frozen=True)
class RightTool(Method):
    """Joint training of a few exits, each over a learned mix of all layers up to its own.

    Formula: L = sum_i CE_i over the chosen exits, CE_i the mean cross-entropy of exit i (MSE for regression). The mix
    is the head's part: see the exit head `scalar_mix`.
    Source: Schwartz et al., ACL 2020; repository allenai/sledgehammer@03982da9.
    Official hyperparameters: exits after layers 1, 4, 6, 12 of 12 or 1, 5, 13, 24 of 24; learning rate 2e-5, 3e-5 or
    5e-5, batch 72, 2 epochs, dropout 0.1; Adam at a constant learning rate, no warm-up, no weight decay; exits by
    calibrated confidence, one temperature per exit.
    Departures: trained as the section `training` says, by default AdamW with warm-up and a linear fall.
    The official mix
    weights never train, ours do. Its options to train one random exit per step and to feed an exit the logits of
    earlier ones, both off in its own scripts, are left out.
    Passes: one forward and one backward through the chosen exits; the others are never computed, trained or evaluated.

    layers: of the chosen exits, from 1; each must be in `exits.layers`. None: the official ones; of a backbone of
        another depth those nearest to 1/12, 4/12, 6/12 and all of it
    """

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "scalar_mix"}}

    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.layers is None:
            return
        numbers = tuple(self.layers)
        if not numbers or list(numbers) != sorted(set(numbers)) or numbers[0] < 1:
            raise InputError(f"righttool: layers: expected rising numbers from 1, got {list(self.layers)}")
        object.__setattr__(self, "layers", numbers)

    def begin(self, shape: TrialShape) -> JointRun:
        """See `Method.begin`."""
        chosen = usual_layers(shape.num_layers) if self.layers is None else self.layers
        missing = [layer for layer in chosen if layer not in shape.exit_layers]
        if missing:
            raise InputError(
                f"righttool: layers: {list(chosen)}, but the model has no exit after {', '.join(map(str, missing))}: "
                f"exits.layers has {list(shape.exit_layers)}"
            )
        return JointRun(shape, [1.0 if layer in chosen else 0.0 for layer in shape.exit_layers])


def usual_layers(num_layers: int) -> tuple[int, ...]:
    """The exits' layers of the publication, or for another depth the like: distinct, rising, the last one included."""
    if num_layers in _OFFICIAL:
        return _OFFICIAL[num_layers]
    return tuple(sorted({max(1, (2 * num_layers * part + 12) // 24) for part in _TWELFTHS}))
