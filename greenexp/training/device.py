"""Where a trial computes."""

from __future__ import annotations

import torch

from greenexp.errors import InputError


def trial_device(gpus: float) -> torch.device:
    """The CPU for a trial without a GPU, else the first GPU this process sees.

    gpus: GPUs assigned, a fraction for a shared one. Raises InputError for more than one, or if torch sees none.
    """
    if gpus <= 0:
        return torch.device("cpu")
    if gpus > 1:
        raise InputError(f"{gpus:g} GPUs are assigned: a trial trains on one GPU at most")
    if not torch.cuda.is_available():
        raise InputError("a GPU is assigned, but torch finds no usable GPU on this machine")
    return torch.device("cuda", torch.cuda.current_device())
