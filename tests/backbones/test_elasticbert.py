"""ElasticBERT's published checkpoints, in their own layout of keys: the encoder, and a pooler per layer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_families import batch, library_states, small, states
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, BertModel

from greenexp.backbones import BACKBONES, checkpoints
from greenexp.backbones.elasticbert import ElasticBert, ElasticBertBackbone
from greenexp.errors import InputError
from greenexp.model import build_model
from greenexp.records.settings import ModelSettings

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "tasks-and-weights.md"


@pytest.fixture(autouse=True)
def nothing_in_memory() -> None:
    checkpoints._pristine.cache_clear()


def official(folder: Path) -> dict[str, torch.Tensor]:
    """Config and weights as the authors publish them, pretraining heads and buffers included."""
    bert = small("bert", pooling="cls").model
    generator = torch.Generator().manual_seed(3)
    weights = {f"elasticbert.{name}": value.clone() for name, value in bert.state_dict().items()}
    weights["elasticbert.embeddings.position_ids"] = torch.arange(20)[None]
    weights["cls.predictions.bias"] = torch.zeros(50)
    for layer in range(3):
        for name, shape in (("weight", (16, 16)), ("bias", (16,))):
            key = f"elasticbert.encoder.pooler.{layer}.dense.{name}"
            weights[key] = torch.randn(shape, generator=generator)
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    more = {"intermediate_size": 24, "max_position_embeddings": 20, "type_vocab_size": 2, "pad_token_id": 0}
    rates = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "layer_norm_eps": 1e-12}
    kinds = {"hidden_act": "gelu", "position_embedding_type": "absolute", "use_cache": True, "initializer_range": 0.02}
    own = {"max_output_layers": 3, "num_output_layers": 1, "gradient_checkpointing": False}
    names = {"model_type": "elasticbert", "architectures": ["ElasticBertForPreTraining"]}
    config = {**sizes, **more, **rates, **kinds, **own, **names}
    (folder / "config.json").write_text(json.dumps(config))
    return weights


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted checkpoint."""
    folder = tmp_path_factory.mktemp("elasticbert")
    save_file(official(folder), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def built(folder: Path, **fields: Any) -> ElasticBertBackbone:
    return ElasticBert(source=str(folder), **fields).build(50, 0).eval()  # type: ignore[return-value]


def own_pooler(folder: Path, layer: int, name: str) -> torch.Tensor:
    return load_file(folder / "model.safetensors")[f"elasticbert.encoder.pooler.{layer - 1}.dense.{name}"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("padded", [False, True])
def test_every_hidden_state_is_bert_s(published: Path, padded: bool, attention: str):
    backbone, tokens = built(published, attention=attention), batch(padded)
    assert type(backbone.model) is BertModel
    with torch.inference_mode():
        reference = small("bert", pooling="cls", attention=attention)
        for one, other in zip(states(backbone, tokens)[:-1], library_states(reference, tokens), strict=True):
            assert (one - other).abs().max() <= 1e-6


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize("layers", [None, 2])
def test_each_layer_has_its_own_pooler_to_start_from(published: Path, layers: int | None, pooling: str):
    backbone = built(published, layers=layers, pooling=pooling)
    for layer in range(1, backbone.num_layers + 1):
        found = backbone.pooler_for(layer)
        assert torch.equal(found.weight, own_pooler(published, layer, "weight"))
        assert torch.equal(found.bias, own_pooler(published, layer, "bias"))


def test_where_exits_share_one_it_starts_from_the_last_layer_s(published: Path):
    for layers in (2, 3):
        backbone, tokens = built(published, layers=layers), batch(padded=True)
        assert [note for note in backbone.notes if f"layer {layers}" in note] == list(backbone.notes)
        weight, bias = (own_pooler(published, layers, name) for name in ("weight", "bias"))
        state = backbone.embed(tokens)
        assert torch.allclose(backbone.pool(state), torch.tanh(nn.functional.linear(state.hidden[:, 0], weight, bias)))
    assert built(published, pooling="mean").notes == ()


def test_no_pooler_stays_as_a_dead_parameter(published: Path):
    parts = {"pooler": 16 * 17, "cls": 0, "mean": 0}
    bare = sum(parameter.numel() for parameter in small("bert", pooling="cls").parameters())
    for pooling, extra in parts.items():
        backbone = built(published, pooling=pooling)
        assert sum(parameter.numel() for parameter in backbone.parameters()) == bare + extra
        assert len(backbone.state_dict()) == len(list(backbone.named_parameters()))
    backbone = built(published)
    backbone.drop_pooler()
    assert sum(parameter.numel() for parameter in backbone.parameters()) == bare
    assert backbone.pooler_for(1) is None
    assert backbone.pooling == "cls"
    assert backbone.notes == ()


def test_training_one_touches_neither_the_next_nor_what_heads_start_from(published: Path):
    first = built(published)
    with torch.no_grad():
        for parameter in first.model.encoder.parameters():
            parameter.add_(1)
    assert torch.equal(built(published).pooler_for(1).weight, own_pooler(published, 1, "weight"))
    with torch.inference_mode():
        reference = states(small("bert", pooling="cls"), batch(padded=True))
        assert torch.equal(states(built(published), batch(padded=True))[-2], reference[-2])


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
def test_it_is_saved_as_the_bert_it_is(published: Path, pooling: str, tmp_path: Path):
    backbone, tokens = built(published, pooling=pooling), batch(padded=True)
    backbone.save(tmp_path)
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    assert type(theirs) is BertModel
    with torch.inference_mode():
        expected = states(backbone, tokens)
        loaded = ElasticBert(source="gone", pooling=pooling).load(tmp_path).eval()
        assert torch.equal(states(loaded, tokens)[-1], expected[-1])
        backbone.model = theirs
        assert (library_states(backbone, tokens)[3] - expected[3]).abs().max() <= 1e-6
        again = BACKBONES["bert"](source=str(tmp_path), pooling=pooling).build(50, 0).eval()
        assert torch.equal(states(again, tokens)[-1], expected[-1])
    with pytest.raises(InputError, match=r"'bert', not 'elasticbert'.*`name: bert`"):
        built(tmp_path)


def test_its_tokenizer_is_bert_s(published: Path):
    (published / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film"]))
    tokenizer = ElasticBert(source=str(published)).tokenizer()
    assert tokenizer("A film")["input_ids"] == [2, 5, 6, 3]
    assert tokenizer.is_fast


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("head", ["pooled", "linear"])
def test_heads_start_from_their_layers_poolers(published: Path, head: str, device: str):
    """And then the encoder keeps none that nobody reads."""
    settings = {
        "backbone": {"name": "elasticbert", "source": str(published)},
        "exits": {"layers": [2, 3], "head": {"name": head}},
    }
    model = build_model(ModelSettings.from_json(settings), 2, vocab_size=50, pad_id=0, seed=0, device=device)
    shared = list(model.backbone.pooler_parameters())
    bare = sum(parameter.numel() for parameter in small("bert", pooling="cls").parameters())
    heads = sum(parameter.numel() for parameter in model.heads.parameters())
    assert len(shared) == (0 if head == "pooled" else 2)
    assert model.parameter_count() == bare + heads + sum(parameter.numel() for parameter in shared)
    if device == "cpu":
        for number, layer in ((1, 2), (2, 3)):
            wanted = own_pooler(published, layer, "weight")
            own = [p for p in model.head(number).parameters() if p.shape == wanted.shape]
            assert [torch.equal(parameter, wanted) for parameter in own] == [True] * (head == "pooled")


def test_meta_device_has_the_same_shapes(published: Path):
    shapes = ElasticBert(source=str(published)).build(50, 0, "meta")
    real = built(published)
    assert [(name, p.shape) for name, p in shapes.named_parameters()] == [
        (name, p.shape) for name, p in real.named_parameters()
    ]
    assert shapes.pooler_for(1).weight.shape == (16, 16)


def test_missing_poolers_are_missing_weights(published: Path, tmp_path: Path):
    weights = official(tmp_path)
    save_file(
        {name: value for name, value in weights.items() if ".pooler.1." not in name},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(InputError, match=r"lacks weights: encoder\.pooler\.1\.dense\.bias"):
        built(tmp_path)


def test_asking_for_bert_names_elasticbert(published: Path):
    with pytest.raises(InputError, match=r"'elasticbert', not 'bert'.*`name: elasticbert`"):
        BACKBONES["bert"](source=str(published)).build(50, 0)


def test_the_documented_conversion(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As published there is a pickle only: refused, and read after the documentation's few lines."""
    torch.save(official(tmp_path), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"docs/tasks-and-weights\.md"):
        built(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), flags=re.DOTALL)
    (snippet,) = [text for text in snippets if "pytorch_model.bin" in text]
    monkeypatch.chdir(tmp_path)
    exec(snippet, {})  # noqa: S102 - our own documentation
    for name, value in built(published).state_dict().items():
        assert torch.equal(built(tmp_path).state_dict()[name], value)
