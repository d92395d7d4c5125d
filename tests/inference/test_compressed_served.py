"""`bench`, `export` and a service on a pruned, a distilled, an int8 and a shared model, as a sweep leaves them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings
from running_service import running
from stand_ins import a_record, a_trial

from greenexp.cli.main import main
from greenexp.inference import EarlyExitEngine, Rebatcher
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.plan.data import prepare_data
from greenexp.records.settings import Settings
from greenexp.training import TrialRun

TRIAL = "c000-i0-o0"
TEXTS = ["it was good", "not bad at all", "bad"]
MODELS: dict[str, dict[str, Any]] = {
    "pruned": {"compression": {"name": "head_pruning", "examples": 20, "share": 0.5}},
    "distilled": {"method": {"name": "distillation", "layers": 1}},
    "int8": {"compression": {"name": "int8", "embeddings": True}},
    "shared": {"compression": {"name": "weight_sharing", "embedding_size": 4}},
}
Command = Any


def settings_of(**sections: Any) -> Settings:
    return made_settings(
        task={"name": "clauses", "train": 40, "dev": 20, "test": 20},
        backbone={"name": "bert", "layers": 2, "hidden": 16, "heads": 4, "intermediate": 20, "max_positions": 32},
        training={"epochs": 1, "batch_size": 8, "max_length": 16, "learning_rate": 3e-3},
        **{"method": {"name": "finetune"}, **sections},
    )


def swept(folder: Path, settings: Settings) -> Path:
    """A sweep of one trial that is over: its model is really trained."""
    trial = dataclasses.replace(a_trial(0, 0, 1), settings=settings)
    with TrialRun(trial, prepare_data(settings), model_folder=folder / "models" / TRIAL) as run:
        record = next(run)
    metric = {"name": "accuracy", "exit": "last", "mode": "max"}
    with Journal(folder / NAME) as journal:
        spec = {"name": "tiny", "task": {"name": "clauses"}, "metric": metric}
        journal.append("sweep", format=FORMAT, name="tiny", fingerprint="f", spec=spec)
        journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1, versions={}, measures={})
        journal.append("started", trial=TRIAL, attempt=1, after=0)
        report = dataclasses.replace(a_record(trial, 1, record.score), dev_logits=None, last=True)
        journal.append("report", trial=TRIAL, attempt=1, record=report.to_json())
    return folder


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("compressed")
    teacher = swept(place / "teacher", settings_of())
    found = {}
    for name, sections in MODELS.items():
        method = sections.get("method", {"name": "finetune"})
        taught = {**method, **({"teacher": str(teacher)} if method["name"] == "distillation" else {})}
        found[name] = swept(place / name, settings_of(**{**sections, "method": taught}))
    return found


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("bench", ...) -> (exit code, stdout, stderr)`."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    return run


@pytest.mark.parametrize("name", MODELS)
def test_a_compressed_model_is_timed_and_served(name: str, sweeps: dict[str, Path], command: Command) -> None:
    quick = ("--examples", 8, "--repeats", 2, "--threads", 1, "--batch", "1,4", "--policy", "static", "--json")
    code, out, told = command("bench", sweeps[name], *quick)
    assert code == 0, told
    for batch in json.loads(out)["batches"]:
        assert batch["plain_agrees"] == 1, "the library's own pass over the same weights answers the same"
    engine = EarlyExitEngine.load(sweeps[name] / "models" / TRIAL, "static")
    wanted = [engine.one(tokens) for tokens in engine.encode(TEXTS)]
    with Rebatcher(engine, 4, 0.001) as queue, running(engine, queue) as service:
        status, answers, _ = service.ask(body={"inputs": TEXTS})
    assert status == 200
    assert [answer["prediction"] for answer in answers["answers"]] == [answer.prediction for answer in wanted]


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is None, reason="the extra onnx is not installed")
@pytest.mark.parametrize(("name", "code"), [("pruned", 0), ("int8", 2)])
def test_a_compressed_model_as_graphs(
    name: str, code: int, sweeps: dict[str, Path], command: Command, tmp_path: Path
) -> None:
    found, _, told = command("export", sweeps[name], "--format", "onnx", "--out", tmp_path / "graphs")
    assert (found, (tmp_path / "graphs/full.onnx").is_file()) == (code, code == 0), told
    assert code == 0 or "8 bits" in told
