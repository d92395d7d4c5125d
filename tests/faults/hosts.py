"""Three hosts on one machine: network namespaces with addresses of their own, an empty /tmp each and no shared folder.

Needs root, `ip`, `unshare` and `nsenter`, as for any network namespace; `permitted` says whether they are there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HIDDEN = Path("/var/tmp")
"""Mounted over on every host but the head, so that results there are its own."""
PORT = 6379
BRIDGE, NETWORK = "gxbr0", "10.77.0"
START_S = 90.0


@dataclass
class Host:
    """One host. number: of its address; processes: started on it, leaders of their process groups"""

    number: int
    settings: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of its namespace."""
        return f"gxhost{self.number}"

    @property
    def address(self) -> str:
        """Of its network interface."""
        return f"{NETWORK}.{self.number}"

    def boot(self) -> None:
        """A process that holds its mounts for as long as it is up."""
        mounts = ["mount -t tmpfs tmpfs /tmp"]
        if self.number > 1:
            mounts.append(f"mount -t tmpfs tmpfs {HIDDEN}")
        inside = " && ".join([*mounts, "echo up", "exec sleep infinity"])
        whole = ["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", inside]
        process = subprocess.Popen(whole, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        process.stdout.readline()
        self.processes.append(process)

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """A command on this host; its output is added to `log`."""
        whole = ["nsenter", f"--target={self.processes[0].pid}", "--mount", "--net", *command]
        with log.open("ab") as output:
            process = subprocess.Popen(
                whole, env={**os.environ, **self.settings}, stdout=output, stderr=output, start_new_session=True
            )
        self.processes.append(process)
        return process

    def pids(self) -> list[int]:
        """All processes on this host."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(pid) for pid in found.stdout.split()]

    def workers(self) -> list[int]:
        """Processes that train."""
        found = []
        for pid in self.pids():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if line.startswith(b"ray::") and b"Trainable" in line:
                    found.append(pid)
        return found

    def kill(self) -> None:
        """Power off: all its processes are gone at once."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait(timeout=30)
        self.processes.clear()

    def cut_off(self) -> None:
        """Pull its network cable."""
        run("ip", "link", "set", f"gxv{self.number}", "down")

    def put_back(self) -> None:
        """Plug its network cable in again."""
        run("ip", "link", "set", f"gxv{self.number}", "up")


class Cluster:
    """A Ray cluster on such hosts, with a token of its own; host 1 is the head and has no CPU for trials."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.folder = folder
        self.settings = {**settings, **token}
        self.hosts: dict[int, Host] = {}

    @property
    def address(self) -> str:
        """Of its head."""
        return f"{NETWORK}.1:{PORT}"

    def add(self, number: int, cpus: int = 1) -> Host:
        """Start a host and Ray on it, and return when Ray runs there."""
        host = self.hosts[number] = Host(number, self.settings)
        _make_host(host)
        self.start_ray(host, cpus)
        return host

    def start_ray(self, host: Host, cpus: int = 1) -> None:
        """Ray on a host that is there."""
        log = self.folder / f"ray-{host.number}.log"
        log.unlink(missing_ok=True)
        head = host.number == 1
        where = ["--head", f"--port={PORT}", "--include-dashboard=false"] if head else [f"--address={self.address}"]
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--block", *where, f"--num-cpus={0 if head else cpus}",
            f"--node-ip-address={host.address}", "--disable-usage-stats",
        ]  # fmt: skip
        process = host.start(command, log)
        deadline = time.monotonic() + START_S
        while b"Ray runtime started" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Ray did not start on {host.name}:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)

    def run(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """`greenexp` on the head, joined to this cluster."""
        command = [sys.executable, "-m", "greenexp", *arguments, "--address", self.address]
        return self.hosts[1].start(command, log)

    def close(self) -> None:
        """All hosts are gone."""
        for host in self.hosts.values():
            with contextlib.suppress(subprocess.SubprocessError):
                host.kill()
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)
            subprocess.run(["ip", "link", "del", f"gxv{host.number}"], capture_output=True, check=False)
        self.hosts.clear()


@contextlib.contextmanager
def network() -> Iterator[None]:
    """The cable between the hosts; that of a drill that was killed is taken away."""
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    try:
        run("ip", "link", "set", BRIDGE, "up")
        yield
    finally:
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)


def permitted() -> bool:
    """Whether this machine lets us make such hosts."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return False
    made = subprocess.run(["ip", "netns", "add", "gxtry"], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", "gxtry"], capture_output=True, check=False)
    return made


def run(*command: str) -> None:
    """A command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")


def _make_host(host: Host) -> None:
    """A namespace with an interface whose other end is in the bridge."""
    outer, inner = f"gxv{host.number}", f"gxi{host.number}"
    subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)
    subprocess.run(["ip", "link", "del", outer], capture_output=True, check=False)
    run("ip", "netns", "add", host.name)
    run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", host.name)
    run("ip", "link", "set", outer, "master", BRIDGE)
    run("ip", "link", "set", outer, "up")
    for command in (f"addr add {host.address}/24 dev {inner}", f"link set {inner} up", "link set lo up"):
        run("ip", "-n", host.name, *command.split())
    host.boot()
