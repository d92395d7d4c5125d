"""`greenexp bench` on a tiny saved model: what is timed on what, what is printed, what is refused."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kept_models import TRIAL, write_kept
from made_settings import made_settings
from told import tells

from greenexp.inference.bench.contestants import ENGINE, EVERY_EXIT, NO_EXITS
from greenexp.model import load_model, save_model
from greenexp.plan.data import prepare_data
from greenexp.replay.latency import read_latency

SETTINGS = made_settings(
    task={"name": "clauses", "train": 60, "dev": 20, "test": 40},
    backbone={"name": "bert", "layers": 3, "hidden": 16, "heads": 2, "max_positions": 20},
    training={"max_length": 16},
)
Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of one trial that is over, its model kept."""
    return write_kept(tmp_path_factory.mktemp("made"), SETTINGS, scale=20)


@pytest.fixture
def bench(command: Bench) -> Bench:
    """`bench(*arguments) -> (exit code, stdout, stderr)`."""
    return functools.partial(command, "bench")


QUICK = ("--examples", 12, "--repeats", 2, "--policy", "max_probability:0", "--threads", 1)


def test_json_says_what_was_timed_on_what(bench: Bench, made: Path) -> None:
    before = torch.get_num_threads()
    code, out, _ = bench(made, *QUICK, "--batch", "4,1", "--latency", "times.json", "--json")
    assert (code, torch.get_num_threads()) == (0, before)
    data = json.loads(out)
    assert data["model"] == {"trial": TRIAL, "layers": 3, "consulted": [1, 2, 3]}
    assert data["policy"]["text"] == "max_probability:0"
    assert (data["examples"]["split"], data["examples"]["of"], data["examples"]["count"]) == ("test", 40, 12)
    how = data["conditions"]
    assert (how["threads"], how["precision"], how["repeats"], how["check_every"]) == (1, "fp32", 2, 1)
    assert [batch["batch_size"] for batch in data["batches"]] == [1, 4]
    for batch in data["batches"]:
        assert [row["contestant"] for row in batch["speeds"]] == [ENGINE, NO_EXITS, EVERY_EXIT, "plain transformers"]
        assert batch["exit_shares"] == {"1": 1.0}  # a threshold of 0 lets everybody leave at once
        assert set(batch["saved"]["wall_clock"]) == {"median", "low", "high", "of_minima"}
        assert batch["saved"]["layers"] == 3
        assert 2.9 < batch["saved"]["flops"] <= 3
        assert batch["plain_agrees"] == 1
        assert batch["warm_ups"] >= 3
        assert batch["energy_j"] is None or min(batch["energy_j"].values()) > 0
    assert set(data["tokenisation"]) == {"p50_s", "p90_s", "p99_s", "mean_s"}
    assert ("energy_j" in data["not_measured"]) == (data["batches"][0]["energy_j"] is None)
    table = read_latency(Path("times.json"))
    splits = [split for split in (prepare_data(SETTINGS).dev, prepare_data(SETTINGS).test) if split is not None]
    assert table.exits.tolist() == [1, 2, 3]
    assert table.lengths[0] == min(split.lengths.min() for split in splits)
    assert table.lengths[-1] == max(split.lengths.max() for split in splits)


def test_the_table_shows_everybody_and_what_is_missing(bench: Bench, made: Path, tmp_path: Path) -> None:
    sweep = Path(shutil.copytree(made, tmp_path / "copy"))
    save_model(load_model(sweep / "models" / TRIAL), sweep / "models" / TRIAL)  # as older versions did: no tokenizer
    code, out, _ = bench(sweep / "models" / TRIAL, *QUICK, "--batch", 1, "--check-every", 2)
    assert code == 0
    for name in (ENGINE, NO_EXITS, EVERY_EXIT, "plain transformers"):
        assert f"\n  {name}" in out
    assert tells(out, f"{TRIAL} … 3 layers … 2, 3")
    assert "12 of 40 test examples" in out
    assert "not measured  tokenisation: " in out
    assert all(len(line) <= 120 for line in out.splitlines() if not line.startswith("not measured"))


@pytest.mark.parametrize(("load", "busy"), [(1_000.5, True), (0.0, False)])
def test_a_busy_machine_is_warned_of_and_every_step_is_told(
    bench: Bench, made: Path, monkeypatch: pytest.MonkeyPatch, load: float, busy: bool
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    code, out, said = bench(made, *QUICK, "--batch", "1,4", "--json")
    assert code == 0
    assert ("warning" in said) == busy
    assert [f"{load:.1f}" in warning for warning in json.loads(out)["warnings"]] == [True] * busy
    for size in (1, 4):
        assert tells(said, f"batch size {size}: warming up … batch size {size}: repeat 1 of 2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--batch", "1,x"), "'1,x'"),
        (("--batch", "0"), "'0'"),
        (("--batch", "1,,2"), "'1,,2'"),
        (("--repeats", 0), "0 is not in the range"),
        (("--examples", 0), "0 is not in the range"),
        (("--policy", "max_probabilty:0.7"), "'max_probability'"),
        (("--latency", "absent/times.json"), "absent"),
        (("--trial", "c009-i0-o0"), "'c009-i0-o0'"),
    ],
)
def test_bad_options_are_refused_with_words(bench: Bench, made: Path, arguments: tuple[object, ...], said: str) -> None:
    code, out, err = bench(made, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_said(bench: Bench, made: Path) -> None:
    code, _, err = bench(made, *QUICK, "--device", "cuda")
    assert code == 2
    assert "GPU" in err


def test_a_model_without_its_sweep_has_no_texts(bench: Bench, made: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(made / "models" / TRIAL, tmp_path / "alone"))
    code, _, err = bench(alone, *QUICK)
    assert code == 2
    assert "sweep's folder" in err
