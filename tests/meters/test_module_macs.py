"""Multiply-adds from shapes against the numbers of ELUE's official counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greenexp.errors import InputError
from greenexp.meters.module_macs import ModuleMacs, ShapePrices, embedding_macs, layer_macs, linear_macs
from greenexp.records.module_calls import ModuleCall, calls_text, parse_calls

# fastnlp/ElasticBERT@ffb827b4, FLOPs/flops_counter.py, run on ElasticBERT-base with two classes, transformers 5.23:
# layers, tokens -> multiply-adds.
COUNTER = {
    (1, 8): 57351168, (1, 15): 107179800, (1, 64): 460260864, (1, 128): 932709888,
    (2, 8): 114098688, (2, 15): 213745200, (2, 64): 919832064, (2, 128): 1864631808,
    (6, 8): 341088768, (6, 15): 640006800, (6, 64): 2758116864, (6, 128): 5592319488,
    (12, 8): 681573888, (12, 15): 1279399200, (12, 64): 5515544064, (12, 128): 11183851008,
}  # fmt: skip


def row(layers: int, tokens: int) -> str:
    ran = "".join(f"({tokens},768),layer_{number}; " for number in range(1, layers + 1))
    return f"({tokens}),emb; {ran}({tokens},768),pooler; (768),classifier"


@pytest.mark.parametrize(("layers", "tokens"), COUNTER)
def test_rows_cost_what_the_official_counter_says(layers: int, tokens: int) -> None:
    macs, unknown = ShapePrices(classes=2).row(parse_calls(row(layers, tokens)))
    assert (macs.counter, unknown) == (COUNTER[layers, tokens], ())
    beside = layers * (12 * 2 * tokens**2 + 4 * tokens * 768) + 2 * tokens * 768
    assert macs.products == macs.counter - beside


def test_the_other_models_of_the_counter_are_reproduced(reference: Callable[[str], Any]) -> None:
    """BERT has no classifier there, ALBERT projects embeddings of 128 and has a pooler."""
    seen = set()
    for case in reference("elue_macs")["counts"]:
        tokens = case["length"]
        total = sum((layer_macs(tokens, 768, 3072, 12) for _ in range(case["layers"])), ModuleMacs(0, 0))
        albert, elastic = case["model"].startswith("albert"), case["model"].startswith("elastic")
        total += embedding_macs(tokens, 128, 768) if albert else embedding_macs(tokens, 768)
        total += linear_macs(768, 768) + (linear_macs(768, 2) if elastic else ModuleMacs(0, 0))
        assert total.counter == case["macs"], case
        seen.add(case["model"])
    assert len(seen) >= 2


def test_both_spellings_are_one_row_and_are_written_again() -> None:
    spaced = "(10),emb; (10,768),layer_1; (768),exit_1"
    calls = parse_calls(spaced)
    assert (
        calls
        == parse_calls("(10),emb;(10,768),layer_1;(768),exit_1")
        == parse_calls(" ( 10 ,),emb;(10, 768),layer_1; (768) , exit_1;")
    )
    assert calls[1] == ModuleCall("layer_1", (10, 768))
    assert calls_text(calls) == spaced


@pytest.mark.parametrize(
    "text",
    ["", "emb", "(10)emb", "(10),", "(a),emb", "(0),emb", "(10,2,3,4,5),emb", f"({2**21}),emb", f"({'9' * 5000}),emb"],
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"modules|module 1"):
        parse_calls(text)


@pytest.mark.parametrize("shape", ["(1" + " " * 2**20 + "x)", "(" + "1," * 2**19 + "x)", "(1 " + "," * 2**20])
def test_a_long_part_that_is_no_call_is_read_once(shape: str) -> None:
    """Where a pattern tries each way to divide it, the first of these takes half an hour."""
    with pytest.raises(InputError) as refused:
        parse_calls(f"{shape},emb")
    assert len(str(refused.value)) < 200


def test_a_long_name_is_of_no_kind_at_once() -> None:
    (call,) = parse_calls(f"(5,16),expert_{'1' * 5000}x")
    assert ShapePrices(classes=2).call(call, 16) is None


def test_sizes_that_are_named_count() -> None:
    prices = ShapePrices(classes=3, intermediate=32, heads=2)
    macs, unknown = prices.row(
        parse_calls("(5),emb;(5,16),layer_1;(16),lte;(16),exit_1;(2,16),expert_3;(5,16),exit_1;(4,4),x")
    )
    layer = layer_macs(5, 16, 32, 2)
    assert macs.products == layer.products + 16 + 48 + 2 * 2 * 16 * 32
    assert unknown == ("(5,16),exit_1", "(4,4),x")
    with pytest.raises(InputError, match="heads"):
        ShapePrices(classes=2, heads=0)
