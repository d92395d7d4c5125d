"""The chosen model of a sweep as a model of MLflow: its weights, its scores, and how MLflow has it answer texts.

Logged once, when the sweep has ended and its folder keeps a model of the configuration it chose. Safe to be killed
between any two calls: the model is found by the hash of its files before one is made, and a tag of the sweep's run says
so at the end. The file that tells MLflow how to load it names a module of greenexp, which alone loads torch.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from greenexp.errors import CheckpointError
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.manifests import MODEL_MANIFEST, TOKENIZER
from greenexp.records.selection import best_trial
from greenexp.replay.serving_policy import given_policy
from greenexp.tracking import names
from greenexp.tracking.texts import param_texts
from greenexp.version import VERSION

MODELS = "models"
LOADER = "greenexp.inference.python_function"
DATA = "data"
_OUTPUT = (("label", "string"), ("probability", "double"), ("exit", "long"), ("layers", "long"), ("speed_up", "double"))


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model in the sweep's folder. digest: of its manifest, which holds a hash of each file."""

    trial: TrialState
    folder: Path
    digest: str

    @classmethod
    def chosen(cls, state: SweepState, folder: Path) -> KeptModel | None:
        """The one that `greenexp serve FOLDER` means; None if the sweep has chosen none, or keeps none.

        Nor is there one of images, which have no tokenizer: what MLflow has answer are texts. Raises CheckpointError
        where its manifest is damaged.
        """
        kept = [t for t in state.chosen if (folder / MODELS / t.spec.trial / MODEL_MANIFEST).is_file()]
        best = best_trial(kept, state.mode)
        if best is None:
            return None
        place = folder / MODELS / best.spec.trial
        try:
            content = (place / MODEL_MANIFEST).read_bytes()
            manifest = json.loads(content)
            if manifest.get("serving") and TOKENIZER not in manifest.get("files", ()):
                return None
            return cls(best, place, hashlib.sha256(content).hexdigest()[:16])
        except OSError:
            return None
        except (ValueError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{place}: {MODEL_MANIFEST} is damaged: {error}") from error


def log_model(
    client: Any, experiment: str, runs: Mapping[str, str], state: SweepState, kept: KeptModel, sweep_id: str,
    pause: Callable[[], None],
) -> str:  # fmt: skip
    """Log the model and what it scored; the id of the model in MLflow.

    runs: role -> id of the sweep's run and of the trial's, whose output it is
    """
    from mlflow.entities import LoggedModelOutput, Metric

    pause()
    model = _found(client, experiment, sweep_id, kept)
    if model is None:
        pause()
        model = client.create_logged_model(
            experiment,
            name=kept.trial.spec.trial,
            source_run_id=runs[names.TRIAL],
            tags={names.SWEEP_ID: sweep_id, names.MODEL: kept.digest, names.TRIAL_NAME: kept.trial.spec.trial},
            params={"policy": policy_text(), **param_texts(kept.trial.spec.searched)},
            model_type="early-exit classifier",
        )
    if str(model.status) != "READY":
        with tempfile.TemporaryDirectory(prefix="greenexp-model-") as scratch:
            _lay_out(Path(scratch), kept, model.model_id, runs[names.TRIAL])
            pause()
            client.log_model_artifacts(model.model_id, scratch)
        pause()
        client.set_logged_model_tags(model.model_id, {names.NOTE: _note(model.model_id)})
        pause()
        client.finalize_logged_model(model.model_id, "READY")
    there = {}
    for run_id in dict.fromkeys(runs.values()):
        pause()
        there[run_id] = client.get_run(run_id)
        outputs = there[run_id].outputs
        if model.model_id not in [one.model_id for one in (outputs.model_outputs if outputs else [])]:
            pause()
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    metrics = [
        Metric(name, value, round(time * 1000), 0, model_id=model.model_id)
        for name, value, time in _scores(state, kept.trial)
        if name not in there[runs[names.SWEEP]].data.metrics
    ]
    if metrics:
        pause()
        client.log_batch(runs[names.SWEEP], metrics=metrics, synchronous=True)
    return str(model.model_id)


def _note(model_id: str) -> str:
    return (
        "Answers texts with label, probability, exit, layers used and speed-up; "
        f"it leaves early by `{policy_text()}`.\n\n"
        f"```\nmlflow models serve -m models:/{model_id} --env-manager local\n```\n\n"
        f"In Python: `mlflow.pyfunc.load_model('models:/{model_id}').predict(['a text'])`; another policy with "
        "`model_config={'policy': 'entropy:0.3'}`."
    )


def policy_text() -> str:
    """When the model leaves, in words: as `greenexp serve` does unless it is told otherwise."""
    return given_policy(None).text


def _found(client: Any, experiment: str, sweep_id: str, kept: KeptModel) -> Any:
    """The model, if an earlier try made it."""
    query = f"tags.`{names.SWEEP_ID}` = '{sweep_id}' AND tags.`{names.MODEL}` = '{kept.digest}'"
    found = list(client.search_logged_models([experiment], filter_string=query))
    return min(found, key=lambda model: (model.creation_timestamp, model.model_id)) if found else None


def _scores(state: SweepState, trial: TrialState) -> list[tuple[str, float, float]]:
    """(metric, value, time) of the model."""
    metric = names.clean(state.spec.metric.name)
    last = trial.reports[-1][1]
    found = [] if trial.score is None else [(f"dev_{metric}", trial.score, last)]
    if trial.held_out:
        time, record = trial.held_out[0]
        found += [] if record.score is None else [(f"test_{metric}", record.score, time)]
    return found


def _lay_out(folder: Path, kept: KeptModel, model_id: str, run_id: str) -> None:
    """The files of an MLflow model with the flavour `python_function`; see mlflow.org/docs, "MLflow Models"."""
    manifest = json.loads((kept.folder / MODEL_MANIFEST).read_text(encoding="utf-8"))
    (folder / DATA).mkdir()
    for file in kept.folder.iterdir():
        (folder / DATA / file.name).symlink_to(file.resolve())  # read once, where it is logged
    pairs = bool((manifest.get("serving") or {}).get("pairs"))
    named = [{"type": "string", "name": name, "required": True} for name in ("text", "text_pair")]
    outputs = [{"type": kind, "name": name, "required": True} for name, kind in _OUTPUT]
    import mlflow

    flavour = {
        "loader_module": LOADER, "data": DATA, "config": {"policy": policy_text()},
        "python_version": platform.python_version(),
        "env": {"virtualenv": "python_env.yaml"},
    }  # fmt: skip
    document = {
        "artifact_path": kept.trial.spec.trial,
        "flavors": {"python_function": flavour},
        "mlflow_version": mlflow.__version__,
        "model_id": model_id,
        "run_id": run_id,
        # Of single texts none is said of the inputs, so that MLflow passes on a list as well as a frame. By an input
        # without a name it would pass on the first column of any frame, and no other.
        "signature": {"inputs": json.dumps(named) if pairs else None, "outputs": json.dumps(outputs), "params": None},
    }
    requirements = f"greenexp[train]=={VERSION}\n"
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    environment = {
        "python": platform.python_version(),
        "build_dependencies": ["pip"],
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    (folder / "MLmodel").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
