"""ONNX Runtime in the place of torch: segments for the engine, and a whole model that nobody leaves early."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from greenexp.backbones.base import EncoderState, TokenBatch
from greenexp.errors import InputError
from greenexp.inference.answers import AnyRow, Row, Tokens, checked
from greenexp.inference.graphs.folder import GRAPH_PRECISIONS, GraphFolder
from greenexp.inference.graphs.pieces import FULL
from greenexp.inference.segments import Climbers, Precision, Said, padded_batch, real_tokens
from greenexp.model.multi_exit import MultiExitModel

Session = Callable[[dict[str, Tensor]], list[Tensor]]


class GraphSegments:
    """Segments as `inference.segments.Segments`, computed by ONNX Runtime on the CPU.

    graphs: where they lie; model: whose shapes are asked, not its weights; consulted: exit numbers, ascending
    precision: `fp32` or `int8`

    Between two segments a state holds hidden states and, as its mask, the attention mask [example, token]; before the
    first one token ids stand in the place of hidden states. Raises InputError for exits without graphs.
    """

    def __init__(
        self, graphs: GraphFolder, model: MultiExitModel, consulted: Sequence[int], precision: Precision
    ) -> None:
        if precision not in GRAPH_PRECISIONS:
            raise InputError(
                f"precision {precision!r}: graphs are computed in {' or '.join(GRAPH_PRECISIONS)}; bf16 needs the "
                "backend torch"
            )
        if missing := [number for number in consulted if number not in graphs.exits]:
            raise InputError(f"exits {missing} have no graphs in {graphs.folder}: there are {list(graphs.exits)}")
        self.model, self.device, self.precision = model, torch.device("cpu"), precision
        self._types, self._remembers = graphs.types, graphs.remembers
        below = 0
        self._climbs: list[tuple[list[Session], Session]] = []
        for number in consulted:
            passed = [one for one in graphs.exits if below < one <= number]
            climbs = [opened(graphs.file(graphs.needed(one)[0], precision)) for one in passed]
            self._climbs.append((climbs, opened(graphs.file(graphs.needed(number)[1], precision))))
            below = number

    def __len__(self) -> int:
        return len(self._climbs)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """As of `Segments`; the policy still runs in torch."""
        with torch.inference_mode():
            yield

    def embed(self, rows: Sequence[AnyRow], pad_id: int) -> Climbers:
        """`rows` before the first graph, padded to the longest of them."""
        batch = _masked(padded_batch([row for row in rows if isinstance(row, Row)], pad_id))
        types = (batch.token_type_ids,) if self._types else ()
        return Climbers(EncoderState(batch.input_ids, batch.attention_mask, positions=types))

    def run(self, index: int, climbers: Climbers) -> tuple[Climbers, Said]:
        """Segment `index` (from 0): the examples after it, and what its exit says."""
        climbs, head = self._climbs[index]
        hidden, mask, earlier = climbers.state.hidden, _given(climbers.state.mask), climbers.earlier
        types = climbers.state.positions
        for climb in climbs:
            is_first = hidden.dim() == 2
            feeds = {"input_ids" if is_first else "hidden": hidden, "attention_mask": mask}
            if is_first and types:
                feeds["token_type_ids"] = _given(types[0])
            hidden, *pooled = climb(feeds)
            earlier = (*earlier, *(one for several in pooled for one in several.unbind(dim=1)))
        feeds = {"hidden": hidden, "attention_mask": mask}
        if self._remembers:
            feeds["earlier"] = torch.stack(earlier, dim=1)
        said = head(feeds)
        return Climbers(EncoderState(hidden, mask), earlier), Said(*said)

    def compacted(self, climbers: Climbers, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Climbers:
        """`rows` of a batch, cut to the longest of them; lengths: tokens of each of `rows`."""
        state, longest, index = climbers.state, int(lengths.max()), torch.from_numpy(rows)
        hidden = state.hidden[:, :longest].index_select(0, index)
        mask = _given(state.mask)[:, :longest].index_select(0, index)
        return Climbers(EncoderState(hidden, mask), tuple(one.index_select(0, index) for one in climbers.earlier))

    def merged(self, hidden: Sequence[Tensor], earlier: Sequence[Tensor] = ()) -> Climbers:
        """One batch from examples that may have been in different ones; see `Segments.merged`."""
        pooled = torch.stack(list(earlier), dim=1).unbind() if earlier else ()
        padded = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True)
        real = real_tokens(np.array([len(one) for one in hidden]))
        return Climbers(EncoderState(padded, torch.from_numpy(real.astype(np.int64))), pooled)


class FullGraph:
    """The whole model in one graph, up to its last trained exit: what it gives to one padded batch."""

    def __init__(self, graphs: GraphFolder, model: MultiExitModel, precision: str, pad_id: int) -> None:
        self._session = opened(graphs.file(FULL, precision), alone=True)
        self._types, self._model, self._pad_id = graphs.types, model, pad_id

    def answer(self, request: Sequence[Tokens]) -> list[int | float]:
        """Predictions, one per example."""
        backbone = self._model.backbone
        rows = [checked(one, backbone.vocab_size, backbone.max_length, None) for one in request]
        batch = _masked(padded_batch(rows, self._pad_id))
        feeds = {"input_ids": batch.input_ids, "attention_mask": _given(batch.attention_mask)}
        if self._types:
            feeds["token_type_ids"] = _given(batch.token_type_ids)
        (logits,) = self._session(feeds)
        found: list[int | float] = (logits[:, 0] if logits.shape[1] == 1 else logits.argmax(dim=1)).tolist()
        return found


def opened(file: Path, *, alone: bool = False) -> Session:
    """A graph, ready to run on as many threads as torch has now.

    alone: whether its threads may wait busily for the next call, which is faster where no other graph runs in between
    Raises InputError where ONNX Runtime does not take it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3
    if not alone:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session: Any = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no base of their own
        raise InputError(f"ONNX Runtime cannot open {file}: {error}") from error
    names = [one.name for one in session.get_inputs()]

    def run(feeds: dict[str, Tensor]) -> list[Tensor]:
        # The exporter leaves out what a graph does not read, such as the mask of an exit that sees one token.
        arrays = {name: feeds[name].numpy() for name in names}
        return [torch.from_numpy(array) for array in session.run(None, arrays)]

    return run


def _masked(batch: TokenBatch) -> TokenBatch:
    """The batch with a mask and with types, which a graph always takes."""
    ids = batch.input_ids
    mask = torch.ones_like(ids) if batch.attention_mask is None else batch.attention_mask
    types = torch.zeros_like(ids) if batch.token_type_ids is None else batch.token_type_ids
    return TokenBatch(ids, mask, types)


def _given(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise ValueError("a state that did not come from a graph")
    return tensor
