"""ONNX graphs: what is written, that ONNX Runtime answers as the engine does, and what is refused."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from encoder_families import FAMILIES
from served_models import made_examples, made_model

from greenexp.errors import CheckpointError, InputError
from greenexp.inference import EarlyExitEngine, Rebatcher, Tokens
from greenexp.inference.bench import Contestants, EngineSettings, Protocol, Stopwatch, contest
from greenexp.inference.bench.contestants import STATIC
from greenexp.model import MultiExitModel, load_model, save_model
from greenexp.sources.checkpoints import FoundModel

for needed in ("onnx", "onnxruntime", "onnxscript"):  # the extra `onnx`, which .ci/run installs
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

from greenexp.inference.graphs.folder import GraphFolder  # noqa: E402
from greenexp.inference.graphs.running import FullGraph  # noqa: E402
from greenexp.inference.graphs.writing import TOLERANCE, write_graphs  # noqa: E402

SAMPLE = ("deberta", "modernbert")
"""An export takes 10 to 15 s of CPU: these two, whose positions a graph makes anew, and BERT in the other tests."""
EXPORTED = tuple(FAMILIES) if os.environ.get("GREENEXP_EVERY_FAMILY") else SAMPLE
EXAMPLES = (*made_examples(10, seed=3), *(Tokens([7] * length) for length in (1, 2, 24, 24)))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GraphFolder]:
    """A model of six layers with exits after two of them, and its graphs."""
    folder = tmp_path_factory.mktemp("graphs")
    model = made_model(layers=[2, 6], hidden=16, pooling="mean")
    save_model(model, folder / "model")
    return folder / "model", write_graphs(folder / "model", folder / "made", EXAMPLES)


def same_answers(model: MultiExitModel, graphs: GraphFolder, policy: str) -> None:
    """One by one, in shrinking batches, and in batches that are put together anew."""
    ours, theirs = EarlyExitEngine(model, policy), EarlyExitEngine(model, policy, graphs=graphs)
    wanted = [ours.one(tokens) for tokens in EXAMPLES]
    with Rebatcher(theirs, 4, 0.001) as pools:
        refilled = [future.result() for future in [pools.submit(tokens) for tokens in EXAMPLES]]
    for found in ([theirs.one(tokens) for tokens in EXAMPLES], theirs.answer(EXAMPLES, 6), refilled):
        assert [answer.exit for answer in found] == [answer.exit for answer in wanted]
        assert [answer.inference_flops for answer in found] == [answer.inference_flops for answer in wanted]
        assert np.abs(np.array([a.logits for a in found]) - [a.logits for a in wanted]).max() < 10 * TOLERANCE


@pytest.mark.parametrize("policy", ["max_probability:0.6", "static:1", "static"])
def test_onnx_runtime_answers_as_the_engine(written: tuple[Path, GraphFolder], policy: str):
    same_answers(load_model(written[0]), written[1], policy)


def test_what_is_written(written: tuple[Path, GraphFolder]):
    model, graphs = written
    names = {path.name for path in graphs.folder.iterdir()}
    pieces = ("segment-1", "exit-1", "segment-2", "exit-2", "full")
    assert names == {"graphs.json", *(f"{name}{kind}.onnx" for name in pieces for kind in ("", ".int8"))}
    assert GraphFolder.read(graphs.folder, model) == graphs
    assert graphs.checked["fp32"].difference <= TOLERANCE < graphs.checked["int8"].difference < 0.2


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_whole_model(written: tuple[Path, GraphFolder], precision: str):
    model = load_model(written[0])
    wanted = [answer.prediction for answer in EarlyExitEngine(model, "static").batch(EXAMPLES)]
    found = FullGraph(written[1], model, precision, 0).answer(EXAMPLES)
    same = sum(one == other for one, other in zip(found, wanted, strict=True))
    assert same == len(EXAMPLES) if precision == "fp32" else same > 0.7 * len(EXAMPLES)


def test_the_model_s_weights_need_not_stay_in_memory(written: tuple[Path, GraphFolder]):
    engine = EarlyExitEngine.load(written[0], "static", graphs=written[1], precision="int8")
    assert {parameter.device.type for parameter in engine.model.parameters()} == {"meta"}
    assert len(engine.batch(EXAMPLES)) == len(EXAMPLES)


def test_refusals(written: tuple[Path, GraphFolder], tmp_path: Path):
    model, graphs = written
    with pytest.raises(InputError, match=r"export .* --format onnx"):
        GraphFolder.read(tmp_path / "nothing", model)
    copied = Path(shutil.copytree(graphs.folder, tmp_path / "copied"))
    (copied / "exit-2.onnx").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"exit-2\.onnx"):
        GraphFolder.read(copied, model)
    facts = json.loads((copied / "graphs.json").read_text())
    (copied / "graphs.json").write_text(json.dumps({**facts, "model": "0"}))
    with pytest.raises(InputError, match="another model"):
        GraphFolder.read(copied, model)
    loaded = load_model(model)
    with pytest.raises(InputError, match="bf16"):
        EarlyExitEngine(loaded, "static", graphs=graphs, precision="bf16")
    with pytest.raises(InputError, match="onnxruntime"):
        EarlyExitEngine(loaded, "static", precision="int8")
    with pytest.raises(InputError, match=r"torch\.compile"):
        EarlyExitEngine(loaded, "static", graphs=graphs, compile=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something else"):
        write_graphs(model, tmp_path / "mine", ())
    assert (tmp_path / "mine" / "thesis.txt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_every_family_is_exported(name: str, tmp_path: Path):
    model = made_model(layers=[1, 3], depth=3, name=name, pooling="mean", **FAMILIES[name])
    save_model(model, tmp_path / "model")
    same_answers(model, write_graphs(tmp_path / "model", tmp_path / "made", ()), "patience:1")


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"head": "scalar_mix", "learned": True}, {"head": "attention"}], ids=str)
def test_every_kind_of_exit_is_exported(fields: dict[str, object], tmp_path: Path):
    model = made_model(layers=[2, 3], depth=3, hidden=16, **fields)
    save_model(model, tmp_path / "model")
    same_answers(model, write_graphs(tmp_path / "model", tmp_path / "made", ()), "max_probability:0.6")


@pytest.mark.slow
def test_ray_is_still_imported_beside_onnx_runtime():
    code = "import onnx, onnxscript, onnxruntime, ray"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_static_models_take_part_in_a_benchmark(written: tuple[Path, GraphFolder]):
    model = load_model(written[0])
    contestants = Contestants.of(model, "static:1", EngineSettings(), written[1])
    clock = Stopwatch(time.perf_counter, lambda: None)
    result = contest(contestants, list(EXAMPLES), 4, Protocol(repeats=1, warm_ups=1, least_warm_ups=1), clock)
    assert set(result.static_over_engine) == set(result.static_agrees) == set(STATIC)
    assert result.static_agrees["onnxruntime, whole model, fp32"] == 1
    slowest_first = {**result.static_over_engine, "plain transformers": result.plain_over_engine}
    assert result.best_static[1].median == min(one.median for one in slowest_first.values())


def test_the_benchmark_of_static_models_times_the_model_and_its_cuts(
    written: tuple[Path, GraphFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    import static_on_cpu

    monkeypatch.setattr(static_on_cpu, "found_graphs", lambda _: written[1])
    given = argparse.Namespace(policy="max_probability:0.6", speed_up=None, cut="1")
    trained = static_on_cpu.trained_model(FoundModel(written[0], "tiny", None), given, tmp_path)
    answers = {one.name: list(map(int, one.answer(EXAMPLES))) for one in trained.contestants()}
    engine = EarlyExitEngine(trained.model, "max_probability:0.6")
    assert answers["engine, PyTorch, fp32, leaves early"] == [one.prediction for one in engine.batch(EXAMPLES)]
    whole = [one.prediction for one in EarlyExitEngine(trained.model, "static").batch(EXAMPLES)]
    first = [one.prediction for one in EarlyExitEngine(trained.model, "static:1").batch(EXAMPLES)]
    assert first != whole
    assert answers["static, ONNX Runtime, fp32, whole"] == whole
    assert answers["static, ONNX Runtime, fp32, cut at exit 1 of 2"] == first
    assert list(answers)[-1].startswith("plain transformers")
    assert answers[list(answers)[-1]] == whole
