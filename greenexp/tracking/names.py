"""What everything is called in MLflow: parameters, metrics with their units, tags. In one place.

MLflow lets names hold letters, digits, `_ - . / :` and spaces, up to 250 characters; values of parameters 6,000 and of
tags 8,000 characters (mlflow/utils/validation.py, 3.17).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

from greenexp.records.epoch import EpochRecord
from greenexp.records.progress import Epochs, report_at
from greenexp.records.tables import COSTS
from greenexp.records.trial import TrialSpec

MAX_NAME = 250
MAX_PARAM = 6000
MAX_TAG = 8000

# Roles of runs: the value of the tag KIND.
SWEEP, CONFIGURATION, TRIAL = "sweep", "configuration", "trial"

# Tags that MLflow itself reads.
PARENT = "mlflow.parentRunId"
SOURCE = "mlflow.source.name"
NOTE = "mlflow.note.content"
EXPERIMENT_KIND, TRAINING = "mlflow.experimentKind", "custom_model_development"
"""Tag of an experiment, by which MLflow's pages show its runs as those of training; its pages know no other name."""
PRIMARY_METRIC = "mlflow.experiment.primaryMetric.name"
TRIALS_VIEW = "mlflow.sharedViewState.greenexp"
"""Tag of an experiment in which MLflow keeps a view that was shared: an address with `viewStateShareKey=greenexp` opens
it. Ours: trials alone, the best first, with their scores, costs and status."""

# Tags that only greenexp reads have names that MLflow's pages do not show; earlier versions showed them.
MACHINE = "mlflow.greenexp."

# Tags that say which run this is. SWEEP_ID tells two runs of one sweep file apart.
KIND = "greenexp.kind"
SWEEP_NAME = "greenexp.sweep"
SWEEP_ID = "greenexp.sweep_id"
FINGERPRINT = "mlflow.greenexp.fingerprint"
FOLDER = "mlflow.greenexp.folder"
"""Tag of the sweep's run: a hash that tells the folder it is run in from copies of it."""
ARTIFACTS = "greenexp.artifacts"
"""Tag of an experiment that greenexp made in a file's database: its artifacts lie beside that file."""
CONFIGURATION_NAME = "greenexp.configuration"
TRIAL_NAME = "greenexp.trial"

# Tags for people.
STATUS = "greenexp.status"
CONTINUED, CONTINUED_STATUS = "greenexp.continued", "continued elsewhere"
"""Where the sweep is recorded now: tag of its runs where it was recorded before; what STATUS is there."""
TAKEN_BACK = "greenexp.taken_back"
"""Why a run was deleted: tag of runs in MLflow's bin that held what the journal does not say."""
REASON = "greenexp.reason"
CHANGED = "greenexp.changed."
"""A parameter whose value changed after MLflow had it (MLflow refuses to change one): its present value."""
SESSION = "mlflow.greenexp.session."
"""Versions, machine and what can be measured, of the first session."""

PRICE = "greenexp.price."
"""What the whole sweep cost so far, of which everything was measured: trials, examples seen, and sums of costs."""

# Tags that hold JSON, in parts if it is long: what the reader needs and no metric can carry exactly.
JSON = "mlflow.greenexp.json."
FACTS = f"{JSON}facts"
SPEC = f"{JSON}spec"
SESSIONS = f"{JSON}sessions"
METERED = f"{JSON}metered"
MEASURED = f"{JSON}measured"
PLAN = f"{JSON}plan"
STATE = f"{JSON}state"
REPORTS = f"{JSON}reports"
DECISIONS = f"{JSON}decisions"
EXITS = f"{JSON}exits"
HELD_OUT = f"{JSON}held_out"

# A trial's logits, and the operating points replayed from them.
LOGITS = "mlflow.greenexp.logits"
"""Tag: which artifacts of the run hold the logits of its best epoch, on dev and where it was evaluated on test."""
LOGITS_FOLDER = "logits"
POINTS = "mlflow.greenexp.operating_points"
"""Tag: which artifact of the run holds them."""
POINTS_FOLDER = "operating_points"

# Metrics of a report, one point each (step = number of the report, from 1: the epoch, where there is one in each).
ATTEMPT = "attempt"
EPOCH = "epoch"
"""Epochs trained, of trials that report within epochs."""
DEV_EXAMPLES, PART = "dev_examples", "part_of_dev/"
"""Of reports on a part of dev: on how many examples; the prefix of their scores, which are no scores of the trial."""
TIME = "time_s"
RECORD_METRICS = {
    "step": "optimiser_steps",
    "examples": "examples",
    "train_loss": "train_loss",
    "learning_rate": "learning_rate",
    "score": "score",
    "best_score": "best_score",
}
"""Field of `EpochRecord` -> metric. Costs keep their names, which carry their units."""
SCORES = ("score", "best_score")
WHOLE_NUMBERS = frozenset({"step", "examples"})
INFERENCE_FLOPS = "inference_flops"
PARAMETERS = "parameters"
"""Metric for people who compare runs; it is read from the tag, where it is exact."""
RUNG_VALUE, RUNG_CUTOFF = "rung_value", "rung_cutoff"
"""What the scheduler compared, and with what (step = that of the report at the rung)."""

TEST_SCORE = "test_score"
"""The sweep's metric on the test set (step = number of the evaluation: 2 means that it was used again)."""

SEED_PARAMS = {"initialisation": "seeds.initialisation", "order": "seeds.order"}
FOLD, FOLDS = "seeds.fold", "seeds.folds"
"""Parameters of a trial that left a part of the training set out: its number from 0, and how many there are."""
SWEEP_FILE, FILED = "sweep.yaml", "mlflow.greenexp.sweep_file"
"""Artifact of the sweep's run, its resolved file; the tag that says that it is there."""
DATA_SETS = "mlflow.greenexp.data_sets"
"""Tag: fingerprints of the data sets that the run has as inputs."""
MODEL = "mlflow.greenexp.model"
"""Tag of the sweep's run and of a logged model: the hash of the chosen model's files."""
DESCRIBED = "mlflow.greenexp.described"
"""Tag of the sweep's run: a hash of the description that greenexp gave it. Another one is the user's."""
REPORT_FILE, REPORT = "report.html", "mlflow.greenexp.report"
"""The report in the sweep's folder, also an artifact of the sweep's run; the tag that holds the hash of the latter."""

EARLIER_JSON = "greenexp.json."
"""What JSON was in earlier versions."""
_EARLIER = {
    "greenexp.folder": FOLDER, "greenexp.logits": LOGITS, "greenexp.operating_points": POINTS,
    "greenexp.report": REPORT, "greenexp.sweep_file": FILED, "greenexp.fingerprint": FINGERPRINT,
}  # fmt: skip
_EARLIER_STARTS = (EARLIER_JSON, "greenexp.session.")


def present(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as MLflow has them, and those for greenexp alone that an earlier version wrote under their present names."""
    return {**{_EARLIER[name]: text for name, text in tags.items() if name in _EARLIER}, **tags}


def moved(tags: Mapping[str, str]) -> dict[str, str]:
    """What is there under earlier names alone, under the present ones."""
    return {_EARLIER[name]: text for name, text in tags.items() if name in _EARLIER and _EARLIER[name] not in tags}


def is_earlier(tag: str) -> bool:
    """Whether a tag has a name of earlier versions."""
    return tag in _EARLIER or tag.startswith(_EARLIER_STARTS)


def of_json(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that hold JSON, under their present names."""
    began = [(name, text) for name, text in tags.items() if name.startswith(EARLIER_JSON)]
    earlier = {JSON + name.removeprefix(EARLIER_JSON): text for name, text in began}
    return {**earlier, **{name: text for name, text in tags.items() if name.startswith(JSON)}}


def step(epochs: Epochs, trial: TrialSpec) -> int:
    """MLflow's step of the report after `epochs`: steps are whole numbers there."""
    return report_at(epochs, trial.settings.training.reports_per_epoch)


def total(cost: str) -> str:
    """Metric of a trial's cost so far, over all its attempts: `total_energy_j`."""
    return f"total_{cost}"


def exit_metric(number: int, name: str) -> str:
    """Metric of one exit: `exit_3/inference_flops`."""
    return f"exit_{number}/{clean(name)}"


def dev_metric(number: int, name: str) -> str:
    """Metric of one exit on dev: `exit_3/dev_accuracy`."""
    return exit_metric(number, f"dev_{name}")


def held_out_metric(number: int, name: str) -> str:
    """Metric of one exit on the test set: `exit_3/test_accuracy`."""
    return exit_metric(number, f"test_{name}")


def series(attempt: int, again: bool) -> str:
    """Prefix of a report's metrics: none, or `attempt_2/` for an epoch that an earlier attempt already reported."""
    return f"attempt_{attempt}/" if again else ""


def record_metrics(record: EpochRecord) -> dict[str, float]:
    """All metrics of one report but attempt, time and totals; what was not measured or is not finite is left out."""
    found = {metric: getattr(record, field) for field, metric in RECORD_METRICS.items() if field not in SCORES}
    found.update({cost: getattr(record.costs, cost) for cost in COSTS})
    found[PARAMETERS] = record.parameters
    scores: dict[str, float | None] = {RECORD_METRICS[field]: getattr(record, field) for field in SCORES}
    for score in record.exits:
        found[exit_metric(score.exit, INFERENCE_FLOPS)] = score.inference_flops
        scores.update({dev_metric(score.exit, name): value for name, value in score.metrics.items()})
    prefix = "" if record.dev_examples is None else PART
    found.update({prefix + name: value for name, value in scores.items()})
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


_REFUSED = re.compile(r"[^\w.\- ]")


def clean(name: str) -> str:
    """`name` as MLflow allows it: other characters become `_`; a long one is cut and told apart by a hash."""
    allowed = _REFUSED.sub("_", name).lstrip(".") or "_"
    if len(allowed) <= MAX_NAME - 30:  # room for `attempt_12/exit_12/dev_`
        return allowed
    return f"{allowed[: MAX_NAME - 40]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
