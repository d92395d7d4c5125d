"""The re-batcher: the engine's answers for a stream of requests, whatever goes wrong and whenever it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from served_models import made_model, shared_examples, shared_model

from greenexp.errors import InputError
from greenexp.inference import Answer, EarlyExitEngine, Rebatcher, Tokens

POLICIES = [
    "max_probability:0.83",
    "max_probability:0.97,unsure=most_confident",
    "entropy:0.4",
    "patience:1",
    "voting:1.2",
    "static:4",
]


class Gate:
    """Holds the worker at its first segment until it is opened, so that a test knows what waits."""

    def __init__(self, engine: EarlyExitEngine) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        self._run = engine.segments.run
        engine.segments.run = self  # type: ignore[method-assign,assignment]

    def __call__(self, *arguments: Any) -> Any:
        self.reached.set()
        assert self._open.wait(60)
        return self._run(*arguments)

    def open(self) -> None:
        self._open.set()


@contextmanager
def held(policy: str = "max_probability:0.83", batch_size: int = 4) -> Iterator[tuple[Rebatcher, Gate, Future[Answer]]]:
    """A re-batcher whose worker is busy with one request."""
    engine = EarlyExitEngine(shared_model(), policy)
    gate = Gate(engine)
    rebatcher = Rebatcher(engine, batch_size, 60.0)
    try:
        first = rebatcher.submit(shared_examples()[0])
        assert gate.reached.wait(60)
        yield rebatcher, gate, first
    finally:
        gate.open()
        rebatcher.close()
    assert not rebatcher._thread.is_alive()


def same(answer: Answer, wanted: Answer) -> bool:
    close = np.abs(np.subtract(answer.logits, wanted.logits)).max() < 1e-5
    facts = ("prediction", "label", "exit", "layer", "inference_flops")
    return bool(close) and all(getattr(answer, name) == getattr(wanted, name) for name in facts)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("batch_size", "max_wait_s"), [(1, 0.0), (8, 0.001), (64, 60.0)])
def test_answers_are_those_of_the_engine(policy: str, batch_size: int, max_wait_s: float):
    engine, examples = EarlyExitEngine(shared_model(), policy), shared_examples()
    alone = [engine.one(tokens) for tokens in examples]
    with Rebatcher(engine, batch_size, max_wait_s) as rebatcher, ThreadPoolExecutor(8) as threads:
        futures = list(threads.map(rebatcher.submit, examples))
        answers = [future.result(60) for future in futures]
    assert all(map(same, answers, alone))
    assert not any(rebatcher._pools)
    statistics = rebatcher.statistics
    reached = [sum(answer.exit >= number for answer in alone) for number in engine.consulted]
    assert list(statistics.rows) == reached
    assert statistics.mean_batch_size == sum(statistics.rows) / sum(statistics.batches)


def test_calibrated_and_fewer_exits():
    engine = EarlyExitEngine(shared_model(), "patience:1", check_every=2, temperatures={2: 2.0, 4: 0.5})
    with Rebatcher(engine, 5, 0.001) as rebatcher:
        futures = [rebatcher.submit(tokens) for tokens in shared_examples()]
        assert all(same(future.result(60), engine.one(t)) for future, t in zip(futures, shared_examples(), strict=True))


def test_requests_that_wait_together_go_together():
    with held("static", batch_size=4) as (rebatcher, gate, first):
        later = [rebatcher.submit(Tokens([5, 6, 7])) for _ in range(6)]
        assert len(rebatcher._pools[0]) == 6
        gate.open()
        assert [future.result(60).exit for future in (first, *later)] == [6] * 7
    assert rebatcher.statistics.batches == (3,)
    assert rebatcher.statistics.rows == (7,)


def test_batches_are_filled_again_on_the_way():
    """Two batches of which some leave become one."""
    model = made_model()
    engine = EarlyExitEngine(model, "max_probability:0.83", check_every=3)
    leaves = {t: engine.one(Tokens([t] * 4)).exit == 3 for t in range(1, 60)}
    go, stay = (next(t for t, left in leaves.items() if left is wanted) for wanted in (True, False))
    gate = Gate(engine)
    with Rebatcher(engine, 4, 60.0) as rebatcher:
        futures = [rebatcher.submit(Tokens([go] * 4))]
        assert gate.reached.wait(60)
        futures += [rebatcher.submit(Tokens([token] * 4)) for token in (go, go, stay, stay) * 2]
        gate.open()
        assert [future.result(60).exit for future in futures] == [3, *[3, 3, 6, 6] * 2]
    assert rebatcher.statistics.batches == (3, 1)
    assert rebatcher.statistics.rows == (9, 4)


def test_a_bad_request_fails_alone():
    with Rebatcher(EarlyExitEngine(shared_model(), "patience:1"), 4, 0.0) as rebatcher:
        bad = [Tokens([]), Tokens([99]), Tokens([3] * 99)]
        futures = [rebatcher.submit(tokens) for tokens in (bad[0], Tokens([3]), bad[1], Tokens([4, 5]), bad[2])]
        for future in futures[::2]:
            with pytest.raises(InputError):
                future.result(60)
        assert futures[1].result(60).layer
        assert futures[3].result(60).layer


def test_an_error_in_a_batch_fails_only_who_causes_it():
    """Say memory ran out, or a device kernel chokes on one of them: each is tried again by itself."""
    model = made_model()
    engine = EarlyExitEngine(model, "max_probability:0.83")
    wanted = [engine.one(Tokens([token])) for token in range(2, 8)]
    embed = engine.segments.embed

    def choke(rows: Any, pad_id: int) -> Any:
        if any(1 in row.ids for row in rows):
            raise RuntimeError("poison")
        return embed(rows, pad_id)

    engine.segments.embed = choke  # type: ignore[method-assign]
    gate = Gate(engine)
    with Rebatcher(engine, 8, 60.0) as rebatcher:
        futures = [rebatcher.submit(Tokens([2]))]
        assert gate.reached.wait(60)
        futures += [rebatcher.submit(Tokens([token])) for token in (1, *range(3, 8))]
        poisoned = futures.pop(1)
        gate.open()
        assert all(same(future.result(60), answer) for future, answer in zip(futures, wanted, strict=True))
        with pytest.raises(RuntimeError, match="poison"):
            poisoned.result(60)
        assert rebatcher.submit(Tokens([9])).result(60).layer


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dying_thread_leaves_nobody_waiting():
    class LastBreath(BaseException):
        pass

    engine = EarlyExitEngine(shared_model(), "static")

    def die(*_: Any) -> Any:
        gate.reached.set()
        assert gate._open.wait(60)
        raise LastBreath

    gate = Gate(engine)
    engine.segments.run = die  # type: ignore[method-assign]
    rebatcher = Rebatcher(engine, 1, 0.0)
    futures = [rebatcher.submit(Tokens([3]))]
    assert gate.reached.wait(60)
    futures.append(rebatcher.submit(Tokens([4])))
    gate.open()
    for future in futures:
        with pytest.raises(RuntimeError, match="died"):
            future.result(60)
    rebatcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        rebatcher.submit(Tokens([3]))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_ends_the_thread_leaves_nobody_waiting():
    def leave(_: Any) -> None:
        raise SystemExit

    engine = EarlyExitEngine(shared_model(), "static:1")
    gate = Gate(engine)
    rebatcher = Rebatcher(engine, 8, 0.0)
    first = rebatcher.submit(Tokens([3]))
    assert gate.reached.wait(60)
    together = [rebatcher.submit(Tokens([4])) for _ in range(4)]
    together[0].add_done_callback(leave)
    gate.open()
    assert first.result(60).exit == together[0].result(60).exit == 1
    for future in together[1:]:
        with pytest.raises(RuntimeError, match="died"):
            future.result(60)
    assert not any(rebatcher._pools)
    rebatcher.close()


def test_close_answers_what_waits():
    with held() as (rebatcher, gate, first):
        later = [rebatcher.submit(tokens) for tokens in shared_examples()[:10]]
        gate.open()
        rebatcher.close()
        assert all(future.done() and future.result().layer for future in (first, *later))
        rebatcher.close()
        with pytest.raises(RuntimeError, match="closed"):
            rebatcher.submit(Tokens([3]))


def test_close_can_give_up_what_has_not_begun():
    with held() as (rebatcher, gate, first):
        later = [rebatcher.submit(tokens) for tokens in shared_examples()[:10]]
        closing = threading.Thread(target=lambda: rebatcher.close(finish=False))
        closing.start()
        for future in later:
            with pytest.raises(CancelledError):
                future.result(60)
        gate.open()
        closing.join(60)
        assert first.result(60).layer


def test_leaving_by_an_error_gives_up_too():
    engine = EarlyExitEngine(shared_model(), "static")
    gate = Gate(engine)
    futures = []
    with suppress(KeyError), Rebatcher(engine, 2, 0.0) as rebatcher:
        futures.append(rebatcher.submit(Tokens([3])))
        assert gate.reached.wait(60)
        futures.append(rebatcher.submit(Tokens([4])))
        futures[1].add_done_callback(lambda _: gate.open())
        raise KeyError
    assert futures[0].result(60).layer
    assert futures[1].cancelled()


def test_a_cancelled_request_is_not_computed():
    with held("static") as (rebatcher, gate, first):
        later = [rebatcher.submit(Tokens([4])) for _ in range(3)]
        assert later[1].cancel()
        assert not first.cancel()
        gate.open()
        one, other = (later[place].result(60) for place in (0, 2))
        # Rows of one batch may differ in their last bit: some processors' kernels treat the last rows by themselves.
        assert (one.exit, one.prediction) == (other.exit, other.prediction)
        assert one.logits == pytest.approx(other.logits, abs=1e-5)
    assert rebatcher.statistics.rows == (3,)


@pytest.mark.parametrize(("batch_size", "max_wait_s"), [(0, 1.0), (4, -1.0), (4, float("nan"))])
def test_settings_that_make_no_sense(batch_size: int, max_wait_s: float):
    with pytest.raises(InputError, match="expected at least"):
        Rebatcher(EarlyExitEngine(shared_model(), "static"), batch_size, max_wait_s)
