"""Checkpoints of every family: what is read, cut, refused, and what a hub id goes through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_families import FAMILIES, WITHOUT_POOLER, batch, library_states, small, states
from safetensors.torch import load_file, save_file
from transformers import AlbertConfig, AlbertModel, AutoModel

from greenexp.backbones import BACKBONES, checkpoints
from greenexp.errors import InputError

FROM_THE_LIBRARY = [name for name in FAMILIES if name != "elasticbert"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nothing_in_memory() -> None:
    checkpoints._pristine.cache_clear()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each family, as the library saves its own model."""
    folders = {}
    for name in FROM_THE_LIBRARY:
        folders[name] = tmp_path_factory.mktemp(name)
        pooling = "mean" if name in WITHOUT_POOLER else "pooler"
        small(name, pad_id=1 if name == "roberta" else 0, pooling=pooling).save(folders[name])
    return folders


def built(name: str, folder: Path, **fields: Any) -> Any:
    return BACKBONES[name](source=str(folder), **fields).build(50, 1 if name == "roberta" else 0)


@pytest.mark.parametrize("name", FROM_THE_LIBRARY)
def test_a_source_gives_what_the_library_reads(name: str, made: dict[str, Path]):
    backbone = built(name, made[name], pooling="mean").eval()
    tokens = batch(padded=True, pad_id=1 if name == "roberta" else 0)
    with torch.inference_mode():
        ours = states(backbone, tokens)
        backbone.model = AutoModel.from_pretrained(made[name]).eval()
        theirs = library_states(backbone, tokens)
    for one, other in zip(ours[:-1], theirs, strict=False):
        assert (one - other).abs().max() <= 1e-6
    assert backbone.notes == ()


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", FROM_THE_LIBRARY)
def test_a_source_cut_to_its_first_layers(name: str, device: str, made: dict[str, Path]):
    backbone = BACKBONES[name](source=str(made[name]), layers=2, dropout=0.3, pooling="cls").build(
        50, 1 if name == "roberta" else 0, device
    )
    assert backbone.num_layers == len(backbone.matmuls(1, 4).layers) == 2
    shares = name == "albert"  # one set of weights, however many layers
    whole, cut = (sum(p.numel() for p in one.layer_parameters()) for one in (small(name), backbone))
    # Tables of positions and a final norm are shared by the layers, and stay.
    third = "layers.2." if name == "modernbert" else "layer.2."
    one_layer = 0 if shares else sum(p.numel() for key, p in small(name).named_parameters() if third in key)
    assert cut == whole - one_layer
    rates = {module.p for module in backbone.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.3}
    if device == "cpu":
        tokens = batch(padded=True, pad_id=1 if name == "roberta" else 0)
        full = states(built(name, made[name], pooling="cls").eval(), tokens)
        if name == "modernbert":  # whose norm follows whatever layer is the last
            full[2] = backbone.model.final_norm(full[2])
        for one, other in zip(states(backbone.eval(), tokens)[:3], full[:3], strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", FROM_THE_LIBRARY)
def test_a_pooler_that_the_source_lacks_is_new_and_said_so(name: str, made: dict[str, Path], tmp_path: Path):
    small(name, pad_id=1 if name == "roberta" else 0, pooling="cls").save(tmp_path)
    for folder, lacking in ((made[name], name in WITHOUT_POOLER), (tmp_path, True)):
        backbone = built(name, folder, pooling="pooler")
        assert ["no pooler" in note for note in backbone.notes] == [True] * lacking
        assert (backbone.pooler_for(1) is None) == lacking
        if lacking:
            weight = next(iter(backbone.pooler_parameters()))
            assert 0.01 < weight.std() < 0.03
            assert all(bias.eq(0).all() for bias in backbone.pooler_parameters() if bias.dim() == 1)


@pytest.mark.parametrize("name", WITHOUT_POOLER)
def test_a_pooler_that_was_trained_here_is_the_next_source_s(name: str, tmp_path: Path):
    trained = small(name, pooling="pooler")
    trained.save(tmp_path)
    backbone = built(name, tmp_path, pooling="pooler")
    assert backbone.notes == ()
    assert torch.equal(backbone.pooler_for(2).weight, trained.model.pooler.dense.weight)


@pytest.mark.parametrize("asked", ["bert", "albert", "elasticbert"])
@pytest.mark.parametrize("held", ["roberta", "electra", "distilbert"])
def test_another_family_s_checkpoint_is_refused_with_the_right_name(asked: str, held: str, made: dict[str, Path]):
    with pytest.raises(InputError, match=f"'{held}', not '{asked}'.*`name: {held}`"):
        built(asked, made[held])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "'None', not 'bert'"),
        ({"model_type": "xlnet"}, "'xlnet', not 'bert'"),
        ({"model_type": "bert", "is_decoder": True}, "is a decoder"),
        ({"model_type": "bert", "position_embedding_type": "relative_key"}, "relative positions"),
    ],
)
def test_models_that_are_not_ours_are_refused(config: dict[str, Any], message: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        built("bert", tmp_path)


def with_settings(source: Path, into: Path, **settings: Any) -> Path:
    """A copy of a checkpoint whose configuration says something else, too."""
    shutil.copytree(source, into)
    config = json.loads((into / "config.json").read_text())
    (into / "config.json").write_text(json.dumps({**config, **settings}))
    return into


def test_what_a_family_does_not_read_is_no_reason_to_refuse_it(made: dict[str, Path], tmp_path: Path):
    """Published ModernBERT-like encoders say that they have no positions: theirs are rotary."""
    source = with_settings(made["modernbert"], tmp_path / "made", position_embedding_type="sans_pos")
    assert built("modernbert", source, pooling="cls").num_layers == built("modernbert", made["modernbert"]).num_layers


def test_heads_that_are_not_the_width_are_refused(made: dict[str, Path], tmp_path: Path):
    with pytest.raises(InputError, match="attention heads of 3 units"):
        built("deberta", with_settings(made["deberta"], tmp_path / "made", attention_head_size=3))


@pytest.mark.parametrize("name", ["roberta", "deberta", "modernbert", "mpnet"])
def test_a_source_of_the_hub(name: str, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A pinned hub id is looked up in the hub's own cache."""
    snapshot = tmp_path / "models--owner--small" / "snapshots" / COMMIT
    shutil.copytree(made[name], snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    backbone = BACKBONES[name](source=f"owner/small@{COMMIT}", pooling="cls").build(50, 1 if name == "roberta" else 0)
    expected = built(name, made[name], pooling="cls")
    assert backbone.notes == ()
    for key, value in expected.state_dict().items():
        assert torch.equal(backbone.state_dict()[key], value)
    with pytest.raises(InputError, match=f"not 'bert'.*`name: {name}`"):
        BACKBONES["bert"](source=f"owner/small@{COMMIT}").build(50, 1)


@pytest.mark.parametrize("name", ["roberta", "mobilebert"])
def test_data_with_other_padding_is_refused(name: str, made: dict[str, Path]):
    with pytest.raises(InputError, match=r"with 3.*with [01]"):
        BACKBONES[name](source=str(made[name])).build(50, 3)


def test_roberta_tells_segments_apart_only_where_it_has_types(made: dict[str, Path], tmp_path: Path):
    tokens = batch(padded=False)
    one_type = built("roberta", made["roberta"], pooling="mean").eval()
    assert one_type.model.config.type_vocab_size == 1
    config = json.loads((made["roberta"] / "config.json").read_text())
    weights = load_file(made["roberta"] / "model.safetensors")
    name = "embeddings.token_type_embeddings.weight"
    weights[name] = torch.cat([weights[name], weights[name].flip(1)])
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps({**config, "type_vocab_size": 2}))
    two_types = built("roberta", tmp_path, pooling="mean").eval()
    with torch.inference_mode():
        theirs = two_types.model(tokens.input_ids, token_type_ids=tokens.token_type_ids).last_hidden_state
        assert torch.equal(states(two_types, tokens)[-2], theirs)
        assert (states(one_type, tokens)[-2] - theirs).abs().max() > 1e-3


def test_mobilebert_s_padding_embedding_becomes_zero(made: dict[str, Path], tmp_path: Path):
    """The last token's trigram would reach into the padding, so that an answer would depend on the batch."""
    folder = Path(shutil.copytree(made["mobilebert"], tmp_path / "mobilebert"))
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][0] = 3.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    backbone, before = (built("mobilebert", where, pooling="mean").eval() for where in (folder, made["mobilebert"]))
    assert len(backbone.notes) == 1
    assert "padding embedding" in backbone.notes[0]
    tokens = batch(padded=True)
    with torch.inference_mode():
        assert torch.equal(states(backbone, tokens)[-1], states(before, tokens)[-1])


def test_mobilebert_s_pooler_may_be_the_first_token(made: dict[str, Path], tmp_path: Path):
    small("mobilebert", pooler_dense=False).save(tmp_path)
    plain = built("mobilebert", tmp_path)
    assert list(plain.pooler_parameters()) == []
    assert plain.notes == ()
    dense = built("mobilebert", tmp_path, pooler_dense=True)
    assert len(list(dense.pooler_parameters())) == 2
    assert "no pooler" in dense.notes[0]
    assert list(built("mobilebert", made["mobilebert"], pooler_dense=False).pooler_parameters()) == []


@pytest.mark.parametrize(("layers", "groups"), [(1, 1), (2, 1), (4, 2), (6, 3)])
def test_albert_s_groups_keep_their_layers(layers: int, groups: int, tmp_path: Path):
    """The library would spread three groups over the layers that remain, and give layers other weights."""
    sizes = {"vocab_size": 50, "embedding_size": 6, "hidden_size": 16, "num_attention_heads": 2}
    config = AlbertConfig(**sizes, intermediate_size=24, num_hidden_layers=6, num_hidden_groups=3, inner_group_num=2)
    AlbertModel(config).save_pretrained(tmp_path)
    whole, cut = (built("albert", tmp_path, pooling="cls", **own).eval() for own in ({}, {"layers": layers}))
    assert (cut.num_layers, len(cut.model.encoder.albert_layer_groups)) == (layers, groups)
    tokens = batch(padded=True)
    with torch.inference_mode():
        expected = states(whole, tokens)
        for one, other in zip(states(cut, tokens)[:-1], expected, strict=False):
            assert torch.equal(one, other)
        # The library's states come after each of a group's inner layers.
        theirs = library_states(whole, tokens)[: 2 * 6 + 1 : 2]
        assert max((one - other).abs().max() for one, other in zip(expected[:-1], theirs, strict=True)) <= 1e-6
    for wrong in (3, 5):
        with pytest.raises(InputError, match=f"layers .{wrong}..*2 layers"):
            built("albert", tmp_path, layers=wrong)


@pytest.mark.parametrize("name", ["electra", "roberta"])
def test_pickled_weights_are_refused_with_the_way_out(name: str, made: dict[str, Path], tmp_path: Path):
    shutil.copy(made[name] / "config.json", tmp_path)
    torch.save(load_file(made[name] / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin.*docs/tasks-and-weights\.md"):
        built(name, tmp_path)
