"""Objectives: loss terms over the logits of all exits at once.

In here: pure functions of logits and labels, [exit, example, class] in. Not in here: models, weights of the terms,
who trains when (methods/). To add one: a function in a file named after the kind of loss, exported here.
"""

from greenexp.objectives.supervised import exit_losses

__all__ = ["exit_losses"]
