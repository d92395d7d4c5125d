"""A trial that this process trains together with another one, without Ray."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from greenexp.errors import CheckpointError
from greenexp.meters import open_meters
from greenexp.methods.base import StepContext
from greenexp.records.trial import TrialSpec
from greenexp.training import TrialRun, processes
from greenexp.training.companion import CompanionRun
from greenexp.training.processes import TrialProcesses

PATIENCE_S = 60.0
Change = Callable[[TrialRun], None]
"""Done to the run of each process before it trains, with the number of the process in its `processes`."""


def _serve(link: Connection) -> None:
    """The other process: a trial after another, until the link breaks."""
    torch.set_num_threads(1)
    while True:
        try:
            spec, data, store, options = link.recv()
        except EOFError:
            return
        _train_along(link, spec, data, store, options)


def _train_along(link: Connection, spec: TrialSpec, data: Any, store: str, options: dict[str, Any]) -> None:
    processes = TrialProcesses(dist.FileStore(store, 2), 1, 2, timeout_s=PATIENCE_S)
    changes = options.pop("changes", ())
    asks = options.pop("asks", False)
    with CompanionRun(spec, data, processes=processes, **options) as run:
        for change in changes:
            change(run)
        link.send("built")
        while link.recv() == "train":
            try:
                run.train_along(lambda: asks)
                link.send(run._state(None))
            except Exception as error:
                link.send(f"{type(error).__name__}: {error}")
    processes.close()


class SecondProcess:
    """Started once for many trials, as importing torch takes seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, itertools.count()
        self.link, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_serve, args=(there,), daemon=True)
        self.process.start()
        there.close()

    def close(self) -> None:
        """End it."""
        self.link.close()
        self.process.join(10)
        self.process.kill()

    @contextmanager
    def shared(self, spec: TrialSpec, data: Any, **options: Any) -> Iterator[TrialRun]:
        """The trial's run in this process; `train` moves both. options: of both runs, and `changes`."""
        store, here = str(self._folder / f"store-{next(self._numbers)}"), dict(options)
        changes, _ = here.pop("changes", ()), here.pop("asks", False)
        self.link.send((spec, data, store, options))
        processes = TrialProcesses(dist.FileStore(store, 2), 0, 2, timeout_s=PATIENCE_S)
        try:
            with TrialRun(spec, data, processes=processes, meters=open_meters(cpus=1, exclusive=False), **here) as run:
                for change in changes:
                    change(run)
                assert self.link.recv() == "built"
                yield run
        finally:
            with contextlib.suppress(BrokenPipeError):
                self.link.send("end")
            processes.close()

    def train(self, run: TrialRun, interrupted: Callable[[], bool] = lambda: False) -> tuple[Any, Any]:
        """To the next report: what this process has to say of it, and the other's state, or each one's error."""
        self.link.send("train")
        try:
            record: Any = run.train_on(interrupted)
        except Exception as error:
            record = error
        return record, self.link.recv()


def broken_in_the_second(run: TrialRun) -> None:
    """Its method raises an error of its own."""
    if _number(run) == 1:
        run._open_setup().method.loss = _raising(ValueError("its own trouble"))  # type: ignore[method-assign]


def broken_before_a_step_of_the_second(run: TrialRun) -> None:
    """Its method cannot enter a stage."""
    if _number(run) == 1:
        run._open_setup().method.parameters = _raising(ValueError("its own trouble"))  # type: ignore[method-assign]


def damaged_in_the_second(run: TrialRun) -> None:
    """It cannot take over what the first process starts from."""
    if _number(run) == 1:
        run._open_setup().restore = _raising(CheckpointError("does not fit"))  # type: ignore[method-assign]


def drawing_where_a_stage_begins(run: TrialRun) -> None:
    """The method draws what it learns beside the model, in each process."""
    run._open_setup().method.parameters = lambda _: {"own": nn.Parameter(torch.randn(1))}  # type: ignore[method-assign]


def broken_after_a_step_of_the_second(run: TrialRun) -> None:
    """Its method raises an error after its sums were made."""
    if _number(run) == 1:
        _after_steps(run, ValueError("its own trouble"))


def short_after_a_step_of_the_second(run: TrialRun) -> None:
    """There is too little memory for what follows its sums."""
    if _number(run) == 1:
        _after_steps(run, torch.OutOfMemoryError("CUDA out of memory."))


def no_room_for_the_sums_of_the_second(run: TrialRun) -> None:
    """There is too little memory for what it is to add up."""
    known = processes._Sums

    def once(*_: Any) -> Any:
        processes._Sums = known  # type: ignore[misc]
        raise torch.OutOfMemoryError("CUDA out of memory.")

    if _number(run) == 1:
        processes._Sums = once  # type: ignore[assignment,misc]


def short_in_the_second(run: TrialRun) -> None:
    """There is too little memory for it."""
    if _number(run) == 1:
        error = torch.OutOfMemoryError("CUDA out of memory.")
        run._open_setup().method.loss = _raising(error)  # type: ignore[method-assign]


def loss_of_nan(run: TrialRun) -> None:
    """The loss of the second is not a number."""
    if _number(run) == 1:
        run._open_setup().method.loss = lambda logits, *_: logits.sum() * float("nan")  # type: ignore[method-assign]


def _drawing(run: TrialRun, draw: Callable[[], Any]) -> None:
    method = run._open_setup().method
    known = method.loss

    def loss(*arguments: Any) -> Any:
        draw()
        return known(*arguments)

    if _number(run) == 1:
        method.loss = loss  # type: ignore[method-assign]


def drawing_in_the_second(run: TrialRun) -> None:
    """Its method draws random numbers that the first does not draw, by a call that nobody looks after."""
    _drawing(run, lambda: torch.empty(1).cauchy_())


def drawing_by_numpy_in_the_second(run: TrialRun) -> None:
    """As `drawing_in_the_second`, by numpy."""
    _drawing(run, np.random.random)


def drawing_by_python_in_the_second(run: TrialRun) -> None:
    """As `drawing_in_the_second`, by Python's own generator."""
    _drawing(run, random.random)


def _number(run: TrialRun) -> int:
    processes = run._open_setup().trainer.processes
    return 0 if processes is None else processes.number


def _after_steps(run: TrialRun, error: Exception) -> None:
    method = run._open_setup().method
    known = method.step

    def step(context: StepContext) -> torch.Tensor:
        known(context)
        raise error

    method.step = step  # type: ignore[method-assign]


def _raising(error: Exception) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error

    return raising
