"""Models on disk: complete or refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from greenexp.backbones.base import TokenBatch
from greenexp.errors import CheckpointError
from greenexp.model import MultiExitModel, Serving, build_model, load_model, load_serving, save_model
from greenexp.records.settings import ModelSettings

SETTINGS: dict[str, Any] = {
    "backbone": {"name": "bert", "layers": 2, "hidden": 16, "heads": 2, "max_positions": 20},
    "exits": {"layers": "all", "head": {"name": "linear"}},
}
SERVING = Serving('{"tokens": "ä"}', ("no", "yes"), 20, 0, True, (2,), "a task")
TOKENS = TokenBatch(torch.from_numpy(np.random.default_rng(1).integers(4, 50, (3, 7))))


def model(seed: int = 0, **backbone: object) -> MultiExitModel:
    settings = {**SETTINGS, "backbone": {**SETTINGS["backbone"], **backbone}}
    return build_model(ModelSettings.from_json(settings), 2, vocab_size=50, pad_id=0, seed=seed).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(model(), tmp_path / "saved")
    return tmp_path / "saved"


def rehash(folder: Path, file: str) -> None:
    """Make a changed file look as if it had been saved so, to reach the checks behind the hash."""
    manifest = json.loads((folder / "greenexp.json").read_text())
    manifest["files"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / "greenexp.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
def test_round_trip(tmp_path: Path, pooling: str):
    saved = model(pooling=pooling)
    save_model(saved, tmp_path)
    before = torch.random.get_rng_state()
    loaded = load_model(tmp_path, num_labels=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.training
    assert loaded.settings == saved.settings
    with torch.inference_mode():
        assert torch.equal(loaded(TOKENS), saved(TOKENS))


def test_the_library_reads_it(folder: Path):
    theirs = AutoModel.from_pretrained(folder).eval()
    ours = model()
    with torch.inference_mode():
        pooled = theirs(TOKENS.input_ids).pooler_output
        assert (ours.head(2).classifier(pooled) - ours(TOKENS)[1]).abs().max() <= 1e-6


def test_only_these_files_and_no_pickle(folder: Path):
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "exits.safetensors",
        "greenexp.json",
        "model.safetensors",
    ]


def test_what_serving_needs_comes_back(tmp_path: Path):
    save_model(model(), tmp_path, SERVING)
    assert load_serving(tmp_path) == SERVING
    assert (tmp_path / "tokenizer.json").read_text(encoding="utf-8") == SERVING.tokenizer
    assert load_model(tmp_path).num_exits == 2
    assert json.loads((tmp_path / "greenexp.json").read_text())["serving"]["trained_exits"] == [2]


def test_a_model_saved_without_can_be_loaded(folder: Path):
    assert load_serving(folder) is None
    save_model(model(), folder, SERVING)
    save_model(model(seed=1), folder)
    assert load_serving(folder) is None
    assert load_model(folder).num_exits == 2


def test_a_damaged_tokenizer_is_refused_with_the_model(tmp_path: Path):
    save_model(model(), tmp_path, SERVING)
    (tmp_path / "tokenizer.json").write_text("other")
    for load in (load_model, load_serving):
        with pytest.raises(CheckpointError, match=r"tokenizer\.json is damaged"):
            load(tmp_path)


def test_saving_over_an_older_model(folder: Path):
    save_model(model(seed=1), folder)
    with torch.inference_mode():
        assert torch.equal(load_model(folder)(TOKENS), model(seed=1)(TOKENS))
    assert len(list(folder.iterdir())) == 4


def test_an_interrupted_save_over_an_older_model_is_refused(folder: Path, tmp_path: Path):
    save_model(model(seed=1), tmp_path / "newer")
    (tmp_path / "newer" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(folder)


def test_a_failing_save_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch):
    broken = model(seed=1)
    monkeypatch.setattr(broken.backbone, "save", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(CheckpointError, match="disk full"):
        save_model(broken, folder)
    (folder / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_model(model(), folder / "file")
    (folder / "file").unlink()
    assert len(list(folder.iterdir())) == 4
    assert load_model(folder).num_exits == 2


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "exits.safetensors", "greenexp.json"])
@pytest.mark.parametrize("keep", [None, 0, 0.5])
def test_missing_empty_and_truncated_files(folder: Path, file: str, keep: float | None):
    path = folder / file
    if keep is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(CheckpointError, match=file.replace(".", r"\.")):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "exits.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "missing key", "wrong shape", "extra key"])
def test_weights_that_do_not_fit(folder: Path, file: str, damage: str):
    path = folder / file
    weights = load_file(path)
    name = sorted(weights)[0]
    if damage == "missing key":
        del weights[name]
    elif damage == "wrong shape":
        weights[name] = torch.zeros(weights[name].numel() + 1)
    elif damage == "extra key":
        weights["stray"] = torch.zeros(1)
    save_file(weights, path, metadata={"format": "pt"})
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-9])
    rehash(folder, file)
    with pytest.raises(CheckpointError):
        load_model(folder)


def test_wrong_number_of_labels(folder: Path):
    with pytest.raises(CheckpointError, match="2 labels, the task 3"):
        load_model(folder, num_labels=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"exit_layers": [2]}, "exits at layers"),
        ({"settings": {}}, "describe"),
        ({"settings": {**SETTINGS, "exits": {"layers": "all", "head": "linear"}}}, "describe"),
        ({"files": ["config.json"]}, "hashes"),
        ({"files": {}}, "hashes"),
        ({"num_labels": -1}, "num_labels -1"),
        ({"settings": {**SETTINGS, "backbone": {"name": "nothing"}}}, "nothing"),
        ({"settings": {**SETTINGS, "backbone": {"name": "bert", "wings": 2}}}, "wings"),
    ],
)
def test_a_manifest_that_does_not_fit(folder: Path, change: dict[str, Any], message: str):
    path = folder / "greenexp.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=message):
        load_model(folder)


@pytest.mark.parametrize("text", ["[]", "{", '{"format": 1}', "\x00", "[" * 100_000])
def test_a_manifest_that_is_none(folder: Path, text: str):
    (folder / "greenexp.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"greenexp\.json"):
        load_model(folder)


def test_no_such_folder(tmp_path: Path):
    with pytest.raises(CheckpointError, match="saved"):
        load_model(tmp_path / "nowhere")
