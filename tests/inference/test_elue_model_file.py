"""`model.py` of a submission: it computes what the trained model computes, and costs what the rows say."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_settings import CASES as CHECKPOINTS
from checkpoint_settings import driven
from encoder_families import VARIANTS, batch, section
from made_settings import made_model_settings

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.inference.elue.counted import _counted
from greenexp.inference.elue.families import FAMILIES
from greenexp.inference.elue.model_file import model_file, module_weights
from greenexp.inference.elue.points import row_calls
from greenexp.meters.module_macs import ShapePrices
from greenexp.model import MultiExitModel, build_model
from greenexp.records.module_calls import ModuleCall

LENGTH = 7


def a_model(variant: str, pooling: str = "pooler", head: str = "linear", **exits: Any) -> MultiExitModel:
    backbone = section(variant, pooling=pooling)
    settings = made_model_settings(backbone=backbone, exits={"layers": [1, 3], "head": {"name": head}, **exits})
    return build_model(settings, 3, vocab_size=50, pad_id=0, seed=0).eval()


def written(model: MultiExitModel, folder: Path) -> dict[str, Any]:
    path = folder / "model.py"
    path.write_text(model_file(model, "a 'trial'"), encoding="utf-8")
    return runpy.run_path(str(path))


CASES = [
    *((variant, "pooler", "linear", {}) for variant in VARIANTS),
    *(("bert", "mean", head, {}) for head in ("linear", "pooled", "attention", "mixed_pool", "scalar_mix")),
    ("modernbert", "mean", "scalar_mix", {}),
    ("modernbert", "pooler", "attention", {}),
    ("bert", "cls", "linear", {}),
    ("bert", "pooler", "linear", {"learned": True}),
]


@pytest.mark.parametrize(("variant", "pooling", "head", "exits"), CASES, ids=str)
def test_it_is_the_same_model(variant: str, pooling: str, head: str, exits: dict[str, Any], tmp_path: Path) -> None:
    model = a_model(variant, pooling, head, **exits)
    names = written(model, tmp_path)
    entire = names["entire_model"]
    assert sum(parameter.numel() for parameter in entire.parameters()) == model.parameter_count()
    entire.load_state_dict(module_weights(model))
    tokens = batch(padded=False, length=LENGTH)
    types = {"token_type_ids": tokens.token_type_ids} if model.backbone.reads_types else {}
    with torch.inference_mode():
        ours, theirs = model(tokens), entire(tokens.input_ids, **types)
    torch.testing.assert_close(torch.stack(theirs), ours, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("variant", "pooling", "head", "exits"), CASES, ids=str)
def test_rows_name_modules_that_take_their_shapes(
    variant: str, pooling: str, head: str, exits: dict[str, Any], tmp_path: Path
) -> None:
    model = a_model(variant, pooling, head, **exits)
    modules = written(model, tmp_path)["module_list"]
    calls = row_calls(model, LENGTH, (1, 2), 2)
    for call in calls:
        kind = torch.long if call.name == "emb" else torch.float32
        out = modules[call.name](torch.zeros(1, *call.shape, dtype=kind))
        assert out.shape[0] == 1
    assert [call.name for call in calls if call.name.startswith("exit")] == ["exit_1", "exit_2"]
    assert sum(call.name == "lte" for call in calls) == (2 if exits else 0)


def test_only_torch_and_transformers_are_imported() -> None:
    for variant in VARIANTS:
        tree = ast.parse(model_file(a_model(variant), "x"))
        imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imports |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.partition(".")[0] for name in imports} == {"torch", "transformers"}


def counted(file: Path, calls: Sequence[ModuleCall]) -> int:
    """FLOPs of a row, from its modules: as `elue check --trust` counts, in this process."""
    told = _counted({"file": str(file), "calls": [[call.name, list(call.shape)] for call in calls]})
    assert [one["problem"] for one in told["macs"] if "problem" in one] == []
    return 2 * sum(one["products"] for one in told["macs"])


@pytest.mark.parametrize(("variant", "pooling", "head", "exits"), CASES, ids=str)
def test_modules_count_what_the_model_costs(
    variant: str, pooling: str, head: str, exits: dict[str, Any], tmp_path: Path
) -> None:
    model = a_model(variant, pooling, head, **exits)
    written(model, tmp_path)
    for length, consulted in ((LENGTH, (1, 2)), (1, (2,))):
        costs = model.exit_costs([length], consulted).dynamic_flops[-1, 0]
        assert counted(tmp_path / "model.py", row_calls(model, length, consulted, 2)) == costs


@pytest.mark.parametrize(("name", "settings"), CHECKPOINTS, ids=str)
def test_settings_of_checkpoints(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Convolutions, other angles and windows, tables that are shared or not."""
    backbone = driven(name, settings)
    last = backbone.num_layers
    made = made_model_settings(backbone=section(name, pooling="mean", layers=last), exits={"layers": [last]})
    model = build_model(made, 3, vocab_size=50, pad_id=0, seed=0).eval()
    model.backbone = backbone
    names = written(model, tmp_path)
    names["entire_model"].load_state_dict(module_weights(model))
    ids = batch(padded=False, length=12).input_ids
    with torch.inference_mode():
        (theirs,) = names["entire_model"](ids)
        torch.testing.assert_close(theirs, model(TokenBatch(ids, None, None))[0], atol=1e-5, rtol=1e-5)
    costs = model.exit_costs([12]).dynamic_flops[-1, 0]
    assert counted(tmp_path / "model.py", row_calls(model, 12, (1,), 1)) == costs


@pytest.mark.parametrize(("pooling", "exits"), [("pooler", (1, 2)), ("mean", (2,)), ("cls", (1, 2))])
def test_shapes_alone_price_a_bert_as_its_own_counter_does(pooling: str, exits: tuple[int, ...]) -> None:
    """Matrix products of the rows, times 2, are the model's FLOPs."""
    model = a_model("bert", pooling)
    prices = ShapePrices(classes=3, intermediate=24, heads=2)
    macs, unknown = prices.row(row_calls(model, LENGTH, exits, 2))
    assert unknown == ()
    costs = model.exit_costs([LENGTH], exits)
    assert 2 * macs.products == costs.dynamic_flops[-1, 0]


def test_a_backbone_that_is_not_written_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FAMILIES, "MPNetConfig")
    with pytest.raises(InputError, match=r"'mpnet'.*type 1"):
        model_file(a_model("mpnet"), "x")


def test_what_has_no_code_is_refused_by_name() -> None:
    settings = made_model_settings(
        backbone=section("bert"), exits={"layers": "all", "head": {"name": "pooled", "untrained_last_below": 0.1}}
    )
    model = build_model(settings, 2, vocab_size=50, pad_id=0, seed=0)
    with pytest.raises(InputError, match=r"'pooled'.*type 1"):
        model_file(model, "x")
