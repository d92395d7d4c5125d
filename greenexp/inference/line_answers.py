"""Lines of text or JSON answered one after another, as `greenexp predict` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.errors import InputError
from greenexp.exits.policies.static import Static
from greenexp.inference.answer_summary import AnswerSummary, AnswerTally, Label
from greenexp.inference.answers import Answer
from greenexp.inference.engine import EarlyExitEngine
from greenexp.inference.service.inputs import (
    Example,
    Identity,
    answer_fields,
    identity_of,
    kind_of,
    parse_json,
    read_example,
    shown,
    tokens_of,
)
from greenexp.replay.serving_policy import DevScores

MAX_LINE = 1_000_000
"""Bytes of a line: a text of a few hundred tokens has a few thousand."""
LABEL = "label"
"""The field of a line that no model sees: its answer is compared with it."""


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What is printed for one line: an answer, or why there is none.

    line: its number, from 1; identity: the `id` that it came with; error: empty where there is an answer
    """

    line: int
    answer: Answer | None = None
    identity: Identity | None = None
    error: str = ""

    def fields(self, *, logits: bool = False) -> dict[str, Any]:
        """As JSON; `logits`: those of the exit taken, too."""
        if self.answer is not None:
            return {"line": self.line, **answer_fields(self.answer, self.identity, logits=logits)}
        return {"line": self.line, **({} if self.identity is None else {"id": self.identity}), "error": self.error}


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """An example that was read, and its label, if it came with one."""

    example: Example
    label: Label | None = None


class LineAnswers:
    """The answers to lines, chunk by chunk; `summary` is right once they have all been read.

    engine: answers them; chunks: lines without their ends, None for one that was too long; batch_size: examples at once
    plain: each line is a text as it stands, and no JSON; dev: what the model scores on dev, for whoever shows it
    """

    def __init__(
        self,
        engine: EarlyExitEngine,
        chunks: Iterable[Sequence[bytes | None]],
        batch_size: int,
        *,
        plain: bool,
        dev: DevScores | None = None,
    ) -> None:
        self.dev = dev
        self._engine, self._chunks, self._batch_size, self._plain = engine, chunks, batch_size, plain
        self._last_exit: EarlyExitEngine | None = None
        self._tally = AnswerTally(engine.model.backbone.num_layers)

    def __iter__(self) -> Iterator[tuple[LineAnswer, ...]]:
        """One `LineAnswer` per line, in the order of the lines."""
        for chunk in self._chunks:
            yield tuple(self._answered(chunk))

    @property
    def summary(self) -> AnswerSummary:
        """What the answers so far come to."""
        return self._tally.summary()

    def _answered(self, chunk: Sequence[bytes | None]) -> Iterator[LineAnswer]:
        first = self._tally.lines + 1
        lines = [self._read(line, number) for number, line in enumerate(chunk, start=first)]
        good = [line for line in lines if isinstance(line, LabelledExample)]
        tokens = tokens_of(self._engine, [line.example for line in good])
        answers = self._engine.answer(tokens, self._batch_size)
        labelled = [place for place, line in enumerate(good) if line.label is not None]
        last = dict(zip(labelled, self._at_the_last_exit([tokens[place] for place in labelled]), strict=True))
        place = 0
        for number, line in enumerate(lines, start=first):
            if isinstance(line, LineAnswer):
                self._tally.error()
                yield line
                continue
            answer = answers[place]
            self._tally.answer(answer)
            if line.label is not None:
                self._tally.label(line.label, answer, last[place])
            place += 1
            yield LineAnswer(number, answer, line.example.identity)

    def _at_the_last_exit(self, tokens: Sequence[Any]) -> list[Answer]:
        """What the last trained exit answers: the baseline of the policy's accuracy."""
        if not tokens:
            return []
        if self._last_exit is None:
            self._last_exit = last_exit_engine(self._engine)
        return self._last_exit.answer(tokens, self._batch_size)

    def _read(self, line: bytes | None, number: int) -> LabelledExample | LineAnswer:
        """The example on a line, or what is printed instead of an answer."""
        data: Any = None
        try:
            if line is None:
                raise InputError(f"the line is longer than {MAX_LINE:,} bytes")
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line  # the mark some editors write first
            data = _text(content) if self._plain else parse_json(content)
            fields, label = _without_label(data, self._engine)
            return LabelledExample(read_example(fields, self._engine, MAX_LINE, also=(LABEL,)), label)
        except InputError as error:
            identity = identity_of(data) if isinstance(data, Mapping) else None
            return LineAnswer(number, None, identity, str(error))


def last_exit_engine(engine: EarlyExitEngine) -> EarlyExitEngine:
    """An engine over the same weights that answers at the last trained exit, and evaluates no other."""
    return EarlyExitEngine(
        engine.model, Static(), text=engine.serving, precision=engine.segments.precision, graphs=engine.graphs
    )


def _without_label(data: Any, engine: EarlyExitEngine) -> tuple[Any, Label | None]:
    """A line's fields without its label, and the label. Raises InputError for a label that no answer can be."""
    if not isinstance(data, Mapping) or LABEL not in data:
        return data, None
    return {name: value for name, value in data.items() if name != LABEL}, checked_label(data[LABEL], engine)


def checked_label(label: Any, engine: EarlyExitEngine) -> Label:
    """`label` as the name of a class; raises InputError if it is none of this model's, by name or by number."""
    classes, names = engine.model.num_labels, engine.label_names
    if classes == 1:
        raise InputError("this model predicts a number, so 'label' is not compared")
    if isinstance(label, str) and (not names or label in names) and (names or label.isdecimal()):
        return label
    if type(label) is int and 0 <= label < classes:
        return names[label] if names else label
    allowed = ", ".join(names) if names else f"0 to {classes - 1}"
    given = shown(label) if isinstance(label, str) else label if type(label) is int else kind_of(label)
    raise InputError(f"'label' is {given}, which is no class of this model (classes: {allowed})")


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8: {error.reason} at byte {error.start + 1}") from error
