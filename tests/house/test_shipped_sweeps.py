"""Every sweep file that greenexp brings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from made_benchmarks import WORDS, write_elue
from made_settings import made_model_settings
from transformers import BertConfig, BertModel

from greenexp.assets import find, find_sweep, shipped_sweeps
from greenexp.model import build_model, save_model
from greenexp.plan import make_plan, price_plan
from greenexp.plan.data import backbone_assets, task_assets
from greenexp.records.settings import Settings
from greenexp.spec import load_sweep

TAUGHT = (4, 5, 6, 7, 13)
"""Points of the sweeps `static` and `static-mrpc` whose methods have a teacher."""
SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


def assets_of(settings: Settings) -> tuple[str, ...]:
    """What the sweep's task and backbone read by name."""
    return (*task_assets(settings), *backbone_assets(settings))


def test_all_files_are_shipped() -> None:
    assert set(shipped_sweeps()) == {path.stem for path in SWEEPS.glob("*.yaml")}
    assert "smoke" in shipped_sweeps()


@pytest.mark.parametrize("name", shipped_sweeps())
def test_a_shipped_sweep_plans(name: str) -> None:
    assert make_plan(load_sweep(find_sweep(name))).spec.name == name


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What a user brings to the sweeps over methods, in small: ELUE's folder, and a BERT of twelve layers."""
    elue, weights = write_elue(tmp_path_factory.mktemp("elue")), tmp_path_factory.mktemp("weights")
    (weights / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    sizes = {"hidden_size": 12, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 24}
    with torch.random.fork_rng(devices=[]):
        BertModel(BertConfig(vocab_size=5 + len(WORDS), **sizes), add_pooling_layer=False).save_pretrained(weights)
    teacher = tmp_path_factory.mktemp("teacher")
    backbone = {"name": "bert", "layers": 6, "hidden": 12, "heads": 2, "intermediate": 20}
    save_model(build_model(made_model_settings(backbone=backbone), 2, 30, 0, seed=0), teacher)
    taught = {f"search.points.{place}.method.teacher": teacher for place in TAUGHT}
    text = tmp_path_factory.mktemp("corpus") / "documents.txt"
    text.write_text("\n\n".join(f"Text {number} begins.\nIt ends." for number in range(100)))
    return {"task.folder": elue, "backbone.source": weights, "task.files": text, **taught}


@pytest.mark.parametrize("name", shipped_sweeps())
def test_a_shipped_sweep_has_a_price(name: str, brought: Mapping[str, Path]) -> None:
    kind = "static" if name == "static-mrpc" else name
    wanted = {
        "elue": ["task.folder"],
        "methods": ["task.folder"],
        "methods-12-layers": ["task.folder", "backbone.source"],
        "pretraining": ["task.files"],
        "static": ["task.folder", *(path for path in brought if path.startswith("search."))],
    }.get(kind, [])
    overrides = [f"{path}={brought[path]}" for path in wanted]
    overrides += ["task.train_size=null", "task.dev_size=null"] if kind == "static" else []
    if name == "cifar":  # some hundred epochs, of which each draws its batches
        overrides += ["training.epochs=2", "search.points.3.training.epochs=4"]
    overrides += ["task.task=SST-2"] if name == "static-mrpc" else []
    if overrides:  # long sweeps: one seed tells as much
        overrides += ["seeds.initialisation=1", "seeds.order=1"]
    plan = make_plan(load_sweep(find_sweep(name), overrides))
    for asset in assets_of(plan.trials[0].settings):
        if find(asset) is None:
            pytest.skip(f"asset {asset} has not been fetched on this machine")
    price = price_plan(plan)
    assert price.bounds["trials"].most == len(plan.trials)
    assert (price.bounds["train_flops"].most or 0) > 0


def test_the_quickstart_says_what_it_will_fetch() -> None:
    plan = make_plan(load_sweep(find_sweep("quickstart")))
    assert assets_of(plan.trials[0].settings) == ("hutto-movie-snippets", "minilm-l6")
