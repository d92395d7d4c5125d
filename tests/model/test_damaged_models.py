"""A model's files with contents that fit their hashes and make no sense: a clear error, nothing else."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from told import tells
from transformers import BertConfig, BertModel

from greenexp.backbones.checkpoints import Checkpoint
from greenexp.errors import CheckpointError, InputError
from greenexp.model import build_model, load_model, save_model
from greenexp.records.settings import ModelSettings

SETTINGS = {"backbone": {"name": "bert", "layers": 1, "hidden": 8, "heads": 2, "max_positions": 8}, "exits": {}}
WRONG: list[Any] = [None, -1, 0.5, "x", [], [1], {}, {"a": "b"}, True]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = build_model(ModelSettings.from_json(SETTINGS), 2, vocab_size=9, pad_id=0, seed=0)
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def replace(folder: Path, name: str, content: bytes) -> None:
    """Another file, whose hash is the one that was saved."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "greenexp.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "greenexp.json").write_text(json.dumps(manifest))


def wrong_configs(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each with one field of another type or lost; no number becomes so large that building takes long."""
    for key in config:
        for value in random.Random(key).sample(WRONG, 3):
            yield {**copy.deepcopy(config), key: value}
        yield {name: value for name, value in config.items() if name != key}


def test_a_config_with_wrong_types_is_refused_or_read(folder: Path) -> None:
    config, refused = json.loads((folder / "config.json").read_text()), 0
    for wrong in wrong_configs(config):
        replace(folder, "config.json", json.dumps(wrong).encode())
        try:
            load_model(folder)
        except CheckpointError as error:
            refused += tells(str(error), str(folder))
    assert refused > len(config)


@pytest.mark.parametrize("field", ["num_hidden_layers", "intermediate_size", "vocab_size"])
@pytest.mark.parametrize("size", [900, 2**40, 2**63])
def test_a_config_of_another_size_takes_neither_memory_nor_time(folder: Path, field: str, size: int) -> None:
    config = json.loads((folder / "config.json").read_text())
    replace(folder, "config.json", json.dumps({**config, field: size}).encode())
    with pytest.raises(CheckpointError, match=str(folder)):
        load_model(folder)


def test_a_config_without_heads_is_refused_when_it_is_loaded(folder: Path) -> None:
    """The library divides by their number, so -1 builds a model; reading a text with it failed."""
    config = json.loads((folder / "config.json").read_text())
    replace(folder, "config.json", json.dumps({**config, "num_attention_heads": -1}).encode())
    with pytest.raises(CheckpointError, match="-1"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_config_that_is_none(folder: Path, content: bytes) -> None:
    replace(folder, "config.json", content)
    with pytest.raises(CheckpointError, match=str(folder)):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "exits.safetensors"])
@pytest.mark.parametrize(
    "header", [b"", b"{}", b"[]", b"null", b'{"a":1}', b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99]}}']
)
@pytest.mark.parametrize("length", [None, 2**40])
def test_tensors_whose_header_makes_no_sense(folder: Path, name: str, header: bytes, length: int | None) -> None:
    replace(folder, name, struct.pack("<Q", length or len(header)) + header)
    with pytest.raises(CheckpointError, match=str(folder)):
        load_model(folder)


def config_of(folder: Path) -> Any:
    return Checkpoint.of(str(folder)).config("bert", BertConfig, "eager")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "7", '{"model_type": "bert", "hidden_size": "many"}', '{"model_type": 7}']
)
def test_a_source_with_a_damaged_config(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=str(folder)):
        config_of(folder)


@pytest.mark.parametrize("length", [0, 2**20, 2**62])
def test_a_source_with_damaged_weights(folder: Path, length: int) -> None:
    config = config_of(folder)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(InputError, match=str(folder)):
        Checkpoint.of(str(folder)).model(BertModel, config, "eager", with_pooler=True)
