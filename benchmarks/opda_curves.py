"""Learning curves of opda's hyperparameter searches as a table that `greenexp simulate` reads.

    python benchmarks/opda_curves.py RESULTS.jsonl CURVES.csv [--split matched|mismatched]

RESULTS: `deberta-base_tuning.results.jsonl` or `deberta-v3-base_tuning.results.jsonl` of github.com/nicholaslourie/opda
(data/, CC BY-SA 4.0): 1,024 random-search fine-tuning runs on MultiNLI each. One row per run and evaluation: run, step
(of `total_model_steps`, where the last one is), score (dev accuracy), examples (step x batch size, used until then).
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("results", type=Path)
    arguments.add_argument("curves", type=Path)
    arguments.add_argument("--split", choices=("matched", "mismatched"), default="matched")
    given = arguments.parse_args()
    with given.results.open(encoding="utf-8") as source, given.curves.open("w", encoding="utf-8", newline="") as target:
        table = csv.writer(target)
        table.writerow(("run", "step", "score", "examples"))
        for line in source:
            run = json.loads(line)
            curve = run["learning_curves"][given.split]
            if curve[-1][0] != run["total_model_steps"]:
                raise SystemExit(f"run {run['iteration']} was not recorded to its end")
            table.writerows((run["iteration"], step, score, step * run["train_batch_size"]) for step, score in curve)


if __name__ == "__main__":
    main()
