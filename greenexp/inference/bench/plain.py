"""The yardstick from outside: the library's own model of the same weights, without exits, as a user would call it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from greenexp.backbones.base import EncoderState
from greenexp.backbones.library import LibraryBackbone
from greenexp.errors import InputError
from greenexp.exits.base import ExitInput
from greenexp.inference.bench.protocol import Contestant
from greenexp.model import MultiExitModel

if TYPE_CHECKING:
    from greenexp.inference import Tokens

NAME = "plain transformers"
ATTENTION = ("sdpa", "eager")


class PlainModel:
    """A transformers encoder, its pooling and one classifier.

    model: whose library encoder and head of exit `exit_number` are used, weights shared; layers above it are left out
    attention: the library's implementation, `eager` where it has no other
    precision: `fp32`, or `bf16` for weights and activations
    compiled: through `torch.compile`, batch and length variable
    InputError for a backbone that drives no library model.
    """

    def __init__(
        self, model: MultiExitModel, exit_number: int, *, attention: str, precision: str, pad_id: int, compiled: bool
    ) -> None:
        encoder, head = _own_copy(model), model.head(exit_number)
        backbone = cast(LibraryBackbone, model.backbone)
        backbone.shorten(encoder, model.exit_layers[exit_number - 1])
        encoder.set_attn_implementation(attention if attention in backbone.attentions else "eager")
        if precision == "bf16":
            # Copied first: a module casts its weights in place, and these are the engine's too.
            encoder, head = (copy.deepcopy(module).to(torch.bfloat16) for module in (encoder, head))
        self._encoder: Any = torch.compile(encoder, dynamic=True) if compiled else encoder
        # Around the copy, so that a pooler computes in this model's own number format.
        self._pool = type(backbone)(encoder, backbone.pooling).pool
        self._head, self._pad_id, self._reads_types = head, pad_id, backbone.reads_types
        self._device = next(model.parameters()).device

    def answer(self, request: Sequence[Tokens]) -> list[int | float]:
        """Predictions of one padded batch; a mask is given only where something is padded."""
        ids, mask, types = _padded(request, self._pad_id, self._device)
        every_layer = {"output_hidden_states": True} if self._head.reads_earlier else {}
        told = {"token_type_ids": types} if self._reads_types else {}
        output = self._encoder(input_ids=ids, attention_mask=mask, **told, **every_layer)
        hidden = output.last_hidden_state
        padding = None if mask is None else mask.bool()
        pooled = getattr(output, "pooler_output", None)  # some families' own models have none
        if pooled is None and self._head.reads_pooled:
            pooled = self._pool(EncoderState(hidden, None, padding, normed=True))
        states = (*output.hidden_states[1:-1], hidden) if every_layer else ()
        earlier = tuple(self._pool(EncoderState(state, None, padding, normed=state is hidden)) for state in states)
        logits: Tensor = self._head(ExitInput(hidden, padding, pooled, earlier))
        found: list[int | float] = (logits[:, 0] if logits.shape[1] == 1 else logits.argmax(dim=1)).tolist()
        return found


def plain_variants(
    model: MultiExitModel, exit_number: int, *, precision: str, pad_id: int, compiled: bool
) -> dict[str, Contestant]:
    """Ways of calling the plain model that are tried, by their settings in words; compiled: those too."""
    found = {}
    for attention in getattr(model.backbone, "attentions", ATTENTION):
        for goes_through in (False, True) if compiled else (False,):
            plain = PlainModel(
                model, exit_number, attention=attention, precision=precision, pad_id=pad_id, compiled=goes_through
            )
            found[f"{attention}, compiled" if goes_through else attention] = Contestant(NAME, plain.answer)
    return found


def _own_copy(model: MultiExitModel) -> PreTrainedModel:
    """The library's encoder with settings and modules of its own, and the same weights in memory."""
    encoder = getattr(model.backbone, "model", None)
    if not isinstance(model.backbone, LibraryBackbone) or not isinstance(encoder, PreTrainedModel):
        raise InputError(f"{type(model.backbone).__name__} drives no encoder of transformers to compare with")
    shared = {id(tensor): tensor for tensor in encoder.parameters()}
    return copy.deepcopy(encoder, shared).eval()


def _padded(
    request: Sequence[Tokens], pad_id: int, device: torch.device
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Ids, attention mask (None if nothing is padded) and token types (None if nobody has them) on `device`."""
    lengths = [len(tokens.ids) for tokens in request]
    shape = (len(request), max(lengths))
    ids = np.full(shape, pad_id, dtype=np.int64)
    types = None if all(tokens.type_ids is None for tokens in request) else np.zeros(shape, dtype=np.int64)
    for row, tokens in enumerate(request):
        ids[row, : lengths[row]] = tokens.ids
        if types is not None and tokens.type_ids is not None:
            types[row, : lengths[row]] = tokens.type_ids
    mask = None
    if min(lengths) < shape[1]:
        mask = torch.from_numpy((np.arange(shape[1]) < np.array(lengths)[:, None]).astype(np.int64)).to(device)
    return torch.from_numpy(ids).to(device), mask, None if types is None else torch.from_numpy(types).to(device)
