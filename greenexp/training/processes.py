"""The processes that train one trial together, each on its part of every batch, as one of them sees the others.

A step's gradients are sums over examples. So each process adds up those of its own examples, the sums are added up over
the processes, and each makes the same optimiser step with the same whole gradient: their weights never differ, and
none are exchanged but at the beginning. How the parts of a batch come to draw the dropout masks of the whole is the
subject of `pieces`.

In every step the processes meet once before the gradients (`_agree`): there each says whether the training is to be
interrupted, whether it has failed, and where its random number generators stand. They meet once more before they part
(`together`). So a failure of one ends all of them with its reason, and no process waits for one that has left.
"""

from __future__ import annotations

import functools
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from greenexp.errors import CheckpointError, DivergedError, LostProcessError, StateError, TrialError
from greenexp.training.memory import shortage
from greenexp.training.optimisation import Optimisation
from greenexp.training.pieces import PieceBounds

BUCKET_B = 25 << 20
"""Gradients are added up in blocks of this many bytes: a call for each tensor would take longer than the sums."""
JOIN_S = 120.0
"""All processes are up when they begin to join."""
_CHUNK_B = 1 << 28
_GONE = re.compile(r"gloo|time(d )?out|connect|peer|socket", re.IGNORECASE)
"""What Gloo says where another process is gone; it has no type of its own for that."""


class TrialProcesses:
    """The place of this process, `number`, among the `size` that train a trial; 0 reports, saves and evaluates.

    store: of torch.distributed, through which they find each other; timeout_s: how long one waits for the others in a
        step; join_s: and here, until all have come
    nccl: whether gradients are added up by NCCL, for which each process must have a GPU of its own; else by Gloo

    There can be one in a process at a time; `close` it. Every call may raise LostProcessError: another process has
    died, or is not heard of any more.
    """

    def __init__(
        self, store: Any, number: int, size: int, *, timeout_s: float, join_s: float = JOIN_S, nccl: bool = False
    ) -> None:
        self.number, self.size = number, size
        self.interrupted = False
        self._loss: Tensor | None = None
        self._failed = False
        self._nccl, timeout = nccl, timedelta(seconds=timeout_s)
        with losses():
            dist.init_process_group(
                "gloo", store=store, rank=number, world_size=size, timeout=timedelta(seconds=join_s)
            )
            # Another group, as the time that one waits is that of a group.
            self._all: Any = dist.new_group(backend="gloo", timeout=timeout)
            self._sums: Any = dist.new_group(backend="nccl", timeout=timeout) if nccl else self._all

    def parts(self, examples: int) -> list[PieceBounds]:
        """The processes' parts of so many examples, in their order; of too few each process has all."""
        if examples < self.size:
            return [PieceBounds(0, examples, copies=self.size)]
        ends = [number * examples // self.size for number in range(self.size + 1)]
        return [PieceBounds(ends[number], ends[number + 1], number == self.number) for number in range(self.size)]

    @property
    def whole_loss(self) -> Tensor:
        """Of the last step: the objective over all its examples, in all processes."""
        if self._loss is None:
            raise ValueError("no step was made")
        return self._loss

    def update(self, optimisation: Optimisation, interrupted: Callable[[], bool]) -> Callable[[Tensor], None]:
        """`StepContext.update`, with loss and gradients added up before; `interrupted` then holds for all processes."""

        def update(loss: Tensor) -> None:
            sums = _Sums([one.grad for one in optimisation.named.values() if one.grad is not None], loss)
            self._agree(asks=interrupted(), of=_signature(optimisation.named.values()))
            self._loss = self._added_up(sums)
            optimisation.update(self._loss)

        return update

    def total(self, own: Tensor) -> Tensor:
        """`StepContext.total`."""
        sums = _Sums([], own)
        self._agree(asks=False, of=0)
        return self._added_up(sums)

    def share(self, content: bytes | None) -> bytes:
        """What process 0 hands in, to all. Raises what one of them has failed with instead of coming here."""
        size = torch.tensor([0 if content is None else len(content)])
        self.meet()
        self._broadcast(size, 0)
        if content is not None:
            whole = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        else:
            whole = torch.empty(int(size), dtype=torch.uint8)
        self.meet()  # there was memory for it
        for start in range(0, len(whole), _CHUNK_B):
            self._broadcast(whole[start : start + _CHUNK_B], 0)
        return content if content is not None else whole.numpy().tobytes()

    @contextmanager
    def together(self) -> Iterator[None]:
        """In here all processes fail if one does: each with its own error, or with that of the first that failed.

        None leaves it before all of them have come to its end.
        """
        self._failed = False
        try:
            yield
            self.meet()
        except LostProcessError:
            raise
        except Exception as error:
            if not self._failed:
                self._fail(error)
            raise

    def meet(self) -> None:
        """Wait for the others. Raises what one of them has failed with instead of coming here."""
        self._said(asks=False, of=0)

    def close(self) -> None:
        """Leave the others, whether they are still there or not."""
        if self._nccl:
            self._sums.abort()  # else it would wait for sums in which a process that is gone takes no part
        dist.destroy_process_group()

    def _agree(self, *, asks: bool, of: int) -> None:
        """Meet the others before the gradients. of: what must be equal in all of them."""
        said = self._said(asks=asks, of=of)
        if len(set(said[2:])) > 1:
            self._failed = True  # every process finds it
            raise TrialError(
                "the processes of the trial differ in the random numbers they drew or in the weights they train: the "
                "method draws by its own part of a batch, so that several processes cannot share it"
            )
        self.interrupted = bool(said[0])

    def _fail(self, error: Exception) -> None:
        """Tell the others, in the place of meeting them."""
        self._failed = True
        self._exchanged(asks=False, failed=True, of=0)
        self._reason(error)

    def _said(self, *, asks: bool, of: int) -> list[int]:
        """As `_exchanged`, of a process that has not failed. Raises what another one has failed with."""
        said = self._exchanged(asks=asks, failed=False, of=of)
        if said[1]:
            self._failed = True
            raise self._reason(None)
        return said

    def _exchanged(self, *, asks: bool, failed: bool, of: int) -> list[int]:
        """How many processes ask for an interruption, how many failed, and what each of them is at."""
        said = torch.zeros(2 + self.size, dtype=torch.int64)
        said[0], said[1], said[2 + self.number] = asks, failed, of
        self._sum(said)
        return said.tolist()

    def _reason(self, own: Exception | None) -> Exception:
        """What the first process that failed fails with; every process calls it."""
        mine = b"" if own is None else json.dumps(_told(own)).encode()
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.number] = len(mine)
        self._sum(sizes)
        first = next(number for number, size in enumerate(sizes.tolist()) if size)
        text = torch.zeros(int(sizes[first]), dtype=torch.uint8)
        if first == self.number:
            text = torch.frombuffer(bytearray(mine), dtype=torch.uint8)
        self._broadcast(text, first)
        return _error(json.loads(text.numpy().tobytes()), first)

    def _sum(self, numbers: Tensor) -> None:
        with losses():
            dist.all_reduce(numbers, group=self._all)

    def _broadcast(self, content: Tensor, src: int) -> None:
        with losses():
            dist.broadcast(content, src=src, group=self._all)

    def _added_up(self, sums: _Sums) -> Tensor:
        """The whole loss, or another number; the gradients become whole in their places."""
        for bucket, flat in sums.buckets:
            parts = torch.split(flat, [one.numel() for one in bucket])
            for one, part in zip(bucket, parts, strict=True):
                part.view_as(one).copy_(one)
            with losses():
                dist.all_reduce(flat, group=self._sums)
            for one, part in zip(bucket, parts, strict=True):
                one.copy_(part.view_as(one))
        return sums.total[0]


class _Sums:
    """What is added up, with all the memory that it takes: where there is too little, the processes have not begun.

    total: the loss, or another number; buckets: tensors, and where they are put side by side, one bucket after another
    """

    def __init__(self, gradients: Sequence[Tensor], loss: Tensor) -> None:
        self.total = loss.detach().clone().reshape(1)
        found = list(_buckets([self.total, *gradients]))
        sizes = [sum(one.numel() for one in bucket) for bucket in found]
        most: dict[tuple[torch.dtype, torch.device], int] = {}
        for bucket, size in zip(found, sizes, strict=True):
            kind = _kind(bucket[0])
            most[kind] = max(size, most.get(kind, 0))
        flat = {kind: torch.empty(size, dtype=kind[0], device=kind[1]) for kind, size in most.items()}
        self.buckets = [(bucket, flat[_kind(bucket[0])][:size]) for bucket, size in zip(found, sizes, strict=True)]


def _kind(one: Tensor) -> tuple[torch.dtype, torch.device]:
    return one.dtype, one.device


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """In their order, of one type and device each, as large as `BUCKET_B` or one tensor."""
    bucket: list[Tensor] = []
    size_b = 0
    for one in tensors:
        if bucket and (size_b + one.nbytes > BUCKET_B or _kind(one) != _kind(bucket[0])):
            yield bucket
            bucket, size_b = [], 0
        bucket.append(one)
        size_b += one.nbytes
    yield bucket


def _signature(parameters: Any) -> int:
    """Equal in processes that drew the same on the CPU (torch, numpy, Python) and have gradients of equal weights."""
    found = bytes(one.grad is not None for one in parameters)
    _, key, *position = np.random.get_state(legacy=True)  # noqa: NPY002 - a method may use the old API
    said = (
        torch.get_rng_state().numpy().tobytes(),
        np.asarray(key).tobytes(),
        repr((position, random.getstate())).encode(),
    )
    return functools.reduce(lambda crc, one: zlib.crc32(one, crc), said, zlib.crc32(found))


def _told(error: Exception) -> dict[str, Any]:
    """What the others must know of an error, as JSON values."""
    if isinstance(error, DivergedError):
        return {"quantity": error.quantity, "value": str(error.value), "step": error.step}
    if (told := shortage(error)) is not None:
        return {"short": told}
    if isinstance(error, StateError):
        return {"state": str(error), "of_checkpoint": isinstance(error, CheckpointError)}
    return {"text": str(error) if isinstance(error, TrialError) else f"{type(error).__name__}: {error}"}


def _error(told: dict[str, Any], number: int) -> Exception:
    """The error that was told by process `number`."""
    if "quantity" in told:
        return DivergedError(told["quantity"], float(told["value"]), told["step"])
    if "short" in told:
        return torch.OutOfMemoryError(f"process {number} of the trial: {told['short']}")
    if "state" in told:  # of the machine, not of the trial
        kind = CheckpointError if told["of_checkpoint"] else StateError
        return kind(f"process {number} of the trial: {told['state']}")
    return TrialError(f"process {number} of the trial: {told['text']}")


@contextmanager
def losses() -> Iterator[None]:
    """What torch raises where another process is gone, as an error of ours; what it raises else passes."""
    try:
        yield
    except RuntimeError as error:
        is_gone = isinstance(error, dist.DistError) or _GONE.search(str(error))
        if shortage(error) is not None or not is_gone:
            raise
        raise LostProcessError(f"another process of the trial is gone: {_reason_of(str(error))}") from error


def _reason_of(text: str) -> str:
    """The fact in what Gloo or NCCL says, without the place in its source and its advice."""
    first = next(iter(text.strip().splitlines()), "no reason given")
    return re.sub(r"^\[\S+\] ", "", first).partition(". This is")[0]
