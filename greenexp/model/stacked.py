"""Several models of one shape computed as one: their weights stacked, their examples side by side.

Every layer that has weights becomes one whose weights have the models as their first axis; the examples of all models
lie one after the other along the batch axis, those of the first model first. Whatever has no weights (attention, masks,
activations, pooling) works on that longer batch as it is, so that its own kernels are used and no `vmap` is needed.
Each model's own parameters become views of the stacked ones: it is saved, scored and served as if it were alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from greenexp.model.multi_exit import MultiExitModel


class Side(nn.Module):
    """What stacked layers must know of the batch: how many models, and how many examples of each."""

    def __init__(self, models: int) -> None:
        super().__init__()
        self.models, self.examples = models, 0


class StackedLinear(nn.Module):
    """`nn.Linear` of several models: x [model * example, ..., in] -> [model * example, ..., out], by one `baddbmm`.

    weight: [model, out, in]; bias: [model, out] or None
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, values: Tensor) -> Tensor:
        """See the class."""
        models, out, inside = self.weight.shape
        rows, weight = values.reshape(models, -1, inside), self.weight.transpose(1, 2)
        product = torch.bmm(rows, weight) if self.bias is None else torch.baddbmm(self.bias.unsqueeze(1), rows, weight)
        return product.reshape(*values.shape[:-1], out)


class StackedLayerNorm(nn.Module):
    """`nn.LayerNorm` of several models over the last axis: x [model * example, ..., width] -> the same shape.

    weight, bias: [model, width]; bias may be None
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, eps: float) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = weight, bias, eps

    def forward(self, values: Tensor) -> Tensor:
        """See the class."""
        models, width = self.weight.shape
        normed = functional.layer_norm(values, (width,), None, None, self.eps).reshape(models, -1, width)
        weight = self.weight.unsqueeze(1)
        scaled = normed * weight if self.bias is None else torch.addcmul(self.bias.unsqueeze(1), normed, weight)
        return scaled.reshape(values.shape)


class StackedEmbedding(nn.Module):
    """`nn.Embedding` of several models: ids [model * example, token] -> [model * example, token, width].

    Ids [1, token], which are those of all examples, are looked up in each model's table and repeated.
    weight: [model, id, width]; padding: the id whose row gets no gradient, or None
    """

    def __init__(self, weight: nn.Parameter, padding: int | None, side: Side) -> None:
        super().__init__()
        self.weight, self.padding, self.side = weight, padding, side

    def forward(self, ids: Tensor) -> Tensor:
        """See the class."""
        models, count, width = self.weight.shape
        shared = ids.shape[0] == 1
        rows = (ids.expand(models, -1) if shared else ids).reshape(models, -1)
        first = torch.arange(models, device=ids.device).unsqueeze(1) * count
        found = functional.embedding(rows + first, self.weight.reshape(models * count, width))
        if self.padding is not None:
            found = torch.where((rows == self.padding).unsqueeze(-1), found.detach(), found)
        if not shared:
            return found.reshape(*ids.shape, width)
        examples = self.side.examples
        return found.unsqueeze(1).expand(-1, examples, -1, -1).reshape(models * examples, ids.shape[1], width)


def why_not_stacked(model: MultiExitModel) -> tuple[tuple[str, str], ...]:
    """(section, why) for each section of the settings whose models cannot be stacked; nothing where they can.

    Asks the backbone's class, and looks at every layer that has weights of its own; these may be on the meta device.
    """
    found: dict[str, str] = {}
    if not model.backbone.stacks:
        kind = type(model.backbone).__name__
        found["backbone"] = f"the layers of {kind} were not shown to compute several seeds' examples in one batch"
    for name, module in model.named_modules():
        section = "backbone" if name.startswith("backbone.") else "exits"
        own = next((key for key, _ in module.named_parameters(recurse=False)), None)
        if own is not None and not _has_stacked_form(module):
            why = f"`{name}` is a {type(module).__name__}, whose weights ({own}) have no stacked form"
            found.setdefault(section, why)
        if isinstance(module, _BatchNorm):
            found.setdefault(section, f"`{name}` takes means over the batch")
    return tuple(found.items())


def _has_stacked_form(module: nn.Module) -> bool:
    if type(module) is nn.Embedding:
        return module.max_norm is None and not module.scale_grad_by_freq and not module.sparse
    return type(module) is nn.Linear or (type(module) is nn.LayerNorm and len(module.normalized_shape) == 1)


class StackedModels:
    """Models of one shape, computed as one.

    models: built from equal settings, on one device; their parameters become views of the stacked ones
    model: computes all of them; its batches hold the examples of the first model, then of the second, and so on
    parameters: name in each of the models -> the stacked parameter [model, ...], which needs a gradient if theirs do
    """

    def __init__(self, models: Sequence[MultiExitModel]) -> None:
        self.models = tuple(models)
        first = self.models[0]
        own = [dict(model.named_parameters()) for model in self.models]
        self.parameters: dict[str, nn.Parameter] = {}
        by_id: dict[int, nn.Parameter] = {}
        for name, parameter in own[0].items():
            whole = torch.stack([parameters[name].data for parameters in own])
            stacked = nn.Parameter(whole, requires_grad=parameter.requires_grad)
            self.parameters[name], by_id[id(parameter)] = stacked, stacked
            for number, parameters in enumerate(own):
                parameters[name].data = whole[number]
        self._side = Side(len(self.models))
        # The copy shares the first model's parameters, which are then replaced: nothing is held twice.
        self.model = copy.deepcopy(first, {id(parameter): parameter for parameter in first.parameters()})
        _replace(self.model, by_id, self._side)

    def __len__(self) -> int:
        return len(self.models)

    def expect(self, examples: int) -> None:
        """What comes next are batches with so many examples of each model."""
        self._side.examples = examples


def _replace(module: nn.Module, stacked: dict[int, nn.Parameter], side: Side) -> None:
    """Put the stacked form in the place of every layer with weights below `module`."""
    for name, child in module.named_children():
        if _has_stacked_form(child):
            setattr(module, name, _stacked_form(child, stacked, side))
        else:
            _replace(child, stacked, side)


def _stacked_form(module: nn.Module, stacked: dict[int, nn.Parameter], side: Side) -> nn.Module:
    own = {name: stacked[id(parameter)] for name, parameter in module.named_parameters(recurse=False)}
    form: nn.Module
    if isinstance(module, nn.Linear):
        form = StackedLinear(own["weight"], own.get("bias"))
    elif isinstance(module, nn.LayerNorm):
        form = StackedLayerNorm(own["weight"], own.get("bias"), module.eps)
    elif isinstance(module, nn.Embedding):
        form = StackedEmbedding(own["weight"], module.padding_idx, side)
    else:
        raise TypeError(type(module).__name__)
    form.training = module.training
    return form
