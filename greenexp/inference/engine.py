"""`EarlyExitEngine`: a multi-exit model that stops where a policy says so, with real layers saved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitOutput, PolicyStream
from greenexp.exits.policies.choose import stream_policy
from greenexp.inference.answers import Answer, AnyRow, Example, Tokens, checked, checked_image
from greenexp.inference.consulting import (
    check_policy,
    check_serving,
    checked_temperatures,
    consulted_exits,
    refuse_images,
    trained_exits,
)
from greenexp.inference.segments import Climbing, Precision, Said, Segments
from greenexp.inference.text import TextReader
from greenexp.model import MultiExitModel, Serving, load_model, load_serving

if TYPE_CHECKING:
    from greenexp.inference.graphs.folder import GraphFolder


@dataclass(frozen=True, slots=True, eq=False)
class HostDecision:
    """What was decided at one exit, on the host.

    leaves: of each example; answers: [example], classes or values; logits: [example, class], raw
    """

    leaves: list[bool]
    answers: Tensor
    logits: Tensor

    def rows(self, *, leave: bool) -> list[int]:
        """Places of those who leave, or of those who stay."""
        return [row for row, leaves in enumerate(self.leaves) if leaves is leave]


class EarlyExitEngine:
    """Answers examples one by one, in batches that shrink, or many at once; thread-safe unless `compile` is on.

    model: put into evaluation mode; it stays on its device
    policy: a name, `NAME:VALUE`, a mapping, or a policy in stream or replay form
    exits: those that may be asked, of the trained ones; None: all that `text` says were trained, else all
    text: what the model needs to read text and name labels; None: it answers token ids, or images, with class numbers
    check_every: K: consult every K-th trained exit, and always the last one
    temperatures: exit number -> what its logits are divided by before the policy sees them; an exit not in it: 1
    compile: `torch.compile` for each segment between consulted exits; precision: `fp32` or `bf16`; with graphs `fp32`
        or `int8`
    graphs: the model's ONNX graphs, which ONNX Runtime computes; of `model` only the shapes are then asked

    No layer above the last consulted exit and no exit that is not consulted ever runs; under the policy `static` only
    its own exit is consulted. The host waits for the device once per consulted exit, and nowhere else but where the
    library makes the mask of a padded batch.
    Raises InputError if policy, exits or temperatures do not fit the model.
    """

    def __init__(
        self,
        model: MultiExitModel,
        policy: Any,
        *,
        exits: Iterable[int] | None = None,
        text: Serving | None = None,
        check_every: int = 1,
        temperatures: Mapping[int, float] | None = None,
        compile: bool = False,  # noqa: A002 - torch's word
        precision: Precision = "fp32",
        graphs: GraphFolder | None = None,
    ) -> None:
        self.model = model.eval()
        self.policy = stream_policy(policy)
        if text is not None:
            check_serving(model, text)
        trained = trained_exits(model, exits, None if text is None else text.trained_exits)
        self.consulted = consulted_exits(trained, check_every, self.policy)
        check_policy(self.policy, self.consulted[0], model)
        self.serving = text
        self._reader = TextReader(text) if text is not None and text.tokenizer else None
        self.graphs = graphs
        self.segments: Climbing
        if graphs is None:
            self.segments = Segments(model, self.consulted, compiled=compile, precision=precision)
        elif compile:
            raise InputError("torch.compile has nothing to compile where ONNX Runtime computes")
        else:
            from greenexp.inference.graphs.running import GraphSegments  # its packages are an extra

            self.segments = GraphSegments(graphs, model, self.consulted, precision)
        self._temperatures = checked_temperatures(model, temperatures or {})
        self._divisors = {n: torch.tensor(t, device=self.segments.device) for n, t in self._temperatures.items()}
        self._flops: dict[int, list[int]] = {}

    @classmethod
    def load(cls, folder: Path | str, policy: Any, *, device: str = "cpu", **options: Any) -> EarlyExitEngine:
        """The engine of the model saved in `folder`. options: as above.

        Raises CheckpointError if the folder cannot be trusted, and InputError as above.
        """
        options.setdefault("text", load_serving(folder))
        model = load_model(folder, device=device)
        # Graphs bring weights of their own: those of the model need not stay in memory.
        return cls(model if options.get("graphs") is None else model.to("meta"), policy, **options)

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of the classes in their order; empty for regression; None if they are not known."""
        return None if self.serving is None else self.serving.label_names

    def encode(self, texts: Sequence[str | Sequence[str]]) -> list[Tokens]:
        """Texts, or pairs of texts for a model trained on pairs, in token ids; too long ones are cut off.

        Raises InputError for the wrong kind, and if the model was saved without its tokenizer.
        """
        refuse_images(self.model, "it has no texts to encode; ask it with inference.answers.Image")
        if self._reader is None:
            raise InputError(
                "this model was saved without its tokenizer, so it reads token ids alone; train again to have it saved"
            )
        return self._reader.encode(texts)

    def one(self, example: Example) -> Answer:
        """The answer to one example, computed unpadded and without a mask."""
        return self.batch([example])[0]

    def answer(self, examples: Sequence[Example], batch_size: int) -> list[Answer]:
        """The answers in the order of `examples`, in batches of like lengths. Raises InputError."""
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}: at least 1")
        rows = [self.checked(one) for one in examples]
        order = sorted(range(len(rows)), key=lambda place: rows[place].length)
        found: dict[int, Answer] = {}
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            found.update(zip(places, self._climb([rows[place] for place in places]), strict=True))
        return [found[place] for place in range(len(rows))]

    def batch(self, examples: Sequence[Example]) -> list[Answer]:
        """The answers to one batch, padded to its longest example.

        After each consulted exit the examples still inside are gathered, and cut to the longest of them.
        """
        rows = [self.checked(one) for one in examples]
        return self._climb(rows) if rows else []

    def _climb(self, rows: Sequence[AnyRow]) -> list[Answer]:
        found: dict[int, Answer] = {}
        lengths, places = np.array([row.length for row in rows]), np.arange(len(rows))
        stream = self.policy.stream()
        with self.segments.computing():
            climbers = self.segments.embed(rows, self.pad_id)
            for index in range(len(self.segments)):
                climbers, said = self.segments.run(index, climbers)
                decided = self.judge(stream, index, said)
                if not any(decided.leaves):
                    continue
                for row in decided.rows(leave=True):
                    found[int(places[row])] = self.settle(index, int(lengths[row]), decided, row)
                stay = np.array(decided.rows(leave=False), dtype=np.int64)
                if len(stay) == 0:
                    break
                lengths, places = lengths[stay], places[stay]
                climbers = self.segments.compacted(climbers, stay, lengths)
                stream.keep(torch.from_numpy(stay).to(said.logits.device))
        return [found[place] for place in range(len(rows))]

    @property
    def pad_id(self) -> int:
        """What fills padded places; masked out, so any id of the vocabulary would do."""
        return 0 if self.serving is None else self.serving.pad_id

    def checked(self, example: Example) -> AnyRow:
        """`example` if the model can take it. Raises InputError that says why not."""
        backbone = self.model.backbone
        if backbone.reads == "images":
            return checked_image(example, backbone.side_unit)
        if not isinstance(example, Tokens):
            raise InputError(f"this model reads token ids; received {type(example).__name__}")
        pairs = None if self.serving is None else self.serving.pairs
        return checked(example, backbone.vocab_size, backbone.max_length, pairs)

    def judge(self, stream: PolicyStream, index: int, said: Said, before: Sequence[Said] = ()) -> HostDecision:
        """Ask the policy at consulted exit `index` (from 0), where at the last one everybody leaves.

        before: what the consulted exits below said, if the stream has not seen it. One transfer brings all that the
        host wants to know: the only place where it waits for the device.
        """
        for below, passed in enumerate(before):
            stream.decide(self._output(below, passed))
        decision, logits = stream.decide(self._output(index, said)), said.logits
        answers, raw = decision.answers, logits
        if logits.device.type == "cpu":
            leaves = decision.leaves.tolist()
        else:
            columns = (decision.leaves.unsqueeze(1), answers.unsqueeze(1), logits)
            told = torch.cat(columns, dim=1).cpu()  # all as floats, which is exact for classes below 2^24
            leaves, answers, raw = (told[:, 0] != 0).tolist(), told[:, 1], told[:, 2:]
        return HostDecision([True] * len(leaves) if index == len(self.consulted) - 1 else leaves, answers, raw)

    def _output(self, index: int, said: Said) -> ExitOutput:
        """What the policy sees of consulted exit `index`: calibrated logits."""
        number, logits = self.consulted[index], said.logits
        calibrated = logits / self._divisors[number] if number in self._divisors else logits
        return ExitOutput(number, calibrated, said.learned)

    def settle(self, index: int, length: int, decided: HostDecision, row: int) -> Answer:
        """The answer of a row that leaves at consulted exit `index` (from 0)."""
        number = self.consulted[index]
        logits, prediction = decided.logits[row].tolist(), decided.answers[row].item()
        label = confidence = None
        if self.model.num_labels > 1:
            prediction = int(prediction)
            label = self.label_names[prediction] if self.label_names else None
            confidence = _probability(logits, prediction, self._temperatures.get(number))
        return Answer(
            prediction=prediction,
            label=label,
            exit=number,
            layer=self.model.exit_layers[number - 1],
            confidence=confidence,
            logits=tuple(logits),
            inference_flops=self._flops_at(length)[index],
        )

    def _flops_at(self, length: int) -> list[int]:
        """Per consulted exit: FLOPs of one example of `length` tokens that leaves there."""
        if length not in self._flops:
            self._flops[length] = self.model.exit_costs([length], self.consulted).dynamic_flops[:, 0].tolist()
        return self._flops[length]


def _probability(logits: list[float], answered: int, temperature: float | None) -> float | None:
    """Softmax probability of one class, in float64; None if a logit is not finite."""
    if temperature is not None:
        logits = (np.array(logits, dtype=np.float32) / np.float32(temperature)).tolist()
    if not all(map(math.isfinite, logits)):
        return None
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    return weights[answered] / sum(weights)
