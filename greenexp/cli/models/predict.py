"""The command `greenexp predict`."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.models.engines import EngineChoice, engine_options, load_engine
from greenexp.cli.models.lines import Lines
from greenexp.errors import InputError
from greenexp.units import format_duration

if TYPE_CHECKING:
    from greenexp.inference import Answer, EarlyExitEngine
    from greenexp.inference.service.inputs import Example

STDIN = 0
MAX_LINE = 1_000_000
"""Bytes of a line: a text of a few hundred tokens has a few thousand."""
BATCHES_AT_ONCE = 8
"""Read together where they are there, so that examples of one length can share a batch."""


@click.command()
@engine_options
@click.option("--input", "given", default="-", metavar="FILE", help="What to answer, - for stdin (the default).")
@click.option("--plain", is_flag=True, help="Every line is a text as it stands, and no JSON.")
@click.option("--logits", is_flag=True, help="Logits of the exit taken, too.")
def predict(given: str, plain: bool, logits: bool, **options: Any) -> int:
    """RUN is a sweep's folder or a model's (default: the newest sweep under out/).

    A line is {"text": "..."}, with "pair" for tasks on pairs, {"ids": [...]}, or a JSON text; "id" is handed back. For
    each there is one line of JSON on stdout, in order and at once: prediction, label, exit, layer (so many were run),
    confidence, inference_flops; or {"line": 3, "error": "..."}. Exit code 1 if there was an error.
    """
    with _opened(given) as descriptor:
        choice = EngineChoice(**options)
        engine, _, _ = load_engine(choice)
        tally = AnswerTally(engine.model.backbone.num_layers)
        for chunk in Lines(descriptor, MAX_LINE).chunks(BATCHES_AT_ONCE * choice.batch_size):
            shown = answered(engine, chunk, choice.batch_size, tally, plain=plain, logits=logits)
            click.echo("\n".join(json.dumps(line, allow_nan=False) for line in shown))
        click.echo(tally.summary(), err=True)
    return 1 if tally.errors else 0


class AnswerTally:
    """What has been answered so far. layers: of the whole model."""

    def __init__(self, layers: int) -> None:
        self.lines = self.errors = 0
        self._layers, self._layers_run, self._began = layers, 0, time.perf_counter()

    def count(self, answer: Answer | None) -> None:
        """A line more; None is an error."""
        self.lines += 1
        self.errors += answer is None
        self._layers_run += 0 if answer is None else answer.layer

    def summary(self) -> str:
        """`90 examples, 2 errors · mean 3.21 of 6 layers (speed-up 1.87) · 1.2 s`."""
        seconds, good = time.perf_counter() - self._began, self.lines - self.errors
        parts = [f"{good} examples, {self.errors} errors"]
        if good:
            mean = self._layers_run / good
            parts.append(f"mean {mean:.2f} of {self._layers} layers (speed-up {self._layers / mean:.2f})")
        return " · ".join([*parts, f"{format_duration(seconds)} wall clock"])


def answered(
    engine: EarlyExitEngine,
    chunk: Sequence[bytes | None],
    batch_size: int,
    tally: AnswerTally,
    *,
    plain: bool = False,
    logits: bool = False,
) -> Iterator[dict[str, Any]]:
    """One line of output for each line of `chunk`, None for one that was too long, in their order."""
    from greenexp.inference.service.inputs import answer_fields, tokens_of

    read = [_read(engine, line, number == 0 and tally.lines == 0, plain) for number, line in enumerate(chunk)]
    examples = [example for example in read if not isinstance(example, dict)]
    answers = iter(engine.answer(tokens_of(engine, examples), batch_size))
    for example in read:
        if isinstance(example, dict):
            tally.count(None)
            yield {"line": tally.lines, **example}
        else:
            answer = next(answers)
            tally.count(answer)
            yield {"line": tally.lines, **answer_fields(answer, example.identity, logits=logits)}


def _read(engine: EarlyExitEngine, line: bytes | None, first: bool, plain: bool) -> Example | dict[str, Any]:
    """The example on a line, or what is printed instead of an answer."""
    from greenexp.inference.service.inputs import identity_of, parse_json, read_example

    data: Any = None
    try:
        if line is None:
            raise InputError(f"the line is longer than {MAX_LINE:,} bytes")
        content = line.removeprefix(b"\xef\xbb\xbf") if first else line  # the mark some editors put before UTF-8
        data = _text(content) if plain else parse_json(content)
        return read_example(data, engine, MAX_LINE)
    except InputError as error:
        identity = identity_of(data) if isinstance(data, Mapping) else None
        return {**({} if identity is None else {"id": identity}), "error": str(error)}


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8: {error.reason} at byte {error.start + 1}") from error


@contextmanager
def _opened(given: str) -> Iterator[int]:
    """The descriptor to read from; opened before the model is loaded, so that a wrong name is known at once."""
    try:
        descriptor = STDIN if given == "-" else os.open(given, os.O_RDONLY)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise InputError(f"cannot read {'stdin' if given == '-' else given}: {error.strerror}") from error
    try:
        if is_folder:
            raise InputError(f"cannot read {given}: it is a folder")
        yield descriptor
    finally:
        if descriptor != STDIN:
            os.close(descriptor)
