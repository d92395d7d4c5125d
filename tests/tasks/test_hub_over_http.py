"""A dataset from the hub, which is a web server of the test's own here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
API = "/api/datasets/owner/name"
FILES = "/datasets/owner/name/resolve"


def rows(split: str, size: int) -> bytes:
    lines = ({"one": f"{split} {i}", "two": f"pair {i}", "label": "yes" if i % 2 else "no"} for i in range(size))
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


DATA = {"train.jsonl": rows("train", 12), "validation.jsonl": rows("validation", 6)}


class FakeHub(ThreadingHTTPServer):
    """What the library asks for one dataset at one commit; `asked` holds the paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        headers, body = {"X-Repo-Commit": COMMIT}, about(path)
        if path.startswith(f"{FILES}/{COMMIT}/") and path.rpartition("/")[2] in DATA:
            body = DATA[path.rpartition("/")[2]]
            headers["ETag"] = f'"{hashlib.sha1(body).hexdigest()}"'
        elif body is not None:
            headers["Content-Type"] = "application/json"
        else:
            headers["X-Error-Code"] = "EntryNotFound"
        self.send_response(404 if body is None else 200)
        for name, value in {**headers, "Content-Length": str(len(body or b""))}.items():
            self.send_header(name, value)
        self.end_headers()
        return body or b""

    def log_message(self, *values: object) -> None:
        """Quiet."""


def about(path: str) -> bytes | None:
    """The hub's answers in JSON."""
    if path == f"{API}/revision/{COMMIT}":
        siblings = [{"rfilename": name} for name in DATA]
        return json.dumps({"id": "owner/name", "sha": COMMIT, "private": False, "siblings": siblings}).encode()
    if path == f"{API}/tree/{COMMIT}":
        listing = [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in DATA.items()
        ]
        return json.dumps(listing).encode()
    return None


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    server = FakeHub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


# The library reads its endpoint when it is imported.
LOAD = f"""
from greenexp.tasks.hub import Hub
data = Hub(path="owner/name", revision="{COMMIT}", text="one", pair="two").load()
print(data.description)
print(data.label_names, data.train.texts[3], data.train.pairs[3], data.dev.labels.tolist())
"""


def test_a_dataset_comes_from_its_commit(hub: FakeHub, tmp_path: Path) -> None:
    settings = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    unwanted = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted} | settings
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "hub owner/name 01234567: train 12 (split train), dev 6 (split validation)",
        "('no', 'yes') train 3 pair 3 [0, 1, 0, 1, 0, 1]",
    ]
    fetched = {path for path in hub.asked if path.startswith(FILES)}
    assert all(path.startswith(f"{FILES}/{COMMIT}/") for path in fetched)
    assert {f"{FILES}/{COMMIT}/{name}" for name in DATA} <= fetched
