"""Examples as JSON: whatever comes, it is an example or an InputError, and what leaves is JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_served_models import save_tiny

from greenexp.errors import InputError
from greenexp.inference import Answer, EarlyExitEngine, Tokens
from greenexp.inference.service.inputs import (
    FIELDS,
    answer_fields,
    identity_of,
    parse_json,
    read_example,
    sample_fields,
    tokens_of,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=4),
    max_leaves=8,
)
ANSWER = Answer(1, "better", 2, 4, 0.75, (0.0, 1.5), 123)


@pytest.fixture(scope="module", params=[False, True], ids=["texts", "pairs"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EarlyExitEngine:
    return EarlyExitEngine.load(save_tiny(tmp_path_factory.mktemp("model"), pairs=request.param), "max_probability")


@settings(deadline=None)
@given(data=ANYTHING)
def test_anything_is_an_example_or_refused(engine: EarlyExitEngine, data: Any) -> None:
    try:
        example = read_example(data, engine, 50)
    except InputError as error:
        str(error).encode()  # it can be printed, whatever it is about
        return
    (tokens,) = tokens_of(engine, [example])
    engine.checked(tokens)
    assert example.identity is None or json.dumps(example.identity, allow_nan=False)


@settings(deadline=None)
@given(content=st.binary())
def test_any_bytes_are_json_or_refused(content: bytes) -> None:
    try:
        data = parse_json(content)
    except InputError:
        return
    json.dumps(data)


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    for opening in ("[", '{"a":'):
        with pytest.raises(InputError):
            parse_json(opening * depth)


def test_more_digits_than_python_reads() -> None:
    with pytest.raises(InputError, match="Exceeds the limit"):
        parse_json("1" * 5_000)


def test_texts_and_ids_keep_their_places(engine: EarlyExitEngine) -> None:
    pairs = engine.serving is not None and engine.serving.pairs
    text: Any = {"text": "a good film", "pair": "some music"} if pairs else "a good film"
    (encoded,) = engine.encode([("a good film", "some music") if pairs else "a good film"])
    ids = {"ids": [2, 5, 3], "type_ids": [0, 0, 1]} if pairs else {"ids": [2, 5, 3]}
    examples = [read_example(data, engine, 50) for data in (ids, text, ids)]
    found = tokens_of(engine, examples)
    assert [tuple(one.ids) for one in found] == [(2, 5, 3), tuple(encoded.ids), (2, 5, 3)]
    assert found[0].type_ids == ((0, 0, 1) if pairs else None)


def test_the_model_decides_between_texts_and_pairs(engine: EarlyExitEngine) -> None:
    pairs = engine.serving is not None and engine.serving.pairs
    with pytest.raises(InputError, match="'pair' is missing" if pairs else "no 'pair' is allowed"):
        read_example({"text": "a"} if pairs else {"text": "a", "pair": "b"}, engine, 50)


def test_a_model_without_a_tokenizer_reads_ids(engine: EarlyExitEngine) -> None:
    assert engine.serving is not None
    for serving in (None, dataclasses.replace(engine.serving, tokenizer="", pairs=False)):
        bare = EarlyExitEngine(engine.model, "max_probability", text=serving)
        with pytest.raises(InputError, match="without its tokenizer"):
            read_example("a", bare, 50)
        example = read_example({"ids": [1, 2]}, bare, 50)
        assert tokens_of(bare, [example]) == [Tokens((1, 2))]


def test_an_answer_as_json() -> None:
    assert answer_fields(ANSWER, "x") == {
        "id": "x", "prediction": 1, "label": "better", "exit": 2, "layer": 4, "confidence": 0.75,
        "inference_flops": 123,
    }  # fmt: skip
    bad = dataclasses.replace(ANSWER, prediction=math.nan, confidence=math.nan, logits=(math.inf, 1.0))
    fields = answer_fields(bad, 0, logits=True)
    assert (fields["id"], fields["prediction"], fields["confidence"], fields["logits"]) == (0, None, None, [None, 1.0])
    json.dumps(fields, allow_nan=False)


@pytest.mark.parametrize(("value", "back"), [("", ""), (0, 0), (1.5, 1.5), (True, None), (math.nan, None), ([], None)])
def test_what_an_id_may_be(value: Any, back: Any) -> None:
    assert identity_of({"id": value}) == back


@pytest.mark.parametrize("reads_text", [True, False])
def test_the_sample_of_a_model_is_one_that_it_answers(engine: EarlyExitEngine, reads_text: bool) -> None:
    assert engine.serving is not None
    tokenizer = engine.serving.tokenizer if reads_text else ""
    serving = dataclasses.replace(engine.serving, tokenizer=tokenizer)
    served = EarlyExitEngine(engine.model, "max_probability", text=serving)
    example = read_example(sample_fields(served), served, 100)
    assert (example.texts is not None) == reads_text
    served.answer(tokens_of(served, [example]), 1)
