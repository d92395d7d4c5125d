"""ResNet for small images (He et al. 2016, section 4.2): 6n + 2 weight layers, driven one block at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from greenexp.assets.tensors import file_problem
from greenexp.backbones.base import Backbone, EncoderState, PixelBatch, Reads
from greenexp.errors import CheckpointError, InputError, library_failures
from greenexp.records.costs import BlockCost, EncoderCosts, MatmulCost

STAGES = 3
"""Each has n blocks of two convolutions; the second and the third halve the map and double the channels."""
CHANNELS = 3
SIDE_UNIT = 16
"""Sides are multiples of it, so that the map of the last stage can be cut into 4 x 4 squares for a pooling exit."""
MOST_DEPTH = 2_000

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_KIND = "greenexp-resnet"
_Channels = tuple[float, float, float]


class _Norm(nn.BatchNorm2d):
    """Batch normalisation that moves its running mean and variance only where its weights train."""

    def train(self, mode: bool = True) -> _Norm:
        super().train(mode and self.weight.requires_grad)
        return self


class _Block(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x)))))), the shortcut without weights (option A).

    Where the map is halved it takes every second row and column, and zeros stand for the new channels, half of them
    before the old ones and half behind.
    """

    def __init__(self, channels: int, wider: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False)
        self.first_norm = _Norm(wider)
        self.second = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.second_norm = _Norm(wider)
        self.stride, self.added = stride, wider - channels

    def forward(self, before: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(before)))
        inner = self.second_norm(self.second(inner))
        if self.stride > 1:
            before = before[:, :, :: self.stride, :: self.stride]
        if self.added:
            before = functional.pad(before, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        return functional.relu(inner + before)


class ResNetBackbone(Backbone):
    """A stem (one convolution), then `(depth - 2) / 2` blocks, which are its layers; pooling is the mean over the map.

    mean, deviation: per channel, of pixel values between 0 and 1
    """

    reads: ClassVar[Reads] = "images"
    side_unit: ClassVar[int] = SIDE_UNIT
    vocab_size = 0
    max_length = 0

    def __init__(self, depth: int, width: int, mean: _Channels, deviation: _Channels) -> None:
        super().__init__()
        self.settings = {"depth": depth, "width": width, "mean": list(mean), "deviation": list(deviation)}
        self.width, each = width, blocks_per_stage(depth)
        self.num_layers, self.hidden_size = STAGES * each, width * 2 ** (STAGES - 1)
        self.narrowed = {}
        self._each = each
        self.stem = nn.Conv2d(CHANNELS, width, 3, padding=1, bias=False)
        self.stem_norm = _Norm(width)
        blocks, channels = [], width
        for index in range(self.num_layers):
            wider = self.width_at(index + 1)
            blocks.append(_Block(channels, wider, 2 if wider > channels else 1))
            channels = wider
        self.blocks = nn.ModuleList(blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        shape = (1, CHANNELS, 1, 1)
        self.register_buffer("mean", torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(shape), persistent=False)

    def width_at(self, layer: int) -> int:
        """See `Backbone.width_at`."""
        return self.width * 2 ** self._stage(layer - 1)

    def embed(self, batch: Any) -> EncoderState:
        """See `Backbone.embed`."""
        if not isinstance(batch, PixelBatch):
            raise InputError("a ResNet reads images, and was given token ids")
        side_of(batch.shape[1])
        values = batch.pixels.to(self.stem.weight.dtype) / 255
        values = (values - self.mean) / self.deviation  # type: ignore[operator]  # buffers are tensors
        return EncoderState(functional.relu(self.stem_norm(self.stem(values))))

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:  # noqa: ARG002 - nothing is padded
        """See `Backbone.regroup`; hidden: [example, channel, row, column]."""
        return EncoderState(hidden)

    def kept(self, state: EncoderState, rows: Tensor, length: int, *, padded: bool) -> EncoderState:  # noqa: ARG002
        """See `Backbone.kept`; images have one size."""
        return EncoderState(state.hidden.index_select(0, rows))

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """See `Backbone.layer`."""
        return EncoderState(self.blocks[index](state.hidden))

    def pool(self, state: EncoderState) -> Tensor:
        """See `Backbone.pool`: the mean over rows and columns, [example, channels of the layer]."""
        return state.hidden.mean(dim=(2, 3))

    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        """See `Backbone.matmuls`: a 3 x 3 convolution from C to D channels costs 18 CD FLOPs per pixel of its output.

        length: pixels of an image
        """
        side = side_of(length)
        pixels = [batch_size * (side // 2**stage) ** 2 for stage in range(STAGES)]
        layers: list[BlockCost] = []
        channels = self.width
        for index in range(self.num_layers):
            wider, there = self.width_at(index + 1), pixels[self._stage(index)]
            layers.append((_convolution(there, channels, wider), _convolution(there, wider, wider, inner=True)))
            channels = wider
        return EncoderCosts((_convolution(pixels[0], CHANNELS, self.width),), tuple(layers), ())

    def embedding_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.embedding_parameters`: those of the stem."""
        return (*self.stem.parameters(), *self.stem_norm.parameters())

    def layer_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.layer_parameters`."""
        return self.blocks.parameters()

    def pooler_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.pooler_parameters`: none."""
        return ()

    def save(self, folder: Path) -> None:
        """Write config and safetensors into `folder`; only greenexp reads them."""
        config = {"model_type": _KIND, **self.settings}
        (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})

    def _stage(self, index: int) -> int:
        return index // self._each


def blocks_per_stage(depth: int) -> int:
    """N of a depth of 6n + 2 weight layers. Raises InputError for other depths."""
    each, rest = divmod(depth - 2, 2 * STAGES)
    if rest or each < 1:
        below = max(8, depth - rest)
        raise InputError(f"resnet: depth is {depth}: expected 6n + 2, such as 20, 32, 44, 56, 110; near it {below}")
    return each


def side_of(length: int) -> int:
    """Rows, and columns, of an image of `length` pixels. Raises InputError if it is not square, or of an odd size."""
    side = math.isqrt(length)
    if side * side != length or side % SIDE_UNIT or side == 0:
        raise InputError(
            f"resnet: an image of {length} pixels: expected a square, its side a multiple of {SIDE_UNIT}, as 32 x 32"
        )
    return side


def _convolution(pixels: int, channels: int, wider: int, *, inner: bool = False) -> MatmulCost:
    """A 3 x 3 convolution; pixels: of its output, in the whole batch."""
    return MatmulCost(2 * 9 * pixels * channels * wider, inner=inner)


@dataclass(frozen=True)
class ResNet:
    """Residual network for small images: one 3 x 3 convolution, then three stages of n blocks of two convolutions each.

    A layer is a block, so that `exits.layers: all` puts an exit after every two convolutions: 27 at depth 56. Channels
    are w, 2w and 4w on maps of full, half and quarter size; shortcuts have no weights (option A); every convolution is
    followed by batch normalisation. Without exits the 56 layers have 852,368 weights, 853,018 with the classifier of 10
    classes. Weights are drawn from N(0, 2 / fan-in).
    Source: He, Zhang, Ren, Sun, CVPR 2016, section 4.2. The statistics of a normalisation move only while it trains.

    depth: 6n + 2 weight layers, the classifier's included: 20, 32, 44, 56, 110
    width: w, channels of the first stage
    mean, deviation: per channel, subtracted from and divided into pixel values between 0 and 1; those of CIFAR-10
    """

    depth: Annotated[int, Field(ge=8, le=MOST_DEPTH)] = 56
    width: Annotated[int, Field(ge=1, le=2**12)] = 16
    mean: _Channels = (0.4914, 0.4822, 0.4465)
    deviation: _Channels = (0.2470, 0.2435, 0.2616)

    reads: ClassVar[Reads] = "images"

    def __post_init__(self) -> None:
        blocks_per_stage(self.depth)
        for name in ("mean", "deviation"):  # a list, where they come from a file
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not all(math.isfinite(value) for value in (*self.mean, *self.deviation)) or min(self.deviation) <= 0:
            raise InputError("resnet: mean and deviation: expected three finite numbers each, deviations above 0")

    @property
    def num_layers(self) -> int:
        """How many layers, after each of which an exit may sit."""
        return STAGES * blocks_per_stage(self.depth)

    def build(self, vocab_size: int, pad_id: int, device: str = "cpu") -> ResNetBackbone:  # noqa: ARG002 - of texts
        """See `BackbonePlugin.build`."""
        with torch.device(device):
            return ResNetBackbone(self.depth, self.width, self.mean, self.deviation)

    def load(self, folder: Path, reshape: Callable[[Any], None] | None = None) -> ResNetBackbone:
        """See `BackbonePlugin.load`."""
        if reshape is not None:
            raise CheckpointError(f"{folder}: a ResNet is not compressed")
        if problem := file_problem(folder / _WEIGHTS):
            raise CheckpointError(f"{folder}: {_WEIGHTS} cannot be read: {problem}")
        backbone = self.build(0, 0)
        with library_failures(lambda why: CheckpointError(f"{folder}: {_WEIGHTS} does not fit the ResNet: {why}")):
            backbone.load_state_dict(load_file(folder / _WEIGHTS))
        return backbone

    def tokenizer(self) -> None:
        """There is none: images are not tokenised."""
        return
