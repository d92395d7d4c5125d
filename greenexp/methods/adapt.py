"""What a method may know of the trial it trains."""

from __future__ import annotations

from greenexp.methods.base import TrialShape
from greenexp.model import MultiExitModel
from greenexp.records.sections import Training
from greenexp.tasks.tokens import TokenisedTask


def trial_shape(model: MultiExitModel, data: TokenisedTask, training: Training, seed: int) -> TrialShape:
    """What the method may know of a trial of `model` on `data`; seed: of the order of examples."""
    return TrialShape(
        exit_layers=model.exit_layers,
        num_layers=model.backbone.num_layers,
        num_labels=data.num_labels,
        epochs=training.epochs,
        seed=seed,
        hidden_size=model.backbone.hidden_size,
        train_tokens=int(data.train.lengths.sum()),
        steps=training.epochs * -(-len(data.train) // training.batch_size),
        reads_earlier=any(model.head(number).reads_earlier for number in model.exits),
    )
