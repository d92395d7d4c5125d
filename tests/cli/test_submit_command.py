"""`greenexp submit` on tiny saved models and made benchmark folders: what is in the files, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kept_models import TRIAL, write_kept
from made_benchmarks import TEST, write_elue, write_glue
from made_settings import made_settings
from told import tells

from greenexp.inference import EarlyExitEngine
from greenexp.journal.file import NAME
from greenexp.model import load_model, load_serving, save_model
from greenexp.tasks import TASKS

Submit = Callable[..., tuple[int, list[str], str]]


def write_sweep(
    folder: Path, task: dict[str, Any], trained: tuple[int, ...] = (1, 2, 3), with_dev: bool = False
) -> Path:
    backbone = {"name": "bert", "layers": 3, "hidden": 16, "heads": 2, "max_positions": 40}
    settings = made_settings(task=task, backbone=backbone, training={"max_length": 32})
    return write_kept(folder, settings, trained, scale=100, with_dev=with_dev)


@pytest.fixture
def submit(command: Callable[..., tuple[int, str, str]]) -> Submit:
    """`submit(*arguments) -> (exit code, lines of stdout, stderr)`."""

    def run(*arguments: object) -> tuple[int, list[str], str]:
        code, out, said = command("submit", *arguments)
        return code, out.splitlines(), said

    return run


def glue(tmp_path: Path, task: str) -> dict[str, Any]:
    return {"name": "glue", "task": task, "folder": str(write_glue(tmp_path / "glue"))}


def answers(file: Path) -> list[str]:
    header, *rows = file.read_text().splitlines()
    assert header == "index\tprediction"
    assert [row.split("\t")[0] for row in rows] == [str(number) for number in range(TEST)]
    return [row.split("\t")[1] for row in rows]


def expected(sweep: Path, task: dict[str, Any], split: str, number: int) -> list[Any]:
    """What the model says at one exit, row by row, each alone."""
    fields = dict(task)
    texts = TASKS[fields.pop("name")](**fields).unlabelled()[split]  # type: ignore[attr-defined]
    examples: Any = texts.texts if texts.pairs is None else list(zip(texts.texts, texts.pairs, strict=True))
    engine = EarlyExitEngine.load(sweep / "models" / TRIAL, {"name": "static", "exit": number})
    return [engine.one(tokens) for tokens in engine.encode(examples)]


@pytest.mark.parametrize("number", [None, 1])
@pytest.mark.parametrize("task", ["RTE", "SST-2"])
def test_a_file_says_what_the_model_answers_at_one_exit(
    submit: Submit, tmp_path: Path, task: str, number: int | None
) -> None:
    section = glue(tmp_path, task)
    sweep = write_sweep(tmp_path / "sweep", section)
    code, out, said = submit(sweep, *(() if number is None else ("--exit", number)))
    file = sweep / "submission" / f"{task}.tsv"
    assert (code, out) == (0, [str(file)])
    names = {"positive": "1", "negative": "0"}
    told = [one.label for one in expected(sweep, section, "test", number or 3)]
    assert answers(file) == [names.get(label, label) for label in told]
    assert f"{TEST} answers" in said
    assert f"mean {number or 3}.00 of 3 layers" in said
    for label in set(told):
        assert f"{label} {told.count(label)}" in said


def test_the_baselines_of_dev_stand_beside_the_answers(submit: Submit, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", glue(tmp_path, "SST-2"), with_dev=True)
    code, _, said = submit(sweep, "--exit", 1)
    assert code == 0
    assert tells(said, "dev … 300 examples … accuracy 0. … last exit 0.8000 … most frequent class 0.")


def test_a_model_that_answers_one_class_is_warned_of(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenexp.inference.answer_summary.LEAST_ANSWERS", TEST)
    sweep = write_sweep(tmp_path / "sweep", glue(tmp_path, "RTE"))
    folder = sweep / "models" / TRIAL
    serving, model = load_serving(folder), load_model(folder)
    for head in model.heads:
        torch.nn.init.zeros_(head.classifier.weight)
        head.classifier.bias.data = torch.tensor([5.0, 0.0])
    save_model(model, folder, serving)
    code, _, said = submit(sweep)
    assert code == 0
    assert tells(said, f"warning: … {TEST} answers … 'entailment'")


def test_one_model_answers_both_halves_of_mnli(submit: Submit, tmp_path: Path) -> None:
    section = glue(tmp_path, "MNLI")
    sweep = write_sweep(tmp_path / "sweep", section)
    code, out, _ = submit(sweep, "--out", tmp_path / "hand" / "in")
    assert (code, [Path(line).name for line in out]) == (0, ["MNLI-m.tsv", "MNLI-mm.tsv"])
    for split, name in (("test_matched", "MNLI-m"), ("test_mismatched", "MNLI-mm")):
        told = [one.label for one in expected(sweep, section, split, 3)]
        assert answers(tmp_path / "hand/in" / f"{name}.tsv") == told


def test_values_are_clipped_to_the_scale(submit: Submit, tmp_path: Path) -> None:
    section = glue(tmp_path, "STS-B")
    sweep = write_sweep(tmp_path / "sweep", section)
    assert submit(sweep)[0] == 0
    raw = [one.prediction for one in expected(sweep, section, "test", 3)]
    assert answers(sweep / "submission/STS-B.tsv") == [f"{min(max(value, 0.0), 5.0):.3f}" for value in raw]
    assert any(not 0 <= value <= 5 for value in raw)


def test_elue_has_its_own_header(submit: Submit, tmp_path: Path) -> None:
    section = {"name": "elue", "task": "SNLI", "folder": str(write_elue(tmp_path / "elue"))}
    sweep = write_sweep(tmp_path / "sweep", section)
    code, out, _ = submit(sweep)
    assert code == 0
    told = [one.prediction for one in expected(sweep, section, "test", 3)]
    lines = Path(out[0]).read_text().splitlines()
    assert lines == ["index\tpred", *(f"{number}\t{answer}" for number, answer in enumerate(told))]


def test_a_policy_may_decide_where_each_answer_comes_from(submit: Submit, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", glue(tmp_path, "RTE"))
    assert "mean 1.00 of 3 layers" in submit(sweep, "--policy", "max_probability:0")[2]
    code, _, said = submit(sweep, "--policy", "max_probability:0", "--exit", 2)
    assert code == 2
    assert "--exit" in said


def test_only_trained_exits_answer(submit: Submit, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", glue(tmp_path, "RTE"), trained=(1, 2))
    assert "mean 2.00 of 3 layers" in submit(sweep)[2]
    for number in (3, 9):
        code, out, said = submit(sweep, "--exit", number)
        assert (code, out) == (2, [])
        assert tells(said, f"exit {number} … 1, 2")
    other = write_sweep(tmp_path / "other", glue(tmp_path, "RTE"), trained=(3,))
    assert tells(submit(other, "--exit", 1)[2], "exit 1 … 3")


def test_what_cannot_be_handed_in_is_told(submit: Submit, tmp_path: Path) -> None:
    section = glue(tmp_path, "RTE")
    sweep = write_sweep(tmp_path / "sweep", section)
    plain = write_sweep(tmp_path / "plain", {"name": "clauses", "train": 40, "dev": 20, "test": 20})
    code, _, said = submit(plain)
    assert code == 2
    assert "task 'clauses'" in said
    assert "elue, glue" in said
    alone = sweep / "models" / TRIAL
    assert submit(alone)[0] == 0
    (sweep / NAME).rename(tmp_path / "journal")
    assert "sweep's folder" in submit(alone)[2]
    (tmp_path / "journal").rename(sweep / NAME)
    Path(section["folder"], "RTE", "test.tsv").unlink()
    assert "no file" in submit(sweep)[2]
    (alone / "greenexp.json").unlink()
    code, _, said = submit(sweep)
    assert code == 2
    assert "chosen configuration" in said


def test_a_model_of_the_other_kind_of_task_writes_nothing(submit: Submit, tmp_path: Path) -> None:
    """Its folder was put where another trial's was."""
    classes = write_sweep(tmp_path / "classes", glue(tmp_path, "MRPC"))
    values = write_sweep(tmp_path / "values", glue(tmp_path, "STS-B"))
    (classes / "models").rename(tmp_path / "aside")
    (values / "models").rename(classes / "models")
    (tmp_path / "aside").rename(values / "models")
    assert tells(submit(classes)[2], "MRPC.tsv … not_equivalent, equivalent")
    code, out, said = submit(values)
    assert (code, out) == (2, [])
    assert "STS-B.tsv" in said
    assert not (values / "submission").exists()
