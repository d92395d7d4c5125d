"""ElasticBERT (Liu et al. 2022): BERT pretrained with an exit after every layer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertModel, BertTokenizer
from transformers.models.bert.modeling_bert import BertPooler

from greenexp.assets.tensors import file_problem
from greenexp.backbones.base import Backbone
from greenexp.backbones.bert import BertBackbone
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone, Pooling
from greenexp.errors import InputError, library_failures
from greenexp.records.manifests import EXIT_WEIGHTS, MODEL_MANIFEST

_BERT: str = BertModel.config_class.model_type
_SHARED = "the pooler that exits share starts from that of layer"


class OfficialElasticBert(BertModel):
    """What the published checkpoints hold: BERT without a shared pooler, and `encoder.pooler.{i}` after layer i."""

    base_model_prefix = "elasticbert"

    def __init__(self, config: Any, *, add_pooling_layer: bool) -> None:
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        self.encoder.pooler = nn.ModuleList([BertPooler(config) for _ in range(config.num_hidden_layers)])
        self.post_init()


class ElasticBertBackbone(BertBackbone):
    """A library BertModel that remembers the pretrained poolers of its layers, for heads to start from.

    own_poolers: one per layer, None where a layer has none, no parameters of this module; empty where they share one
    """

    def __init__(
        self,
        model: Any,
        pooling: Pooling,
        notes: tuple[str, ...] = (),
        *,
        new_pooler: bool = False,
        own_poolers: Sequence[nn.Linear | None] = (),
    ) -> None:
        super().__init__(model, pooling, notes, new_pooler=new_pooler)
        self._own_poolers = tuple(own_poolers)  # a tuple hides them from nn.Module

    def pooler_for(self, layer: int) -> nn.Linear | None:
        """See `Backbone.pooler_for`."""
        return self._own_poolers[layer - 1] if self._own_poolers else super().pooler_for(layer)

    def drop_pooler(self) -> None:
        """See `Backbone.drop_pooler`."""
        super().drop_pooler()
        self._own_poolers = ()
        self.notes = tuple(note for note in self.notes if not note.startswith(_SHARED))


@dataclass(frozen=True)
class ElasticBert(LibraryEncoder):
    """ElasticBERT encoder, from a published checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Liu et al., NAACL 2022; repository fastnlp/ElasticBERT@ffb827b4; checkpoints fnlp/elasticbert-base and
    -large, once converted to safetensors. BERT in all but the pretraining, which gave each layer a pooler (dense + tanh
    over the first token) of its own: exit heads with poolers start from them. Where exits share one, it starts from the
    last layer's, and the results say so. A saved model is a BERT. `elasticbert_pretraining` makes new checkpoints:
    `source` may be the folder of a model that greenexp saved, whose exits have poolers of their own, or what `greenexp
    export --format elasticbert` wrote of it, in the layout of the published checkpoints.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.1.
    """

    family = "elasticbert"
    new_model = BertModel
    source_model = OfficialElasticBert
    reads_saved = True
    driver = ElasticBertBackbone
    source_tokenizer = BertTokenizer  # the library does not know the model type, and would not know which

    def _type_of(self, checkpoint: Checkpoint) -> str:
        """See `LibraryEncoder`: a model that greenexp saved is a BERT, and its exits' poolers lie beside it."""
        return _BERT if _has_exit_poolers(checkpoint) else super()._type_of(checkpoint)

    def _loaded(self, checkpoint: Checkpoint, config: Any) -> LibraryBackbone:
        """The checkpoint's modules in a plain BertModel; the shared pooler, if asked for, from the last layer's."""
        is_saved = _has_exit_poolers(checkpoint)
        source_model = BertModel if is_saved else self.source_model
        found = checkpoint.model(source_model, config, self.attention, with_pooler=False)
        official, notes = found.model, found.notes
        poolers = _exit_poolers(checkpoint, config) if is_saved else [one.dense for one in official.encoder.pooler]
        if not is_saved:
            del official.encoder.pooler
        with torch.device("meta"):  # draws nothing: all its modules are replaced
            model = self._model(config)
        model.embeddings, model.encoder = official.embeddings, official.encoder
        if self._pooling == "pooler":
            last = max(layer for layer, pooler in enumerate(poolers, start=1) if pooler is not None)
            model.pooler.dense = poolers[last - 1]
            notes = (f"{_SHARED} {last}", *notes)
        return ElasticBertBackbone(model, self._pooling, notes, own_poolers=poolers)


def _has_exit_poolers(checkpoint: Checkpoint) -> bool:
    """Whether it is a folder that greenexp saved, of a model whose exits have poolers of their own."""
    folder = Path(checkpoint.where)
    if not (folder / MODEL_MANIFEST).is_file() or not (folder / EXIT_WEIGHTS).is_file():
        return False
    if problem := file_problem(folder / EXIT_WEIGHTS):
        raise InputError(f"backbone source '{checkpoint.source}' cannot be read: {EXIT_WEIGHTS}: {problem}")
    with safe_open(folder / EXIT_WEIGHTS, "pt") as weights:
        return "0.pooler.weight" in weights.keys()  # noqa: SIM118 - it is no mapping


def _exit_poolers(checkpoint: Checkpoint, config: Any) -> list[nn.Linear | None]:
    """The exits' poolers of such a folder, by layer; None at a layer without an exit. Raises InputError."""
    folder, width = Path(checkpoint.where), config.hidden_size
    with library_failures(lambda why: InputError(f"backbone source '{checkpoint.source}' cannot be read: {why}")):
        exit_layers = json.loads((folder / MODEL_MANIFEST).read_text(encoding="utf-8"))["exit_layers"]
        weights = load_file(folder / EXIT_WEIGHTS)
        found: list[nn.Linear | None] = [None] * config.num_hidden_layers
        for number, layer in enumerate(exit_layers):
            if layer <= len(found):  # `layers` may have left out those above
                found[layer - 1] = dense = nn.Linear(width, width, device="meta")
                dense.to_empty(device="cpu").load_state_dict(
                    {name: weights[f"{number}.pooler.{name}"] for name in ("weight", "bias")}
                )
    if not any(found):
        raise InputError(f"backbone source '{checkpoint.source}' has no exit after its first {len(found)} layers")
    return found


def write_official(backbone: Backbone, poolers: Sequence[nn.Linear], folder: Path) -> None:
    """Write config.json and model.safetensors of a BERT in the layout of the published checkpoints.

    The keys are those of fastnlp/ElasticBERT@ffb827b4: `elasticbert.embeddings`, `elasticbert.encoder.layer.<i>` and
    `elasticbert.encoder.pooler.<i>.dense`, i from 0. poolers: of each layer, in their order
    Raises InputError for another encoder, OSError where the disk does not take it.
    """
    library = getattr(backbone, "model", None)
    config = getattr(library, "config", None)
    kind = getattr(config, "model_type", type(backbone).__name__)
    if library is None or config is None or kind != _BERT:
        raise InputError(f"the layout of ElasticBERT is that of a BERT, and this model's encoder is a {kind}")
    prefix, state = f"{OfficialElasticBert.base_model_prefix}.", library.state_dict()
    weights = {prefix + name: value for name, value in state.items() if not name.startswith("pooler.")}
    for layer, pooler in enumerate(poolers):
        weights |= {f"{prefix}encoder.pooler.{layer}.dense.{name}": one for name, one in pooler.state_dict().items()}
    own = {"model_type": ElasticBert.family, "architectures": ["ElasticBertModel"], "num_output_layers": 1}
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), **own}, indent=2) + "\n", encoding="utf-8")
    contiguous = {name: value.contiguous() for name, value in weights.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
