"""A sweep file as a user meets it: all problems at once, each at its place, in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest
from told import tells

from greenexp.errors import InputError, SweepFileError
from greenexp.records.sections import TaskChoice
from greenexp.spec import checks, load_sweep
from greenexp.spec.yaml12 import MAX_BYTES

HEAD = "name: x\ntask: {name: clauses}\n"


def problems(text: str, *overrides: str) -> list[str]:
    return [str(problem) for problem in load_sweep(text, overrides, source="f").problems]


def test_the_smallest_file() -> None:
    spec = load_sweep(HEAD).checked()
    assert spec.task == TaskChoice(name="clauses")
    assert spec.training.epochs == 3
    assert spec.seeds.initialisation == 1
    assert spec.budget.limits() == {}
    assert spec.search.name == "random"


def test_a_space_too_large_to_be_checked_is_one_problem_in_its_line() -> None:
    """Each of 2,000 wrong keys was looked up once for each other: 133 s."""
    keys = "".join(f"  training.wrong{number}: {{dist: uniform, low: 0, high: 1}}\n" for number in range(2_000))
    with pytest.raises(SweepFileError) as refused:
        load_sweep(f"{HEAD}space:\n{keys}", source="f")
    assert tells(str(refused.value), "f: … space: … 2,000 … 256")


def test_wrong_keys_are_looked_up_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    own = checks.wrong_path
    monkeypatch.setattr(checks, "wrong_path", lambda path: asked.append(path) or own(path))
    keys = "".join(f"  training.wrong{number}: {{dist: uniform, low: 0, high: 1}}\n" for number in range(50))
    assert len(problems(f"{HEAD}space:\n{keys}")) == 50
    assert len(asked) < 250


def test_plug_in_fields_are_kept_as_written() -> None:
    spec = load_sweep("name: x\ntask: {name: clauses, train: 2000, nested: {a: [1, 2.5]}}").checked()
    assert spec.task.options == {"train": 2000, "nested": {"a": [1, 2.5]}}


def test_quantities_become_base_units() -> None:
    text = HEAD + "accounting: {price_per_kwh: 0.3}\n"
    text += "budget: {wall_s: 1h 30m, energy_j: 0.5 kWh, train_flops: 3 PFLOP, trials: 10, money: 2.5, gpu_s: null}"
    limits = load_sweep(text).checked().budget.limits()
    assert limits == {"trials": 10, "wall_s": 5400, "train_flops": 3e15, "energy_j": 1.8e6, "money": 2.5}


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = """name: my sweep
task: {name: clauses}
trainig: {epochs: 3}
training: {epochs: 0, warmup: 2}
seeds: {root: 0, initialisation: 0}
space:
  training.learning_rate: {dist: logunifrom, low: 1, high: 2}
name: again
"""
    expected = [
        "f:1:7: name: … 'my sweep'",
        "f:3:1: trainig: … 'training'",
        "f:4:20: training.epochs: … got 0",
        "f:4:31: training.warmup: … got 2",
        "f:5:34: seeds.initialisation: … got 0",
        "f:7:27: space.training.learning_rate: … 'loguniform'",
        "f:8:1: name: … line 1",
    ]
    for problem, facts in zip(problems(text), expected, strict=True):
        assert tells(problem, facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task: {}", "f:3:1: task.name: is missing"),
        ("task: clauses", "f:3:7: task: … got 'clauses'"),
        ("task: {name: 3}", "f:3:14: task.name: … got 3"),
        ("training: {epochs: 9.0}", "f:3:20: training.epochs: … got 9.0"),
        ("training: {epochs: '9'}", "f:3:20: training.epochs: … got '9'"),
        ("training: {epochs: true}", "f:3:20: training.epochs: … got true"),
        ("training: {learning_rate: 1e-4x}", "f:3:27: training.learning_rate: … got '1e-4x'"),
        ("training: {learning_rate: .inf}", "f:3:27: training.learning_rate: … got inf"),
        ("training: {freeze_embeddings: yes}", "f:3:31: training.freeze_embeddings: … got 'yes'"),
        ("training: {precision: fp23}", "f:3:23: training.precision: … 'fp32'"),
        ("training: {batch_size: 8, micro_batch_size: 9}",
         "f:3:11: training: micro_batch_size (9) … batch_size (8)"),
        ("training: []", "f:3:11: training: … got a list of 0"),
        ("exits: {layers: [2, 1, 2]}", "f:3:17: exits.layers: … got [2, 1, 2]"),
        ("exits: {layers: [0]}", "f:3:17: exits.layers: … got [0]"),
        ("exits: {layers: [true]}", "f:3:17: exits.layers: … got [True]"),
        ("metric: {exit: middle}", "f:3:16: metric.exit: … got 'middle'"),
        ("metric: {name: loss}", "f:3:9: metric: … mode: min"),
        ("seeds: {initialisation: 2, order: 3, design: paired}",
         "f:3:8: seeds: … 2 … 3"),
        ("budget: {wall: 3}", "f:3:10: budget.wall: … 'wall_s'"),
        ("budget: {wall_s: 3 kWh}", "f:3:18: budget.wall_s: … '3 kWh'"),
        ("budget: {trials: 1.5}", "f:3:18: budget.trials: … got 1.5"),
        ("budget: {epochs: 0}", "f:3:18: budget.epochs: … got 0"),
        ("budget: {energy_j: .inf}", "f:3:20: budget.energy_j: inf"),
        ("budget: {money: 1 EUR}", "f:3:17: budget.money: … got '1 EUR'"),
        ("budget: {money: 1}", "f:3:17: budget.money: … accounting.price_per_gpu_h … price_per_kwh"),
        ("budget: {carbon_g: 1 kg}", "f:3:20: budget.carbon_g: … accounting.carbon_g_per_kwh"),
        ("resources: {gpus_per_trial: 1.5}", "f:3:29: resources.gpus_per_trial: … got 1.5"),
        ("resources: {mps: true}", "f:3:18: resources.mps: … below 1 … it is 0"),
        ("resources: {mps: true, gpus_per_trial: 1}", "f:3:18: resources.mps: … it is 1"),
        ("accounting: {pue: 0.5}", "f:3:19: accounting.pue: … got 0.5"),
    ],
)  # fmt: skip
def test_one_problem(text: str, expected: str) -> None:
    head = "name: x\n\n" if text.startswith("task") else HEAD
    found = problems(head + text)
    assert any(tells(message, expected) for message in found)
    assert all(tells(message, expected) for message in found if not message.endswith("is missing"))


SPACE = HEAD + "search: {name: random, samples: 2}\nspace:\n  "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.batch_size: {dist: choice, values: []}",
         "f:5:47: space.training.batch_size.values: … got []"),
        ("training.batch_size: {dist: choice, values: [8, 8]}",
         "f:5:47: space.training.batch_size.values: … twice"),
        ("training.batch_size: {dist: choice, values: [8, 0]}",
         "f:5:51: space.training.batch_size.values.1: … got 0"),
        ("training.learning_rate: {dist: uniform, low: -1, high: 1}",
         "f:5:48: space.training.learning_rate.low: … got -1.0"),
        ("training.warmup: {dist: uniform, low: 0, high: 2}",
         "f:5:50: space.training.warmup.high: … got 2.0"),
        ("training.learning_rate: {dist: loguniform, low: 0, high: 1}",
         "f:5:51: space.training.learning_rate.low: … got 0"),
        ("training.learning_rate: {dist: loguniform, low: 1, high: 0.1}",
         "f:5:27: space.training.learning_rate: … 1.0 … 0.1"),
        ("training.learning_rate: {dist: loguniform, low: 1}", "f:5:3: space.training.learning_rate.high: is missing"),
        ("training.learning_rate: {low: 1, high: 2}",
         "f:5:27: space.training.learning_rate: … 'dist'"),
        ("training.learning_rate: 3", "f:5:27: space.training.learning_rate: … got 3"),
        ("training.batch_size: {dist: int, low: 1, high: 4, steps: 3}",
         "f:5:53: space.training.batch_size.steps: … 'step'"),
        ("metric.exit: {dist: int, low: 1, high: 4}",
         "f:5:3: space.metric.exit: … 'metric'"),
        ("exits.head: {dist: choice, values: [linear]}",
         "f:5:3: space.exits.head: … exits.head.name"),
        ("method: {dist: choice, values: [pabee]}",
         "f:5:3: space.method: 'method'"),
        ("learning_rate: {dist: uniform, low: 1, high: 2}",
         "f:5:3: space.learning_rate: … 'training.learning_rate'"),
    ],
)  # fmt: skip
def test_one_problem_of_the_space(text: str, expected: str) -> None:
    (problem,) = problems(SPACE + text)
    assert tells(problem, expected)


def test_nested_space_is_explained() -> None:
    found = problems(SPACE + "training: {learning_rate: {dist: uniform, low: 1, high: 2}}")
    assert any("dotted path" in problem for problem in found)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file(text: str) -> None:
    with pytest.raises(SweepFileError):
        load_sweep(text)


@pytest.mark.parametrize("text", ["- a\n- b", "hello", "3", "null"])
def test_a_file_that_is_no_mapping(text: str) -> None:
    with pytest.raises(SweepFileError, match=r"^f:1:1: "):
        load_sweep(text, source="f")


def test_valid_sections_of_a_wrong_file_are_kept_for_the_plan() -> None:
    document = load_sweep(HEAD + "training: 3\nspace: {a.b: 3, task.train: {dist: choice, values: [1]}}")
    assert document.spec is None
    assert set(document.sections) >= {"name", "task", "backbone", "space", "scheduler"}
    assert "training" not in document.sections
    assert set(document.sections["space"]) == {"task.train"}
    with pytest.raises(SweepFileError):
        document.checked()


class TestFiles:
    def test_the_path_is_the_source(self, tmp_path: Path) -> None:
        path = tmp_path / "sweep.yaml"
        path.write_text(HEAD + "metrics: {}")
        (problem,) = load_sweep(path).problems
        assert problem.source == str(path)
        assert (problem.line, problem.column) == (3, 1)

    def test_a_byte_order_mark_is_no_part_of_the_text(self, tmp_path: Path) -> None:
        path = tmp_path / "sweep.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
        assert load_sweep(path).checked().name == "x"

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "sweep.yaml"
        path.write_bytes(HEAD.encode() + b"# caf\xe9\n")
        with pytest.raises(SweepFileError, match=r"sweep.yaml:3:6: .*0xe9"):
            load_sweep(path)

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "sweep.yaml"
        path.write_bytes(b"#" * (MAX_BYTES + 1))
        with pytest.raises(InputError, match="larger than"):
            load_sweep(path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such"):
            load_sweep(tmp_path / "absent.yaml")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            load_sweep(tmp_path)

    def test_a_path_no_file_can_have(self) -> None:
        with pytest.raises(InputError):
            load_sweep(Path("nul\0byte"))
