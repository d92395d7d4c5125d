"""Which trials several processes can train together with the numbers of one."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from greenexp.methods.base import MethodRun
from greenexp.records.sections import Training


def why_not_parallel(
    run: MethodRun, model: nn.Module, training: Training, processes: int
) -> tuple[tuple[str, str], ...]:
    """(section, why) for each section for which `processes` cannot share the steps of a trial.

    They can where a step is a sum over examples that ends in one update: then each makes its part of the sum. The model
    may be on the meta device.
    """
    return (*_of_method(run), *_of_model(model), *_of_training(training, processes))


def _of_method(run: MethodRun) -> Iterator[tuple[str, str]]:
    name = type(run).__name__
    if not run.divides:
        yield "method", f"{name} says that its step is not the same over pieces of its batch"
    elif not _adds_up(type(run)):
        yield "method", f"a step of {name} is more than a sum over its batch's examples (step)"
    elif type(run).prepare is not MethodRun.prepare:
        yield "method", f"{name} goes over the whole training set before an epoch, which every process would do"


def _adds_up(kind: type[MethodRun]) -> bool:
    """Whether the class that the step is of says so of it; a class below that has a step of its own must say it anew.

    `descend` must be the inherited one: what it makes of a micro-batch's weight is a part of the sum.
    """
    of_step = next(one for one in kind.__mro__ if "step" in vars(one))
    return kind.descend is MethodRun.descend and (of_step is MethodRun or bool(vars(of_step).get("adds_up", False)))


def _of_model(model: nn.Module) -> Iterator[tuple[str, str]]:
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        yield "backbone", "its batch normalisation takes means over the whole batch"


def _of_training(training: Training, processes: int) -> Iterator[tuple[str, str]]:
    if training.compile:
        yield "training", "the layers are compiled (compile), and draw masks of their own for a part of a batch"
    size = training.micro_batch_size or training.batch_size
    if size < processes:
        yield "training", f"{size} examples that are computed at once cannot be divided among {processes} processes"
