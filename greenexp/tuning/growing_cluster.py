"""Waiting for nodes: a cluster that grows when more is asked of it, or whose nodes are still being started."""

from __future__ import annotations

import time
from collections.abc import Callable

import ray
from ray.autoscaler.sdk import request_resources

from greenexp.records.sections import Resources
from greenexp.tuning.nodes import fitting_nodes, needed_by_process, needed_text
from greenexp.units import format_duration

_LOOK_EVERY_S, _SAY_EVERY_S = 1.0, 30.0


def wait_for_node(resources: Resources, say: Callable[[str], None]) -> None:
    """Wait until a trial fits on some node, at most as long as `resources.wait_for_nodes` says. Ray must be up.

    An autoscaler is asked for room for all workers meanwhile. Once a node is there, Tune asks for the rest: for all
    workers at a time, each time a trial waits for one. What is asked for here would stay on the cluster's books after
    the driver's death, so it is taken back.
    say: told how long it has been waited
    """
    limit_s = resources.wait_for_nodes
    if not limit_s or fitting_nodes(resources):
        return
    began_s = said_s = time.monotonic()
    say(f"{needed_text(resources)}, and no node has as many: waiting up to {format_duration(limit_s)} for one")
    request_resources(bundles=[needed_by_process(resources)] * resources.processes_per_trial * resources.workers)
    try:
        while not fitting_nodes(resources) and time.monotonic() - began_s < limit_s:
            time.sleep(_LOOK_EVERY_S)
            if time.monotonic() - said_s >= _SAY_EVERY_S:
                said_s = time.monotonic()
                nodes = sum(node["Alive"] for node in ray.nodes())
                say(f"waiting for a node since {format_duration(said_s - began_s)}; the cluster has {nodes}")
    finally:
        request_resources(bundles=[])
    if fitting_nodes(resources):
        say(f"a node for a trial is there after {format_duration(time.monotonic() - began_s)}")
