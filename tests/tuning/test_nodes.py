"""What is asked of the nodes of a cluster, and what is made of the answers, without Ray."""

from __future__ import annotations

import pickle
import socket
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from greenexp.errors import InputError, StateError
from greenexp.plan import make_plan
from greenexp.records.sections import Resources
from greenexp.registry import Registry
from greenexp.spec import load_sweep
from greenexp.tuning import access, machine_survey, nodes
from greenexp.tuning.access import AnswerWithoutToken, answer_of
from greenexp.tuning.cluster import ray_cluster
from greenexp.tuning.machine_survey import InstalledPlugin, survey_machine

TEXT = "name: x\ntask: {name: clauses}\nbackbone: {name: bert, layers: 2, hidden: 32, heads: 2}\n"
PACKAGES = ("greenexp", "torch", "not-there")
HERE: dict[str, Any] = {
    "versions": {"Python": "3.11", "greenexp": "0.1.0", "torch": "2.12.1+cpu"},
    "code": "a" * 64,
    "absent": [],
    "gpu_problem": "",
    "scratch": "/tmp",
    "disk_b": 10**11,
    "memory_b": 10**10,
}


def test_a_machine_tells_what_it_has() -> None:
    plugin = InstalledPlugin("method", "method", "mine", "their-package", "greenexp.methods", "their_package.mine")
    facts = survey_machine(PACKAGES, [plugin], gpus=False)
    assert facts["versions"]["Python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert facts["versions"]["not-there"] is None
    assert facts["absent"] == [("method", "mine", "their-package")]
    assert facts["code"] == survey_machine([])["code"]
    assert facts["disk_b"] > 0
    assert nodes.node_problems(survey_machine(PACKAGES), survey_machine(PACKAGES)) == []


def test_the_question_is_sent_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that has no greenexp must be able to say so."""
    cloudpickle.register_pickle_by_value(machine_survey)
    try:
        sent = cloudpickle.dumps(survey_machine)
    finally:
        cloudpickle.unregister_pickle_by_value(machine_survey)
    monkeypatch.setitem(sys.modules, machine_survey.__name__, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert pickle.loads(sent)(["greenexp"])["code"]  # noqa: S301 - its own bytes


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"versions": {**HERE["versions"], "Python": "3.12"}}, "Python 3.12"),
        ({"versions": {**HERE["versions"], "torch": None}}, "torch is not installed"),
        ({"versions": {**HERE["versions"], "torch": "2.11.0"}}, "torch 2.11.0"),
        ({"code": "b" * 64}, "other source code"),
        ({"absent": [("method", "mine", "their-package")]}, "method 'mine'"),
        ({"gpu_problem": "Ray announces GPUs there"}, "GPUs"),
        ({"disk_b": 10**8}, "disk in /tmp"),
        ({"memory_b": 10**8}, "memory"),
    ],
)
def test_each_problem_of_a_node_is_named(change: dict[str, Any], told: str) -> None:
    (problem,) = nodes.node_problems({**HERE, **change}, HERE)
    assert told in problem


def test_builds_of_one_version_are_equal_and_what_is_unknown_is_no_problem() -> None:
    there = {**HERE, "versions": {**HERE["versions"], "torch": "2.12.1+cu130"}, "memory_b": None}
    assert nodes.node_problems(there, HERE) == []


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"n1": {**HERE, "code": "b" * 64, "disk_b": 0}, "n2": HERE, "n3": "no answer within 30 s"}
    alive = [{"Alive": True, "NodeID": name, "NodeManagerAddress": name, "Resources": {"CPU": 4.0}} for name in answers]
    alive.append({"Alive": True, "NodeID": "head", "NodeManagerAddress": "head", "Resources": {}})
    alive.append({"Alive": False, "NodeID": "gone", "NodeManagerAddress": "gone", "Resources": {"CPU": 4.0}})
    monkeypatch.setattr(nodes.ray, "nodes", lambda: alive)
    monkeypatch.setattr(
        nodes, "_asked", lambda asked, *_, **__: [(node["NodeID"], answers[node["NodeID"]]) for node in asked]
    )
    monkeypatch.setattr(machine_survey, "survey_machine", lambda *_, **__: HERE)
    plan = make_plan(load_sweep(TEXT))
    with pytest.raises(InputError) as told:
        nodes.check_nodes(plan)
    lines = [line.split(":")[0].strip() for line in str(told.value).splitlines()[1:]]
    assert lines == ["n1", "n1", "n3"]


def test_a_trial_that_fits_on_no_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    small = [{"Alive": True, "NodeID": n, "NodeManagerAddress": n, "Resources": {"CPU": 4.0}} for n in ("n1", "n2")]
    monkeypatch.setattr(nodes.ray, "nodes", lambda: small)
    with pytest.raises(InputError, match="8 CPU"):
        nodes.check_nodes(make_plan(load_sweep(TEXT + "resources: {cpus_per_trial: 8}\n")))


@pytest.mark.parametrize(("processes", "fits"), [(2, 2), (4, 2), (5, 0)])
def test_processes_of_a_trial_may_be_on_several_nodes(
    processes: int, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of two cores each fit on a node."""
    pair = [{"Alive": True, "NodeID": n, "NodeManagerAddress": n, "Resources": {"CPU": 5.0}} for n in ("n1", "n2")]
    monkeypatch.setattr(nodes.ray, "nodes", lambda: [*pair, {**pair[0], "Alive": False}])
    resources = Resources(processes_per_trial=processes, cpus_per_trial=2 * processes)
    assert len(nodes.fitting_nodes(resources)) == fits
    assert f"{processes} processes" in nodes.needed_text(resources)


@pytest.mark.parametrize(("processes", "gpus", "fits"), [(4, 2, 1), (6, 2, 1), (49, 1, 1), (98, 2, 1), (3, 2, 0)])
def test_a_process_has_a_part_of_a_single_gpu(
    processes: int, gpus: int, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"Alive": True, "NodeID": "n", "NodeManagerAddress": "n", "Resources": {"CPU": 200.0, "GPU": 2.0}}
    monkeypatch.setattr(nodes.ray, "nodes", lambda: [node])
    resources = Resources(processes_per_trial=processes, cpus_per_trial=processes, gpus_per_trial=gpus)
    assert len(nodes.fitting_nodes(resources)) == fits


def test_a_node_that_dies_while_it_is_asked_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"Alive": True, "NodeID": "n1", "NodeManagerAddress": "n1", "Resources": {"CPU": 4.0}}
    looks = iter([[node], [{**node, "Alive": False}]])
    monkeypatch.setattr(nodes.ray, "nodes", lambda: next(looks))
    monkeypatch.setattr(nodes, "_asked", lambda *_, **__: [("n1", "nothing can be run there")])
    nodes.check_nodes(make_plan(load_sweep(TEXT)))


def test_a_worker_on_a_node_that_joined_later_compares_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = nodes.driver_facts()
    nodes.check_worker(facts)
    monkeypatch.setattr(nodes.ray.util, "get_node_ip_address", lambda: "10.0.0.9")
    with pytest.raises(StateError, match=r"10\.0\.0\.9.*torch"):
        nodes.check_worker({**facts, "versions": {**facts["versions"], "torch": "0.1"}})


def test_an_installed_plugin_is_sent_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sizes.py").write_text("SIZE = 7\n", encoding="utf-8")
    (package / "mine.py").write_text(
        "from their_package.sizes import SIZE\n\n\ndef size():\n    return SIZE\n\n\n"
        "class Mine:\n    def size(self):\n        return size()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry: Registry[Any] = Registry("method", {"mine": "their_package.mine:Mine"})
    monkeypatch.setattr(nodes, "registry_of", lambda _: registry)
    plugin = InstalledPlugin("method", "method", "mine", "their-package", "greenexp.methods", "their_package.mine")
    monkeypatch.setattr(nodes, "installed_plugins", lambda _: [plugin])
    sent = cloudpickle.dumps(nodes.shipped_plugins(make_plan(load_sweep(TEXT))))
    cloudpickle.unregister_pickle_by_value(sys.modules["their_package"])
    for name in ("their_package", "their_package.mine", "their_package.sizes"):
        monkeypatch.setitem(sys.modules, name, None)
    ((path, name, arrived),) = pickle.loads(sent)  # noqa: S301 - its own bytes
    assert (path, name, arrived().size()) == ("method", "mine", 7)


def test_only_installed_plugins_have_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("theirs", "their_package.mine:Mine", "greenexp.methods")]
    monkeypatch.setattr("greenexp.registry.entry_points", lambda group: points)
    registry: Registry[Any] = Registry("method", {"built_in": "math:sqrt"}, group="greenexp.methods")
    registry.add("of_this_process", object)
    assert registry.module("built_in") is None
    assert registry.module("of_this_process") is None
    assert registry.module("theirs") == "their_package.mine"


def test_nothing_listens_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match="no Ray cluster"):
        answer_of(f"127.0.0.1:{port}")
    with pytest.raises(InputError, match="no Ray cluster"):
        answer_of("127.0.0.1:99999999")
    for wrong in ("nonsense", "127.0.0.1", "127.0.0.1:port", ":6379"):
        with pytest.raises(InputError, match="no address"):
            answer_of(wrong)


def test_what_listens_there_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_PROBE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert answer_of(f"127.0.0.1:{silent.getsockname()[1]}") is AnswerWithoutToken.NONE


def test_a_ray_client_address_is_refused() -> None:
    with (
        pytest.raises(InputError, match="ray job submit"),
        ray_cluster(workers=1, cpus_per_trial=1, gpus_per_trial=0, address="ray://10.0.0.1:10001", open_cluster=True),
    ):
        raise AssertionError
