"""The HTTP service: right answers under concurrency, every refusal, what it counts."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import math
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from running_service import JSON, Asked, HeldQueue, running
from tiny_served_models import NAMES, save_tiny, texts
from told import tells

from greenexp.errors import InputError
from greenexp.inference import EarlyExitEngine, Rebatcher
from greenexp.inference.service import memory, server
from greenexp.inference.service.inputs import answer_fields
from greenexp.inference.service.limits import Limits

POLICY = "max_probability:0.8"
LIMITS = Limits(max_body_bytes=2_000, max_text=100, max_inputs=8, max_queue=8, timeout_s=30, shutdown_s=5)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EarlyExitEngine:
    return EarlyExitEngine.load(save_tiny(tmp_path_factory.mktemp("model")), POLICY)


@pytest.fixture(scope="module")
def service(engine: EarlyExitEngine) -> Iterator[Asked]:
    with Rebatcher(engine, 8, 0.001) as queue, running(engine, queue, LIMITS) as asked:
        yield asked


def close_to(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, up to the rounding that depends on the batch an example is in."""
    confidences = (found["confidence"], expected["confidence"])
    return {**found, "confidence": 0} == {**expected, "confidence": 0} and math.isclose(*confidences, abs_tol=1e-5)


def test_an_example_in_each_of_its_forms(service: Asked, engine: EarlyExitEngine) -> None:
    (tokens,) = engine.encode(["a good film"])
    expected = answer_fields(engine.one(tokens))
    assert expected["label"] in NAMES
    for body in ("a good film", {"text": "a good film"}, {"ids": list(tokens.ids)}):
        status, found, _ = service.ask(body=body)
        assert status == 200
        assert close_to(found, expected)
    status, found, _ = service.ask(body={"text": "a good film", "id": "one \ud800 half"})
    assert (status, found["id"]) == (200, "one \ud800 half")
    status, found, _ = service.ask(body={"inputs": [{"text": "a good film", "id": 3}, "some music"]})
    assert status == 200
    assert close_to(found["answers"][0], {"id": 3, **expected})
    assert len(found["answers"]) == 2


def test_concurrent_requests_get_their_own_answers(engine: EarlyExitEngine) -> None:
    asked_for = texts(200)
    expected = [answer_fields(engine.one(tokens)) for tokens in engine.encode(asked_for)]
    assert len({one["exit"] for one in expected}) == 3, "the texts leave at all exits"
    with Rebatcher(engine, 8, 0.01) as queue, running(engine, queue) as service, ThreadPoolExecutor(16) as clients:
        found = list(clients.map(lambda text: service.ask(body={"text": text})[:2], asked_for))
        assert service.metric("examples_total") == 200
        layers = sum(one["layer"] for one in expected)
        assert service.metric("layers_total") == layers
        assert service.metric("mean_layers") == pytest.approx(layers / 200)
        assert service.metric('segment_examples_total{segment="1"}') == 200
        assert service.metric("queue_examples") == 0
        assert service.metric("predict_seconds_count") == 200
    assert [status for status, _ in found] == [200] * 200
    assert all(close_to(data, one) for (_, data), one in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"text": NaN}', 400, "NaN"),
        (b'"\xff"', 400, "not UTF-8"),
        (b"[" * 1_900, 400, "nested"),
        (b'{"text": ' * 200, 400, "not JSON"),
        (b"[1, 2]", 422, "received a list"),
        (b"null", 422, "received null"),
        (b"{}", 422, "either 'text' or 'ids'"),
        (b'{"txt": "a"}', 422, "'text'"),
        (b'{"text": "a", "ids": [1]}', 422, "not both"),
        (b'{"text": 3}', 422, "received a number"),
        (b'{"text": " \\n"}', 422, "empty"),
        (b'{"text": "\\ud800"}', 422, "surrogate"),
        (b'{"text": "' + b"a" * 101 + b'"}', 422, "at most 100"),
        (b'{"text": "a", "pair": "b"}', 422, "single texts"),
        (b'{"text": "a", "id": []}', 422, "'id' must be"),
        (b'{"text": "a", "id": 1e999}', 422, "'id' must be"),
        (b'{"text": "a", "type_ids": [0]}', 422, "belong to 'ids'"),
        (b'{"ids": "a"}', 422, "list of whole numbers"),
        (b'{"ids": [true]}', 422, "ids[0]"),
        (b'{"ids": [1.0]}', 422, "ids[0]"),
        (b'{"ids": []}', 422, "0 tokens"),
        (b'{"ids": [1, -1]}', 422, "vocabulary"),
        (b'{"ids": [99999]}', 422, "vocabulary"),
        (b'{"ids": [99999999999999999999999]}', 422, "64 bits"),
        (b'{"ids": [' + b"1, " * 20 + b"1]}", 422, "21 tokens"),
        (b'{"ids": [1], "pair": "a"}', 422, "'pair' belongs"),
        (b'{"inputs": "a"}', 422, "list of examples"),
        (b'{"inputs": []}', 422, "an empty one"),
        (b'{"inputs": ["a"], "text": "a"}', 422, "beside"),
        (b'{"inputs": ["a", {"text": ""}]}', 422, "inputs[1] … 'text'"),
        (b'{"inputs": [' + b'"a", ' * 8 + b'"a"]}', 413, "at most 8"),
        (b'"' + b"a" * 2_000 + b'"', 413, "2,000 bytes"),
        (b'"' + b"a" * 50_000 + b'"', 413, "2,000 bytes"),
        (b"1" * 1_999, 422, "received a number"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else None,
)  # fmt: skip
def test_a_body_that_cannot_be_answered_says_why(service: Asked, body: bytes, status: int, reason: str) -> None:
    found, data, _ = service.ask(body=body)
    assert found == status, data
    assert list(data) == ["error"]
    assert tells(data["error"], reason)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reason"),
    [
        ("POST", "/predict", {"content-type": "application/json; charset=latin-1"}, 415, "UTF-8"),
        ("POST", "/predict", {**JSON, "content-encoding": "gzip"}, 415, "compressed"),
        ("GET", "/predict", {}, 405, "GET"),
        ("POST", "/health", JSON, 405, "POST"),
        ("DELETE", "/metrics", {}, 405, "DELETE"),
        ("GET", "/", {}, 404, "/predict"),
        ("POST", "/predict/", JSON, 404, "no such page"),
    ],
)
def test_a_request_that_is_not_answered(
    service: Asked, method: str, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    found, data, _ = service.ask(path, "a", method, headers)
    assert found == status
    assert reason in data["error"]


@pytest.mark.parametrize(
    "declared",
    [
        'Application/JSON; charset="UTF-8"',
        "application/x-www-form-urlencoded",  # what `curl -d` says of everything
        "text/plain",
        "no type at all",
        None,
    ],
)
def test_json_is_read_whatever_type_it_declares(service: Asked, declared: str | None) -> None:
    headers = {} if declared is None else {"content-type": declared}
    status, data, _ = service.ask(body={"text": "a film"}, headers=headers)
    assert (status, "label" in data) == (200, True)


def test_a_chunked_body_has_no_length_and_the_same_limit(service: Asked) -> None:
    assert service.ask(body=iter([b'"a ', b'film"']))[0] == 200
    status, data, headers = service.ask(body=iter([b"a" * 1_000] * 4))
    assert (status, headers["connection"]) == (413, None), data
    with service.raw() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        connection.sendall(b"transfer-encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"a" * 1_000 + b"\r\n")
        for _ in range(8):  # beyond four times the limit, and no end
            connection.sendall(b"3e8\r\n" + b"a" * 1_000 + b"\r\n")
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


def test_a_body_that_would_be_too_long_is_not_sent_for(service: Asked) -> None:
    with service.raw() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        connection.sendall(b"content-length: 3000\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come(engine: EarlyExitEngine) -> None:
    limits = dataclasses.replace(LIMITS, timeout_s=0.05)
    with running(engine, HeldQueue(), limits) as service, service.raw() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        connection.sendall(b"content-length: 30\r\n\r\n{")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"], ids=["first", "second"])
def test_a_head_that_does_not_end(engine: EarlyExitEngine, before: bytes) -> None:
    limits = dataclasses.replace(LIMITS, timeout_s=0.05)
    with running(engine, HeldQueue(), limits) as service, service.raw() as connection:
        if before:
            connection.sendall(before)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health HTTP/1.1\r\nhost:")
        assert ends(connection)


def test_clients_that_end_no_head_keep_nobody_out(engine: EarlyExitEngine) -> None:
    with running(engine, HeldQueue(), LIMITS, most=5) as service, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(service.raw()) for _ in range(15)]
        for connection in slow:
            connection.sendall(b"GET /health HTTP/1.1\r\n")
        assert service.ask("/health", method="GET")[0] == 200
        assert ends(slow[0])
        slow[-1].sendall(b"host: x\r\n\r\n")
        assert slow[-1].recv(65_536).startswith(b"HTTP/1.1 200"), "those that came last are still open"


def test_a_connection_beyond_the_most_is_closed_when_all_others_are_answered(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    with running(engine, queue, LIMITS, most=1) as service, ThreadPoolExecutor(1) as client:
        (tokens,) = engine.encode(["a"])
        asked = client.submit(service.ask, body="a")
        queue.wait_for(lambda: len(queue.futures) == 1)
        with service.raw() as connection:
            assert ends(connection)
        queue.futures[0].set_result(engine.one(tokens))
        assert asked.result()[0] == 200


def ends(connection: socket.socket) -> bool:
    """Whether the service closes it, at once or after what it had written."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_no_answer_in_time(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    with running(engine, queue, dataclasses.replace(LIMITS, timeout_s=0.05)) as service:
        status, data, _ = service.ask(body={"inputs": ["a", "b"]})
        assert (status, data) == (504, {"error": "no answer within 0.05 s"})
        assert all(future.cancelled() for future in queue.futures), "nobody waits for them any more"
        assert service.metric("queue_examples") == 0


def test_a_full_queue_refuses_and_goes_on(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    (tokens,) = engine.encode(["a"])
    with running(engine, queue, LIMITS) as service, ThreadPoolExecutor(1) as client:
        first = client.submit(service.ask, body={"inputs": ["a"] * 7})
        queue.wait_for(lambda: len(queue.futures) == 7)
        status, data, headers = service.ask(body={"inputs": ["a", "b"]})
        assert (status, headers["retry-after"]) == (503, "1")
        assert "7 examples" in data["error"]
        second = ThreadPoolExecutor(1).submit(service.ask, body="a")  # one more is allowed
        queue.wait_for(lambda: len(queue.futures) == 8)
        assert service.metric("queue_examples") == 8
        for future in queue.futures:
            future.set_result(engine.one(tokens))
        assert first.result()[0] == second.result()[0] == 200
        assert service.metric("queue_examples") == 0


def test_a_client_that_goes_away_is_forgotten(engine: EarlyExitEngine) -> None:
    queue, gone = HeldQueue(), threading.Event()
    with running(engine, queue, LIMITS) as service:
        with service.raw() as connection:
            head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n"
            connection.sendall(head + b'"a"')
            queue.wait_for(lambda: len(queue.futures) == 1)
            queue.futures[0].add_done_callback(lambda _: gone.set())
        assert gone.wait(30)
        assert queue.futures[0].cancelled()
        while not service.metric("clients_gone_total"):
            pass
        assert service.metric("queue_examples") == 0
        assert service.metric('requests_total{path="/predict"') == 0


def test_an_error_of_the_engine_is_json_and_stays_inside(
    engine: EarlyExitEngine, caplog: pytest.LogCaptureFixture
) -> None:
    queue = HeldQueue()
    with running(engine, queue, LIMITS) as service, ThreadPoolExecutor(1) as client:
        for error, status in ((ValueError("of the device"), 500), (InputError("cannot be"), 422)):
            asked = client.submit(service.ask, body="a")
            queue.wait_for(lambda: len(queue.futures) == 1)
            queue.futures.pop().set_exception(error)
            found, data, _ = asked.result()
            assert found == status
            assert "device" not in data["error"]
    assert "of the device" in caplog.text, "the log has it"


def test_what_is_not_finite_leaves_as_null(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    (tokens,) = engine.encode(["a"])
    answer = dataclasses.replace(engine.one(tokens), prediction=math.nan, confidence=math.inf)
    with running(engine, queue, LIMITS) as service, ThreadPoolExecutor(1) as client:
        asked = client.submit(service.ask, body="a")
        queue.wait_for(lambda: len(queue.futures) == 1)
        queue.futures[0].set_result(answer)
        status, data, _ = asked.result()
    assert (status, data["prediction"], data["confidence"]) == (200, None, None)


def test_health_before_and_after_the_queue_dies(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    with running(engine, queue, LIMITS) as service:
        assert service.ask("/health", method="GET")[:2] == (200, {"status": "ready", "model": "tiny", "waiting": 0})
        queue.closed = True
        assert service.ask(body="a")[0] == 503
        status, data, _ = service.ask("/health", method="GET")
        assert (status, data["status"], data["waiting"]) == (503, "closed", 0)


def test_stopping_answers_what_is_in_flight(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    (tokens,) = engine.encode(["a"])
    answer = engine.one(tokens)
    with ThreadPoolExecutor(1) as client:
        with running(engine, queue, LIMITS) as service:
            asked = client.submit(service.ask, body="a")
            queue.wait_for(lambda: len(queue.futures) == 1)
            timer = threading.Timer(0.3, queue.futures[0].set_result, [answer])
            timer.start()
        assert asked.result()[0] == 200
        timer.join()
    assert queue.closed


def test_stopping_does_not_wait_for_ever(engine: EarlyExitEngine) -> None:
    queue = HeldQueue()
    with ThreadPoolExecutor(1) as client:
        with running(engine, queue, dataclasses.replace(LIMITS, shutdown_s=0.2)) as service:
            asked = client.submit(service.ask, body="a")
            queue.wait_for(lambda: len(queue.futures) == 1)
        assert asked.result()[:2] == (503, {"error": "the service takes no more requests"})
    assert queue.futures[0].cancelled()


@pytest.mark.parametrize("limits", [{"max_text": 0}, {"timeout_s": 0}, {"max_queue": 4, "max_inputs": 8}])
def test_limits_that_make_no_sense(limits: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Limits(**limits)


def test_addresses() -> None:
    with server.bind("127.0.0.1", 0) as first, server.bind("0.0.0.0", 0) as everywhere:
        assert server.address_of(first).startswith("http://127.0.0.1:")
        assert server.is_loopback(first)
        assert not server.is_loopback(everywhere)
        first.listen()
        with pytest.raises(InputError, match="cannot listen"):
            server.bind("127.0.0.1", first.getsockname()[1])
    with pytest.raises(InputError, match="no address"):
        server.bind("no.such.host.invalid", 0)


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser that other tests opened may have left a running loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def test_free_memory_goes_back_while_there_are_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    counts = [0, 3, 3, 3, 5, 5, 9, 9]
    naps = iter(range(4))

    async def nap(seconds: float) -> None:
        assert seconds == memory.TRIM_EVERY_S
        if next(naps, None) is None:
            raise asyncio.CancelledError

    monkeypatch.setattr(memory, "trimmer", lambda: lambda: trimmed.append(1))
    with pytest.raises(asyncio.CancelledError):
        run_apart(memory.keep_trimmed(lambda: counts.pop(0), nap))
    assert len(trimmed) == 3, "three times there had been requests since, once there had not"


def test_trimming_is_glibc_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trim = memory.trimmer()
    if trim is not None:
        assert trim() in {0, 1}
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert memory.trimmer() is None
    run_apart(memory.keep_trimmed(lambda: 0))  # there is nothing to do, for ever
