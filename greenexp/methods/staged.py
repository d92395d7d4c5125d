"""Two-stage training: first the backbone under the last exit, then the exits below it on the frozen backbone."""

from __future__ import annotations

from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import MethodRun, Stage, TrialShape
from greenexp.model import MultiExitModel
from greenexp.objectives import exit_losses
from greenexp.records.costs import Part


class StagedRun(MethodRun):
    """Stage 1: CE of the last exit; everything but the other exits trains. Stage 2: sum of the others' CE; they train.

    method: its name, for messages; first_epochs: epochs of stage 1; None: half of all, rounded up
    frozen_dropout: whether dropout of what is frozen stays on in stage 2
    later_rate: factor on the learning rate in stage 2

    Raises InputError if a stage would have no epoch, or nothing to train.
    """

    def __init__(
        self,
        method: str,
        shape: TrialShape,
        first_epochs: int | None,
        *,
        frozen_dropout: bool,
        later_rate: float = 1.0,
    ) -> None:
        super().__init__(shape)
        if len(shape.exits) < 2:
            raise InputError(f"{method}: its second stage trains the exits below the last one, and there are none")
        first = -(-shape.epochs // 2) if first_epochs is None else first_epochs
        if first >= shape.epochs:
            raise InputError(
                f"{method}: stage 1 takes {first} of {shape.epochs} epoch(s): at least one must be left for stage 2"
            )
        self._frozen_dropout = frozen_dropout
        self._first = Stage(1, 1, first, exits=shape.exits[-1:])
        self._second = Stage(2, first + 1, shape.epochs, shape.exits[:-1], frozenset({Part.HEADS}), later_rate)

    def stage(self, epoch: int) -> Stage:
        """See `MethodRun.stage`."""
        return self._first if epoch <= self._first.last_epoch else self._second

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the stages differ in exits
        """See `MethodRun.loss`."""
        return exit_losses(logits, labels).sum()

    def quieten(self, model: MultiExitModel, epoch: int) -> None:
        """See `MethodRun.quieten`."""
        if self.stage(epoch).number == 2 and not self._frozen_dropout:
            model.backbone.eval()
            model.head(self.shape.exits[-1]).eval()
