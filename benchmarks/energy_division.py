"""Energy divided among trials, against what is known: `python benchmarks/energy_division.py`.

On made-up machines it is known what every process drew. Printed are, for each trace, what the meter counted, the parts
it was divided into, what is left over (which must be nothing), and how far each trial's part is from what its process
really drew: its use of the device, and of the idle power its share. Then the same division on the counters of this
machine, if it has any that can be read, and what sampling costs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "meters"))

from made_node import GPU, Node, sampler_of, shares

from greenexp.meters.sampling import NodeSampler, open_node
from greenexp.records.energy import MeteredDevice

IDLE_W, BUSY_W = 40.0, 300.0
MINUTE_S = 60.0


@dataclass(frozen=True)
class Trace:
    """What happens on a made-up machine.

    loads: of a moment in seconds, the part of the device that each process uses; share: of the device, per trial
    step_s: how often the counter moves; known: whether the device tells who used it; failing: part of failed readings
    """

    name: str
    loads: Callable[[float], dict[int, float]]
    share: float = 0.5
    step_s: float = 0.1
    known: bool = True
    failing: float = 0.0


def steady(loads: dict[int, float]) -> Callable[[float], dict[int, float]]:
    """The same loads at all times."""
    return lambda _: loads


TRACES = (
    Trace("one trial alone", steady({1: 0.9}), share=1.0),
    Trace("two trials, equal", steady({1: 0.4, 2: 0.4})),
    Trace("two trials, 3 to 1", steady({1: 0.6, 2: 0.2})),
    Trace("two trials in turns of 1.3 s", lambda s: {1: 0.9 * (s % 2.6 < 1.3), 2: 0.9 * (s % 2.6 >= 1.3)}),
    Trace("two trials and a stranger", steady({1: 0.3, 2: 0.3, 9: 0.3})),
    Trace("two trials, 3 to 1, use not told", steady({1: 0.6, 2: 0.2}), known=False),
    Trace("two trials, a tenth of the readings fails", steady({1: 0.6, 2: 0.2}), failing=0.1),
    Trace(
        "four trials, one a second idle in three", lambda s: {i: 0.2 * (s % 3 > 1 or i > 1) for i in range(1, 5)}, 0.25
    ),
)


def divided(trace: Trace, period_s: float, rng: random.Random) -> tuple[MeteredDevice, float]:
    """The account after a minute of the trace, and the largest relative error of a trial's part, in per cent."""
    node = Node(IDLE_W, BUSY_W, trace.step_s)
    sampler = sampler_of(node, trace.known)
    for _ in range(60):  # nobody there: idle power
        node.run(0.05)
        sampler.sample()
    trials = sorted(pid for pid in trace.loads(0.0) if pid != 9)
    entries = {pid: sampler.enter(shares(f"t{pid}", pid, trace.share)) for pid in trials}
    true_j, since_s, began_s = dict.fromkeys(trials, 0.0), 0.0, node.now_s
    while node.now_s - began_s < MINUTE_S:
        node.load = trace.loads(node.now_s - began_s)
        for pid in trials:
            true_j[pid] += 0.01 * (IDLE_W * trace.share + BUSY_W * node.load[pid])
        node.run(0.01)
        since_s += 0.01
        if since_s >= period_s:
            node.failing = rng.random() < trace.failing
            sampler.sample()
            since_s = 0.0
    node.failing = False
    found = {pid: sampler.take(entry.number).energy_uj[GPU] * 1e-6 for pid, entry in entries.items()}
    (device,) = sampler.devices()
    return device, max(abs(found[pid] - true_j[pid]) / true_j[pid] for pid in trials) * 100


def row(name: str, device: MeteredDevice, error: str) -> str:
    """A line of the table, in joules; what is left over in microjoules."""
    parts = (device.trials_j, device.overhead_j, device.unattributed_j)
    left_uj = round(device.meter_j * 1e6) - sum(round(part * 1e6) for part in parts)
    cells = [f"{value:11.1f}" for value in (device.meter_j, *parts)]
    return f"{name:42}{''.join(cells)}{left_uj:12d}{error:>14}"


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="of sampling this machine's counters")
    arguments = parser.parse_args()
    heads = ("meter J", "trials J", "overhead J", "unattr. J")
    print(f"{'trace (60 s, sampled every 0.5 s)':42}{''.join(f'{head:>11}' for head in heads)}{'left µJ':>12}"
          f"{'error of parts':>14}")  # fmt: skip
    for trace in TRACES:
        device, error = divided(trace, 0.5, random.Random(arguments.seed))
        print(row(trace.name, device, f"{error:.1f} %"))
    here(arguments.seconds)


def here(seconds: float) -> None:
    """The counters of this machine, with this process as the only trial, and what sampling takes."""
    devices, missing = open_node()
    for what, why in missing.items():
        print(f"not here: {what}: {why}")
    sampler = NodeSampler(devices, missing)
    began_s, cpu_s = time.monotonic(), time.process_time()
    sampler.start()
    time.sleep(seconds)
    share = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    for device in sampler.devices():
        print(row(f"here, {device.device}", device, ""))
    sampler.close()
    print(f"sampling {len(devices)} device(s) of this machine took {100 * share:.2f} % of a core")


if __name__ == "__main__":
    main()
