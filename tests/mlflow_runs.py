"""Runs as other programs log them, written with MLflow's own client."""

from __future__ import annotations

from typing import Any

BEGAN_MS = 1_700_000_000_000


def log_run(
    client: Any,
    experiment: str,
    number: int,
    *,
    metrics: dict[str, float] | None = None,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    status: str = "FINISHED",
    took_s: float = 60.0,
) -> str:
    """The id of a run that began `number` minutes after the first; RUNNING leaves it open."""
    began = BEGAN_MS + 60_000 * number
    run = client.create_run(experiment, start_time=began, run_name=f"run-{number}", tags=tags)
    name = str(run.info.run_id)
    for key, value in (params or {}).items():
        client.log_param(name, key, value)
    for key, number_logged in (metrics or {}).items():
        client.log_metric(name, key, number_logged)
    if status != "RUNNING":
        client.set_terminated(name, status=status, end_time=began + round(took_s * 1000))
    return name


def log_search(client: Any, experiment: str) -> list[str]:
    """Nine runs: 4 of bert (1 failed), 3 of albert, 1 of bert still running, 1 of albert with a NaN."""
    rows: list[tuple[str, dict[str, float], str]] = [
        ("bert", {"acc": 0.80, "seconds": 10.0}, "FINISHED"),
        ("albert", {"acc": 0.70, "seconds": 5.0}, "FINISHED"),
        ("bert", {"seconds": 3.0}, "FAILED"),
        ("bert", {"acc": 0.90, "seconds": 20.0}, "FINISHED"),
        ("albert", {"acc": 0.95, "seconds": 5.0}, "FINISHED"),
        ("bert", {"acc": 0.85, "seconds": 15.0}, "FINISHED"),
        ("albert", {"acc": 0.60, "seconds": 6.0}, "FINISHED"),
        ("bert", {"acc": 0.99, "seconds": 1.0}, "RUNNING"),
        ("albert", {"acc": float("nan"), "seconds": 2.0}, "FINISHED"),
    ]
    return [
        log_run(client, experiment, number, metrics=metrics, params={"model": model}, status=status)
        for number, (model, metrics, status) in enumerate(rows)
    ]
