"""ResNet against a plain network written here, its FLOPs against torch's counter, its exits, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from made_images import image_model, images
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.backbones.resnet import ResNet
from greenexp.errors import CheckpointError, FieldError, InputError
from greenexp.meters.flops import forward_flops, training_flops
from greenexp.model import MultiExitModel, load_model, save_model
from greenexp.records.costs import ALL_PARTS, Part, Pass


class PlainResNet(nn.Module):
    """He et al. 2016, section 4.2 with option A, as a list of plain tensors' operations; all outputs of its blocks."""

    def __init__(self, per_stage: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 16, 3, 1, 1, bias=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(16)])
        self.strides: list[int] = []
        for stage, planes in enumerate((16, 32, 64)):
            for number in range(per_stage):
                before = planes // 2 if stage and number == 0 else planes
                self.strides.append(planes // before)
                for inputs, stride in ((before, planes // before), (planes, 1)):
                    self.convolutions.append(nn.Conv2d(inputs, planes, 3, stride, 1, bias=False))
                    self.norms.append(nn.BatchNorm2d(planes))
        self.classifier = nn.Linear(64, 10)

    def forward(self, values: Tensor) -> list[Tensor]:
        found = [functional.relu(self.norms[0](self.convolutions[0](values)))]
        for block, stride in enumerate(self.strides):
            inner = functional.relu(self.norms[1 + 2 * block](self.convolutions[1 + 2 * block](found[-1])))
            inner = self.norms[2 + 2 * block](self.convolutions[2 + 2 * block](inner))
            short = found[-1]
            if stride == 2:
                whole = torch.zeros(len(values), 2 * short.shape[1], *inner.shape[2:], dtype=values.dtype)
                half = short.shape[1] // 2
                whole[:, half : half + short.shape[1]] = short[:, :, ::2, ::2]
                short = whole
            found.append(functional.relu(inner + short))
        return found


def taking_over(plain: PlainResNet, model: MultiExitModel) -> None:
    """Give `model` the weights of `plain`, module by module in the order of the computation."""
    backbone: Any = model.backbone
    own = [backbone.stem, *(c for block in backbone.blocks for c in (block.first, block.second))]
    norms = [backbone.stem_norm, *(n for block in backbone.blocks for n in (block.first_norm, block.second_norm))]
    for mine, his in (*zip(own, plain.convolutions, strict=True), *zip(norms, plain.norms, strict=True)):
        mine.load_state_dict(his.state_dict())
    model.head(model.num_exits).load_state_dict(
        {f"classifier.{k}": v for k, v in plain.classifier.state_dict().items()}
    )


@pytest.mark.parametrize("training", [False, True])
def test_every_block_is_that_of_a_plain_resnet_56(training: bool) -> None:
    torch.manual_seed(0)
    plain, model = PlainResNet(9).double().train(training), image_model(depth=56, width=16).double().train(training)
    taking_over(plain, model)
    batch, seen = images(3, side=32), {}
    model.outputs(batch, visit=lambda layer, state: seen.__setitem__(layer, state.hidden))
    channels = torch.tensor([[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]], dtype=torch.float32).double()
    mean, deviation = channels[0].view(1, 3, 1, 1), channels[1].view(1, 3, 1, 1)
    expected = plain((batch.pixels.double() / 255 - mean) / deviation)
    assert len(expected) == 28 == len(seen)
    for layer, hidden in enumerate(expected):
        assert torch.allclose(seen[layer], hidden, rtol=1e-10, atol=1e-12), layer
    logits = plain.classifier(expected[-1].mean(dim=(2, 3)))
    assert torch.allclose(model.eval()(batch, (27,))[0], logits) or training


@pytest.mark.parametrize(("depth", "layers", "parameters"), [(20, 9, 269_722), (56, 27, 853_018), (110, 54, 1_727_962)])
def test_sizes_are_those_of_the_publication(depth: int, layers: int, parameters: int) -> None:
    """He et al. 2016, table 6: 0.27, 0.85 and 1.7 million parameters."""
    model = image_model(layers=(layers,), depth=depth, width=16)
    assert model.backbone.num_layers == layers
    assert model.parameter_count() == parameters == sum(p.numel() for p in PlainResNet(layers // 3).parameters())


def test_flops_of_resnet_56() -> None:
    """125.75 million multiply-adds at 32 x 32: 125.49 in the layers (0.126 GMACs are commonly reported)."""
    costs = image_model(layers=(27,), depth=56, width=16).costs(1, 32 * 32)
    stage = 9 * 32 * 32 * 16 * 16  # a convolution with as many channels as before; each stage's cost the same
    expected = 9 * 3 * 16 * 32 * 32 + stage * (3 * 18 - 1) + 640  # the first of stages 2 and 3 have half the inputs
    assert forward_flops(costs, (1,)) == 2 * expected


@pytest.mark.parametrize("head", ["linear", "mixed_pool"])
@pytest.mark.parametrize(
    "one",
    [
        Pass(exits=(1, 2, 3), backward=((1, 2, 3),)),
        Pass(exits=(2, 3), backward=((2,), (3,))),
        Pass(exits=(1, 2), backward=((1, 2),), parts=frozenset({Part.HEADS})),
        Pass(exits=(1, 3), backward=((1, 3),), parts=ALL_PARTS - {Part.EMBEDDINGS}),
        Pass(exits=(3,), backward=()),
    ],
)
def test_flops_are_those_torch_counts(head: str, one: Pass) -> None:
    model, batch = image_model(head), images(3)
    model.train_only(one.parts)
    model.train()
    with FlopCounterMode(display=False) as counter:
        logits = model.each_exit(batch, one.exits)
        for number, exits in enumerate(one.backward, start=1):
            losses = [logits[one.exits.index(wanted)].square().mean() for wanted in exits]
            torch.stack(losses).sum().backward(retain_graph=number < len(one.backward))
    assert training_flops(model.costs(*batch.shape), (one,)) == counter.get_total_flops()


def test_the_places_of_shallow_deep() -> None:
    """The blocks of the official code at ResNet-56, numbered from 1 over all stages, and the last one."""
    assert image_model("mixed_pool", "by_flops", depth=56).exit_layers == (4, 8, 12, 16, 20, 24, 27)


def test_a_mixed_pool_exit_pools_squares() -> None:
    model, batch = image_model("mixed_pool").eval(), images(2)
    (logits,) = model(batch, (1,))
    state = model.backbone.layer(0, model.backbone.embed(batch))
    head: Any = model.head(1)
    pooled = head.alpha * functional.max_pool2d(state.hidden, 4) + (1 - head.alpha) * functional.avg_pool2d(
        state.hidden, 4
    )
    assert torch.allclose(logits, head.classifier(pooled.flatten(1)), atol=1e-6)


def test_statistics_of_what_is_frozen_stay() -> None:
    model = image_model()
    model.train_only({Part.HEADS})
    model.train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model(images(4))
    assert all(torch.equal(before[name], value) for name, value in model.backbone.state_dict().items())
    model.train_only(ALL_PARTS)
    model.train()
    model(images(4))
    assert not torch.equal(before["stem_norm.running_mean"], model.backbone.state_dict()["stem_norm.running_mean"])


def test_a_saved_model_answers_the_same(tmp_path: Path) -> None:
    model = image_model("mixed_pool")
    model.train()
    model(images(4))  # statistics that are not those of a new model
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert torch.equal(model.eval()(images(3)), loaded(images(3)))
    config = tmp_path / "model" / "greenexp.json"
    config.write_text(config.read_text().replace('"width": 4', '"width": 5'))
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("depth", [9, 19, 21, 54, 57, 100])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(InputError, match=r"6n \+ 2"):
        ResNet(depth=depth)


@pytest.mark.parametrize("wrong", [{"deviation": (0.2, 0.0, 0.2)}, {"mean": (0.5, float("nan"), 0.5)}])
def test_wrong_statistics_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="deviation"):
        ResNet(**wrong)


def test_what_is_no_image_is_refused() -> None:
    model = image_model()
    with pytest.raises(InputError, match="token ids"):
        model(TokenBatch(torch.ones(2, 5, dtype=torch.int64)))
    with pytest.raises(InputError, match="576 pixels"):
        model(images(1, side=24))
    with pytest.raises(FieldError, match=r"exits\.head"):
        image_model("attention")
