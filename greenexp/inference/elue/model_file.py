"""`model.py` of a submission: the modules of a trained model as code, with torch and transformers alone.

The file makes the model anew with the same shapes: `module_list` names what rows of a submission say has run, and
`entire_model` is the whole of it, whose weights have the names of `module_weights`. It holds no weights.
"""

from __future__ import annotations

import pprint
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.attention import AttentionHead
from greenexp.exits.linear import LinearHead
from greenexp.exits.mixed_pool import MixedPoolHead
from greenexp.exits.pooled import PooledHead, TwiceAnsweringHead
from greenexp.exits.scalar_mix import ScalarMixHead
from greenexp.inference.elue.families import NORM, family_of
from greenexp.model import MultiExitModel
from greenexp.version import VERSION

_LEFT_OUT = frozenset(
    {
        "id2label", "label2id", "transformers_version", "model_type", "architectures", "dtype", "torch_dtype",
        "_name_or_path", "use_cache",
    }
)  # fmt: skip
"""Settings of the library that make no shape."""


_HEAD = '''"""Modules of {title}, for ELUE: their shapes, without weights. Written by greenexp {version}.

`module_list` has what the column `modules` of the rows names; every module takes one tensor, and was given the shape in
the row with a batch dimension before it. `entire_model` is the whole model.
"""

import torch
from torch import nn
from transformers import {config}, {model}
{pooler_import}
config = {config}(
    **{settings}
)
config._attn_implementation = "eager"
NUM_LABELS = {labels}
EXIT_LAYERS = {exit_layers}


class Embeddings(nn.Module):
    """Token ids -> hidden states before the first layer."""

    def __init__(self, embeddings, projection):
        super().__init__()
        self.embeddings, self.projection = embeddings, projection

    def forward(self, input_ids, **more):
        hidden = self.embeddings(input_ids=input_ids, **more)
        return hidden if self.projection is None else self.projection(hidden)


class FirstToken(nn.Module):
    """A linear layer and tanh over the first token."""

    def __init__(self, dense):
        super().__init__()
        self.dense = dense

    def forward(self, hidden):
        return torch.tanh(self.dense(hidden[:, 0]))


class First(nn.Module):
    """The first token as it is."""

    def forward(self, hidden):
        return hidden[:, 0]


class MeanPool(nn.Module):
    """The mean over tokens."""

    def forward(self, hidden):
        return hidden.mean(dim=1)

'''
_POOLED = '''
class PooledExit(nn.Module):
    """An exit with a pooler of its own."""

    def __init__(self):
        super().__init__()
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, NUM_LABELS)

    def forward(self, hidden):
        return self.classifier(torch.tanh(self.pooler(hidden[:, 0])))

'''
_LINEAR = '''
class LinearExit(nn.Module):
    """An exit over the shared pooling."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(config.hidden_size, NUM_LABELS)

    def forward(self, pooled):
        return self.classifier(pooled)

'''
_MIXED = '''
class MixedPoolExit(nn.Module):
    """An exit over a mix of the maximum and the mean over tokens."""

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(()))
        self.classifier = nn.Linear(config.hidden_size, NUM_LABELS)

    def forward(self, hidden):
        return self.classifier(torch.lerp(hidden.mean(dim=1), hidden.amax(dim=1), self.alpha))

'''
_SCALAR = '''
class ScalarMixExit(nn.Module):
    """An exit over a mix of the shared poolings after each layer so far, [layer, hidden]."""

    def __init__(self, layer):
        super().__init__()
        self.mix = nn.Parameter(torch.ones(layer))
        self.classifier = nn.Linear(config.hidden_size, NUM_LABELS)

    def forward(self, pooled):
        weights = {weights}
        return self.classifier((weights.view(1, -1, 1) * pooled).sum(dim=1))

'''
_ATTENTION = '''
class AttentionExit(nn.Module):
    """A narrow self-attention whose first token answers."""

    def __init__(self, width={width}, heads={heads}):
        super().__init__()
        self.heads = heads
        self.narrow = nn.Linear(config.hidden_size, width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dense = nn.Linear(width, width)
        self.classifier = nn.Linear(width, NUM_LABELS)

    def forward(self, hidden):
        tokens = torch.tanh(self.narrow(hidden))
        examples, length, width = tokens.shape
        query = self.query(tokens[:, 0]).view(examples, self.heads, 1, -1)
        both = self.key_value(tokens).view(examples, length, 2, self.heads, width // self.heads)
        key, value = both[:, :, 0].permute(0, 2, 3, 1), both[:, :, 1].transpose(1, 2)
        attention = torch.softmax(torch.matmul(query, key) / (width // self.heads) ** 0.5, dim=-1)
        seen = torch.matmul(attention, value).reshape(examples, width)
        return self.classifier(torch.tanh(self.dense(self.output(seen))))

'''
_TAIL = '''
class EntireModel(nn.Module):
    """Every exit's logits, in their order."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder
        self.exits = nn.ModuleList(exits)
        self.lte = lte

    def forward(self, input_ids, **more):
        hidden, pooled, answers = emb(input_ids, **more), [], []
        for number, layer in enumerate(layers, start=1):
            hidden = layer(hidden)
            seen = hidden if norm is None else norm(hidden)
            if pool is not None:
                pooled.append(pool(seen))
            if number in EXIT_LAYERS:
                head = self.exits[len(answers)]
                answers.append(head({reads}))
        return answers


encoder = {model}(config{pooler_argument}).eval()
{new_pooler}emb = Embeddings(encoder.embeddings, {projection})
layers = {layers}
norm = {norm}
pool = {pool}
exits = [{exits}]
lte = {lte}
entire_model = EntireModel().eval()
module_list = {{"emb": emb}}
module_list.update({{f"layer_{{number}}": layer for number, layer in enumerate(layers, start=1)}})
module_list.update({{f"exit_{{number}}": head for number, head in enumerate(exits, start=1)}})
{norm_entry}{pool_entry}{lte_entry}'''


def model_file(model: MultiExitModel, title: str) -> str:
    """The text of `model.py`. InputError for a backbone or a head that is not written as code."""
    family = family_of(model)
    backbone, head = model.backbone, _head(model)
    library: Any = backbone.model
    pooled = library.pooler is not None
    settings = {key: value for key, value in library.config.to_diff_dict().items() if key not in _LEFT_OUT}
    pool = pool_name(model)
    kinds = {"pooler": "encoder.pooler" if family.new_pooler else family.pool, "mean_pool": "MeanPool()",
             "cls": "First()", None: "None"}  # fmt: skip
    return _HEAD.format(
        title=title.replace("\\", "").replace('"', "'"),
        version=VERSION,
        config=type(library.config).__name__,
        model=family.model,
        pooler_import=family.imports,
        settings=pprint.pformat(settings, width=100, sort_dicts=False).replace("\n", "\n    "),
        labels=model.num_labels,
        exit_layers=model.exit_layers,
    ) + family.code + head.code + _TAIL.format(
        model=family.model,
        pooler_argument="" if family.new_pooler else f", add_pooling_layer={pooled}",
        new_pooler=f"encoder.pooler = {family.pooler_class}(config).eval()\n" if family.new_pooler and pooled else "",
        projection=family.projection,
        layers=family.layers,
        norm=family.norm,
        pool=kinds[pool],
        exits=head.made,
        reads=head.reads,
        lte="None" if model.learned is None else "nn.Linear(config.hidden_size, 1)",
        norm_entry=f'module_list["{NORM}"] = norm\n' if family.norm != "None" else "",
        pool_entry="" if pool in ("cls", None) else f'module_list["{pool}"] = pool\n',
        lte_entry="" if model.learned is None else 'module_list["lte"] = lte\n',
    )  # fmt: skip


def pool_name(model: MultiExitModel) -> str | None:
    """What the shared pooling is called in rows: `pooler`, `mean_pool`; `cls`: a look at the first token; None: none.

    None where no exit reads it.
    """
    if (
        not any(model.head(n).reads_pooled or model.head(n).reads_earlier for n in model.exits)
        and model.learned is None
    ):
        return None
    pooling = str(getattr(model.backbone, "pooling", "pooler"))
    return {"mean": "mean_pool"}.get(pooling, pooling)


@dataclass(frozen=True, slots=True)
class _Head:
    """code: its class; made: how the list of heads is made; reads: what one is called with."""

    code: str
    made: str
    reads: str


def _head(model: MultiExitModel) -> _Head:
    """The one kind of head that all exits have."""
    heads = [model.head(number) for number in model.exits]
    kinds = {type(head) for head in heads}
    first = heads[0]
    if len(kinds) == 1 and isinstance(first, LinearHead):
        return _Head(_LINEAR, "LinearExit() for _ in EXIT_LAYERS", "pooled[-1]")
    if len(kinds) == 1 and isinstance(first, PooledHead) and not isinstance(first, TwiceAnsweringHead):
        return _Head(_POOLED, "PooledExit() for _ in EXIT_LAYERS", "seen")
    if len(kinds) == 1 and isinstance(first, MixedPoolHead):
        return _Head(_MIXED, "MixedPoolExit() for _ in EXIT_LAYERS", "seen")
    if len(kinds) == 1 and isinstance(first, AttentionHead):
        code = _ATTENTION.format(width=first.narrow.out_features, heads=first.heads)
        return _Head(code, "AttentionExit() for _ in EXIT_LAYERS", "seen")
    if len(kinds) == 1 and isinstance(first, ScalarMixHead):
        weights = {"l2": "nn.functional.normalize(self.mix, dim=0)", "softmax": "torch.softmax(self.mix, dim=0)"}
        code = _SCALAR.format(weights=weights[first.normalisation])
        return _Head(code, "ScalarMixExit(layer) for layer in EXIT_LAYERS", "torch.stack(pooled, dim=1)")
    raise InputError(
        f"a submission of type 2 writes the modules as code, and has none for the exit head "
        f"'{model.settings.head.name}'; type 1 needs none"
    )


def module_weights(model: MultiExitModel) -> dict[str, Tensor]:
    """The weights of a trained model under the names that they have in `entire_model` of its file."""
    library: Any = model.backbone
    weights = {f"encoder.{name}": value for name, value in library.model.state_dict().items()}
    weights |= {f"exits.{name}": value for name, value in model.heads.state_dict().items()}
    if model.learned is not None:
        scorer = model.learned.scorer.state_dict()
        weights |= {f"lte.{name}": value for name, value in scorer.items()}
    return weights
