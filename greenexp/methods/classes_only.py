"""Methods whose loss compares the exits' predicted distributions exist for classification alone."""

from __future__ import annotations

from greenexp.errors import InputError
from greenexp.methods.base import TrialShape


def refuse_regression(method: str, shape: TrialShape) -> None:
    """Raises InputError if the task has no classes."""
    if shape.num_labels == 1:
        raise InputError(
            f"{method}: it compares the exits' predicted class probabilities, and a regression task has none; "
            "use pabee, branchynet, berxit or finetune"
        )
