"""Every family in pieces against the library's own forward pass, and what the protocol promises of each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from encoder_families import FAMILIES, VARIANTS, WITHOUT_POOLER, batch, library_states, section, small, states
from torch import nn
from transformers import AutoModel

from greenexp.backbones import BACKBONES
from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError


def test_every_backbone_has_a_case():
    of_texts = [name for name in BACKBONES if name != "resnet"]  # which has tests of its own
    assert of_texts == sorted(FAMILIES)
    assert all(BACKBONES[name].family == name for name in of_texts)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_hidden_state_is_the_library_s(variant: str, examples: int, padded: bool, attention: str):
    backbone, tokens = small(variant, attention=attention), batch(padded, examples)
    with torch.inference_mode():
        ours, theirs = states(backbone, tokens), library_states(backbone, tokens)
    # The trap: with SDPA and no mask a lost batch dimension raises nothing, so the shapes are checked by themselves.
    assert all(hidden.shape == (examples, 7, 16) for hidden in ours[:-1])
    assert len(theirs) == len(ours) - (VARIANTS[variant][0] in WITHOUT_POOLER)
    for one, other in zip(ours, theirs, strict=False):
        assert (one - other).abs().max() <= 1e-6
    layers = pairwise(ours[:-1])
    assert all((before - after).abs().max() > 1e-2 for before, after in layers)  # the layers do something


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_changes_nothing(variant: str, pooling: str):
    backbone, tokens = small(variant, pooling=pooling), batch(padded=True)
    with torch.inference_mode():
        together = states(backbone, tokens)[-1]
        for row, length in enumerate([7, 6, 5]):
            alone = TokenBatch(tokens.input_ids[[row], :length], None, tokens.token_type_ids[[row], :length])
            assert (states(backbone, alone)[-1] - together[[row]]).abs().max() <= 1e-5


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_examples_of_different_batches_go_on_together(variant: str, attention: str):
    backbone = small(variant, attention=attention, pooling="mean")
    alone = [TokenBatch(torch.arange(4, 4 + length)[None]) for length in (7, 3)]
    with torch.inference_mode():
        first = [backbone.layer(0, backbone.embed(tokens)).hidden for tokens in alone]
        padded = torch.cat([first[0], torch.cat([first[1], torch.full((1, 4, 16), 9.0)], dim=1)])
        together = backbone.regroup(padded, (torch.arange(7) < torch.tensor([[7], [3]])).long())
        wanted = torch.cat([states(backbone, tokens)[-1] for tokens in alone])
        found = backbone.pool(backbone.layer(2, backbone.layer(1, together)))
        assert (found - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("variant", VARIANTS)
def test_poolings_by_definition(variant: str):
    tokens = batch(padded=True)
    backbone = small(variant, pooling="pooler")
    state = backbone.embed(tokens)
    dense = [module for module in backbone.model.pooler.modules() if isinstance(module, nn.Linear)]
    seen, activation = backbone.seen(state), nn.GELU() if variant == "deberta" else nn.Tanh()
    first = seen[:, 0]
    assert len(dense) == (variant != "mobilebert, plain pooler, one network")
    assert torch.allclose(backbone.pool(state), activation(dense[0](first)) if dense else first, atol=1e-6)
    assert torch.equal(small(variant, pooling="cls").pool(state), first)
    assert torch.allclose(small(variant, pooling="mean").pool(state)[2], seen[2, :5].mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_cover_every_parameter_once(variant: str, pooling: str):
    backbone = small(variant, pooling=pooling)
    parts = [*backbone.embedding_parameters(), *backbone.layer_parameters(), *backbone.pooler_parameters()]
    assert sorted(map(id, parts)) == sorted(map(id, backbone.parameters()))
    assert len(set(map(id, parts))) == len(parts)


def test_albert_shares_its_layers_weights():
    sizes = [
        sum(parameter.numel() for parameter in small("albert", layers=layers, groups=groups).layer_parameters())
        for layers, groups in ((1, 1), (6, 1), (6, 2), (6, 6))
    ]
    assert sizes == [sizes[0] * count for count in (1, 1, 2, 6)]
    costs = [small("albert", layers=layers).matmuls(2, 5).layers for layers in (1, 6)]
    assert costs[1] == costs[0] * 6


@pytest.mark.parametrize("name", FAMILIES)
def test_pooler_for(name: str):
    backbone = small(name)
    for layer in (1, 3):
        found = backbone.pooler_for(layer)
        # One that was drawn here because the family has none is nothing to start from.
        assert (found is None) == (name in WITHOUT_POOLER)
        assert found is None or {id(one) for one in found.parameters()} == set(map(id, backbone.pooler_parameters()))
    assert small(name, pooling="mean").pooler_for(1) is None
    assert small("mobilebert", pooler_dense=False).pooler_for(1) is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_dropped_pooler_is_gone(variant: str, tmp_path):
    backbone, tokens = small(variant, pooling="pooler"), batch(padded=True)
    backbone.drop_pooler()
    assert list(backbone.pooler_parameters()) == []
    assert backbone.pooler_for(1) is None
    assert backbone.matmuls(1, 4).pooler == ()
    state = backbone.embed(tokens)
    assert torch.equal(backbone.pool(state), backbone.seen(state)[:, 0])
    backbone.save(tmp_path)
    fields = section(variant, pooling="cls")
    loaded = BACKBONES[fields.pop("name")](**fields).load(tmp_path).eval()
    with torch.inference_mode():
        assert torch.equal(states(loaded, tokens)[-1], states(backbone, tokens)[-1])


def test_dropping_leaves_the_mean_alone():
    backbone = small("bert", pooling="mean")
    backbone.drop_pooler()
    assert backbone.pooling == "mean"


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_save_is_read_by_the_library_and_by_load(variant: str, pooling: str, tmp_path):
    backbone, tokens = small(variant, pooling=pooling), batch(padded=True)
    backbone.save(tmp_path)
    fields = section(variant, pooling=pooling)
    loaded = BACKBONES[fields.pop("name")](**fields).load(tmp_path).eval()
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        expected = states(backbone, tokens)
        for one, other in zip(states(loaded, tokens), expected, strict=True):
            assert torch.equal(one, other)
        backbone.model = theirs
        last = library_states(backbone, tokens)[backbone.num_layers]
        assert (last - expected[-2]).abs().max() <= 1e-6


@pytest.mark.parametrize("variant", VARIANTS)
def test_bf16_autocast(variant: str):
    backbone, tokens = small(variant, pooling="pooler").train(), batch(padded=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = states(backbone, tokens)[-1]
    pooled.float().sum().backward()
    assert pooled.isfinite().all()
    with torch.inference_mode():
        exact = states(backbone.eval(), tokens)[-2]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert 0 < (states(backbone, tokens)[-2] - exact).abs().max() < 0.2 * exact.abs().max()


@pytest.mark.parametrize("name", FAMILIES)
def test_meta_device_draws_nothing(name: str):
    before = torch.random.get_rng_state()
    fields = section(name)
    backbone = BACKBONES[fields.pop("name")](**fields).build(50, 0, "meta")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {parameter.device.type for parameter in backbone.parameters()} == {"meta"}
    assert backbone.matmuls(2, 8) == small(name).matmuls(2, 8)


@pytest.mark.parametrize("pad_id", [0, 1, 3])
def test_roberta_counts_positions_from_its_padding(pad_id: int):
    backbone = small("roberta", pad_id=pad_id)
    assert backbone.max_length == 20 == backbone.model.config.max_position_embeddings - pad_id - 1
    tokens = batch(padded=True, length=20, pad_id=pad_id)
    with torch.inference_mode():
        for one, other in zip(states(backbone, tokens), library_states(backbone, tokens), strict=True):
            assert (one - other).abs().max() <= 1e-6
    with pytest.raises(InputError, match=r"21 tokens.*20 positions"):
        backbone.embed(batch(padded=False, length=21))


@pytest.mark.parametrize("name", FAMILIES)
def test_longest_sequence(name: str):
    assert small(name).embed(batch(padded=False, length=20)).hidden.shape == (3, 20, 16)
    with pytest.raises(InputError, match=r"21 tokens.*20 positions"):
        small(name).embed(batch(padded=False, length=21))


@pytest.mark.parametrize("name", FAMILIES)
def test_usual_shape_is_the_published_one(name: str):
    shapes = {"electra": (12, 256), "distilbert": (6, 768), "mobilebert": (24, 512), "modernbert": (22, 768)}
    wanted = shapes.get(name, (12, 768))
    backbone = BACKBONES[name]().build(100, 1, "meta")
    assert (backbone.num_layers, backbone.hidden_size) == wanted
    assert backbone.max_length == (8192 if name == "modernbert" else 512)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        *((name, {"hidden": 10, "heads": 4}, "multiple of heads") for name in FAMILIES if name != "mobilebert"),
        ("mobilebert", {"bottleneck": 10, "heads": 4}, "bottleneck .10."),
        ("albert", {"layers": 2, "groups": 3}, "3 groups of 2 layers"),
        ("modernbert", {"hidden": 6, "heads": 2}, "must be even"),
        ("modernbert", {"source": "somewhere", "window": 8}, "modernbert: window: .*somewhere"),
        ("deberta", {"source": "somewhere", "buckets": 8}, "deberta: buckets: .*somewhere"),
        ("albert", {"source": "somewhere", "embedding_size": 8}, "albert: embedding_size: .*somewhere"),
        ("electra", {"source": "somewhere", "hidden": 8}, "electra: hidden: "),
        ("mobilebert", {"source": "somewhere", "bottleneck": 8, "heads": 2}, "heads, bottleneck: "),
    ],
)
def test_contradictions_are_refused(name: str, fields: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        BACKBONES[name](**fields)


@pytest.mark.parametrize("name", FAMILIES)
def test_cards_say_what_every_field_means(name: str):
    plugin = BACKBONES[name]
    for field in plugin.__dataclass_fields__.values():
        if field.name in plugin.__init__.__annotations__:
            assert f"{field.name}:" in plugin.__doc__ or f"{field.name}," in plugin.__doc__
