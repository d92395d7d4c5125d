"""The model hub, here a web server of the test's own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made_assets import CONTENTS, described, write

from greenexp.assets.asset import AssetFile, UnavailableError
from greenexp.assets.hub import HubRepository, unreachable_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = HubRepository("owner/made-up", COMMIT)


class FakeHub(ThreadingHTTPServer):
    """Answers `/owner/made-up/resolve/COMMIT/FILE`; `asked` holds method and path of every request."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, list[str]()
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        data = self.answer()
        if data is not None:
            self.wfile.write(data)

    def answer(self) -> bytes | None:
        self.server.asked.append(f"{self.command} {self.path}")
        data = self.server.files.get(self.path.removeprefix(f"/owner/made-up/resolve/{COMMIT}/"))
        self.send_response(200 if data is not None else 404)
        if data is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        return data

    def log_message(self, *values: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    server = FakeHub(dict(CONTENTS))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_files_come_from_the_commit(hub: FakeHub, into: Path) -> None:
    REPOSITORY.fetch(described(), into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == CONTENTS
    files = [line for line in hub.asked if "/resolve/" in line]
    assert {line for line in files if line.startswith("GET")} == {
        f"GET /owner/made-up/resolve/{COMMIT}/{name}" for name in CONTENTS
    }


def test_what_the_hub_lacks_is_said(hub: FakeHub, into: Path) -> None:
    with pytest.raises(UnavailableError, match="absent"):
        REPOSITORY.fetch([*described(), AssetFile("absent.json", "0" * 64, 1)], into)


def test_a_hub_that_is_away_is_given_up_at_the_first_question(hub: FakeHub, into: Path) -> None:
    hub.shutdown()
    hub.server_close()
    with pytest.raises(UnavailableError, match="refused"):
        REPOSITORY.fetch(described(), into)


def test_a_hub_that_answers_can_be_reached_whatever_it_says(hub: FakeHub) -> None:
    hub.files["config.json"] = b"{}"
    assert unreachable_hub("owner/made-up", COMMIT) == ""
    assert unreachable_hub("owner/absent", COMMIT) == ""
    assert unreachable_hub("no id at all", "main") == "", "the library says what is wrong with it"


def test_a_hub_that_is_away_is_asked_once(
    hub: FakeHub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.shutdown()
    hub.server_close()
    assert "refused" in unreachable_hub("owner/made-up", COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in unreachable_hub("owner/made-up", COMMIT)
    assert capfd.readouterr() == ("", "")


def test_a_config_in_the_users_cache_needs_no_hub(hub: FakeHub, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub-cache" / "models--owner--made-up" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert unreachable_hub("owner/made-up", COMMIT) == ""
    assert hub.asked == []


def test_an_offline_user_is_not_asked_for_a_network(hub: FakeHub, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match="HF_HUB_OFFLINE is set"):
        REPOSITORY.fetch(described(), into)
    assert hub.asked == []


def test_what_the_users_hub_cache_holds_is_not_fetched(hub: FakeHub, into: Path, tmp_path: Path) -> None:
    write(tmp_path / "hub-cache" / "models--owner--made-up" / "snapshots" / COMMIT)
    REPOSITORY.fetch(described(), into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == CONTENTS
    assert hub.asked == []
