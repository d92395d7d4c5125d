"""A model in the layout of the published ElasticBERT checkpoints: a BERT, and a pooler per layer within its encoder."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.pooled import PooledHead
from greenexp.model.multi_exit import MultiExitModel
from greenexp.model.serving import Serving

_PREFIX = "elasticbert."


def write_elasticbert(model: MultiExitModel, serving: Serving | None, folder: Path) -> None:
    """Write config.json, model.safetensors and what reads texts into the empty `folder`.

    The keys are those of fastnlp/ElasticBERT@ffb827b4: `elasticbert.embeddings`, `elasticbert.encoder.layer.<i>` and
    `elasticbert.encoder.pooler.<i>.dense`, i from 0. What exits have beside their poolers has no place there.
    serving: what the model was trained to read with; None: no tokenizer is written
    Raises InputError for a model of another form: it takes a BERT that is whole, and an exit with a pooler of its own
    after each layer. OSError where the disk does not take it.
    """
    weights = {_PREFIX + name: value.contiguous() for name, value in _encoder_state(model).items()}
    for layer, number in enumerate(model.exits):
        head = model.head(number)
        if not isinstance(head, PooledHead) or model.exit_layers != tuple(range(1, model.backbone.num_layers + 1)):
            raise InputError(
                "the layout of ElasticBERT holds a pooler per layer: it takes exits after all layers with the head "
                "`pretraining` or `pooled`"
            )
        for name, value in head.pooler.state_dict().items():
            weights[f"{_PREFIX}encoder.pooler.{layer}.dense.{name}"] = value.contiguous()
    config = model.backbone.model.config.to_dict()  # type: ignore[union-attr, operator]  # a library model, see above
    own = {"model_type": "elasticbert", "architectures": ["ElasticBertModel"], "num_output_layers": 1}
    (folder / "config.json").write_text(json.dumps({**config, **own}, indent=2, default=str) + "\n", encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if serving is not None and serving.tokenizer:
        (folder / "tokenizer.json").write_text(serving.tokenizer, encoding="utf-8")


def _encoder_state(model: MultiExitModel) -> dict[str, Tensor]:
    """The weights of a BERT, without a shared pooler."""
    library = getattr(model.backbone, "model", None)
    kind = getattr(getattr(library, "config", None), "model_type", type(model.backbone).__name__)
    if kind != "bert" or model.settings.form is not None or library is None:
        raise InputError(f"the layout of ElasticBERT is that of a whole BERT, and this model's encoder is a {kind}")
    return {name: value for name, value in library.state_dict().items() if not name.startswith("pooler.")}
