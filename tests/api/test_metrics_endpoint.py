"""The endpoint of a driver: the journal's numbers at each request, on this machine alone unless asked otherwise."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_ins import a_record, a_trial

from greenexp.api.exporting import CountingTracker, MetricsAddress, MetricsEndpoint, metrics_endpoint
from greenexp.errors import InputError, TrackingError
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.records.exposition_text import CONTENT_TYPE
from greenexp.tracking.follow import Follower

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sources"))
from exported_sweeps import parsed

TRIAL = a_trial(0, 0, 1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / NAME) as journal:
        spec = {"name": "s", "task": {"name": "clauses"}, "metric": {"name": "accuracy"}}
        journal.append("sweep", format=FORMAT, name="s", fingerprint="f", spec=spec)
        journal.append("trial", spec=TRIAL.to_json())
        journal.append("session", number=1)
        yield journal


def asked(endpoint: MetricsEndpoint, method: str = "GET", path: str = "/metrics") -> tuple[int, str, str]:
    """Status, type and body of an answer."""
    host, _, port = endpoint.address.removeprefix("http://").removesuffix("/metrics").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["content-type"], response.read().decode()
    finally:
        connection.close()


def test_each_request_is_answered_from_the_journal_as_it_is_then(tmp_path: Path, journal: Journal) -> None:
    written = [None, 2, 99]
    with metrics_endpoint(MetricsAddress(0)) as endpoint:
        assert endpoint is not None
        assert endpoint.loopback
        endpoint.follow(tmp_path, lambda: written.pop(0))
        status, kind, text = asked(endpoint)
        assert (status, kind) == (200, CONTENT_TYPE)
        first = parsed(text)
        assert first["greenexp_trials"].of(sweep="s", folder=str(tmp_path), state="planned") == 1
        assert "greenexp_mlflow_behind_events" not in first, "nobody knows yet what MLflow has"
        journal.append("started", trial=TRIAL.trial, attempt=1, after=0)
        journal.append("report", trial=TRIAL.trial, attempt=1, record=a_record(TRIAL, 1).to_json())
        second = parsed(asked(endpoint)[2])
        assert second["greenexp_reports_total"].of() == 1
        assert second["greenexp_mlflow_behind_events"].of() == 3
        assert parsed(asked(endpoint)[2])["greenexp_mlflow_behind_events"].of() == 0
        assert asked(endpoint, "POST")[0] == 405
        assert asked(endpoint, path="/")[0] == 404
    with pytest.raises(ConnectionRefusedError):
        asked(endpoint)


def test_a_damaged_journal_is_an_answer_that_says_so(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes().replace(b'"number":1', b'"number":2'))
    with metrics_endpoint(MetricsAddress(0)) as endpoint:
        assert endpoint is not None
        endpoint.follow(tmp_path)
        status, _, text = asked(endpoint)
        assert status == 503
        assert NAME in text


def test_what_mlflow_has_is_counted_after_it_was_written(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = CountingTracker(tmp_path, "http://127.0.0.1:9", "s", lambda _: None)
    assert tracker.written() is None
    answers = [None, TrackingError("it is away"), None]

    def write(_: Follower, **__: bool) -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    monkeypatch.setattr(Follower, "write_changes", write)
    follower = tracker._follower
    follower.read()
    follower.write_changes(with_sweep=False)
    assert tracker.written() == 3
    journal.append("started", trial=TRIAL.trial, attempt=1, after=0)
    follower.read()
    with pytest.raises(TrackingError):
        follower.write_changes(with_sweep=False)
    assert tracker.written() == 3
    follower.write_changes(with_sweep=False)
    assert tracker.written() == 4


def test_a_port_that_is_taken_is_refused_at_once() -> None:
    with metrics_endpoint(MetricsAddress(0)) as endpoint:
        assert endpoint is not None
        port = int(endpoint.address.removesuffix("/metrics").rpartition(":")[2])
        with (
            pytest.raises(InputError, match=f"cannot listen at 127.0.0.1 port {port}"),
            metrics_endpoint(MetricsAddress(port)),
        ):
            pass


def test_without_an_address_there_is_none() -> None:
    with metrics_endpoint(None) as endpoint:
        assert endpoint is None
