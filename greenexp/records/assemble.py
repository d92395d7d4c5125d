"""From recorded facts to `SweepTables`: everything that is derived is derived here, whoever read the facts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from greenexp.records.decision import Action
from greenexp.records.energy import weakest
from greenexp.records.epoch import (
    AT_ONCE,
    DROPOUT_MASKS,
    FUSED_SEEDS,
    PROCESSES,
    EpochRecord,
    ExitScore,
    best_epoch,
    encoder_depth,
    method_of,
    parameters_of,
    seeds_together,
    trial_score,
)
from greenexp.records.ledger import ledger
from greenexp.records.objectives import SCORE, objective_of
from greenexp.records.policies import STATIC
from greenexp.records.progress import Epochs
from greenexp.records.replayed import (
    lacking_points,
    replay_remarks,
    replayed_tables,
    unread_logits,
    with_replayed_points,
)
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import (
    COSTS,
    DEV,
    OBJECTIVES,
    PARAMS,
    SUMMED_COSTS,
    TEST,
    DecisionFacts,
    EpochFacts,
    HeldOutFacts,
    SweepFacts,
    SweepTables,
    TableRemarks,
    TrialFacts,
    typed_frame,
    with_fractions,
)
from greenexp.records.totals import CostTotals


def assemble(facts: SweepFacts) -> SweepTables:
    """The tables of a sweep.

    Trials are in plan order, epochs and decisions in the order they happened, exits within their epoch.
    """
    configuration = {trial.trial: trial.configuration for trial in facts.trials}
    final = _final_attempts(facts.epochs)
    reports: dict[str, list[EpochFacts]] = defaultdict(list)
    for report in facts.epochs:
        reports[report.trial].append(report)
    trials = sorted(facts.trials, key=lambda trial: trial.index)
    searched = list(dict.fromkeys(path for trial in trials for path in trial.searched))
    trial_rows = [_trial_row(trial, reports[trial.trial], final, facts.decisions, facts.spec) for trial in trials]
    costs = {OBJECTIVES + name: "float64" for name in facts.spec.objectives if name != SCORE}
    trial_frame = typed_frame("trials", trial_rows, {**costs, **{PARAMS + path: "object" for path in searched}})
    for path in searched:
        trial_frame[PARAMS + path] = trial_frame[PARAMS + path].infer_objects()
    epochs = typed_frame("epochs", [_epoch_row(r, configuration[r.trial], final) for r in facts.epochs])
    exit_rows = [_exit_row(r, score) for r in facts.epochs for score in r.record.exits]
    metrics = list(dict.fromkeys(name for row in exit_rows for name in row if name.startswith(DEV)))
    points = [point for trial in trials for point in _static_points(trial, reports[trial.trial], final, facts.spec)]
    tables = SweepTables(
        trials=trial_frame,
        epochs=epochs,
        exits=typed_frame("exits", exit_rows, dict.fromkeys(metrics, "float64")),
        operating_points=with_replayed_points(typed_frame("operating_points", points), facts.replays),
        ledger=ledger(facts, epochs),
        measurements=typed_frame("measurements", [one.to_json() for one in facts.history.measured]),
        energy=typed_frame("energy", [device.to_json() for device in facts.history.metered]),
        decisions=typed_frame("decisions", [_decision_row(d, configuration) for d in facts.decisions]),
        held_out=_held_out(facts.held_out, configuration),
        spec=facts.spec,
        history=facts.history,
        remarks=_remarks(facts, {str(point["trial"]) for point in points}),
        answers={trial: replay.answers for trial, replay in facts.replays.items() if replay.answers is not None},
        answers_on_test={
            trial: replay.answers_on_test
            for trial, replay in facts.replays.items()
            if replay.answers_on_test is not None
        },
        **replayed_tables(trials, facts.replays),
    )
    if facts.spec.training.reports_per_epoch == 1:
        return tables
    frames: dict[str, Any] = {name: with_fractions(frame) for name, frame in tables.frames.items()}
    return replace(tables, **frames)


def _remarks(facts: SweepFacts, with_points: set[str]) -> TableRemarks:
    lacking = lacking_points(facts.trials, with_points, facts.replays)
    remarks = (*replay_remarks(facts.replays), *_unknown_depths(facts.epochs))
    return TableRemarks(lacking, remarks, unread_logits(facts.replays), continued=facts.continued)


def _decision_row(decision: DecisionFacts, configuration: Mapping[str, str]) -> dict[str, Any]:
    verdict = decision.verdict
    return {**verdict.to_json(), "configuration": configuration[verdict.trial], "time_s": decision.time_s}


def _unknown_depths(epochs: Sequence[EpochFacts]) -> list[str]:
    """That speed-ups are counted from the last trained exit, of trials whose encoder's depth is not on record."""
    known: dict[str, bool] = {}
    for report in epochs:
        known[report.trial] = known.get(report.trial, False) or report.record.encoder_layers is not None
    count = sum(not is_known for is_known in known.values())
    if not count:
        return []
    remark = (
        f"{count} of {len(known)} trials were recorded by a version that did not record how many layers the encoder "
        "has: their speed-up is counted from the layer of the last trained exit"
    )
    return [remark]


def _held_out(evaluations: Sequence[HeldOutFacts], configuration: Mapping[str, str]) -> pd.DataFrame:
    """In the order they were made; `evaluation` counts a trial's."""
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    for made in evaluations:
        counts[made.trial] += 1
        record = made.record
        common = {
            "trial": made.trial,
            "configuration": configuration[made.trial],
            "evaluation": counts[made.trial],
            "time_s": made.time_s,
            "epoch": record.epoch,
            "examples": record.examples,
            "score": record.score,
        }
        for exit_score in record.exits:
            place = {name: getattr(exit_score, name) for name in ("exit", "layer", "inference_flops")}
            metrics = {TEST + name: value for name, value in exit_score.metrics.items()}
            rows.append({**common, **place, **metrics})
    names = dict.fromkeys(name for row in rows for name in row if name.startswith(TEST))
    return typed_frame("held_out", rows, dict.fromkeys(names, "float64"))


def _final_attempts(epochs: Sequence[EpochFacts]) -> dict[tuple[str, Epochs], int]:
    """(trial, epoch) -> the latest attempt that reported it; earlier ones are repeated work."""
    final: dict[tuple[str, Epochs], int] = {}
    for report in epochs:
        key = (report.trial, report.record.epoch)
        final[key] = max(report.attempt, final.get(key, 0))
    return final


def _is_final(report: EpochFacts, final: Mapping[tuple[str, Epochs], int]) -> bool:
    return final[report.trial, report.record.epoch] == report.attempt


def _best(reports: Sequence[EpochFacts]) -> EpochFacts | None:
    """The report of the trial's best epoch."""
    best = best_epoch({report.record.epoch: report.record for report in reports})
    return next((report for report in reports if report.record.epoch == best), None)


def _trial_row(
    trial: TrialFacts,
    reports: Sequence[EpochFacts],
    final: Mapping[tuple[str, Epochs], int],
    decisions: Sequence[DecisionFacts],
    spec: SweepSpec,
) -> dict[str, Any]:
    kept = sorted((r for r in reports if _is_final(r, final)), key=lambda r: r.record.epoch)
    best = _best(kept)
    score = trial_score({report.record.epoch: report.record for report in kept})
    verdicts = [decision.verdict for decision in decisions if decision.verdict.trial == trial.trial]
    stops = [verdict.rung for verdict in verdicts if verdict.action is Action.STOP]
    spent = CostTotals.of((r.record.costs for r in reports), [trial.lost])
    peaks = [r.record.costs.peak_memory_b for r in reports]
    known_peaks = [peak for peak in peaks if peak is not None]
    stored = [r.record.dev_logits for r in kept if r.record.dev_logits]
    parameters = parameters_of(r.record for r in kept)
    return {
        "trial": trial.trial,
        "configuration": trial.configuration,
        "index": trial.index,
        "fingerprint": trial.fingerprint,
        "initialisation_seed": trial.initialisation_seed,
        "order_seed": trial.order_seed,
        "fold": pd.NA if trial.fold is None else trial.fold,
        "status": trial.status,
        "reason": trial.reason,
        "attempts": trial.attempts,
        "epochs": kept[-1].record.epoch if kept else 0,
        "max_epochs": trial.max_epochs,
        "stopped_at": stops[-1] if stops and kept else pd.NA,
        "score": np.nan if score is None else score,
        "best_epoch": best.record.epoch if best else pd.NA,
        **{name: spent.total(name) for name in SUMMED_COSTS},
        "peak_memory_b": max(known_peaks) if known_peaks and len(known_peaks) == len(peaks) else np.nan,
        "lost_wall_s": trial.lost_wall_s,
        "energy_method": str(weakest(method_of(r.record) for r in reports) or ""),
        "dev_logits": stored[-1] if stored else "",
        "parameters": pd.NA if parameters is None else parameters,
        **_objectives({r.record.epoch: r.record for r in kept}, spec),
        **{PARAMS + path: value for path, value in trial.searched.items()},
    }


def _objectives(records: Mapping[Epochs, EpochRecord], spec: SweepSpec) -> dict[str, float]:
    """The objectives of a trial but its score, NaN where one is not known."""
    values = {name: objective_of(name, records, spec.metric) for name in spec.objectives if name != SCORE}
    return {OBJECTIVES + name: np.nan if value is None else value for name, value in values.items()}


def _epoch_row(report: EpochFacts, configuration: str, final: Mapping[tuple[str, Epochs], int]) -> dict[str, Any]:
    record = report.record
    return {
        "trial": report.trial,
        "configuration": configuration,
        "attempt": report.attempt,
        "epoch": record.epoch,
        "repeated": not _is_final(report, final),
        "time_s": report.time_s,
        "step": record.step,
        "examples": record.examples,
        "dev_examples": pd.NA if record.dev_examples is None else record.dev_examples,
        "train_loss": record.train_loss,
        "learning_rate": record.learning_rate,
        "score": record.score,
        "best_score": record.best_score,
        **{name: getattr(record.costs, name) for name in COSTS},
        "energy_method": str(method_of(record)),
        "dev_logits": record.dev_logits or "",
        **{name: record.computed_with.get(name, "") for name in ("precision", "device", "notes")},
        "score_remark": record.not_measured.get("score", ""),
        "micro_batch_size": int(record.computed_with[AT_ONCE]) if AT_ONCE in record.computed_with else pd.NA,
        "fused_seeds": seeds_together(record) if FUSED_SEEDS in record.computed_with else pd.NA,
        "processes": int(record.computed_with[PROCESSES]) if PROCESSES in record.computed_with else pd.NA,
        "dropout_masks": record.computed_with.get(DROPOUT_MASKS, ""),
    }


def _exit_row(report: EpochFacts, score: ExitScore) -> dict[str, Any]:
    return {
        "trial": report.trial,
        "attempt": report.attempt,
        "epoch": report.record.epoch,
        "exit": score.exit,
        "layer": score.layer,
        "inference_flops": score.inference_flops,
        **{DEV + name: value for name, value in score.metrics.items()},
    }


def _static_points(
    trial: TrialFacts,
    reports: Sequence[EpochFacts],
    final: Mapping[tuple[str, Epochs], int],
    spec: SweepSpec,
) -> list[dict[str, Any]]:
    """Answering always at one exit, for each exit of the best epoch. Speed-up = layers of the encoder / layers used."""
    kept = sorted((r for r in reports if _is_final(r, final)), key=lambda r: r.record.epoch)
    best = _best(kept)
    if best is None or not best.record.exits:
        return []
    metric = spec.metric.name
    depth = encoder_depth(report.record for report in kept)
    return [
        {
            "trial": trial.trial,
            "configuration": trial.configuration,
            "epoch": best.record.epoch,
            "policy": STATIC,
            "threshold": float(score.exit),
            "score": score.metrics.get(metric),
            "inference_flops": score.inference_flops,
            "mean_layers": float(score.layer),
            "speed_up": depth / score.layer,
        }
        for score in best.record.exits
    ]
