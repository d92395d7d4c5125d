"""`greenexp predict` on tiny saved models: which one, which policy, what comes out for which line."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_served_models import KEPT, NAMES, save_tiny, texts, write_sweep
from told import tells

from greenexp.api.engines import EngineOptions, choose_policy
from greenexp.errors import InputError, UnknownNameError
from greenexp.inference import EarlyExitEngine
from greenexp.inference.service.inputs import answer_fields
from greenexp.model import load_model, load_serving, save_model
from greenexp.replay.policy_text import policy_from_text
from greenexp.sources.checkpoints import find_model
from greenexp.sources.lines import Lines

Predict = Callable[..., tuple[int, list[dict[str, Any]], str]]
TEXTS = texts(100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("made"))


@pytest.fixture
def sweep(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out" / "tiny"))


@pytest.fixture
def predict(command: Callable[..., tuple[int, str, str]]) -> Predict:
    """`predict(content, *arguments) -> (exit code, lines of stdout, stderr)`; content None: no --input."""

    def run(content: bytes | None, *arguments: object) -> tuple[int, list[dict[str, Any]], str]:
        if content is not None:
            Path("input.jsonl").write_bytes(content)
            arguments = (*arguments, "--input", "input.jsonl")
        code, out, said = command("predict", *arguments)
        return code, [json.loads(line) for line in out.splitlines()], said

    return run


def lines(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text, "id": number}) + "\n" for number, text in enumerate(texts)).encode()


def test_every_line_is_answered_in_order(predict: Predict, sweep: Path) -> None:
    code, found, said = predict(lines(TEXTS), sweep, "--policy", "max_probability:0.8", "--batch-size", 4)
    engine = EarlyExitEngine.load(sweep / "models" / KEPT[0], "max_probability:0.8")
    assert code == 0
    assert [one["line"] for one in found] == list(range(1, 101))
    for number, (one, tokens) in enumerate(zip(found, engine.encode(TEXTS), strict=True)):
        expected = {"line": number + 1, **answer_fields(engine.one(tokens), number)}
        assert math.isclose(one.pop("confidence"), expected.pop("confidence"), abs_tol=1e-5)
        assert one == expected
    mean = sum(one["layer"] for one in found) / 100
    assert tells(said, f"100 examples … 0 errors … {mean:.2f} of 3 layers … {3 / mean:.2f}")
    assert KEPT[0] in said


def test_bad_lines_are_told_and_the_rest_goes_on(predict: Predict, sweep: Path) -> None:
    content = b"\xef\xbb\xbf" + b"\n".join(
        [
            b'"a good film"\r',
            b"not json",
            b'{"text": "bad", "id": "x"}',
            b"",
            b'{"text": " ", "id": 7}',
            b'{"txt": "a"}',
            b'"\xff"',
            b'{"ids": [9999]}',
            b'{"ids": [2, 5, 3]}',
            b'{"ids": [' + b"1," * 30 + b"1]}",
            b'"' + b"a" * 1_000_001 + b'"',
            b"[" * 100_000,
            b'{"text": "no newline at the end", "id": 1.5}',
        ]
    )
    code, found, said = predict(content, sweep)
    assert code == 1
    assert [one["line"] for one in found] == list(range(1, 14))
    assert [one["line"] for one in found if "error" not in one] == [1, 3, 9, 13]
    assert [one.get("id") for one in found if "id" in one] == ["x", 7, 1.5]
    reasons = [one["error"] for one in found if "error" in one]
    expected = ["not JSON", "not JSON", "empty", "did you mean", "not UTF-8", "vocabulary", "31 tokens", "1,000,000"]
    assert all(part in reason for part, reason in zip(expected, reasons, strict=False)), reasons
    assert "4 examples, 9 errors" in said


def test_nothing_in_nothing_out(predict: Predict, sweep: Path) -> None:
    code, found, said = predict(b"", sweep)
    assert (code, found) == (0, [])
    assert "0 examples, 0 errors" in said


def test_plain_lines_and_logits(predict: Predict, sweep: Path) -> None:
    code, found, _ = predict(b'a good "film"\n{"text": 1}\n\xff\n', sweep, "--plain", "--logits")
    assert code == 1
    assert [len(one.get("logits", ())) for one in found] == [2, 2, 0]
    assert "not UTF-8" in found[2]["error"]


def test_labels_are_compared_and_stand_beside_their_baselines(predict: Predict, sweep: Path) -> None:
    engine, last = (
        EarlyExitEngine.load(sweep / "models" / KEPT[0], policy) for policy in ("max_probability:0.6", "static")
    )
    answers, at_last = (one.answer(one.encode(TEXTS), 32) for one in (engine, last))
    labels = ["better"] * 70 + ["worse"] * 30
    content = "".join(
        json.dumps({"text": text, "label": label if place % 2 else NAMES.index(label)}) + "\n"  # by name and by number
        for place, (text, label) in enumerate(zip(TEXTS, labels, strict=True))
    )
    code, found, said = predict(content.encode(), sweep, "--policy", "max_probability:0.6")
    assert (code, len(found)) == (0, 100)
    right, right_at_last = (
        sum(answer.label == label for answer, label in zip(these, labels, strict=True)) / 100
        for these in (answers, at_last)
    )
    assert tells(said, f"100 examples … accuracy {right:.4f} … last exit {right_at_last:.4f} … 'better' 0.7000")


def test_without_labels_the_baselines_are_those_of_dev(predict: Predict, sweep: Path) -> None:
    said = predict(lines(TEXTS[:3]), sweep, "--policy", "max_probability:0.8")[2]
    assert tells(said, "dev … 300 examples … accuracy 0. … last exit 0.8000 … most frequent class 0.")
    assert "warning" not in said, "three answers of one class say nothing"


@pytest.mark.parametrize("label", ['"best"', "2", "-1", "true", "null", "[1]"])
def test_a_label_that_no_answer_can_be_is_told(predict: Predict, sweep: Path, label: str) -> None:
    code, found, _ = predict(f'{{"text": "a good film", "label": {label}}}\n'.encode(), sweep)
    assert code == 1
    assert tells(found[0]["error"], "'label' … worse, better")


def test_a_model_that_answers_one_class_is_warned_of(predict: Predict, sweep: Path) -> None:
    folder = sweep / "models" / KEPT[0]
    serving, model = load_serving(folder), load_model(folder)
    for head in model.heads:
        torch.nn.init.zeros_(head.classifier.weight)
        torch.nn.init.constant_(head.classifier.bias, 0.0)
        head.classifier.bias.data[1] = 5.0
    save_model(model, folder, serving)
    code, found, said = predict(lines(TEXTS), sweep)
    assert (code, {one["label"] for one in found}) == (0, {"better"})
    assert tells(said, "warning: … 100 answers … 'better'")


@pytest.mark.parametrize("arguments", [["--precision", "bf16"], ["--check-every", "2"], ["--calibrated"]])
def test_options_that_change_the_engine(predict: Predict, sweep: Path, arguments: list[str]) -> None:
    code, found, said = predict(lines(TEXTS), sweep, "--policy", "max_probability:0.8", *arguments)
    assert code == 0
    assert len(found) == 100
    if arguments[0] == "--check-every":
        assert {one["exit"] for one in found} == {2, 3}, "exit 1 is not consulted"
    if arguments[0] == "--calibrated":
        assert tells(said, "temperatures … 300 examples")


def test_a_threshold_is_chosen_on_dev(predict: Predict, sweep: Path) -> None:
    code, found, said = predict(lines(texts(300)), sweep, "--policy", "max_probability", "--speed-up", "1.3")
    assert code == 0
    assert tells(said, "dev, 300 examples … accuracy 0.")
    told = float(said.partition("at speed-up ")[2].split()[0])
    assert told >= 1.3
    assert 3 * 300 / sum(one["layer"] for one in found) == pytest.approx(told, abs=0.005), "these are the dev examples"
    assert predict(b"", sweep, "--speed-up", "9")[0] == 2
    code, _, said = predict(b"", sweep, "--policy", "max_probability:0.8", "--speed-up", "2")
    assert code == 2
    assert "policy" in said


def test_the_exit_of_static_is_chosen_too(sweep: Path) -> None:
    asked = choose_policy(find_model(sweep), EngineOptions(policy="static", speed_up=1.4))
    assert asked.text in {"static:1", "static:2"}
    assert EarlyExitEngine.load(sweep / "models" / KEPT[0], asked.policy).consulted == (int(asked.text[-1]),)


def test_choosing_knows_what_is_consulted_and_calibrated(sweep: Path) -> None:
    asked = choose_policy(
        find_model(sweep), EngineOptions(policy="max_probability", speed_up=1.1, check_every=2, calibrated=True)
    )
    engine = EarlyExitEngine.load(
        sweep / "models" / KEPT[0], asked.policy, check_every=2, temperatures=asked.temperatures
    )
    answers = engine.answer(engine.encode(texts(300)), 50)
    told = float(asked.notes[-1].rpartition(" ")[2])
    assert 3 * 300 / sum(one.layer for one in answers) == pytest.approx(told, abs=0.005)
    assert set(asked.temperatures or {}) == {1, 2, 3}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere"),
        (["."], "out/tiny"),
        (["out/tiny/models"], "neither a sweep"),
        (["out/tiny", "--trial", "c001-i0"], "'c001-i"),
        (["out/tiny", "--trial", "c000-i1-o0"], "c000-i1-o0 … finished"),
        (["out/tiny/models/c001-i0-o0", "--trial", "c001-i1-o0"], "--trial chooses among"),
        (["out/tiny", "--policy", "max_probabilty"], "'max_probability'"),
        (["out/tiny", "--policy", "max_probability:high"], "threshold"),
        (["out/tiny", "--policy", "max_probability:0.8,comparator=!"], "comparator"),
        (["out/tiny", "--policy", "{name: max_probability"], "YAML"),
        (["out/tiny", "--policy", "{name: [a]}"], "unknown exit policy"),
        (["out/tiny", "--policy", "oracle"], "labels"),
        (["out/tiny", "--input", "nowhere"], "nowhere"),
        (["out/tiny", "--input", "out"], "folder"),
        (["out/tiny", "--speed-up", "0.5"], "--speed-up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_is_said(predict: Predict, sweep: Path, arguments: list[str], reason: str) -> None:
    code, found, said = predict(None, "--input", os.devnull, *arguments)  # a later --input counts
    assert (code, found) == (2, [])
    assert tells(said, reason)
    assert "Traceback" not in said


def test_a_model_saved_without_what_serving_needs_reads_ids(predict: Predict, sweep: Path, tmp_path: Path) -> None:
    save_model(load_model(find_model(str(sweep)).folder), tmp_path / "bare")
    code, found, said = predict(b'{"ids": [1, 2]}\n"a good film"\n{"ids": [3]}\n', "bare", "--policy", "patience:1")
    assert (code, "error" in found[1], found[1]["line"]) == (1, True, 2)
    assert [line["label"] for line in found if "error" not in line] == [None, None]
    assert "exits were trained" in said


def test_policies_from_text() -> None:
    assert policy_from_text("{name: max_probability, threshold: {1: 0.2, 2: 0.1}}") == {
        "name": "max_probability", "threshold": {"1": 0.2, "2": 0.1},
    }  # fmt: skip
    assert policy_from_text("max_probability:1=0.2,2=0.1") == "max_probability:1=0.2,2=0.1"


def test_which_model_is_meant(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("out/tiny") == (Path("out/tiny/models") / KEPT[0], KEPT[0], Path("out/tiny"))
    assert find_model(str(sweep), KEPT[1]).folder == sweep / "models" / KEPT[1]
    assert find_model(str(sweep / "models" / KEPT[1])) == (sweep / "models" / KEPT[1], KEPT[1], sweep)
    alone = save_tiny(tmp_path / "alone")
    assert find_model(str(alone)) == (alone, "alone", None)
    with pytest.raises(InputError, match="no dev logits"):
        choose_policy(find_model(alone), EngineOptions(speed_up=2.0))
    shutil.rmtree(sweep / "models" / KEPT[0])
    assert find_model(str(sweep)).trial == KEPT[1]
    (sweep / "models" / KEPT[1] / "greenexp.json").unlink()  # half-written
    with pytest.raises(InputError, match=r"c001\."):
        find_model(str(sweep))
    with pytest.raises(UnknownNameError):
        find_model(str(sweep), "c009")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_a_pipe_is_answered_as_it_comes(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    chunks = Lines(reading, 100).chunks(3)
    os.write(writing, b"one\ntw")
    assert next(chunks) == [b"one"], "what is there, without waiting for more"
    os.write(writing, b"o\n" + b"3\n4\n5\n6\n")
    assert next(chunks) == [b"two", b"3", b"4"]
    assert next(chunks) == [b"5", b"6"]
    os.write(writing, b"x" * 200 + b"\nlast")
    os.close(writing)
    assert next(chunks) == [None, b"last"]
    assert list(chunks) == []


def test_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(reading, False)
    later = threading.Timer(0.1, lambda: (os.write(writing, b"one\n"), os.close(writing)))
    later.start()
    assert list(Lines(reading, 100).chunks(3)) == [[b"one"]]
    later.join()


def test_a_file_gives_full_chunks_whatever_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    content = [b"x" * (number % 97) for number in range(5_000)]
    path.write_bytes(b"\r\n".join(content) + b"\n")
    descriptor = os.open(path, os.O_RDONLY)
    chunks = list(Lines(descriptor, 97).chunks(1_000))
    os.close(descriptor)
    assert [len(chunk) for chunk in chunks] == [1_000] * 5
    assert [line for chunk in chunks for line in chunk] == content


@pytest.mark.slow
def test_stdin_and_a_reader_that_leaves(sweep: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "greenexp", "predict", str(sweep), "--batch-size", "1"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'"a good film"\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["line"] == 1, "answered while the pipe is open"
    process.stdout.close()
    _, said = process.communicate(b'"bad"\n' * 2_000, timeout=120)
    assert b"Traceback" not in said, "quiet"
    assert b"Exception" not in said
    assert b"examples, " not in said, "it has not read on to the end"
    assert process.returncode == 0, "as documented: that is no failure"
