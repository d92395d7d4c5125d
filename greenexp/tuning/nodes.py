"""What every node of a cluster must have before a trial starts on it, asked of all nodes at once.

Clocks are not compared: all times on record are the driver's, or durations by a clock that only goes forward.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from greenexp.errors import InputError, StateError
from greenexp.plan import Plan
from greenexp.plan.plugins import AddedPlugin, registry_of
from greenexp.records.sections import Resources
from greenexp.tuning import machine_survey
from greenexp.tuning.machine_survey import InstalledPlugin

ANSWER_S = 30.0
"""How long all nodes have to answer; a Python that imports Ray starts in seconds even on a busy node."""
_PACKAGES = ("greenexp", "torch", "transformers", "tokenizers", "numpy")
_ROUNDING = 1e-6
"""1 / (1 / 49) is less than 49."""
_LEAST_DISK_B, _LEAST_MEMORY_B = 1 << 30, 1 << 29

NodeFacts = Mapping[str, Any]
"""What `survey_machine` returns there."""


def check_nodes(plan: Plan, *, ship: bool = False) -> None:
    """Refuse a cluster on whose nodes trials would fail; all problems at once, by node. Ray must be up.

    Only nodes that a trial fits on are asked. ship: plug-ins are sent, so they need not be there. Raises InputError.
    """
    resources = plan.spec.resources
    nodes = fitting_nodes(resources)
    if not nodes:
        hint = "" if resources.wait_for_nodes else "; resources.wait_for_nodes: 15m would wait for one that joins"
        raise InputError(f"resources: {needed_text(resources)}, and no node of the Ray cluster has as many{hint}")
    answers = _asked(nodes, () if ship else installed_plugins(plan), gpus=resources.gpus_per_trial > 0)
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # one that has died meanwhile trains nothing
    here = driver_facts()
    problems = [
        f"{address}: {problem}"
        for node, (address, facts) in zip(nodes, answers, strict=True)
        if node["NodeID"] in alive
        for problem in ([facts] if isinstance(facts, str) else node_problems(facts, here))
    ]
    if problems:
        raise InputError("\n  ".join(["nodes of the Ray cluster on which trials would fail:", *problems]))


def fitting_nodes(resources: Resources) -> list[Mapping[str, Any]]:
    """The nodes of the cluster that a trial fits on, whatever else they do at present.

    Of a trial of several processes: those that one of them fits on, and none where all of them do not fit.
    """
    needed = needed_by_process(resources)
    found = [(node, room) for node in ray.nodes() if node["Alive"] and (room := _room(node, needed)) > 0]
    fit = sum(room for _, room in found) >= resources.processes_per_trial
    return [node for node, _ in found] if fit else []


def _room(node: Mapping[str, Any], needed: Mapping[str, float]) -> int:
    """How many processes fit on a node."""
    return min(_fitting(node["Resources"].get(name, 0.0), amount) for name, amount in needed.items() if amount)


def _fitting(there: float, amount: float) -> int:
    """How often `amount` can be had: Ray takes a part of a GPU from a single one."""
    if amount >= 1:
        return int(there / amount)
    return int(there) * int(1 / amount + _ROUNDING)


def needed_by_process(resources: Resources) -> dict[str, float]:
    """What each process of a trial needs of its node, in Ray's words."""
    return {"CPU": float(resources.cpus_per_process), "GPU": float(resources.gpus_per_process)}


def needed_text(resources: Resources) -> str:
    """What a trial needs, in a sentence."""
    needed = f"a trial needs {resources.cpus_per_trial} CPU(s) and {resources.gpus_per_trial:g} GPU(s)"
    number = resources.processes_per_trial
    return needed if number == 1 else f"{needed}, equal parts of them for each of its {number} processes"


def driver_facts() -> NodeFacts:
    """What `check_worker` compares with."""
    return machine_survey.survey_machine(_PACKAGES)


def check_worker(here: NodeFacts) -> None:
    """Refuse to train on a node that has joined since `check_nodes` and has other software.

    here: the facts of the driver's machine. Raises StateError, which ends the session: the node would take one trial
    after another and fail it.
    """
    problems = software_problems(machine_survey.survey_machine(_PACKAGES), here)
    if problems:
        raise StateError(f"trials would fail on node {ray.util.get_node_ip_address()}: {'; '.join(problems)}")


def software_problems(there: NodeFacts, here: NodeFacts) -> list[str]:
    """How the software of a node differs from the driver's, in words."""
    found = [
        f"{name} {there['versions'][name] or 'is not installed'}, and the driver has {version}"
        for name, version in here["versions"].items()
        if _public(there["versions"][name]) != _public(version)
    ]
    if not found and there["code"] != here["code"]:
        found.append("its greenexp has other source code under the same version number than the driver's")
    return found


def node_problems(there: NodeFacts, here: NodeFacts) -> list[str]:
    """What is wrong with a node, in words; here: the facts of the driver's machine."""
    found = software_problems(there, here)
    found += [f"the {kind} '{name}' is not installed there (from {origin})" for kind, name, origin in there["absent"]]
    if there["gpu_problem"]:
        found.append(there["gpu_problem"])
    for what, free, least in (
        (f"disk in {there['scratch']}", there["disk_b"], _LEAST_DISK_B),
        ("memory", there["memory_b"], _LEAST_MEMORY_B),
    ):
        if free is not None and free < least:
            found.append(f"{free / 1e9:.2f} GB of {what} are free, and a trial needs at least {least / 1e9:.2f} GB")
    return found


def installed_plugins(plan: Plan) -> list[InstalledPlugin]:
    """The plug-ins of other packages that a sweep's trials name."""
    chosen: set[tuple[str, str]] = set()
    for settings in plan.possible_settings():
        chosen |= {("task", settings.task.name), ("backbone", settings.backbone.name)}
        chosen |= {("method", settings.method.name), ("exits.head", settings.model.head.name)}
        chosen.add(("compression", settings.compression.name))
    found = []
    for path, name in sorted(chosen):
        registry = registry_of(path)
        module = registry.module(name)
        if module is not None:
            found.append(
                InstalledPlugin(path, registry.kind, name, registry.origin(name), registry.group or "", module)
            )
    return found


def shipped_plugins(plan: Plan) -> list[AddedPlugin]:
    """The same ones, to be sent to workers with the code of their packages.

    The code is that of the modules that are imported by now; what one of them imports later must be on the nodes.
    """
    found = []
    for plugin in installed_plugins(plan):
        shipped = AddedPlugin(plugin.path, plugin.name, registry_of(plugin.path)[plugin.name])
        ray.cloudpickle.register_pickle_by_value(import_module(plugin.module.partition(".")[0]))
        found.append(shipped)
    return found


def _asked(
    nodes: Sequence[Mapping[str, Any]], plugins: Sequence[InstalledPlugin], *, gpus: bool
) -> list[tuple[str, NodeFacts | str]]:
    """(address, facts) of each node, or in words why there are none."""
    ray.cloudpickle.register_pickle_by_value(machine_survey)  # greenexp may not be there
    ask = ray.remote(num_cpus=0, max_retries=0)(machine_survey.survey_machine)
    wanted = [tuple(plugin) for plugin in plugins]
    references = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            _PACKAGES, wanted, gpus=gpus
        )
        for node in nodes
    ]
    deadline = time.monotonic() + ANSWER_S
    return [
        (str(node["NodeManagerAddress"]), _answer(reference, deadline))
        for node, reference in zip(nodes, references, strict=True)
    ]


def _answer(reference: ray.ObjectRef, deadline: float) -> NodeFacts | str:
    try:
        facts: NodeFacts = ray.get(reference, timeout=max(0.0, deadline - time.monotonic()))
        return facts
    except ray.exceptions.GetTimeoutError:
        return f"no answer within {ANSWER_S:g} s"
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"nothing can be run there ({lines[-1] if lines else type(error).__name__})"


def _public(version: str | None) -> str | None:
    """A version without its local part: `2.12.1+cpu` and `2.12.1+cu130` compute by the same code."""
    return None if version is None else version.partition("+")[0]
