"""A model in the layout of the published ElasticBERT checkpoints: a BERT, and a pooler per layer within its encoder."""

from __future__ import annotations

from pathlib import Path

from greenexp.backbones.elasticbert import write_official
from greenexp.errors import InputError
from greenexp.exits.pooled import PooledHead
from greenexp.model.multi_exit import MultiExitModel
from greenexp.model.serving import Serving
from greenexp.records.manifests import TOKENIZER


def write_elasticbert(model: MultiExitModel, serving: Serving | None, folder: Path) -> None:
    """Write config.json, model.safetensors and what reads texts into the empty `folder`.

    What exits have beside their poolers has no place there.
    serving: what the model was trained to read with; None: no tokenizer is written
    Raises InputError for a model of another form: it takes a BERT that is whole, and an exit with a pooler of its own
    after each layer. OSError where the disk does not take it.
    """
    heads = [head for head in map(model.head, model.exits) if isinstance(head, PooledHead)]
    if model.settings.form is not None or len(heads) != model.num_exits or len(heads) != model.backbone.num_layers:
        raise InputError(
            "the layout of ElasticBERT holds a whole BERT and a pooler per layer: it takes a model without compression "
            "and with exits after all layers, whose head is `pretraining` or `pooled`"
        )
    write_official(model.backbone, [head.pooler for head in heads], folder)
    if serving is not None and serving.tokenizer:
        (folder / TOKENIZER).write_text(serving.tokenizer, encoding="utf-8")
