"""The text of a model card: results, how the model was chosen, what it cost; what only its author knows is marked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from greenexp.records.tables import SweepTables
from greenexp.report.checklists import record
from greenexp.report.checklists.record import RecordFacts
from greenexp.report.markdown import markdown_report, markdown_sections
from greenexp.report.model_card.metadata import card_metadata
from greenexp.report.model_card.model import CardModel, exit_scores
from greenexp.report.model_card.points import card_points
from greenexp.report.section import Section
from greenexp.report.sections.costs import carbon_factors
from greenexp.report.sections.price_tag import price_table, totals
from greenexp.report.sections.settings import setting_of
from greenexp.report.table import Column, Table

_FOLDER = re.compile(r"(?<![\w.:/~])~?/(?:[^\s,;/]+/)*(?=[^\s,;/])")
"""The folder before the name of a file: of an absolute path, or one in somebody's home."""
BY_AUTHOR = "To be written by the author."
_USE = """## Use

With greenexp (`pip install 'greenexp[train]'`), an example leaves at the exit that the policy chooses:

```python
from greenexp.api.models import engine

model = engine("FOLDER", policy="max_probability:0.9")
for answer in model.answer(model.encode(["an example"]), batch_size=8):
    print(answer.label, answer.exit, answer.layer)
```

The encoder alone, with transformers; the weights of the exits are tensors, those of exit n are called `n-1.*`:

```python
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
encoder = AutoModel.from_pretrained("FOLDER", use_safetensors=True)
exits = load_file("FOLDER/exits.safetensors")
```

FOLDER is the folder of this card. It holds tensors and JSON alone: nothing in it is executed or unpickled."""
_USE_OF_IMAGES = """## Use

With greenexp (`pip install 'greenexp[train]'`), an image, uint8 [3, n, n], leaves at the exit that the policy chooses:

```python
from greenexp.api.models import engine
from greenexp.inference.answers import Image

model = engine("FOLDER", policy="max_probability:0.9")
for answer in model.answer([Image(pixels)], batch_size=8):
    print(answer.label, answer.exit, answer.layer)
```

FOLDER is the folder of this card. It holds tensors and JSON alone: nothing in it is executed or unpickled."""


def model_card(tables: SweepTables, model: CardModel) -> str:
    """The file README.md of a model: metadata, and text in Markdown."""
    facts = RecordFacts(tables, model.trial)
    title = f"{tables.history.name}, {model.trial}"
    use = _USE_OF_IMAGES if model.images else _USE
    head = markdown_report(title, (_about(facts, model), _intended()))
    tail = markdown_sections(
        (_exits(facts, model), _points(facts, model), _chosen(facts), _training(facts), _price(facts))
    )
    return f"---\n{card_metadata(facts, model).to_yaml()}\n---\n\n{head}\n{use}\n\n{tail}"


def _about(facts: RecordFacts, model: CardModel) -> Section:
    spec = facts.tables.spec
    method = model.setting(facts.tables, "method.name", spec.method.name)
    backbone = model.setting(facts.tables, "backbone.name", spec.backbone.name)
    what = f"classes: {', '.join(model.labels)}" if model.labels else f"{model.num_labels} outputs"
    kind = "network" if model.images else "encoder"
    pairs = " of two texts" if model.pairs else ""
    exits = exit_scores(facts.tables, model.trial, facts.metric.name)
    places = ", ".join(str(layer) for layer in exits["layer"])
    return Section(
        "about",
        "What it is",
        paragraphs=(
            (
                f"A multi-exit {kind} ({backbone}) with exits after layers {places}, trained with the method {method} "
                f"on the task {spec.task.name}. An input{pairs} may leave it at each exit; {what}."
            ),
            *filter(None, (record.parameters(facts),)),
        ),
    )


def _intended() -> Section:
    return Section(
        "intended",
        "Intended use, limits and licence",
        paragraphs=(
            f"{BY_AUTHOR} The record of the sweep says nothing about intended use, risks, language and licence.",
        ),
    )


def _exits(facts: RecordFacts, model: CardModel) -> Section:
    metric = facts.metric.name
    columns = (
        Column("exit", "Exit", "count"),
        Column("layer", "Layer", "count"),
        Column("dev", f"Dev {metric}", "score"),
        Column("test", f"Test {metric}", "score", missing="not evaluated"),
        Column("speed_up", "Speed-up (layers)", "factor"),
        Column("inference_flops", "FLOPs per dev example", "quantity", "FLOP", "not measured"),
    )
    frame = exit_scores(facts.tables, model.trial, metric)
    note = "Each exit answers every example. Speed-up: layers of the encoder over layers used."
    return Section(
        "exits", "Results per exit", tables=(Table("exits", f"Exits of {model.trial}", frame, columns, note),)
    )


def _points(facts: RecordFacts, model: CardModel) -> Section:
    frame = card_points(facts.tables, model.trial)
    title = "Results per operating point"
    if frame.empty:
        return Section("points", title, ("No operating points of exit policies are on record for this model.",))
    metric = facts.metric.name
    columns = (
        Column("setting", "Policy and threshold"),
        Column("dev_score", f"Dev {metric}", "score"),
        Column("dev_speed_up", "Dev speed-up", "factor"),
        Column("test_score", f"Test {metric}", "score", missing="not evaluated"),
        Column("test_speed_up", "Test speed-up", "factor", missing="not evaluated"),
        Column("inference_flops", "FLOPs per example", "quantity", "FLOP", "not measured"),
    )
    shown = frame.assign(setting=[setting_of(point) for _, point in frame.iterrows()])
    on_test = frame["test_score"].notna().any()
    note = (
        "Thresholds were chosen on dev, and then evaluated on test once."
        if on_test
        else "Thresholds and scores are of the same dev set, so the scores are too good on average."
    )
    return Section("points", title, tables=(Table("points", "Exit policies", shown, columns, note),))


def _chosen(facts: RecordFacts) -> Section:
    said: tuple[str, ...] = (
        record.search_bounds(facts),
        record.number_of_runs(facts),
        record.best_values(facts),
        record.selection(facts),
        record.dev_score(facts),
        record.score_on_test(facts),
        record.expected_performance(facts),
    )
    if facts.trial and facts.trial not in facts.chosen.trials:
        said = (f"This model, {facts.trial}, is not one of the configuration that the sweep chose.", *said)
    return Section("chosen", "How it was chosen", paragraphs=_public(said))


def _training(facts: RecordFacts) -> Section:
    said = (
        record.setup(facts),
        record.split_sizes(facts),
        record.infrastructure(facts),
        record.run_time(facts),
        record.versions(facts),
    )
    return Section("training", "Training", paragraphs=_public(said))


def _public(said: Sequence[str]) -> tuple[str, ...]:
    """What is on record, without the folders of files on the author's machine: a card is published."""
    return tuple(_FOLDER.sub("", text) for text in said if text)


def _price(facts: RecordFacts) -> Section:
    if facts.price.refusal:
        return Section("price", "What it cost", (f"Not on record: {facts.price.refusal}.",))
    return Section(
        "price",
        "What it cost",
        totals(facts.price, facts.tables)[:1],
        paragraphs=(
            (
                "The search is all trials: finished, stopped and failed, with repeated and lost work as far as it was "
                "measured. E·D·H is the cost of a training example × examples in the training set × experiments, after "
                "Schwartz et al. (Green AI, 2020)."
            ),
            *filter(None, (carbon_factors(facts.tables.spec.accounting),)),
        ),
        tables=(price_table(facts.price, facts.tables, "This model"),),
    )
