"""Objectives: loss terms over the logits of all exits at once, and the weights that a loss gives them.

In here: pure functions of logits and labels, [exit, example, class] in, and `LossWeights`, which may learn.
Not in here: models, who trains when (methods/). To add one: a function in a file named after the kind of loss, exported
here.
"""

from greenexp.objectives.distillation import distillation_matrix, teacher_mask
from greenexp.objectives.divergence import divergences
from greenexp.objectives.diversity import diversity
from greenexp.objectives.learning_to_exit import learning_to_exit_loss, wrongness
from greenexp.objectives.loss_weights import LossWeights
from greenexp.objectives.schemes import Look, Scheme
from greenexp.objectives.supervised import exit_losses
from greenexp.objectives.terms import MutualTerms

__all__ = [
    "Look",
    "LossWeights",
    "MutualTerms",
    "Scheme",
    "distillation_matrix",
    "divergences",
    "diversity",
    "exit_losses",
    "learning_to_exit_loss",
    "teacher_mask",
    "wrongness",
]
