"""A sweep on a cluster that has no node for a trial yet: Ray's own autoscaler, with nodes that are processes here.

    python tests/faults/growing.py

Prints the nodes over time, the lines of the sweep, and whether its numbers are those of an undisturbed run on one
machine; ends with 1 if they are not. Needs no root.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "cli")]

from sweeps_for_tests import TINY, environment, greenexp, numbers, write_sweep

TEXT = TINY + "tracking: {enabled: false}\n"
CONFIG = {
    "cluster_name": "growing",
    "max_workers": 4,
    "head_node_type": "ray.head.default",
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 0.5,
    "auth": {},
    **{name: {} for name in ("docker", "file_mounts", "head_node", "worker_nodes")},
    **{
        name: []
        for name in (
            "cluster_synced_files",
            "file_mounts_sync_continuously",
            "head_setup_commands",
            "head_start_ray_commands",
            "initialization_commands",
            "rsync_exclude",
            "rsync_filter",
            "setup_commands",
            "worker_setup_commands",
            "worker_start_ray_commands",
        )
    },
    "provider": {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
}

_PORT = 6379
"""Ray's own: nodes of this provider look for the head there."""


@contextlib.contextmanager
def growing_cluster() -> Iterator[str]:
    """The address of a cluster whose head has no CPU for trials, and whose autoscaler may add two nodes.

    Its token goes into the environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="rg"))  # short: Ray's socket paths must fit into 107 characters
    (folder / "autoscaler.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
    settings = {**environment(), "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={_PORT}", "--num-cpus=0",
        "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}/ray",
        f"--autoscaling-config={folder}/autoscaler.json",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        head = subprocess.Popen(command, env=settings, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 90
        while b"Ray runtime started" not in (folder / "log").read_bytes():
            if time.monotonic() > end or head.poll() is not None:
                raise SystemExit((folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.2)
        text = (folder / "log").read_text(encoding="utf-8")
        yield re.findall(r"--address='([^']+)'", text)[0]  # with this provider Ray takes an address of its own
    finally:
        for entry in Path("/proc").iterdir():  # Ray's own way of stopping would stop every Ray on the machine
            with contextlib.suppress(OSError, ValueError):
                if os.getsid(int(entry.name)) == head.pid:
                    os.kill(int(entry.name), signal.SIGKILL)
        head.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run the sweep alone and on the cluster."""
    folder = Path(tempfile.mkdtemp())
    sweep = write_sweep(folder, TEXT)
    alone = greenexp("run", sweep, "--out", folder / "alone")
    if alone.returncode != 0:
        raise SystemExit(alone.stderr)
    with growing_cluster() as address:
        refused = greenexp("run", sweep, "--out", folder / "refused", "--address", address)
        print(f"without waiting: exit {refused.returncode}: {refused.stderr.strip().splitlines()[-1]}")
        began = time.monotonic()
        arguments = ("--out", folder / "out", "--address", address, "--set", "resources.wait_for_nodes=3m")
        grown = greenexp("run", sweep, *arguments)
        print(grown.stdout, grown.stderr, f"{time.monotonic() - began:.0f} s in all", sep="\n")
    exact = grown.returncode == 0 and numbers(folder / "out") == numbers(folder / "alone")
    print("against an undisturbed run:", "exact" if exact else "NOT THE SAME")
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if exact and refused.returncode == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
