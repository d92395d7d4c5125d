"""The model: which layers run, what it counts, how it is built."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError, UnknownNameError
from greenexp.meters.flops import forward_flops
from greenexp.model import MultiExitModel, build_model
from greenexp.model.build import placed_exits
from greenexp.records.costs import ALL_PARTS, Part
from greenexp.records.settings import ModelSettings


def settings(layers: object = "all", **backbone: object) -> dict[str, Any]:
    sizes = {"layers": 3, "hidden": 16, "heads": 2, "intermediate": 24, "max_positions": 20}
    return {"backbone": {"name": "bert", **sizes, **backbone}, "exits": {"layers": layers, "head": {"name": "linear"}}}


def model(layers: object = "all", num_labels: int = 2, seed: int = 0, **backbone: object) -> MultiExitModel:
    return build_model(
        ModelSettings.from_json(settings(layers, **backbone)), num_labels, vocab_size=50, pad_id=0, seed=seed
    ).eval()


def tokens(examples: int = 3, length: int = 7) -> TokenBatch:
    return TokenBatch(torch.from_numpy(np.random.default_rng(1).integers(4, 50, (examples, length))))


def test_logits_of_all_and_of_some_exits():
    built = model(num_labels=4)
    with torch.inference_mode():
        logits = built(tokens())
        assert logits.shape == (3, 3, 4)
        assert torch.equal(built(tokens(), exits=(1, 3)), logits[[0, 2]])
        assert torch.equal(torch.stack(built.each_exit(tokens(), exits=(1, 3))), logits[[0, 2]])


def test_no_layer_and_no_head_runs_in_vain():
    built = model(layers=[1, 2, 3])
    calls: list[str] = []
    for name, module in built.named_modules():
        if re.fullmatch(r"backbone\.model\.encoder\.layer\.\d+\.(attention|output)|heads\.\d+", name):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    built(tokens(), exits=(2,))
    prefix = "backbone.model.encoder.layer."
    layers = [name for name in calls if name.startswith(prefix)]
    assert layers == [f"{prefix}{layer}.{half}" for layer in (0, 1) for half in ("attention", "output")]
    assert [name for name in calls if name.startswith("heads")] == ["heads.1"]


@pytest.mark.parametrize("exits", [(), (0,), (4,), (2, 1), (1, 1), (-1,)])
def test_exits_that_do_not_exist_are_refused(exits: tuple[int, ...]):
    with pytest.raises(InputError, match="from 1 to 3"):
        model()(tokens(), exits=exits)


def test_exits_at_chosen_layers():
    built = model(layers=(1, 3))
    assert built.exit_layers == (1, 3)
    assert built.num_exits == 2
    with torch.inference_mode():
        assert torch.equal(built(tokens())[0], model()(tokens())[0])


@pytest.mark.parametrize("layers", [(1, 2), (3, 1), (0, 3), (1, 4), (), "some"])
def test_wrong_exit_layers_are_refused(layers: Any):
    with pytest.raises(InputError, match=r"exits\.layers"):
        placed_exits(layers, model().backbone)


def test_exits_must_end_with_the_backbone():
    with pytest.raises(InputError, match=r"exits\.layers"):
        model(layers=[1, 2])


def test_unknown_plugins_are_refused():
    with pytest.raises(UnknownNameError, match="'bert'"):
        build_model(ModelSettings.from_json({**settings(), "backbone": {"name": "brt"}}), 2, 50, 0, 0)
    with pytest.raises(InputError, match="num_labels"):
        model(num_labels=0)


def test_weights_follow_from_the_seed_alone():
    before = torch.random.get_rng_state()
    one = model(seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    two, other = model(seed=5), model(seed=6)
    torch.random.set_rng_state(before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])
    assert not torch.equal(one.head(1).classifier.weight, other.head(1).classifier.weight)
    assert not torch.equal(
        next(iter(one.backbone.embedding_parameters())), next(iter(other.backbone.embedding_parameters()))
    )
    assert not torch.equal(one.head(1).classifier.weight, one.head(2).classifier.weight)


def test_heads_do_not_depend_on_the_depth_below():
    shallow = {**settings(), "backbone": {**settings()["backbone"], "layers": 2}}
    cut = build_model(ModelSettings.from_json(shallow), 2, vocab_size=50, pad_id=0, seed=3)
    assert cut.num_exits == 2
    assert torch.equal(model(seed=3).head(2).classifier.weight, cut.head(2).classifier.weight)


def test_a_fresh_pooler_follows_from_the_seed(tmp_path):
    model(pooling="cls").backbone.save(tmp_path)
    section = {"name": "bert", "source": str(tmp_path)}

    def pooler(seed: int) -> torch.Tensor:
        built = build_model(ModelSettings.from_json({**settings(), "backbone": section}), 2, 50, 0, seed)
        return next(iter(built.backbone.pooler_parameters()))

    assert torch.equal(pooler(1), pooler(1))
    assert not torch.equal(pooler(1), pooler(2))


def test_meta_device_for_prices():
    before = torch.random.get_rng_state()
    built = build_model(ModelSettings.from_json(settings()), 2, 50, 0, 0, device="meta")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {parameter.device.type for parameter in built.parameters()} == {"meta"}
    assert built.parameter_count() == model().parameter_count()
    assert built.costs(2, 9) == model().costs(2, 9)


def test_parameter_count_by_hand():
    width, inner, layers, classes = 16, 24, 3, 2
    embeddings = (50 + 20 + 2) * width + 2 * width
    layer = 4 * (width * width + width) + (width * inner + inner) + (inner * width + width) + 2 * 2 * width
    pooler = width * width + width
    heads = layers * (width * classes + classes)
    assert model().parameter_count() == embeddings + layers * layer + pooler + heads


def test_parts_cover_every_parameter_once():
    built = model()
    parts = [parameter for part in Part for parameter in built.part_parameters(part)]
    assert sorted(map(id, parts)) == sorted(map(id, built.parameters()))


def test_train_only():
    built = model()
    trained = built.train_only({Part.HEADS, Part.POOLER}, exits=(1, 3))
    names = {name for name, parameter in built.named_parameters() if parameter.requires_grad}
    expected = {f"heads.{index}.classifier.{kind}" for index in (0, 2) for kind in ("weight", "bias")}
    assert names == expected | {"backbone.model.pooler.dense.weight", "backbone.model.pooler.dense.bias"}
    assert len(trained) == len(names)
    assert len(built.train_only(ALL_PARTS)) == len(list(built.parameters()))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("padded", [False, True])
def test_autocast_leaves_the_logits_in_float32(attention: str, padded: bool):
    built, batch = model(attention=attention).train(), tokens()
    if padded:
        mask = torch.ones_like(batch.input_ids)
        mask[0, 4:] = 0
        batch = TokenBatch(batch.input_ids, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = built(batch)
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in built.train_only(ALL_PARTS))


def test_double_precision_is_kept():
    assert model().double()(tokens()).dtype == torch.float64


def test_inference_flops_at_real_lengths():
    built = model(layers=(1, 3))
    flops = built.inference_flops([5, 9, 5], exit_number=2)
    assert flops.dtype == np.int64
    assert flops.tolist() == [built.exit_flops(5)[1], built.exit_flops(9)[1], built.exit_flops(5)[1]]
    assert built.exit_flops(5)[0] < built.exit_flops(5)[1] < built.exit_flops(9)[1]
    with pytest.raises(InputError):
        built.inference_flops([5], exit_number=3)


def test_exit_costs_count_only_the_exits_named():
    built = model(layers=(1, 2, 3))
    costs = built.exit_costs([9, 5, 9], exits=(1, 3))
    assert (costs.layers.tolist(), costs.lengths.tolist()) == ([1, 3], [5, 9])
    for column, length in enumerate((5, 9)):
        alone = built.exit_flops(length)
        assert costs.static_flops[:, column].tolist() == [alone[0], alone[2]]
        both = forward_flops(built.costs(1, length), (1, 3))
        assert costs.dynamic_flops[:, column].tolist() == [alone[0], both]
        assert alone[2] < both < forward_flops(built.costs(1, length), (1, 2, 3))
    assert built.exit_costs([5]).layers.tolist() == [1, 2, 3]


def test_exit_costs_know_the_whole_encoder_whatever_exits_they_are_of():
    built = model(layers=(1, 2, 3))
    assert [built.exit_costs([5], exits).encoder_layers for exits in (None, (1,), (1, 2))] == [3, 3, 3]
