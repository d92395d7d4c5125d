"""`greenexp serve` as a process: it says where it is, answers, and ends cleanly on a signal."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_served_models import NAMES, save_tiny

from greenexp.cli.main import main

Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def serving(model: Path, tmp_path: Path) -> Iterator[tuple[str, Process]]:
    """A service that waits two seconds for a batch to fill; its address and process."""
    command = [sys.executable, "-m", "greenexp", "serve", str(model), "--port", "0", "--max-wait", "2s", "--access-log"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    with (tmp_path / "stderr").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), (tmp_path / "stderr").read_text()
        yield address, process
    finally:
        process.kill()
        process.communicate()


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_what_is_in_flight(
    serving: tuple[str, Process], number: signal.Signals, tmp_path: Path
) -> None:
    address, process = serving
    assert ask(f"{address}/health")["policy"] == "max_probability:0.9"
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(ask(f"{address}/predict", {"text": "a good film"})))
    asking.start()
    while ask(f"{address}/health")["waiting"] == 0 and asking.is_alive():
        time.sleep(0.01)
    process.send_signal(number)
    asking.join(60)
    assert answers[0]["label"] in NAMES
    assert process.wait(60) == 0
    with pytest.raises(urllib.error.URLError):
        ask(f"{address}/health")
    said = (tmp_path / "stderr").read_text()
    assert "POST /predict" in said
    assert said.endswith("stopped\n")
    assert "Traceback" not in said
    assert "Warning" not in said


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_line_that_it_prints_works(serving: tuple[str, Process], tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    while "curl " not in said.read_text():
        time.sleep(0.05)
    line = next(line for line in said.read_text().splitlines() if "curl " in line)
    command = shlex.split(line[line.index("curl ") :])
    done = subprocess.run([*command, "--silent", "--noproxy", "*"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["label"] in NAMES


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "{taken}"], "cannot listen at 127.0.0.1 port {taken}: Address already in use"),
        (["--host", "no.such.host.invalid"], "no address"),
        (["--max-wait", "5 miles"], "not a quantity"),
        (["--max-queue", "3"], "max_queue (3) is below max_inputs (64)"),
        (["--max-body", "0"], "max_body_bytes must be at least 1"),
        (["--port", "70000"], "70000"),
        (["--policy", "max_probability:-1"], "threshold"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_served_is_said(
    model: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        filled = [argument.replace("{taken}", port) for argument in arguments]
        with pytest.raises(SystemExit) as leaving:
            main(["serve", str(model), "--port", "0", *filled])
    assert leaving.value.code == 2
    assert reason.replace("{taken}", port) in capsys.readouterr().err


def test_an_open_address_is_warned_of(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", str(model), "--host", "0.0.0.0", "--port", "0", "--policy", "oracle"])
    assert "authentication" in capsys.readouterr().err
