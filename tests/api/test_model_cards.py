"""Model cards and folders for the hub: checked by the library that reads them, loaded back, with nothing to execute."""

from __future__ import annotations

import dataclasses
import doctest
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard, ModelCardData, metadata_load
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from made_sweeps import sweep, with_thresholds
from safetensors.torch import load_file
from tiny_served_models import KEPT, texts, write_sweep
from told import tells
from transformers import AutoModel, AutoTokenizer

from greenexp.api import cards
from greenexp.api.models import engine
from greenexp.api.sweeps import Sweep
from greenexp.backbones.base import TokenBatch
from greenexp.errors import CheckpointError, InputError
from greenexp.model import load_model
from greenexp.records.history import SweepHistory
from greenexp.records.sections import Accounting
from greenexp.report.model_card import CardModel, model_card

GERMANY = {
    "package": "p",
    "version": "1",
    "region": "DEU",
    "row": "Germany (DEU)",
    "year": 2024,
    "g_per_kwh": 344.0,
}
REGION = {
    "region": "DEU",
    "carbon_g_per_kwh": 344.0,
    "carbon_source": GERMANY,
}
MODEL = CardModel("c002-i1-o0", 2, ("no", "yes"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("cards") / "tiny")


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    return cards.export_hub(folder, out=folder / "handed-on")


@cache
def replayed():
    return with_thresholds(sweep(3, 2, energy_j=3.0), 60, test=True, only=(MODEL.trial,))


def metered(**accounting):
    """A made sweep whose trials emitted something: 1 g per epoch."""
    made = replayed()
    spec = made.spec.model_copy(update={"accounting": Accounting.model_validate(accounting)})
    made = dataclasses.replace(made, spec=spec)
    grams = made.trials["epochs"].astype(float)
    ledger = made.ledger.assign(used=np.where(made.ledger["axis"] == "carbon_g", grams.sum(), made.ledger["used"]))
    history = dataclasses.replace(
        made.history, sessions=({"measured": {"energy_j": [True, "counters of gpu"]}, "machine": {"cpu": "A CPU"}},)
    )
    epochs = made.epochs.assign(device="A GPU")
    return dataclasses.replace(
        made, trials=made.trials.assign(carbon_g=grams), ledger=ledger, history=history, epochs=epochs
    )


def metadata(text: str, tmp_path: Path) -> dict:
    file = tmp_path / "README.md"
    file.write_text(text, encoding="utf-8")
    found = metadata_load(file)
    assert found is not None
    return found


def test_metadata_is_what_the_library_reads_and_survives_a_round_trip(tmp_path: Path) -> None:
    text = model_card(metered(**REGION), MODEL)
    found = metadata(text, tmp_path)
    card = ModelCard(text)
    assert isinstance(card.data, ModelCardData)
    name, results = model_index_to_eval_results(found["model-index"])
    assert name == f"made-{MODEL.trial}"
    again = eval_results_to_model_index(name, results)
    assert model_index_to_eval_results(again)[1] == results
    assert len(results) > 3
    assert all(isinstance(result.metric_value, float) for result in results)
    assert {result.dataset_split for result in results} <= {"test", "validation"}
    assert ModelCardData(**found).to_dict() == card.data.to_dict()


def test_emissions_are_grams_of_the_whole_search_and_say_so(tmp_path: Path) -> None:
    text = model_card(metered(**REGION), MODEL)
    emissions = metadata(text, tmp_path)["co2_eq_emissions"]
    assert tells(text, "344.0 g/kWh … 2024 for Germany (DEU) in p 1")
    assert emissions["emissions"] == 54.0, "grams of all 6 trials, 9 each"
    assert tells(emissions["source"], "whole search, 6 trials … this model alone: 9 g … counters of gpu")
    assert emissions["geographical_location"] == "Germany (DEU)"
    assert emissions["hardware_used"] == "A GPU"
    assert emissions["training_type"] == "pre-training", "from random weights"


def test_what_was_not_measured_or_stated_is_not_in_the_metadata(tmp_path: Path) -> None:
    found = metadata(model_card(sweep(3, 2), MODEL), tmp_path)
    assert "co2_eq_emissions" not in found
    assert "license" not in found
    assert "language" not in found
    without_region = metadata(model_card(metered(carbon_g_per_kwh=10.0), MODEL), tmp_path)
    assert "geographical_location" not in without_region["co2_eq_emissions"]


def test_what_only_the_author_knows_is_left_to_the_author() -> None:
    assert "To be written by the author" in model_card(sweep(3, 2), MODEL)
    other = CardModel("c000-i0-o0", 2)
    assert "not one of the configuration that the sweep chose" in model_card(sweep(3, 2), other)


def test_a_hub_id_is_named_as_base_model_and_a_path_is_not(tmp_path: Path) -> None:
    for source, expected in (("owner/name@0123456789", "owner/name"), ("/somewhere/private", None)):
        made = sweep(2, 1, backbone={"name": "bert", "source": source})
        text = model_card(made, CardModel("c000-i0-o0", 2))
        assert metadata(text, tmp_path).get("base_model") == expected
        assert "private" not in text


def test_folders_of_the_author_are_not_published() -> None:
    values = ["/somewhere/private/model-a", "~/private/model-b", "owner/name"]
    space = {"training.learning_rate": {"dist": "choice", "values": values}}
    text = model_card(sweep(2, 1, space=space), CardModel("c000-i0-o0", 2))
    assert tells(text, "one of model-a, model-b, owner/name")
    assert "private" not in text


def test_a_sweep_without_a_score_has_a_card_all_the_same() -> None:
    made = dataclasses.replace(sweep(1, 1, ends={"c000": ("failed", 1)}), history=SweepHistory("made"))
    assert model_card(made, CardModel("c000-i0-o0", 1)).startswith("---\n")


@pytest.mark.parametrize(
    "documented", [cards.model_card, cards.export_hub, Sweep.price_tag], ids=lambda made: made.__name__
)
def test_the_examples_in_the_docstrings_are_true(
    documented: Callable[..., object], folder: Path, tmp_path: Path
) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    (example,) = finder.find(documented, globs={"folder": folder, "out": tmp_path / "hub"})
    runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def test_an_exported_model_gives_the_logits_of_the_kept_one(folder: Path, exported: Path) -> None:
    kept, handed_on = load_model(folder / "models" / KEPT[0]), load_model(exported)
    tokens = engine(exported, policy="static:1").encode(texts(20))
    for one in tokens:
        batch = TokenBatch(torch.tensor([list(one.ids)]))
        with torch.inference_mode():
            pairs = zip(kept.outputs(batch).logits, handed_on.outputs(batch).logits, strict=True)
            assert all(torch.equal(left, right) for left, right in pairs)


def test_the_encoder_loads_without_greenexp_and_gives_the_same_logits(exported: Path) -> None:
    """As the card's own code does it; this model's exits see the mean over tokens."""
    tokenizer = AutoTokenizer.from_pretrained(exported)
    encoder = AutoModel.from_pretrained(exported, use_safetensors=True).eval()
    heads = load_file(exported / "exits.safetensors")
    ours = load_model(exported)
    ids = tokenizer("a good film with no plot", return_tensors="pt")["input_ids"]
    (expected,) = engine(exported, policy="static:1").encode(["a good film with no plot"])
    assert ids[0].tolist() == list(expected.ids)
    with torch.inference_mode():
        states = encoder(input_ids=ids, output_hidden_states=True).hidden_states
        logits = ours.outputs(TokenBatch(ids)).logits
    for place, layer in enumerate(ours.exit_layers):
        by_hand = states[layer].mean(dim=1) @ heads[f"{place}.classifier.weight"].T + heads[f"{place}.classifier.bias"]
        torch.testing.assert_close(by_hand, logits[place])


class Bomb:
    def __reduce__(self):
        return (Path("/nowhere").mkdir, ())


def test_nothing_that_could_be_executed_is_handed_on_or_read(folder: Path, tmp_path: Path) -> None:
    sweep_folder = Path(shutil.copytree(folder, tmp_path / "tiny"))
    model = sweep_folder / "models" / KEPT[0]
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    (model / "modeling.py").write_text("raise SystemExit('executed')")
    out = cards.export_hub(sweep_folder)
    assert out == sweep_folder / "hub" / KEPT[0]
    assert {path.suffix for path in out.iterdir()} == {".json", ".safetensors", ".md"}
    shutil.copy(model / "pytorch_model.bin", out)
    assert load_model(out).num_labels == 2


def test_a_manifest_that_names_other_files_is_refused(folder: Path, tmp_path: Path) -> None:
    sweep_folder = Path(shutil.copytree(folder, tmp_path / "tiny"))
    model = sweep_folder / "models" / KEPT[0]
    (model / "more.bin").write_bytes(b"")
    manifest = json.loads((model / "greenexp.json").read_text())
    manifest["files"]["more.bin"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (model / "greenexp.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"more\.bin"):
        cards.export_hub(sweep_folder)
    assert not (sweep_folder / "hub" / KEPT[0]).exists()


def test_the_folder_that_the_weights_began_from_is_not_published(folder: Path, tmp_path: Path) -> None:
    sweep_folder = Path(shutil.copytree(folder, tmp_path / "tiny"))
    manifest = sweep_folder / "models" / KEPT[0] / "greenexp.json"
    content = json.loads(manifest.read_text())
    shape = ("hidden", "heads", "intermediate", "max_positions")
    content["settings"]["backbone"] |= {"source": "/somewhere/private/minilm-l6", **dict.fromkeys(shape)}
    manifest.write_text(json.dumps(content))
    out = cards.export_hub(sweep_folder)
    assert not any(b"private" in path.read_bytes() for path in out.iterdir())
    assert load_model(out).num_labels == 2


def test_a_configuration_that_names_code_is_refused(folder: Path, tmp_path: Path) -> None:
    sweep_folder = Path(shutil.copytree(folder, tmp_path / "tiny"))
    model = sweep_folder / "models" / KEPT[0]
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Model"}}))
    manifest = json.loads((model / "greenexp.json").read_text())
    manifest["files"]["config.json"] = hashlib.sha256((model / "config.json").read_bytes()).hexdigest()
    (model / "greenexp.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="auto_map"):
        cards.export_hub(sweep_folder)


def test_a_folder_that_holds_something_is_left_alone(folder: Path, exported: Path) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    with pytest.raises(InputError, match="holds something already"):
        cards.export_hub(folder, out=exported)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_a_model_without_its_sweep_has_no_card(exported: Path) -> None:
    with pytest.raises(InputError, match="does not lie in a sweep"):
        cards.model_card(exported)
