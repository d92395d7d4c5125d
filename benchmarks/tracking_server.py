"""What a dead or slow tracking server costs a sweep, for each way in which a server can fail.

    python benchmarks/tracking_server.py [--faults none,refuses,...] [--set KEY=VALUE]... [--repeats N]

The same small sweep is run without MLflow and with a server that has a fault. A fault is made by a small HTTP server in
a process of its own, which passes requests on to a real `mlflow server` until the fault begins. Printed for each fault:

    start        seconds from the start of the process to the first trial's start
    end          seconds from the last event in the journal to the end of the process: report and MLflow
    exit         of these, seconds from the last line that is printed to the end of the process
    waited       of start and end, the seconds in which the run waited for MLflow and did nothing else
    s per report time from the first start to the last report, by the number of reports
    left         events of MLflow that were left to `greenexp sync`: "level", or the remark of the run

and the differences to the sweep without MLflow. A busy machine adds seconds to all of them: repeat, and look at the
differences.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.server
import json
import os
import runpy
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WAITED = "#waited"
SWEEP = ["search.samples=1", "seeds.initialisation=1", "training.epochs=5", "scheduler={name: fifo}"]
FAULTS = {
    "none": "without MLflow",
    "sqlite": "SQLite in the folder",
    "healthy": "server answers",
    "refuses": "nobody listens",
    "black-hole": "accepts, never answers",
    "error-500": "answers 500",
    "delay-2": "2 s for each call",
    "delay-8": "8 s for each call",
    "dies": "killed in mid-sweep",
    "stops": "SIGSTOP in mid-sweep",
}


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    if sys.argv[1:2] == ["--timed"]:
        timed(sys.argv[2:])
        return
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--faults", default=",".join(FAULTS))
    arguments.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments.add_argument("--repeats", type=int, default=1)
    given = arguments.parse_args()
    faults = list(dict.fromkeys(["none", *given.faults.split(",")]))
    rows: dict[str, list[dict[str, float | str]]] = {fault: [] for fault in faults}
    with tempfile.TemporaryDirectory() as folder, upstream(Path(folder)) as port:
        for repeat in range(given.repeats):
            for fault in faults:
                row = run(fault, port, Path(folder) / f"{fault}-{repeat}", [*SWEEP, *given.overrides])
                rows[fault].append(row)
                print(f"# {fault}: {json.dumps(row)}", flush=True)
    print_table(rows)


def run(fault: str, port: int, out: Path, overrides: list[str]) -> dict[str, float | str]:
    """One sweep with one fault."""
    with server(fault, port) as (address, process):
        tracking = {"none": ["tracking.enabled=false"], "sqlite": []}.get(
            fault, [f"tracking.uri={address}", f"tracking.experiment={out.name}"]
        )
        settings = [part for override in [*overrides, *tracking] for part in ("--set", override)]
        command = [sys.executable, __file__, "--timed", "run", "smoke", "--out", str(out), *settings]
        began = time.time()
        sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines: list[tuple[float, str]] = []
        reader = threading.Thread(target=lambda: lines.extend((time.time(), line) for line in sweep.stdout or ()))
        reader.start()
        if fault in {"dies", "stops"}:
            wait_for_reports(out, 2, sweep)
            os.kill(process, signal.SIGKILL if fault == "dies" else signal.SIGSTOP)
        sweep.wait()
        gone = time.time()
        reader.join()
    if sweep.returncode != 0:
        raise SystemExit(f"{fault} failed:\n{''.join(line for _, line in lines)}")
    events = events_of(out)
    reports = [event["t"] for event in events if event["kind"] == "report"]
    first = min(event["t"] for event in events if event["kind"] == "started")
    behind = [line for _, line in lines if "greenexp sync" in line]
    waited = dict(line.split()[1:] for _, line in lines if line.startswith(WAITED))
    return {
        "start": round(first - began, 1),
        "end": round(gone - events[-1]["t"], 1),
        "exit": round(gone - lines[-1][0], 1),
        "waited at start": float(waited.get("start", 0)),
        "waited at end": float(waited.get("end", 0)),
        "s per report": round((max(reports) - first) / len(reports), 3),
        "left": behind[-1] if behind else "level",
    }


def timed(arguments: list[str]) -> None:
    """The command line, with the waits for MLflow printed."""
    from greenexp.tracking.writer import Tracker

    def printing(name: str, wait: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            began = time.monotonic()
            try:
                return wait(*given, **named)
            finally:
                print(f"{WAITED} {name} {time.monotonic() - began:.2f}", file=sys.stderr, flush=True)

        return measured

    Tracker.wait_for_database = printing("start", Tracker.wait_for_database)  # type: ignore[method-assign]
    Tracker.stop = printing("end", Tracker.stop)  # type: ignore[method-assign]
    sys.argv = ["greenexp", *arguments]
    runpy.run_module("greenexp", run_name="__main__")


def events_of(out: Path) -> list[dict[str, object]]:
    path = out / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def wait_for_reports(out: Path, number: int, sweep: subprocess.Popen[bytes]) -> None:
    """Return when there are so many reports, or the sweep has ended."""
    while sweep.poll() is None:
        with contextlib.suppress(OSError):
            if sum(event["kind"] == "report" for event in events_of(out)) >= number:
                return
        time.sleep(0.2)


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """The port of a real MLflow server."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until_it_listens(port)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@contextlib.contextmanager
def server(fault: str, port: int) -> Iterator[tuple[str, int]]:
    """(address, process id) of a server with this fault; nobody listens where it refuses."""
    own = free_port()
    address = f"http://127.0.0.1:{own}"
    if fault in {"none", "sqlite", "refuses"}:
        yield address, 0
        return
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(own), fault, str(port)])
    try:
        wait_until_it_listens(own)
        yield address, process.pid
    finally:
        process.kill()
        process.wait()


def serve(port: int, fault: str, upstream_port: int) -> None:
    """Answer on `port` for ever: pass on, after a delay or not, answer 500, or never answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if fault == "black-hole":
                threading.Event().wait()
            if fault == "error-500":
                self.answer(500, b"{}", "application/json")
                return
            if fault.startswith("delay-"):
                time.sleep(float(fault.removeprefix("delay-")))
            connection = http.client.HTTPConnection("127.0.0.1", upstream_port)
            kept = {name: text for name, text in self.headers.items() if name.lower() not in {"host", "connection"}}
            connection.request(self.command, self.path, body, kept)
            reply = connection.getresponse()
            self.answer(reply.status, reply.read(), reply.headers.get("Content-Type", "application/json"))
            connection.close()

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that did not wait
    server.serve_forever()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_it_listens(port: int) -> None:
    for _ in range(1200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit("a server did not start")


def print_table(rows: dict[str, list[dict[str, float | str]]]) -> None:
    """Medians over the repeats, and their differences to the sweep without MLflow."""
    columns = ("start", "end", "exit", "s per report")
    waits = ("waited at start", "waited at end")
    median = {
        fault: {name: statistics.median(float(row[name]) for row in found) for name in (*columns, *waits)}
        for fault, found in rows.items()
    }
    heads = [f"{name} | more" for name in columns]
    print(f"\n| fault | {' | '.join(heads)} | waited at start | at end | left |\n|{'---|' * 12}")
    for fault, values in median.items():
        cells = [f"{values[name]:.3g} | {values[name] - median['none'][name]:+.3g}" for name in columns]
        cells += [f"{values[name]:.3g}" for name in waits]
        left = "level" if all(row["left"] == "level" for row in rows[fault]) else "behind, `greenexp sync` named"
        print(f"| {FAULTS[fault]} | {' | '.join(cells)} | {'-' if fault == 'none' else left} |")


if __name__ == "__main__":
    main()
