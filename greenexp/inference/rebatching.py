"""Batches refilled on the way up: requests of a stream wait before each segment for others to go on with.

As E3 (SOSP 2024) and DREX (2025) do. What an encoder's request is between two segments are its hidden states, and for
exits that read them the pooled vectors of the layers below, so that re-batching is putting rows together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.policies.base import Stateless
from greenexp.inference.answers import Answer, AnyRow, Example
from greenexp.inference.engine import EarlyExitEngine
from greenexp.inference.pools import alike, next_pool
from greenexp.inference.segments import Climbers, Climbing, Said


@dataclass(frozen=True, slots=True)
class Statistics:
    """What has run so far. batches, rows: of each segment, in their order; a row is one request in one batch."""

    batches: tuple[int, ...]
    rows: tuple[int, ...]

    @property
    def mean_batch_size(self) -> float | None:
        """Over all segments; None before the first batch."""
        return sum(self.rows) / sum(self.batches) if sum(self.batches) else None


@dataclass(slots=True, eq=False)
class _Request:
    """since: when it came into its pool; hidden: [token, hidden] after the last segment it went through.

    earlier: [layer, hidden], the pooled vectors after each layer so far; None where no exit reads them
    seen: [exit, column], what the consulted exits said so far, see `_columns`; None if the policy does not look back
    """

    example: Example
    row: AnyRow
    future: Future[Answer]
    since: float
    hidden: Tensor | None = None
    earlier: Tensor | None = None
    seen: Tensor | None = None


class Rebatcher:
    """One thread that answers a stream of requests, in batches that are put together anew before every segment.

    engine: used by this thread alone from now on if it compiles
    batch_size: of a full batch; max_wait_s: how long a request may be passed over in a pool, see `pools.next_pool`

    Policies remember what they saw of a batch, and the memories of two batches cannot be joined. So a request keeps the
    logits of the exits it has passed, a few numbers, and a fresh stream is shown all of them when its next exit
    decides: the same decisions as of the engine, at a price of some microseconds per exit. Policies without a memory
    are shown the present exit alone.

    An error fails the future of the request that caused it, no other one. Leave it with `close` or a `with` block.
    """

    def __init__(self, engine: EarlyExitEngine, batch_size: int, max_wait_s: float) -> None:
        if batch_size < 1 or not max_wait_s >= 0:
            raise InputError(f"batch_size {batch_size} and max_wait_s {max_wait_s}: expected at least 1 and 0")
        self._engine, self._batch_size, self._max_wait_s = engine, batch_size, max_wait_s
        self._looks_back = not isinstance(engine.policy.stream(), Stateless)
        self._pools: list[list[_Request]] = [[] for _ in engine.consulted]
        self._batches, self._rows = [0] * len(self._pools), [0] * len(self._pools)
        self._running: list[_Request] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="greenexp-rebatcher", daemon=True)
        self._thread.start()

    def submit(self, example: Example) -> Future[Answer]:
        """The answer, when it is there. What the model cannot take is an InputError in the future.

        A future can be cancelled until its first segment runs. Raises RuntimeError after `close`.
        """
        future: Future[Answer] = Future()
        try:
            request = _Request(example, self._engine.checked(example), future, time.monotonic())
        except InputError as error:
            future.set_exception(error)
            return future
        with self._changed:
            if self._closed:
                raise RuntimeError("this rebatcher is closed and takes no more requests")
            self._pools[0].append(request)
            self._changed.notify()
        return future

    @property
    def statistics(self) -> Statistics:
        """What has run so far."""
        with self._changed:
            return Statistics(tuple(self._batches), tuple(self._rows))

    def close(self, *, finish: bool = True) -> None:
        """Take no more requests, and return when the thread has ended; closing twice is allowed.

        finish: answer everything that waits; else cancel what has not begun, and answer what has
        """
        with self._changed:
            self._closed = True
            if not finish:
                for request in self._pools[0]:
                    request.future.cancel()
                self._pools[0].clear()
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> Rebatcher:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(finish=kind is None)

    def _work(self) -> None:
        try:
            while (chosen := self._chosen()) is not None:
                self._run(*chosen)
        finally:  # empty pools, unless the thread dies of something that is no Exception
            with self._changed:
                self._closed = True
                for request in (*self._running, *(one for pool in self._pools for one in pool)):
                    if not request.future.done():
                        request.future.set_exception(RuntimeError("the rebatcher's thread has died"))

    def _chosen(self) -> tuple[int, list[_Request]] | None:
        """The next batch, out of its pool; None when all is done and nothing can come."""
        with self._changed:
            self._running = []
            while not any(self._pools):
                if self._closed:
                    return None
                self._changed.wait()
            now = time.monotonic()
            oldest = [now - pool[0].since if pool else 0.0 for pool in self._pools]
            index = next_pool([len(pool) for pool in self._pools], oldest, self._batch_size, self._max_wait_s)
            if index is None:
                return None
            pool = self._pools[index]
            places = set(alike([request.row.length for request in pool], self._batch_size))
            batch = [request for place, request in enumerate(pool) if place in places]
            self._pools[index] = [request for place, request in enumerate(pool) if place not in places]
            if index == 0:
                batch = [request for request in batch if request.future.set_running_or_notify_cancel()]
            self._running = batch
            return index, batch

    def _run(self, index: int, batch: Sequence[_Request]) -> None:
        if not batch:
            return
        try:
            answers = self._climb(index, batch)
        except Exception as error:
            answers = [self._alone(request, error if len(batch) == 1 else None) for request in batch]
        with self._changed:
            self._batches[index] += 1
            self._rows[index] += len(batch)
            self._running = [one for one, answer in zip(batch, answers, strict=True) if answer is not None]
            now = time.monotonic()
            for request, answer in zip(batch, answers, strict=True):
                if answer is None:
                    request.since = now
                    self._pools[index + 1].append(request)
        for request, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Answer):
                request.future.set_result(answer)
            elif answer is not None:
                request.future.set_exception(answer)

    def _climb(self, index: int, batch: Sequence[_Request]) -> list[Answer | Exception | None]:
        """One segment: the answers of those who leave after it; the others hold their new state."""
        engine = self._engine
        with engine.segments.computing():
            if index == 0:
                climbers = engine.segments.embed([request.row for request in batch], engine.pad_id)
            else:
                climbers = _gathered(engine.segments, batch)
            climbers, said = engine.segments.run(index, climbers)
            seen = None if index == 0 or not self._looks_back else _stacked(batch)
            verdict = engine.judge(engine.policy.stream(), index, said, _passed(seen, said))
            if self._looks_back:
                seen = _columns(said) if seen is None else torch.cat((seen, _columns(said)), dim=1)
            passed = torch.stack(climbers.earlier, dim=1) if climbers.earlier else None
            for row in verdict.rows(leave=False):
                request = batch[row]
                hidden = climbers.state.hidden[row, : request.row.length]
                request.hidden = hidden.clone()  # a view would hold the whole batch
                request.earlier = None if passed is None else passed[row].clone()
                request.seen = None if seen is None else seen[row]
        return [
            engine.settle(index, request.row.length, verdict, row) if verdict.leaves[row] else None
            for row, request in enumerate(batch)
        ]

    def _alone(self, request: _Request, error: Exception | None) -> Answer | Exception:
        """A request of a batch that failed, from the beginning and by itself; its own error if it has one."""
        if error is not None:
            return error
        try:
            return self._engine.one(request.example)
        except Exception as own:
            return own


def _gathered(segments: Climbing, batch: Sequence[_Request]) -> Climbers:
    hidden = [request.hidden for request in batch if request.hidden is not None]
    return segments.merged(hidden, [request.earlier for request in batch if request.earlier is not None])


def _stacked(batch: Sequence[_Request]) -> Tensor:
    """[example, exit, column]: what the exits passed so far said."""
    return torch.stack([request.seen for request in batch if request.seen is not None])


def _columns(said: Said) -> Tensor:
    """[example, 1, column]: an exit's logits, and behind them what a learning-to-exit module says of it."""
    one = said.logits if said.learned is None else torch.cat((said.logits, said.learned.unsqueeze(1)), dim=1)
    return one.unsqueeze(1)


def _passed(seen: Tensor | None, said: Said) -> Sequence[Said]:
    """`_stacked` exit by exit, of the form of `said`."""
    if seen is None:
        return ()
    if said.learned is None:
        return [Said(logits) for logits in seen.unbind(dim=1)]
    return [Said(columns[:, :-1], columns[:, -1]) for columns in seen.unbind(dim=1)]
