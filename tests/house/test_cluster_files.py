"""The files of sweeps/cluster: the script for Slurm among stand-ins for its commands, the others by their schemas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

FILES = Path(__file__).resolve().parents[2] / "sweeps" / "cluster"
SRUN = """#!/usr/bin/env python3
import os, socket, sys, time
words = sys.argv[1:]
command = words[next(at for at, word in enumerate(words) if not word.startswith("--")):]
if command[0] == "hostname":
    print("127.0.0.1")
    sys.exit()
with open(os.environ["CALLS"], "a") as calls:
    print(os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"], *words, file=calls)
if "--head" in command:
    port = next(word.partition("=")[2] for word in command if word.startswith("--port="))
    server = socket.create_server(("127.0.0.1", int(port)))
time.sleep(60)
"""
GREENEXP = """#!/usr/bin/env python3
import os, signal, sys, time
with open(os.environ["CALLS"], "a") as calls:
    print("greenexp", os.environ["RAY_AUTH_TOKEN"], *sys.argv[1:], file=calls)
def save(*_):
    time.sleep(0.5)
    open(os.environ["CALLS"] + ".saved", "w").close()
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
if os.environ.get("ENDS"):
    sys.exit(int(os.environ["ENDS"]))
time.sleep(60)
"""


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on three nodes, with stand-ins for what it calls."""
    stand_ins = {"srun": SRUN, "greenexp": GREENEXP, "scontrol": "#!/bin/sh\nprintf 'n1\\nn2\\nn3\\n'\n"}
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in stand_ins.items():
        (commands / name).write_text(text, encoding="utf-8")
        (commands / name).chmod(0o755)
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_CPUS_PER_TASK": "4"}
    return {**os.environ, **settings, "PATH": path, "CALLS": str(tmp_path / "calls")}


def calls(job: dict[str, str]) -> list[list[str]]:
    path = Path(job["CALLS"])
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_slurm_starts_a_cluster_with_a_token_and_hands_the_sweep_its_address(
    job: dict[str, str], tmp_path: Path
) -> None:
    command = ["bash", str(FILES / "slurm.sh"), "my.yaml", str(tmp_path / "out")]
    for status, resumed in ((0, False), (1, True)):
        Path(job["CALLS"]).unlink(missing_ok=True)
        done = subprocess.run(command, env={**job, "ENDS": str(status)}, capture_output=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        made = calls(job)
        (run,) = [words for words in made if words[0] == "greenexp"]
        nodes = [words for words in made if words[0] == "token"]
        head = next(words for words in nodes if "--head" in words)
        assert run[2:4] == ["run", "my.yaml"]
        assert ("--resume" in run) is resumed
        assert {words[1] for words in made} == {run[1]}
        assert "--nodelist=n1" in head
        assert f"--port={run[run.index('--address') + 1].partition(':')[2]}" in head
        others = [words for words in nodes if words is not head]  # one may not have come to its first line
        assert {f"--address={run[run.index('--address') + 1]}"} >= {
            w for words in others for w in words if "--address" in w
        }
        assert all("--num-cpus=4" in words for words in nodes)
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "journal.jsonl").touch()


def test_slurms_signal_before_the_limit_reaches_the_sweep_which_is_waited_for(
    job: dict[str, str], tmp_path: Path
) -> None:
    script = subprocess.Popen(
        ["bash", str(FILES / "slurm.sh"), "my.yaml", str(tmp_path / "out")], env=job, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not any(words[0] == "greenexp" for words in calls(job)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        script.send_signal(signal.SIGTERM)
        assert script.wait(timeout=60) == 130
        assert Path(job["CALLS"] + ".saved").exists()
    finally:
        os.killpg(script.pid, signal.SIGKILL) if script.poll() is None else None


def test_the_cluster_file_is_one_that_ray_reads() -> None:
    spec = find_spec("ray.autoscaler")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "ray-schema.json").read_text(encoding="utf-8"))
    config = loaded("ray-cluster.yaml")
    jsonschema.validate(config, schema)
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in command for command in starts if "ray start" in command)


def test_the_job_for_kubernetes_asks_for_a_token_and_lets_signals_through() -> None:
    job = loaded("kuberay.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert "exec greenexp run" in job["spec"]["entrypoint"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {box["image"] for group in groups for box in group["template"]["spec"]["containers"]}
    assert len(images) == 1, "nodes need the same Python, greenexp and torch"


def loaded(name: str) -> dict[str, Any]:
    data = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data
