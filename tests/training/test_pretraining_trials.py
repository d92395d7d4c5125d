"""Pre-training as a trial: what it reports, whence it goes on, and what its model is good for afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from greenexp.api.elasticbert import export_elasticbert
from greenexp.backbones import BACKBONES
from greenexp.backbones.elasticbert import ElasticBertBackbone
from greenexp.cli.sweeps.export import export
from greenexp.errors import InputError
from greenexp.journal.chosen_model import deliver
from greenexp.methods.adapt import check_tokens
from greenexp.model import build_model, load_model
from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord
from greenexp.records.masking import NOT_MASKED
from greenexp.records.sections import CompressionChoice
from greenexp.records.trial import TrialSpec
from greenexp.tasks.corpus import Corpus
from greenexp.tasks.masking import OF_DEV
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun

Trials = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]
TOKEN_METRICS = ("mlm_accuracy", "mlm_loss", "pretraining_loss")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> TokenisedTask:
    """48 training and some dev examples."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(13)]
    folder = tmp_path_factory.mktemp("corpus")
    texts = ["\n".join(" ".join((*rng.choice(words, 5), ".")) for _ in range(4)) for _ in range(70)]
    (folder / "documents.txt").write_text("\n\n".join(texts))
    task = Corpus(files=str(folder / "*.txt"), words=24, dev=0.2, train_size=48).load()
    texts_read = [*task.train.texts, *(task.train.pairs or ())]
    return tokenise(task, word_tokenizer(texts_read, masks=True), 32)


@pytest.fixture(scope="module")
def pretraining(trial: Trials) -> Trials:
    """`pretraining(groups=2, epochs=2, ...)`: fields of the method, then those of `trial`."""

    def make(metric: str = "mlm_accuracy", head: str = "pretraining", **fields: Any) -> TrialSpec:
        own = {name: fields.pop(name) for name in ("exits", "equilibrium", "groups", "grouping") if name in fields}
        mode = "max" if metric.endswith("accuracy") else "min"
        return trial(
            method={"name": "elasticbert_pretraining", **own},
            exits={"head": {"name": head}},
            metric={"name": metric, "exit": "last", "mode": mode},
            **{"epochs": 2, "learning_rate": 1e-2, **fields},
        )

    return make


def test_a_report_holds_both_answers_of_every_exit(
    pretraining: Trials, documents: TokenisedTask, tmp_path: Path
) -> None:
    spec = pretraining(metric="pretraining_loss", epochs=3)
    with TrialRun(spec, documents, logits_folder=tmp_path, model_folder=tmp_path / "model") as run:
        records = list(run)
    assert records[-1].best_score < records[0].score
    for record in records:
        assert [score.exit for score in record.exits] == [1, 2]
        for exit_score in record.exits:
            values = exit_score.metrics
            assert values["pretraining_loss"] == values["mlm_loss"] + values["loss"]
            assert 0 <= values["mlm_accuracy"] <= 1
        assert record.score == record.exits[-1].metrics["pretraining_loss"]
        assert record.dev_logits is None
    best = min(records, key=lambda record: record.score)
    check_scores(load_model(tmp_path / "model"), documents, best)


def check_scores(model: Any, data: TokenisedTask, record: EpochRecord) -> None:
    """Example by example, token by token."""
    assert data.masking is not None
    dev, losses, right = data.dev, [], []
    for row in range(len(dev)):
        ids = dev.ids[dev.offsets[row] : dev.offsets[row + 1]].astype(np.int64)[None]
        masked = data.masking.masked(ids, np.array([ids.shape[1]]), np.array([row]), *OF_DEV)
        types = dev.type_ids[dev.offsets[row] : dev.offsets[row + 1]].astype(np.int64)[None]
        with torch.inference_mode():
            state = model.backbone.model(
                input_ids=torch.from_numpy(masked.input_ids), token_type_ids=torch.from_numpy(types)
            ).last_hidden_state[0]
            head, table = model.heads[-1], model.backbone.model.embeddings.word_embeddings.weight
            for place, target in zip(masked.places[0], masked.targets[0], strict=True):
                if target != NOT_MASKED:
                    hidden = head.norm(torch.nn.functional.gelu(head.transform(state[place])))
                    logits = table @ hidden + head.token_bias
                    losses.append(-torch.log_softmax(logits, 0)[target].item())
                    right.append(logits.argmax().item() == target)
    assert record.exits[-1].metrics["mlm_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert record.exits[-1].metrics["mlm_accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.parametrize("steps", [1, 4], ids=["within an epoch", "in the second one"])
def test_a_paused_run_goes_on_with_the_same_numbers(
    steps: int, pretraining: Trials, documents: TokenisedTask, numbers: Numbers, folder: Path
) -> None:
    spec = pretraining(groups=2, grouping="random")
    with TrialRun(spec, documents) as run:
        expected = [numbers(record) for record in run]
    found = []
    with TrialRun(spec, documents) as run:
        while run.step < steps:
            record = run.train_on(lambda: run.step >= 0)
            found += [] if record is None else [numbers(record)]
        run.save(folder)
    with TrialRun(spec, documents) as run:
        run.load(folder)
        found += [numbers(record) for record in run]
    assert found == expected


def test_a_batch_in_pieces_gives_the_same_numbers(pretraining: Trials, documents: TokenisedTask) -> None:
    ways = []
    for at_once in (None, 5):
        with TrialRun(pretraining(groups=2), documents, at_once=at_once) as run:
            ways.append(list(run))
    for whole, pieces in zip(*ways, strict=True):
        assert pieces.train_loss == pytest.approx(whole.train_loss, rel=1e-5)
        for one, other in zip(whole.exits, pieces.exits, strict=True):
            assert other.metrics["mlm_loss"] == pytest.approx(one.metrics["mlm_loss"], rel=1e-4)


@pytest.mark.parametrize("fields", [{}, {"groups": 2, "micro_batch_size": 6}, {"exits": "last"}], ids=str)
def test_what_is_spent_is_what_was_priced(
    fields: dict[str, Any], pretraining: Trials, documents: TokenisedTask
) -> None:
    spec = pretraining(**fields)
    with TrialRun(spec, documents) as run:
        records = list(run)
    priced = epoch_flops(spec, documents)
    assert tuple(record.costs.train_flops for record in records) == priced.training
    assert tuple(record.costs.eval_flops for record in records) == priced.evaluation
    trained = (2,) if "exits" in fields else (1, 2)
    assert {tuple(score.exit for score in record.exits) for record in records} == {trained}


def test_a_model_is_a_source_and_an_official_checkpoint(
    pretraining: Trials, documents: TokenisedTask, tmp_path: Path
) -> None:
    with TrialRun(pretraining(epochs=1), documents, model_folder=tmp_path / "model") as run:
        next(run)
    trained = load_model(tmp_path / "model")
    official = tmp_path / "official"
    told = CliRunner().invoke(export, [str(tmp_path / "model"), "--format", "elasticbert", "--out", str(official)])
    assert told.output.split() == [str(official)]
    elsewhere = tmp_path / "of another machine"
    deliver(str(elsewhere), tmp_path / "model")
    for source in (tmp_path / "model", official, elsewhere):
        plugin = BACKBONES["elasticbert"](source=str(source))
        backbone = plugin.build(documents.vocab_size, documents.pad_id)
        assert isinstance(backbone, ElasticBertBackbone)
        own = trained.backbone.model.state_dict()
        assert all(torch.equal(value, own[name]) for name, value in backbone.model.state_dict().items() if name in own)
        for layer in (1, 2):
            assert torch.equal(backbone.pooler_for(layer).weight, trained.heads[layer - 1].pooler.weight)
        assert torch.equal(backbone.model.pooler.dense.weight, trained.heads[1].pooler.weight)
        assert plugin.tokenizer().to_str() == documents.tokenizer
    with pytest.raises(InputError, match="holds something already"):
        export_elasticbert(tmp_path / "model", out=official)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": {"name": "pabee"}}, "predicts masked tokens, which only"),
        ({"exits": {"head": {"name": "pooled"}}}, "write `pretraining`: other heads"),
        ({"backbone": {"name": "albert"}}, "not as wide as its hidden states"),
        ({"compression": {"name": "int8"}}, "leave it out here"),
    ],
)
def test_what_does_not_fit_together(
    changes: dict[str, Any], message: str, trial: Trials, documents: TokenisedTask
) -> None:
    fields = {"method": {"name": "elasticbert_pretraining"}, "exits": {"head": {"name": "pretraining"}}, **changes}
    compression = CompressionChoice(**fields.pop("compression", {"name": "none"}))
    settings = dataclasses.replace(trial(**fields).settings, compression=compression)
    model = build_model(settings.model, 2, documents.vocab_size, documents.pad_id, seed=0, device="meta")
    with pytest.raises(InputError, match=message):
        check_tokens(settings, model, documents)


def test_it_needs_masked_tokens_and_a_metric_of_the_task(
    pretraining: Trials, trial: Trials, data: TokenisedTask, documents: TokenisedTask
) -> None:
    with pytest.raises(InputError, match="the task masks no tokens"):
        TrialRun(pretraining(), data)
    for metric in TOKEN_METRICS:
        mode = "max" if metric == "mlm_accuracy" else "min"
        with pytest.raises(InputError, match="is for tasks that mask tokens"):
            TrialRun(trial(metric={"name": metric, "mode": mode}), data)
        other = {"max": "min", "min": "max"}[mode]
        with pytest.raises(InputError, match="would look for the worst"):
            TrialRun(trial(metric={"name": metric, "mode": other}), documents)
    with (
        TrialRun(trial(metric={"name": "mlm_accuracy", "mode": "max"}), documents) as run,
        pytest.raises(InputError, match="the exits predict no masked tokens"),
    ):
        next(run)
