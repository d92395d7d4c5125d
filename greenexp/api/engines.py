"""A trained model with its exit policy, ready to answer: which one is meant, and how it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from greenexp.errors import InputError, StateError, UnknownNameError
from greenexp.extras import require, require_onnx
from greenexp.replay.policy_text import policy_from_text
from greenexp.replay.serving_policy import DevScores, ServingPolicy, chosen_policy, dev_scores, given_policy
from greenexp.sources.checkpoints import FoundModel, dev_logits, find_model

if TYPE_CHECKING:
    from greenexp.inference import EarlyExitEngine
    from greenexp.inference.graphs.folder import GraphFolder
    from greenexp.inference.segments import Precision


Backend = Literal["torch", "onnxruntime"]
GRAPHS = "onnx"
"""Folder within a sweep's, with a folder of graphs per trial."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a trained model is served.

    trial: another trial of the sweep than the chosen one that is best on dev
    policy: when to exit, in any form of `replay.naming` or as a YAML mapping in braces; None for the default policy
    speed_up: choose the threshold that is best on dev among those with at least this speed-up, in layers
    calibrated: with a temperature per exit, fitted on dev; check_every: K: consult every K-th exit
    threads: of PyTorch, for the whole process; None leaves its own number
    backend: who computes: `torch`, or `onnxruntime`, which needs the graphs that `export_onnx` writes
    """

    trial: str | None = None
    policy: Any = None
    speed_up: float | None = None
    calibrated: bool = False
    check_every: int = 1
    precision: Precision = "fp32"
    threads: int | None = None
    backend: Backend = "torch"


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A loaded model: its engine, where it was found, and how its policy was chosen."""

    engine: EarlyExitEngine
    found: FoundModel
    policy: ServingPolicy
    options: EngineOptions

    @property
    def dev(self) -> DevScores | None:
        """What it scores on dev under its policy, and the baselines; None where no dev logits can be read."""
        try:
            logits = dev_logits(self.found)
        except (InputError, StateError):  # the answers do not depend on them
            return None
        return dev_scores(self.policy, logits.stored, logits.metric, self.options.check_every)


def choose_policy(found: FoundModel, options: EngineOptions) -> ServingPolicy:
    """The policy that a model is served with. It takes no torch, so that a wrong one is refused before that is loaded.

    Raises UnknownNameError, and InputError for what cannot be, or cannot be chosen from what is on record.
    """
    policy = None if options.policy is None else policy_from_text(options.policy)
    given = given_policy(policy)
    _check_known(given.policy)
    if options.speed_up is None and not options.calibrated:
        return given
    dev = dev_logits(found)
    return chosen_policy(
        policy,
        dev.stored,
        dev.metric,
        speed_up=options.speed_up,
        calibrated=options.calibrated,
        check_every=options.check_every,
    )


def load_served(source: str | Path, options: EngineOptions) -> ServedModel:
    """The model that `source` (a sweep's folder or a model's) means, loaded.

    Raises InputError for what is not there or does not fit, CheckpointError if the folder cannot be trusted.
    """
    found = find_model(source, options.trial)
    return load_found(found, choose_policy(found, options), options)


def load_found(found: FoundModel, policy: ServingPolicy, options: EngineOptions) -> ServedModel:
    """The same, of a model and a policy that have been chosen already. MissingExtraError without greenexp[train]."""
    require()
    # Here and not above: torch takes seconds to load, and what a user got wrong is known before.
    from greenexp.inference import EarlyExitEngine

    if options.threads is not None:
        import torch

        torch.set_num_threads(options.threads)
    graphs = found_graphs(found) if options.backend == "onnxruntime" else None
    engine = EarlyExitEngine.load(
        found.folder,
        policy.policy,
        check_every=options.check_every,
        temperatures=policy.temperatures,
        precision=options.precision,
        graphs=graphs,
    )
    return ServedModel(engine, found, policy, options)


def graphs_place(found: FoundModel) -> Path:
    """Where the graphs of a model lie."""
    return (found.sweep or found.folder) / GRAPHS / found.trial


def found_graphs(found: FoundModel) -> GraphFolder:
    """The graphs of a model.

    Raises MissingExtraError without greenexp[onnx], InputError where there are none or only those of another model,
    CheckpointError for damaged ones.
    """
    require_onnx()
    from greenexp.inference.graphs.folder import GraphFolder

    return GraphFolder.read(graphs_place(found), found.folder)


def _check_known(policy: Any) -> None:
    """Refuse a policy that no model could be served with, as far as that is known without torch."""
    from greenexp.exits import POLICIES
    from greenexp.replay.family import FAMILIES
    from greenexp.replay.naming import described, resolve

    if hasattr(policy, "stream"):
        return
    name, _ = described(policy)
    if name not in POLICIES:
        raise UnknownNameError("exit policy", name, list(POLICIES))
    if name in FAMILIES:  # one that is only served has its own way of checking its fields
        resolve(policy)
