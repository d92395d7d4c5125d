"""What a plan's trials are expected to take each, by what was measured before: time between reports, and memory."""

from __future__ import annotations

from greenexp.plan.estimates import Work
from greenexp.records.foreseen import Foreseen
from greenexp.records.speeds import Speeds, TrialKind


def foreseen(work: Work, speeds: Speeds | None) -> Foreseen:
    """What is known of the plan's trials; of an open plan of those in it, as the others may be unlike them."""
    report_s: dict[str, float] = {}
    sources: dict[str, None] = {}
    for trial, flops, speed in zip(work.plan.trials, work.flops, work.speeds, strict=False):
        if speed is None or not flops.training:
            continue
        rate = speed.per_flop(speed.eval_ratio)
        pairs = zip(flops.training, flops.evaluation, strict=True)
        each = [rate * (train + speed.eval_ratio * held) for train, held in pairs]
        besides = speed.report_s + work.overhead.gap_s
        report_s[trial.trial] = max(each[0] + speed.setup_s + work.overhead.warm_s, *each) + besides
        sources[speed.source] = None
    memory_b, memory_source = _memory(work, speeds)
    return Foreseen(report_s, "; ".join(sources), memory_b, memory_source)


def _memory(work: Work, speeds: Speeds | None) -> tuple[float | None, str]:
    plan = work.plan
    if speeds is None or plan.spec.resources.gpus_per_trial > 0:
        return None, ""
    kinds = {TrialKind.of(trial.settings, (1, 1, 0.0)) for trial in plan.trials}
    known = [peak for kind in kinds if (peak := speeds.peak_memory(kind)) is not None]
    return max(known, default=(None, ""), key=lambda peak: peak[0])
