"""Waiting for a node that a trial fits on, without Ray: what the cluster shows from one look to the next is given."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.records.sections import Resources
from greenexp.tuning import growing_cluster
from greenexp.tuning.growing_cluster import wait_for_node

HEAD = {"Alive": True, "Resources": {"memory": 1e9}}
WORKER = {"Alive": True, "Resources": {"CPU": 4.0, "memory": 1e9}}
DEAD = {"Alive": False, "Resources": {"CPU": 4.0}}
WAITING = Resources(workers=3, cpus_per_trial=2, wait_for_nodes="10m")


class GrowingCluster:
    """Shows one list of nodes after another, the last one for ever; keeps what an autoscaler is asked for."""

    def __init__(self, looks: list[list[dict[str, Any]]]) -> None:
        self.looks = looks
        self.asked: list[list[dict[str, float]]] = []

    def nodes(self) -> list[dict[str, Any]]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def request(self, bundles: list[dict[str, float]]) -> None:
        self.asked.append(bundles)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was told while it waited; a look and a line every instant."""
    monkeypatch.setattr(growing_cluster, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(growing_cluster, "_SAY_EVERY_S", 0.0)
    return []


def cluster(monkeypatch: pytest.MonkeyPatch, *looks: list[dict[str, Any]]) -> GrowingCluster:
    found = GrowingCluster(list(looks))
    monkeypatch.setattr("ray.nodes", found.nodes)
    monkeypatch.setattr(growing_cluster, "request_resources", found.request)
    return found


def test_an_autoscaler_is_asked_until_a_node_is_there(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    there = cluster(monkeypatch, [HEAD], [HEAD], [HEAD, DEAD], [HEAD], [HEAD, WORKER])
    wait_for_node(WAITING, said.append)
    assert there.looks == [[HEAD, WORKER]], "it should have waited for the node, and not longer"
    assert there.asked == [[{"CPU": 2.0, "GPU": 0.0}] * 3, []], "what was asked for is taken back"
    assert len(said) >= 3


@pytest.mark.parametrize(
    ("resources", "nodes"), [(WAITING, [HEAD, WORKER]), (Resources(cpus_per_trial=2), [HEAD])], ids=["there", "off"]
)
def test_nothing_is_asked_where_nothing_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, said: list[str], resources: Resources, nodes: list[dict[str, Any]]
) -> None:
    there = cluster(monkeypatch, nodes)
    wait_for_node(resources, said.append)
    assert (there.asked, said) == ([], [])


def test_the_request_is_taken_back_when_nobody_comes_or_the_user_gives_up(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    there = cluster(monkeypatch, [HEAD])
    wait_for_node(Resources(wait_for_nodes=0.01), said.append)
    assert there.asked[-1] == []

    def give_up(text: str) -> None:
        if "since" in text:
            raise KeyboardInterrupt

    there.asked.clear()
    with pytest.raises(KeyboardInterrupt):
        wait_for_node(WAITING, give_up)
    assert [len(bundles) for bundles in there.asked] == [3, 0]
