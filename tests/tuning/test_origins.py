"""Models of other sweeps that trials begin with: their identity, their way to the nodes, what training them cost."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_served_models import WORDS, save_tiny, write_sweep
from told import tells

from greenexp.errors import CheckpointError, InputError
from greenexp.journal import chosen_model as chosen
from greenexp.journal.file import NAME, Journal, read_events
from greenexp.journal.origins import check_origins
from greenexp.journal.state import SweepState
from greenexp.plan import Plan, make_plan, price_plan
from greenexp.plan.data import prepare_data
from greenexp.records.origins import ORIGINS
from greenexp.records.trial import TrialSpec
from greenexp.spec import load_sweep, resolved
from greenexp.training import TrialRun
from greenexp.tuning.delivered_origins import SentModel, install_origin, packed_origins
from greenexp.tuning.opening import open_sweep

TEXT = """\
name: taught
task: {name: tsv, train: train.tsv, dev: dev.tsv, labels: [worse, better]}
backbone: {name: bert, layers: 3, hidden: 16, heads: 2, max_positions: 20}
training: {epochs: 2, batch_size: 4, max_length: 16}
method: {name: distillation, teacher: out/first}
search: {name: points, points: [{method.layers: 2}, {method.layers: 3}]}
"""


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep beside the working directory, `out/first`, whose kept models may teach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chosen, "_DELIVERED", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    every = " ".join(WORDS)  # each as often as any other, so that both read the same ids
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{every}\tbetter\n" + f"{every}\tworse\n" * 6)
    return write_sweep(tmp_path / "out/first")


def planned(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides))


def test_a_teacher_belongs_to_the_identity_of_its_trials(teacher: Path) -> None:
    before = planned().trials[0]
    assert set(before.origins) == {"method.teacher"}
    assert TrialSpec.from_json(json.loads(json.dumps(before.to_json()))) == before
    check_origins(before)
    save_tiny(teacher / "models/c001-i0-o0", seed=7)
    after = planned().trials[0]
    assert after.settings == before.settings
    assert after.fingerprint != before.fingerprint
    with pytest.raises(InputError, match=r"method\.teacher.*out/first"):
        TrialRun(before, prepare_data(before.settings))


def test_without_a_teacher_fingerprints_are_as_they_were(teacher: Path) -> None:
    own = planned("method={name: finetune}").trials[0]
    assert "origins" not in own.to_json()
    assert own.fingerprint == dataclasses.replace(own, fingerprint="", origins={}).fingerprint


def test_a_sweep_does_not_go_on_with_another_teacher(teacher: Path, tmp_path: Path) -> None:
    plan = planned()
    open_sweep(plan, resolved(plan.spec), tmp_path / "own").journal.close()
    save_tiny(teacher / "models/c001-i0-o0", seed=7)
    again = planned()
    with pytest.raises(InputError) as refused:
        open_sweep(again, resolved(again.spec), tmp_path / "own")
    assert tells(str(refused.value), "2 of 2 … method.teacher … out/first … --fresh")


def test_a_teacher_travels_whole(teacher: Path, tmp_path: Path) -> None:
    """To a node that has no such folder: the trial trains there to the numbers that it has here."""
    plan = planned()
    trial, data = plan.trials[0], prepare_data(plan.trials[0].settings)
    with TrialRun(trial, data) as run:
        here = next(run)
    sent = packed_origins(plan)
    shutil.rmtree(teacher)
    damaged = SentModel(sent["out/first"].identity, {**sent["out/first"].files, "exits.safetensors": b"half"})
    with pytest.raises(CheckpointError, match=r"exits\.safetensors"):
        install_origin("out/first", damaged)
    folder = install_origin("out/first", sent["out/first"])
    assert folder.is_relative_to(tmp_path / "cache")
    assert install_origin("out/first", damaged) == folder, "what is there is not written again"
    check_origins(trial)
    with TrialRun(trial, data) as run:
        there = next(run)
    assert (there.train_loss, there.score) == (here.train_loss, here.score)


def spent(sweep: Path) -> float:
    state = SweepState(read_events(sweep / NAME))
    return sum(record.costs.train_flops or 0 for one in state.trials.values() for record in one.records.values())


def test_the_price_has_the_teachers_sweep_once(teacher: Path) -> None:
    own = price_plan(planned("method={name: finetune}")).bounds["train_flops"]
    price = price_plan(planned())
    assert spent(teacher) > 0
    taught = price.own["train_flops"]
    assert taught.most is not None
    assert taught.most > (own.most or 0)
    assert price.bounds["train_flops"].most == taught.most + spent(teacher)
    assert price.facts()["train_flops"]["high"] == taught.most, "what the sweep itself may use"
    assert [fact["train_flops"] for fact in price.origins] == [spent(teacher)]
    both = "search.points=[{method.teacher: out/first}, {method.teacher: out/first/models/c001-i1-o0}]"
    assert [sorted(fact["sources"]) for fact in price_plan(planned(both)).origins] == [
        ["out/first", "out/first/models/c001-i1-o0"]
    ]


def test_a_teacher_that_had_a_teacher_has_cost_both(teacher: Path) -> None:
    def first(event: Any) -> None:
        with Journal(teacher / NAME) as journal:
            journal.append("session", number=2, versions={}, measures={}, **event)

    first({ORIGINS: [{"sources": {"out/zeroth": "0" * 64}, "train_flops": 1e15}]})
    assert price_plan(planned()).origins[0]["train_flops"] == spent(teacher) + 1e15
    first({ORIGINS: [{"sources": {"out/other": "0" * 64}, "train_flops": None}]})
    price = price_plan(planned())
    assert price.origins[0]["train_flops"] is None
    assert price.bounds["train_flops"] == price.own["train_flops"]
    assert any("out/first" in note for note in price.notes)
