"""The search of a sweep file with Ray Tune, HF Trainer and MLflowLoggerCallback: `sweep_overhead.py` runs it.

    python benchmarks/peer_sweep.py WAY SWEEP OUT [--set KEY=VALUE]...

WAY is `tutorial`, `tuned`, or some of the tuned one's parts joined by `+`. `tutorial`: sentences padded to
`max_length`, float32, workers started anew for every trial, as Ray's and transformers' guides show it. The parts:
`padding` to the longest of the batch, `bf16` where the CPU has it, `reuse` of workers, pinned `threads`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

PARTS = frozenset({"padding", "bf16", "reuse", "threads"})


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("way", type=parts_of)
    arguments.add_argument("sweep")
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--set", dest="overrides", action="append", default=[])
    given = arguments.parse_args()
    given.out.mkdir(parents=True)
    (given.out / "result.json").write_text(json.dumps(search(given.way, given.sweep, given.overrides, given.out)))


def parts_of(way: str) -> frozenset[str]:
    """The parts of a way: none for `tutorial`, all for `tuned`."""
    named = {"tutorial": frozenset[str](), "tuned": PARTS}
    chosen = named.get(way, frozenset(way.split("+")))
    if not chosen <= PARTS:
        raise argparse.ArgumentTypeError(f"expected tutorial, tuned, or some of {'+'.join(sorted(PARTS))}")
    return chosen


def search(parts: frozenset[str], sweep: str, overrides: list[str], out: Path) -> dict[str, float]:
    """Run it and say what came out."""
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.schedulers import ASHAScheduler

    from greenexp.assets import find_sweep
    from greenexp.plan import make_plan
    from greenexp.plan.data import prepare_data
    from greenexp.spec import load_sweep

    plan = make_plan(load_sweep(find_sweep(sweep), overrides))
    data = prepare_data(plan.trials[0].settings)
    scheduler, resources = plan.spec.scheduler.options, plan.spec.resources
    ray.init(num_cpus=resources.workers * resources.cpus_per_trial, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_trial, data=data, parts=parts), {"cpu": 1}),
        param_space={"trial": tune.grid_search([trial.to_json() for trial in plan.trials])},
        tune_config=tune.TuneConfig(
            metric="score",
            mode=plan.spec.metric.mode,
            scheduler=ASHAScheduler(
                time_attr="training_iteration",
                max_t=plan.max_epochs,
                grace_period=scheduler["grace_period"],
                reduction_factor=scheduler["reduction_factor"],
            ),
            reuse_actors="reuse" in parts,
        ),
        run_config=tune.RunConfig(
            storage_path=str(out.resolve() / "ray"),
            callbacks=[
                MLflowLoggerCallback(tracking_uri=f"sqlite:///{out.resolve()}/mlflow.db", experiment_name="peer")
            ],
            verbose=0,
        ),
    )
    results = tuner.fit()
    frames = [result.metrics_dataframe for result in results if result.metrics_dataframe is not None]
    began = min(frame["began"].min() for frame in frames)
    ended = max(frame["ended"].max() for frame in frames)
    busy_s = sum(float(frame["busy_s"].sum()) for frame in frames)
    return {
        "epochs": sum(len(frame) for frame in frames),
        "best": round(max(float(frame["score"].max()) for frame in frames), 4),
        "worker_cpu_s": round(sum(float(frame["cpu_s"].sum()) for frame in frames), 1),
        "outside_share": round(1 - busy_s / (resources.workers * (ended - began)), 3),
    }


def train_trial(config: dict[str, Any], data: Any, parts: frozenset[str]) -> None:
    """A function trainable: one trial, one report per epoch."""
    began, cpu_s = time.time(), time.process_time()
    import torch
    from transformers import Trainer, set_seed

    from greenexp.records.trial import TrialSpec

    trial = TrialSpec.from_json(config["trial"])
    length = None if "padding" in parts else trial.settings.training.max_length
    if "threads" in parts:
        torch.set_num_threads(1)
    set_seed(trial.seeds.initialisation)
    trainer = Trainer(
        model=as_hf_model(trial, data),
        args=training_arguments(trial, bf16="bf16" in parts),
        train_dataset=rows(data.train, data.pad_id, length),
        eval_dataset=rows(data.dev, data.pad_id, length),
        data_collator=lambda batch: collate(batch, data.pad_id),
        compute_metrics=lambda output: {
            "accuracy": float(np.mean(output.predictions.argmax(-1) == output.label_ids[:, None]))
        },
        callbacks=[reporter(began, cpu_s)],
    )
    trainer.train()


def training_arguments(trial: Any, *, bf16: bool) -> Any:
    """The sweep file's training, in the Trainer's words."""
    import torch
    from transformers import TrainingArguments

    settings = trial.settings.training
    return TrainingArguments(
        output_dir="hf",
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=4 * settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,  # a share of all steps, if below 1
        max_grad_norm=settings.clip_norm,
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        bf16=bf16 and bool(torch.cpu.get_capabilities().get("avx512_bf16")),
        seed=trial.seeds.order,
    )


def reporter(began: float, cpu_s: float) -> Any:
    """A callback that tells Tune the score and what was spent since the last report."""
    from ray import tune
    from transformers import TrainerCallback

    class Report(TrainerCallback):
        last, last_cpu = began, cpu_s

        def on_evaluate(self, *_given: Any, metrics: Any, **_others: Any) -> None:
            now, now_cpu = time.time(), time.process_time()
            spent = {"busy_s": now - Report.last, "cpu_s": now_cpu - Report.last_cpu}
            tune.report({"score": metrics["eval_accuracy"], "began": began, "ended": now, **spent})
            Report.last, Report.last_cpu = time.time(), time.process_time()

    return Report()


def rows(split: Any, pad_id: int, length: int | None) -> list[dict[str, Any]]:
    """A split as the Trainer wants it, padded to `length` or not yet."""
    found = []
    for number, label in enumerate(split.labels):
        ids = split.ids[split.offsets[number] : split.offsets[number + 1]].tolist()
        padded = ids if length is None else ids + [pad_id] * (length - len(ids))
        found.append({"input_ids": padded, "attention_mask": [1] * len(ids) + [0] * (len(padded) - len(ids)),
                      "labels": int(label)})  # fmt: skip
    return found


def collate(batch: list[dict[str, Any]], pad_id: int) -> dict[str, Any]:
    """Tensors, padded to the longest row."""
    import torch

    longest = max(len(row["input_ids"]) for row in batch)
    fill = {"input_ids": pad_id, "attention_mask": 0}
    tensors = {
        name: torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in batch])
        for name, value in fill.items()
    }
    return {**tensors, "labels": torch.tensor([row["labels"] for row in batch])}


def as_hf_model(trial: Any, data: Any) -> Any:
    """The model greenexp trains, behind the interface the Trainer expects: all three ways train the same one."""
    import torch

    from greenexp.backbones.base import TokenBatch
    from greenexp.model import build_model

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            seed = trial.seeds.initialisation
            self.inner = build_model(trial.settings.model, data.num_labels, data.vocab_size, data.pad_id, seed)

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any = None) -> dict[str, Any]:
            logits = self.inner(TokenBatch(input_ids, attention_mask)).float()
            losses = [torch.nn.functional.cross_entropy(exit_logits, labels) for exit_logits in logits]
            return {"loss": torch.stack(losses).sum(), "logits": logits.transpose(0, 1)}

    return Wrapped()


if __name__ == "__main__":
    main()
