"""What a method may know of the trial it trains."""

from __future__ import annotations

from typing import Any

from greenexp.backbones import BACKBONES
from greenexp.errors import FieldError, InputError
from greenexp.methods.base import Method, TrialShape
from greenexp.model import MultiExitModel
from greenexp.records.sections import Training
from greenexp.records.settings import NO_COMPRESSION, Settings
from greenexp.tasks.prepared import PreparedTask


def trial_shape(model: MultiExitModel, data: PreparedTask, training: Training, seed: int) -> TrialShape:
    """What the method may know of a trial of `model` on `data`; seed: of the order of examples."""
    return TrialShape(
        exit_layers=model.exit_layers,
        num_layers=model.backbone.num_layers,
        num_labels=data.num_labels,
        epochs=training.epochs,
        seed=seed,
        hidden_size=model.backbone.hidden_size,
        train_tokens=int(data.train.lengths.sum()),
        steps=training.epochs * -(-len(data.train) // training.batch_size),
        reads_earlier=any(model.head(number).reads_earlier for number in model.exits),
        label_names=data.label_names,
        tokenizer=data.tokenizer,
    )


def check_reads(settings: Settings, data: Any) -> None:
    """Raises FieldError unless backbone, method and compression are of the kind of inputs that the task gives.

    data: the task's data, before or after it was prepared: texts or images
    """
    backbone: Any = settings.backbone.plugin()
    if (reads := getattr(backbone, "reads", "texts")) != data.reads:
        fitting = [name for name in BACKBONES if getattr(BACKBONES[name], "reads", "texts") == data.reads]
        raise FieldError(
            "backbone.name",
            f"{settings.backbone.name} reads {reads}, and the task {settings.task.name} gives {data.reads}: write one "
            f"of {', '.join(fitting)}, or another task",
        )
    if data.reads == "texts":
        return
    method: Method = settings.method.plugin()
    if method.text_only:
        raise FieldError("method.name", f"{settings.method.name} trains models of texts alone: {method.text_only}")
    if settings.compression != NO_COMPRESSION:
        raise FieldError("compression.name", f"{settings.compression.name} compresses encoders of texts alone")


def check_compiled(settings: Settings, model: MultiExitModel) -> None:
    """Raises FieldError where `training.compile` is asked for and the layers cannot be compiled."""
    if not settings.training.compile:
        return
    why = ""
    if not model.backbone.compiled_parts():
        why = f"the layers of {settings.backbone.name} are not compiled, as those of bert, roberta and elasticbert are"
    elif settings.compression != NO_COMPRESSION:
        why = f"the compression {settings.compression.name} changes layers while they train"
    elif (settings.training.micro_batch_size or settings.training.batch_size) == 1:
        why = "a batch of one example is not computed by compiled code"
    if why:
        raise FieldError("training.compile", f"is not possible here: {why}; leave it out")


def check_tokens(settings: Settings, model: MultiExitModel, data: PreparedTask) -> None:
    """Raises InputError unless method, exit heads and task agree on whether masked tokens are predicted."""
    method: Method = settings.method.plugin()
    heads = [number for number in model.exits if model.head(number).predicts_tokens]
    if not method.predicts_tokens:
        if heads:
            raise InputError(
                "exits.head: `pretraining` predicts masked tokens, which only the method `elasticbert_pretraining` "
                "trains; for another method write another head, such as `pooled`"
            )
        return
    if data.masking is None:
        raise InputError("elasticbert_pretraining: the task masks no tokens; write a task that does, such as `corpus`")
    if len(heads) < model.num_exits:
        raise InputError("elasticbert_pretraining: exits.head: write `pretraining`: other heads predict no tokens")
    if settings.compression != NO_COMPRESSION:
        raise InputError(
            "compression: elasticbert_pretraining trains a whole encoder; leave it out here, and compress the model "
            "that is fine-tuned from it"
        )
    owner, name = model.backbone.token_table()
    table = getattr(getattr(owner, name), "weight", None)
    if table is None or table.shape != (model.backbone.vocab_size, model.backbone.hidden_size):
        raise InputError(
            "elasticbert_pretraining: the backbone's token embeddings are not as wide as its hidden states, and its "
            "exits use them as they are; write `bert`, `elasticbert` or another family of that form"
        )
