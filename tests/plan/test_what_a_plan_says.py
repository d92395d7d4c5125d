"""What `greenexp plan` says of the data, the machine and the time before anything is run."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from stand_ins import Sweep, Workers, a_record
from told import tells

from greenexp.api.planning import plan
from greenexp.cli.sweeps.preview import preview_lines
from greenexp.errors import GreenexpError, SweepFileError
from greenexp.meters.machine import machine_facts
from greenexp.plan.data import prepare_data
from greenexp.plan.prices import Price
from greenexp.records.epoch import EpochRecord
from greenexp.records.settings import Settings
from greenexp.records.speeds import EVAL_RATIO

TEXT = """\
name: told
task:
  name: csv
  train: {train}
  dev: {dev}
  text: text
  label: label
backbone: {{name: bert, layers: 1, hidden: 16, heads: 2}}
training: {{epochs: 2, max_length: 6}}
"""
LONG = "one two three four five six seven"


def write(path: Path, rows: list[tuple[str, str]], header: str = "text,label") -> str:
    path.write_text("\n".join([header, *(f"{text},{label}" for text, label in rows)]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep file: of 10 training texts 2 are too long, of 4 dev texts one is in train."""
    monkeypatch.chdir(tmp_path)
    rows = [(f"text {number}", "yes" if number < 7 else "no") for number in range(8)] + [(LONG, "no"), (LONG, "no")]
    train = write(tmp_path / "train.csv", rows)
    dev = write(tmp_path / "dev.csv", [("text 3", "yes"), ("new", "no"), ("newer", "no"), ("newest", "yes")])
    path = tmp_path / "sweep.yaml"
    path.write_text(TEXT.format(train=train, dev=dev), encoding="utf-8")
    return path


def test_the_data_are_counted(file: Path) -> None:
    price = plan(file).price
    assert price is not None
    (data,) = price.data
    train, dev = data.splits["train"], data.splits["dev"]
    assert (data.max_length, train.rows, dev.rows) == (6, 10, 4)
    assert train.classes == {"no": 3, "yes": 7}
    assert (train.truncated, dev.truncated) == (2, 0)
    assert (train.shared, dev.shared) == ({}, {"train": 1})


def test_they_are_printed(file: Path) -> None:
    lines = [text for label, text in preview_lines(plan(file)) if label == "data"]
    assert len(lines) == 2
    assert all(word in lines[0] for word in ("train", "10", "70.0 %", "20.0 %"))
    assert all(word in lines[1] for word in ("dev", "4", "25.0 %"))


def test_many_classes_and_values_have_a_line_too(file: Path, tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [(f"text {number}", f"class{number % 9}") for number in range(30)])
    write(tmp_path / "dev.csv", [("a", "class1")])
    assert "9 classes" in dict(reversed(preview_lines(plan(file))))["data"]
    write(tmp_path / "train.csv", [(f"text {number}", f"{number}.5") for number in range(30)])
    write(tmp_path / "dev.csv", [("a", "0.5")])
    price = plan(file, set={"metric.name": "pearson"}).price
    assert price is not None
    assert price.data[0].splits["train"].classes == {}


@pytest.mark.parametrize(
    ("change", "line"),
    [(("label: label", "label: lable"), 7), (("text: text", "text: txt"), 6), (("train.csv", "gone.csv"), 4),
     (("dev.csv", "train.csv"), 5), (("max_length: 6", "max_length: 2"), 9)],
    ids=["label", "text", "train", "dev is train", "length"],
)  # fmt: skip
def test_what_does_not_fit_has_its_line(file: Path, change: tuple[str, str], line: int) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(SweepFileError) as raised:
        plan(file)
    (problem,) = raised.value.problems
    assert (problem.source, problem.line) == (str(file), line)
    assert "c000" not in str(raised.value)


def test_a_gpu_that_is_not_there_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for gpus, said in ((0, False), (1, True)):
        price = plan(file, set={"resources.gpus_per_trial": gpus}).price
        assert price is not None
        assert any("gpus_per_trial" in note for note in price.notes) == said


def test_a_compiler_that_is_not_there_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for compiler, said in (("no-such-compiler", True), (sys.executable, False)):
        monkeypatch.setenv("CXX", compiler)
        price = plan(file, set={"training.compile": True}).price
        assert price is not None
        assert any("no-such-compiler" in note for note in price.notes) == said
    assert not any("compiler" in note for note in plan(file).price.notes)  # type: ignore[union-attr]


def recorded(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    """A sweep of two trials with these settings whose epochs of 1e9 and 5e8 FLOPs took 2 s each."""

    def evaluated(*given: Any, **more: Any) -> EpochRecord:
        record = a_record(*given, **more)
        return dataclasses.replace(record, costs=dataclasses.replace(record.costs, eval_flops=5e8))

    monkeypatch.setattr("stand_ins.made_settings", lambda **_: settings)
    monkeypatch.setattr("stand_ins.a_record", evaluated)
    folder.mkdir(parents=True)
    sweep = Sweep(folder)
    sweep.spec |= {name: section for name, section in settings.to_json().items() if name != "metric"}
    facts = machine_facts() | facts
    conductor = sweep.open(configurations=1, scheduler={"name": "fifo"}, workers=1, facts=facts)
    try:
        Workers(conductor, wall_s=2.0).play()
        conductor.close()
    finally:
        conductor.journal.close()


def priced(file: Path, **options: Any) -> Price:
    price = plan(file, **options).price
    assert price is not None
    return price


def test_time_is_priced_from_a_sweep_of_the_same_model_alone(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(file)
    assert planned.price is not None
    assert planned.price.bounds["wall_s"].most is None
    assert planned.price.time_after == ""
    recorded(tmp_path / "out" / "earlier", planned.configurations[0].settings, monkeypatch)
    assert priced(file, set={"training.max_length": 5}).bounds["wall_s"].expected is None
    price = priced(file)
    assert str(Path("out") / "earlier") in price.time_after
    flops = (price.bounds["train_flops"].most or 0) + EVAL_RATIO * (price.eval_flops.most or 0)
    expected = flops * 2.0 / (1e9 + EVAL_RATIO * 5e8)
    assert price.worker_s.expected == pytest.approx(expected, rel=0.2)
    low, high = price.worker_s.interval or (0.0, 0.0)
    assert low < expected < high
    bounds = price.bounds
    assert (bounds["cpu_s"].expected or 0) / (price.worker_s.expected or 1) == pytest.approx(0.45, rel=0.01)
    assert (bounds["energy_j"].expected, bool(bounds["energy_j"].reason)) == (None, True)


@pytest.mark.parametrize(
    "facts",
    [{"machine": {"cpu": "another", "cpus": 96}}, {"machine": {}}],
    ids=["another machine", "of an earlier version"],
)
def test_a_sweep_on_another_machine_says_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]
) -> None:
    recorded(tmp_path / "out" / "earlier", plan(file).configurations[0].settings, monkeypatch, **facts)
    price = priced(file)
    assert price.bounds["wall_s"].expected is None
    assert any(tells(note, "earlier … machine") for note in price.notes)


def test_where_the_speed_comes_from_may_be_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path / "elsewhere" / "earlier", plan(file).configurations[0].settings, monkeypatch)
    assert priced(file).bounds["wall_s"].expected is None
    folder = tmp_path / "elsewhere"
    assert priced(file, measured_in=folder) == priced(file, measured_in=folder / "earlier")
    assert priced(file, measured_in=folder).bounds["wall_s"].expected
    (folder / "earlier" / "journal.jsonl").write_text("{oops\n{}\n", encoding="utf-8")
    damaged = priced(file, measured_in=folder)
    assert damaged.bounds["wall_s"].expected is None
    assert any("journal.jsonl:1" in note for note in damaged.notes)
    with pytest.raises(GreenexpError):
        plan(file, measured_in="http://127.0.0.1:9")


def test_the_contents_are_of_what_is_prepared(file: Path) -> None:
    data = prepare_data(plan(file).configurations[0].settings)
    assert {name: each.rows for name, each in data.contents.items()} == {"train": len(data.train), "dev": len(data.dev)}
