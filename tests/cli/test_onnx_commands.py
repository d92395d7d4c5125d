"""ONNX through the command line: `export --format onnx`, then `predict`, `bench` and `serve` by ONNX Runtime."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept_models import TRIAL, write_kept
from made_settings import made_settings
from told import tells

from greenexp.cli.main import main
from greenexp.inference.bench.contestants import STATIC

for needed in ("onnx", "onnxruntime", "onnxscript"):  # the extra `onnx`
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

SETTINGS = made_settings(
    task={"name": "clauses", "train": 60, "dev": 20, "test": 40},
    backbone={"name": "bert", "layers": 2, "hidden": 16, "heads": 2, "max_positions": 20, "pooling": "mean"},
    exits={"layers": "all", "head": {"name": "linear"}},
    training={"max_length": 16},
)
TEXTS = [
    "the humour was not truly dull",
    "the camera feels very strong although the story looks really messy",
    "the script stays hardly really strong",
    "the setting is truly messy",
    "the pacing looks really fluent",
]
LINES = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
BY_GRAPHS = ("--backend", "onnxruntime")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sweep of one trial with two exits, its graphs written by the command, and what that printed."""
    sweep = write_kept(tmp_path_factory.mktemp("onnx") / "sweep", SETTINGS, (1, 2), scale=200)
    printed, ended = io.StringIO(), pytest.raises(SystemExit)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), ended as leaving:
        main(["export", str(sweep), "--format", "onnx"])
    assert not leaving.value.code, printed.getvalue()
    return sweep, printed.getvalue()


def test_export_says_where_the_graphs_are_and_how_they_were_checked(exported: tuple[Path, str]) -> None:
    sweep, said = exported
    folder = sweep / "onnx" / TRIAL
    assert tells(said, f"fp32: … at most 1e-04 … int8: … same class … {folder}"), said
    pieces = ("segment-1", "exit-1", "segment-2", "exit-2", "full")
    assert {path.name for path in folder.glob("*.onnx")} == {
        f"{name}{kind}.onnx" for name in pieces for kind in ("", ".int8")
    }
    assert (folder / "tokenizer.json").is_file()


def test_predict_answers_as_torch_does(command: Command, exported: tuple[Path, str]) -> None:
    Path("in.jsonl").write_text(LINES, encoding="utf-8")
    asked = ("predict", exported[0], "--input", "in.jsonl", "--policy", "max_probability:0.99")
    by_torch, by_graphs, in_int8 = (
        command(*asked, *more) for more in ((), BY_GRAPHS, (*BY_GRAPHS, "--precision", "int8"))
    )
    assert [code for code, _, _ in (by_torch, by_graphs, in_int8)] == [0, 0, 0], by_graphs[2]
    ours, theirs, rough = (
        [json.loads(line) for line in out.splitlines()] for _, out, _ in (by_torch, by_graphs, in_int8)
    )
    assert {one["exit"] for one in ours} == {1, 2}
    for one, other, third in zip(ours, theirs, rough, strict=True):
        assert (one["label"], one["exit"]) == (other["label"], other["exit"])
        assert other["confidence"] == pytest.approx(one["confidence"], abs=1e-3)
        assert set(third) == set(one)


def test_bench_times_the_static_models_beside_the_engine(command: Command, exported: tuple[Path, str]) -> None:
    quick = ("--examples", 4, "--repeats", 1, "--batch", 4, "--threads", 1, "--policy", "max_probability:0.99")
    code, out, said = command("bench", exported[0], *quick, *BY_GRAPHS, "--precision", "int8", "--json")
    assert code == 0, said
    told = json.loads(out)
    assert told["conditions"]["precision"] == "int8"
    (batch,) = told["batches"]
    assert set(STATIC) < {row["contestant"] for row in batch["speeds"]}
    assert set(batch["static_over_engine"]) == set(STATIC)


def test_what_the_graphs_do_not_do_is_refused(command: Command, exported: tuple[Path, str], tmp_path: Path) -> None:
    Path("in.jsonl").write_text(LINES, encoding="utf-8")
    code, _, said = command("predict", exported[0], "--input", "in.jsonl", "--precision", "int8")
    assert (code, tells(said, "int8 … onnxruntime")) == (2, True), said
    bare = Path(shutil.copytree(exported[0], tmp_path / "bare", ignore=shutil.ignore_patterns("onnx")))
    code, _, said = command("predict", bare, "--input", "in.jsonl", *BY_GRAPHS)
    assert (code, tells(said, "export … --format onnx")) == (2, True), said


@pytest.fixture
def address(exported: tuple[Path, str], tmp_path: Path) -> Iterator[str]:
    """Of a service in a process of its own."""
    command = [sys.executable, "-m", "greenexp", "serve", str(exported[0]), "--port", "0", *BY_GRAPHS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (tmp_path / "stderr").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        found = process.stdout.readline().strip()
        assert found.startswith("http://"), (tmp_path / "stderr").read_text()
        yield found
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_serve_answers_as_predict_does(address: str, command: Command, exported: tuple[Path, str]) -> None:
    Path("in.jsonl").write_text(LINES, encoding="utf-8")
    _, out, _ = command("predict", exported[0], "--input", "in.jsonl", *BY_GRAPHS)
    for text, line in zip(TEXTS, out.splitlines(), strict=True):
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(f"{address}/predict", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.loads(response.read())
        told = json.loads(line)
        assert (answer["label"], answer["exit"]) == (told["label"], told["exit"])
