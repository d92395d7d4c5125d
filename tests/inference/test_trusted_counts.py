"""Counting what a foreign `model.py` computes: right, and without harm."""

from __future__ import annotations

import textwrap
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from told import tells

from greenexp.errors import InputError
from greenexp.inference.elue import trusted
from greenexp.inference.elue.counted import _counted
from greenexp.inference.elue.trusted import TrustLimits, count_model
from greenexp.meters.module_macs import ShapePrices
from greenexp.records.module_calls import ModuleCall, parse_calls

BERT = """
from torch import nn
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertEmbeddings, BertLayer, BertPooler

config = BertConfig(num_hidden_layers=2, vocab_size=30, hidden_size=64, num_attention_heads=4, intermediate_size=96)
config._attn_implementation = "{attention}"


class Entire(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.pooler, self.exit = BertEmbeddings(config), BertPooler(config), nn.Linear(64, 3)
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(2))


entire_model = Entire()
module_list = {{"emb": entire_model.emb, "layer_1": entire_model.layers[0], "layer_2": entire_model.layers[1],
               "pooler": entire_model.pooler, "exit_1": entire_model.exit}}
"""
ROW = parse_calls("(9),emb; (9,64),layer_1; (4,64),layer_2; (9,64),pooler; (64),exit_1")


def answer(folder: Path, text: str, calls: tuple[ModuleCall, ...] = ROW) -> dict[str, Any]:
    """In this process."""
    path = folder / "model.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return _counted({"file": str(path), "calls": [[call.name, list(call.shape)] for call in calls]})


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_modules_cost_what_their_shapes_cost(attention: str, tmp_path: Path) -> None:
    told = answer(tmp_path, BERT.format(attention=attention))
    prices = ShapePrices(classes=3, intermediate=96, heads=4)
    for call, one in zip(ROW, told["macs"], strict=True):
        macs = prices.call(call, 64)
        assert macs is not None
        assert one == {"products": macs.products, "counter": macs.counter}, call
    per_layer = 4 * (64 * 64 + 64) + 2 * 64 * 96 + 96 + 64 + 4 * 64
    assert told["parameters"] == 30 * 64 + 512 * 64 + 2 * 64 + 128 + 2 * per_layer + 64 * 65 + 3 * 65


def test_experts_and_shared_weights(tmp_path: Path) -> None:
    told = answer(
        tmp_path,
        """
        import torch
        from torch import nn
        shared = nn.Linear(8, 4, bias=False)
        lstm = nn.LSTMCell(8, 8)
        entire_model = nn.ModuleList([shared, shared])
        module_list = nn.ModuleDict({"expert_1": shared, "lstm": lstm, "conv": nn.Conv1d(3, 5, 2)})
        """,
        (
            ModuleCall("expert_1", (7, 8)),
            ModuleCall("conv", (3, 6)),
            ModuleCall("absent", (3,)),
            ModuleCall("expert_1", (7,)),
        ),
    )
    assert told["parameters"] == 32
    expert, conv, absent, wrong = told["macs"]
    assert expert["products"] == 7 * 32
    assert conv["products"] == 3 * 5 * 2 * 5
    assert "module_list" in absent["problem"]
    assert "RuntimeError" in wrong["problem"]


@pytest.mark.parametrize(("text", "fact"), [("module_list = {}", "entire_model"), ("entire_model = 1", "module_list")])
def test_what_is_missing_is_named(text: str, fact: str, tmp_path: Path) -> None:
    assert fact in answer(tmp_path, text)["problem"]


HARMFUL = """
import os, socket, sys, torch
from torch import nn
told = ["HF_TOKEN" in os.environ, os.path.exists("greenexp"), len(os.listdir("."))]
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2).close()
    told.append("connected")
except OSError:
    told.append("no network")
print("noise")
sys.stdout.write("noise")
raise ValueError(repr(told))
"""


@pytest.mark.slow
def test_it_has_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of this machine is there for us and not for it; with no namespaces it is, and that is said."""
    import socket

    monkeypatch.setenv("HF_TOKEN", "secret")
    path = tmp_path / "model.py"
    with socket.create_server(("127.0.0.1", 0)) as server:
        path.write_text(HARMFUL.format(port=server.getsockname()[1]), encoding="utf-8")
        with pytest.raises(InputError) as refused:
            count_model(path, ROW)
    assert tells(str(refused.value), "model.py … ValueError … [False, False, 0, 'no network']")


FLOOD = """
import sys
for _ in range(2**9):
    sys.stderr.write("x" * 2**16)
sys.stderr.write("\\nthe last word\\n")
"""


def test_what_it_says_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that says 32 MiB, in the place of the one that counts."""
    child, file = tmp_path / "child.py", tmp_path / "model.py"
    child.write_text(FLOOD, encoding="utf-8")
    file.write_text("", encoding="utf-8")
    monkeypatch.setattr(trusted, "_CHILD", child)
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as refused:
            count_model(file, ROW)
        peak_b = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert tells(str(refused.value), "model.py … code 0 … the last word")
    assert peak_b < 2**22


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ("'[' * 100_000", "no counts"),
        ("""'{"macs": [1], "parameters": 1}'""", "something else"),
        ("""'{"macs": [{"products": 1' + '0' * 400 + ', "counter": 1}], "parameters": 1}'""", "count was expected"),
        (r"""'{"problem": "\\ud800' + 'x' * 5000 + '"}'""", "model.py: ?xxx"),
    ],
)
def test_an_answer_that_is_no_count_is_refused(
    answer: str, fact: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, file = tmp_path / "child.py", tmp_path / "model.py"
    child.write_text(f"import os, sys\nos.write(int(sys.argv[1]), ({answer}).encode())\n", encoding="utf-8")
    file.write_text("", encoding="utf-8")
    monkeypatch.setattr(trusted, "_CHILD", child)
    with pytest.raises(InputError) as refused:
        count_model(file, ROW[:1])
    assert tells(str(refused.value), fact), refused.value
    assert len(str(refused.value)) < 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "limits", "facts"),
    [
        ("while True: pass", TrustLimits(wall_s=4), "not counted after 4 s"),
        ("import os; os._exit(7)", TrustLimits(), "code 7"),
        ("x = bytearray(2**33)", TrustLimits(memory_b=2**32), "MemoryError"),
    ],
)
def test_it_ends_at_its_limits(text: str, limits: TrustLimits, facts: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        count_model(path, ROW, limits)
    assert tells(str(refused.value), facts), refused.value
