"""A machine with its own time, whose energy counter and processes are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenexp.meters.device_account import Activity
from greenexp.meters.energy import MeterError
from greenexp.meters.sampling import NodeDevice, NodeSampler, TrialShares

GPU = "GPU-a"


class Node:
    """A machine with its own time: processes that use its devices, and counters that integrate what these draw.

    step_s: how often the counters move; by default always
    """

    def __init__(self, idle_w: float = 40.0, busy_w: float = 100.0, step_s: float = 0.0) -> None:
        self.now_s, self.joules = 0.0, 0.0
        self.idle_w, self.busy_w, self.step_s = idle_w, busy_w, step_s
        self.load: dict[int, float] = {}
        self.used: dict[int, float] = {}
        self.dead: set[int] = set()
        self.failing = False
        self.shown_j = 0.0
        self._shown_s = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass under the present load."""
        self.now_s += seconds
        for pid, part in self.load.items():
            self.used[pid] = self.used.get(pid, 0.0) + part * seconds
        self.joules += seconds * (self.idle_w + self.busy_w * min(1.0, sum(self.load.values())))
        if self.now_s - self._shown_s >= self.step_s:
            self.shown_j, self._shown_s = self.joules, self.now_s


class Counter:
    """The node's counter."""

    covers = "gpu"

    def __init__(self, node: Node, safe_gap_s: float = float("inf")) -> None:
        self.node, self.safe_gap_s = node, safe_gap_s

    def read_j(self) -> float:
        if self.node.failing:
            raise MeterError("no answer")
        return self.node.shown_j

    def close(self) -> None:
        pass


class Use:
    """Who uses the node's device; knows nothing if it is told so."""

    def __init__(self, node: Node, known: bool = True) -> None:
        self.node, self.known, self.own = node, known, set[int]()

    def read(self, pids: Sequence[int], now_s: float) -> Activity:
        if not self.known:
            return Activity()
        used = self.node.used
        own = sum(used.get(pid, 0.0) for pid in self.own)
        return Activity({pid: used[pid] for pid in pids if pid in used}, own, sum(used.values()))

    def add_own(self, pid: int) -> None:
        self.own.add(pid)


def sampler_of(node: Node, known: bool = True, safe_gap_s: float = float("inf")) -> NodeSampler:
    device = NodeDevice(GPU, "made up", Counter(node, safe_gap_s), Use(node, known))
    is_alive: Callable[[int], bool] = lambda pid: pid not in node.dead  # noqa: E731
    return NodeSampler([device], {}, clock=lambda: node.now_s, is_alive=is_alive)


def shares(trial: str, pid: int, share: float = 0.5) -> TrialShares:
    return TrialShares(trial, pid, (GPU,), share)
