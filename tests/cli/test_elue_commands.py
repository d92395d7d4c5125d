"""`greenexp elue` on tiny saved models, made benchmark folders and typed points."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kept_models import TRIAL, write_kept
from made_benchmarks import TEST, write_elue
from made_settings import made_settings
from told import tells

from greenexp.inference import EarlyExitEngine
from greenexp.records.module_calls import parse_calls
from greenexp.tasks import TASKS

Command = Callable[..., tuple[int, str, str]]
BACKBONE = {"name": "bert", "layers": 3, "hidden": 16, "heads": 2, "max_positions": 40}
BASELINE = "mflops,points\n100,70\n200,80\n400,85\n"


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Path, Path]:
    """A sweep of one model on ELUE's SST-2, and the benchmark's folder."""
    data = write_elue(tmp_path / "elue")
    task = {"name": "elue", "task": "SST-2", "folder": str(data)}
    settings = made_settings(task=task, backbone=BACKBONE, training={"max_length": 32})
    return write_kept(tmp_path / "sweep", settings, scale=100, with_dev=True), data


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str)


def answers_of(sweep: Path, data: Path, policy: Any) -> list[Any]:
    split = TASKS["elue"](task="SST-2", folder=str(data)).unlabelled()["test"]  # type: ignore[attr-defined]
    engine = EarlyExitEngine.load(sweep / "models" / TRIAL, policy)
    return [engine.one(one) for one in engine.encode(split.texts)]


def test_each_operating_point_is_what_the_engine_answers(command: Command, tiny: tuple[Path, Path]) -> None:
    sweep, data = tiny
    code, out, said = command("elue", "submit", sweep, "--policy", "static", "--policy", "max_probability:0.8")
    assert code == 0, said
    folder = sweep / "submission" / "SST-2"
    names = ["static-1", "static-2", "static-3", "max_probability-0.8"]
    assert {Path(line).name for line in out.split()} == {*(f"{n}.tsv" for n in names), "costs.csv", "model.py"}
    costs = pd.read_csv(folder / "type1" / "costs.csv").set_index("file")
    for name in names:
        policy = {"name": "static", "exit": int(name[-1])} if name.startswith("static") else "max_probability:0.8"
        told = answers_of(sweep, data, policy)
        with_modules = read(folder / "type2" / f"{name}.tsv")
        assert read(folder / "type1" / f"{name}.tsv").equals(with_modules[["index", "pred"]])
        assert with_modules["pred"].tolist() == [str(one.prediction) for one in told]
        mean = sum(one.inference_flops for one in told) / len(told)
        assert costs.loc[f"{name}.tsv", "mflops"] == pytest.approx(mean / 1e6, rel=1e-5)
        for text, one in zip(with_modules["modules"], told, strict=True):
            asked = [call.name for call in parse_calls(text) if call.name.startswith("exit")]
            assert asked[-1] == f"exit_{one.exit}"
            assert len(asked) == (1 if name.startswith("static") else one.exit)


@pytest.mark.slow
def test_a_submission_is_counted_from_its_modules_and_scored(command: Command, tiny: tuple[Path, Path]) -> None:
    sweep, data = tiny
    assert command("elue", "submit", sweep)[0] == 0
    folder = sweep / "submission" / "SST-2"
    points = sweep / "points.yaml"
    code, out, said = command("elue", "check", folder / "type2", "--data", data, "--trust", "--write", points, "--json")
    assert code == 0, said
    files = pd.DataFrame(json.loads(out)["files"]).set_index("file")
    costs = pd.read_csv(folder / "type1" / "costs.csv").set_index("file")
    assert files.loc[costs.index, "mflops"].to_numpy() == pytest.approx(costs["mflops"].to_numpy(), rel=1e-5)
    assert files["mparams"].to_numpy() == pytest.approx(costs["mparams"].iloc[0], rel=1e-4)
    assert "process of its own" in said
    (sweep / "b.csv").write_text("mflops,points\n0.0001,0\n100,0\n", encoding="utf-8")
    code, out, said = command("elue", "score", points, "--baseline", sweep / "b.csv", "--json")
    assert code == 0, said
    (row,) = json.loads(out)["scores"]
    assert row["score"] == pytest.approx(files["performance"].mean())
    code, out, said = command("elue", "check", folder / "type1", "--data", data, "--json")
    assert code == 0, said
    assert {one["cost_from"] for one in json.loads(out)["files"]} == {"typed"}


def test_rows_that_are_wrong_are_told_with_their_lines(command: Command, tmp_path: Path) -> None:
    data, folder = write_elue(tmp_path / "elue"), tmp_path / "SNLI"
    folder.mkdir()
    rows = ["index\tpred\tmodules", "0\t7\t(5),emb; (5,64),layer_1; (64),exit_1", "0\t1\t(5),emb; (5,64)layer_1"]
    rows += ["1\t1\t(5),emb; (5,64),strange", "9\t1\t(5),emb", "x\t1\t(5),emb"]
    (folder / "a.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    code, out, _ = command("elue", "check", folder, "--data", data, "--json")
    assert code == 2
    told = {(row["line"], row["problem"]) for row in json.loads(out)["problems"]}
    whole = "\n".join(f"{line}: {problem}" for line, problem in sorted(told))
    for facts in ("2: '7' … 0, 1, 2", "3: module 2 … (5,64)layer_1", "6: index 'x'", "5: index 9", f"0: 3 of {TEST}",
                  "0: not priced … (5,64),strange … --trust"):  # fmt: skip
        assert tells(whole, facts), whole


def test_both_spellings_are_read(command: Command, tmp_path: Path) -> None:
    """Rows in the form of ELUE's slides and of CELUE; experts see some tokens, and tokens leave early."""
    (tmp_path / "a.tsv").write_text(
        "index\tpred\tmodules\n0\t1\t(9),emb; (9,64),layer_1; (4,64),layer_2; (64),exit_2\n"
        "1\t0\t(9),emb; (9,64),layer_1; (3,64),expert_1_2; (6,64),expert_1_5; (64),exit_1\n",
        encoding="utf-8",
    )
    row = {"answer": 0, "modules": "(9),emb;(9,64),layer_1;(4,64),layer_2;(64),exit_2"}
    (tmp_path / "b.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    code, out, said = command("elue", "check", tmp_path, "--classes", 2, "--json")
    assert code == 0, said
    first, second = json.loads(out)["files"]

    def layer(tokens: int) -> int:
        return 4 * tokens * 64**2 + 2 * tokens * 64 * 256 + 2 * tokens**2 * 64

    left = layer(9) + layer(4) + 128
    experts = layer(9) + 9 * 2 * 64 * 256 + 128
    assert second["mmacs"] == pytest.approx(left / 1e6)
    assert first["mmacs"] == pytest.approx((left + experts) / 2e6)
    assert first["mflops"] == pytest.approx(2 * first["mmacs"])


def test_a_score_is_refused_outside_and_clamped_by_option(command: Command, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(BASELINE, encoding="utf-8")
    (tmp_path / "l.csv").write_text("mflops,points\n150,78\n500,84\n", encoding="utf-8")
    code, _, said = command("elue", "score", "l.csv", "--baseline", "b.csv")
    assert code == 2
    assert tells(said, "1 of 2 points … 100 to 400 MFLOPs … 500")
    code, out, said = command("elue", "score", "l.csv", "--baseline", "b.csv", "--outside", "clamp", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["scores"][0]["score"] == pytest.approx((78 - 75 + 84 - 85) / 2)
    assert told["scores"][0]["clamped"] == 1
    assert tells(said, "not published")


def test_a_sweep_is_scored_against_a_file(command: Command, tiny: tuple[Path, Path], tmp_path: Path) -> None:
    sweep, _ = tiny
    (tmp_path / "b.csv").write_text("mflops,points\n0,70\n100,80\n", encoding="utf-8")
    asked = ("elue", "score", sweep, "--baseline", tmp_path / "b.csv", "--policy")
    code, out, said = command(*asked, "max_probability", "--plot", tmp_path / "s.svg", "--json")
    assert code == 0, said
    told = json.loads(out)
    (row,) = told["scores"]
    points = [point["difference"] for point in told["points"]]
    assert row["score"] == pytest.approx(sum(points) / len(points))
    assert len(points) <= 12
    assert (tmp_path / "s.svg").is_file()
    code, _, said = command(*asked, "max_probabilty")
    assert (code, tells(said, "max_probabilty … max_probability")) == (2, True)


PAPER = "model: {name}\nmparams: {mparams}\ntasks:\n  SST-2:\n    points: [{{mflops: 150, performance: 78}}]\n"


def test_problems_of_typed_points_have_places(command: Command, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("model: x\nmparms: 3\ntasks:\n  SST2: {points: [{mflops: -1, performance: 9}]}\n")
    (tmp_path / "b.csv").write_text(BASELINE, encoding="utf-8")
    code, _, said = command("elue", "score", "p.yaml", "--baseline", "b.csv")
    assert code == 2
    for facts in ("p.yaml:2:1 … mparms … mparams", "p.yaml:4:3 … SST2 … SST-2", "p.yaml:4:28 … mflops"):
        assert tells(said, facts), said
