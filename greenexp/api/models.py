"""Trained models: exit policies over their recorded logits, and the engine that answers with early exits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from greenexp.analysis.exits.replayed import replay_study
from greenexp.analysis.findings import Findings
from greenexp.api.engines import (
    Backend,
    EngineOptions,
    ServedModel,
    choose_policy,
    found_graphs,
    load_found,
    load_served,
)
from greenexp.errors import GreenexpError, InputError
from greenexp.extras import require
from greenexp.journal.policies import add_policies
from greenexp.replay.latency import LatencyTable, read_latency
from greenexp.replay.policy_text import policy_from_text
from greenexp.replay.serving_policy import LAST_EXIT
from greenexp.replay.trial_replay import ReplayOptions, new_policies
from greenexp.sources.checkpoints import FoundModel, find_model, recorded_settings
from greenexp.sources.lines import Lines, opened
from greenexp.sources.recorded import Recorded, recorded_logits

if TYPE_CHECKING:
    from greenexp.inference import EarlyExitEngine
    from greenexp.inference.bench.examples import BenchExamples
    from greenexp.inference.bench.report import BenchReport
    from greenexp.inference.graphs.folder import GraphFolder
    from greenexp.inference.line_answers import LineAnswers
    from greenexp.inference.segments import Precision
    from greenexp.inference.submission import Submission

BATCHES_AT_ONCE = 8
"""Batches of lines that are read together where they are there, so that examples of one length can share a batch."""


def _tell_nobody(_: object) -> None:
    """For callers who do not watch."""


def replay(
    source: str | Path,
    *,
    policies: Sequence[Any] = (),
    trials: Sequence[str] = (),
    sweep: str | None = None,
    metric: str | None = None,
    calibrated: bool = False,
    budget_flops: float | None = None,
    latency: str | Path | LatencyTable | None = None,
    add: bool = False,
) -> Findings:
    """What exit policies would do with a sweep's recorded logits: thresholds chosen on dev, and their worth on test.

    >>> from greenexp.api.models import replay
    >>> found = replay(folder, policies=["entropy"])
    >>> sorted(set(found["chosen"]["policy"]))
    ['entropy', 'static']

    Parameters
    ----------
    source : path or str, required
        A sweep's folder, or an MLflow address.
    policies : sequence, default ()
        Each `NAME`, `NAME:VALUE`, `NAME:option=value`, a mapping, or a policy. By default those of the sweep's record.
    trials : sequence of str, default ()
        Names of trials, or `all`: every one with logits. By default the chosen configuration's best trial on dev.
    sweep : str, optional
        One of several sweeps at an MLflow address, by name or id.
    metric : str, optional
        Another metric than the sweep's, such as `f1` or `matthews`.
    calibrated : bool, default False
        Divide each exit's logits by a temperature fitted on dev.
    budget_flops : float, optional
        Find a threshold per exit for this mean cost of an example, in FLOPs, instead of thresholds for speed-ups.
    latency : path or LatencyTable, optional
        Seconds by exit and length, as `bench` writes them, to price operating points with.
    add : bool, default False
        Add the policies to the record of a sweep in a folder, so that its report and tables have them.

    Returns
    -------
    Findings
        As of `analysis.exits.replayed.replay_study`; the table `trials` has the sweep's name besides.

    Raises
    ------
    InputError
        For a sweep without logits, and for what was asked for and cannot be.
    JournalError
        With `add`, where a running sweep holds the journal; nothing is written then.
    TrackingError
        For what MLflow does not have.

    """
    options = ReplayOptions(
        policies=tuple(map(policy_from_text, policies)),
        metric=metric,
        calibrated=calibrated,
        budget_flops=budget_flops,
        latency=read_latency(Path(latency)) if isinstance(latency, str | Path) else latency,
    )
    recorded = recorded_logits(str(source), sweep, trials)
    findings = _about_sweep(replay_study(recorded.trials, recorded.policies, recorded.metric, options), recorded)
    added = _add(recorded, options.policies) if add and options.policies else ""
    return dataclasses.replace(findings, notes=(*findings.notes, added)) if added else findings


def _about_sweep(findings: Findings, recorded: Recorded) -> Findings:
    """The findings with the sweep's name, how the trial was chosen, and which trials could not be read."""
    trials: pd.DataFrame = findings["trials"].assign(sweep=recorded.name)
    chosen = (f"{next(iter(recorded.trials))} is {recorded.why}",) if recorded.why else ()
    return dataclasses.replace(
        findings,
        tables={**findings.tables, "trials": trials},
        notes=(*findings.notes, *chosen),
        warnings=(*findings.warnings, *(f"left out: {problem}" for problem in recorded.left_out)),
    )


def _add(recorded: Recorded, policies: Sequence[Any]) -> str:
    """Add what is new to the sweep's record; says what was done, "" if there was nothing to add."""
    if recorded.folder is None:
        return "nothing was added: this is MLflow's record; add policies in the sweep's folder, then `greenexp sync`"
    record = next(logits.dev.record for logits in recorded.trials.values() if logits.dev is not None)
    new = new_policies(record, recorded.policies, policies)
    if not new:
        return ""
    add_policies(recorded.folder, new)
    return (
        f"added to the record of {recorded.folder}: {', '.join(map(repr, new))}. `greenexp report {recorded.folder}` "
        f"shows it, `greenexp sync {recorded.folder}` brings MLflow level"
    )


def engine(
    source: str | Path,
    *,
    policy: Any = None,
    speed_up: float | None = None,
    trial: str | None = None,
    calibrated: bool = False,
    check_every: int = 1,
    precision: Precision = "fp32",
    threads: int | None = None,
    backend: Backend = "torch",
) -> EarlyExitEngine:
    """A trained model, ready to answer with early exits.

    >>> from greenexp.api.models import engine
    >>> model = engine(folder, policy="max_probability:0.8")
    >>> [answer.label in model.label_names for answer in model.answer(model.encode(["a good film"]), batch_size=8)]
    [True]

    Parameters
    ----------
    source : path or str, required
        A sweep's folder, whose chosen trial that is best on dev is meant, or a model's own folder.
    policy : str, mapping or policy, optional
        When to exit: `NAME`, `NAME:VALUE`, `NAME:option=value`, a mapping, or a policy. By default `max_probability`.
    speed_up : float of at least 1, optional
        Choose the threshold that is best on dev among those with at least this speed-up; layers / mean layers used.
    trial : str, optional
        Another trial of the sweep.
    calibrated : bool, default False
        Divide each exit's logits by a temperature fitted on dev.
    check_every : int of at least 1, default 1
        Consult every n-th trained exit, n this number, and always the last one.
    precision : "fp32", "bf16" or "int8", default "fp32"
        Of all computing; bf16 with the backend torch alone, int8 with onnxruntime alone, where an answer depends
        slightly on the examples beside it in its batch.
    threads : int, optional
        Threads of PyTorch, for the whole process. By default its own number.
    backend : "torch" or "onnxruntime", default "torch"
        Who computes. ONNX Runtime needs the graphs that `greenexp.api.graphs.export_onnx` writes.

    Returns
    -------
    EarlyExitEngine
        On the CPU. `engine.encode(texts)` makes tokens, `engine.answer(tokens, batch_size)` answers them.

    Raises
    ------
    InputError
        Where there is no such model, or policy and model do not fit.
    CheckpointError
        If the model's folder cannot be trusted.

    """
    options = EngineOptions(trial, policy, speed_up, calibrated, check_every, precision, threads, backend)
    return load_served(source, options).engine


@contextmanager
def answer_lines(
    source: str | Path,
    file: str = "-",
    options: EngineOptions = EngineOptions(),  # noqa: B008 - it is frozen
    *,
    batch_size: int = 32,
    plain: bool = False,
    loaded: Callable[[ServedModel], None] = _tell_nobody,
) -> Iterator[LineAnswers]:
    """Answers to the lines of a file, one after another; the file stays open as long as the context.

    file: its path, or `-` for stdin; plain: each line is a text as it stands, and no JSON
    batch_size: examples at once; loaded: called once the model is there
    Raises InputError for a file that cannot be read, before the model is loaded, and as `engine` does. A line that
    cannot be answered costs an answer that says why.
    """
    with opened(file) as descriptor:
        model = load_served(source, options)
        loaded(model)
        # Here and not above: it loads torch.
        from greenexp.inference.consulting import refuse_images
        from greenexp.inference.line_answers import MAX_LINE, LineAnswers

        refuse_images(model.engine.model, "no lines of text are answered; greenexp.api.models.engine answers")
        chunks = Lines(descriptor, MAX_LINE).chunks(BATCHES_AT_ONCE * batch_size)
        yield LineAnswers(model.engine, chunks, batch_size, plain=plain, dev=model.dev)


def submit(
    source: str | Path,
    options: EngineOptions = EngineOptions(),  # noqa: B008 - it is frozen
    *,
    exit: int | None = None,  # noqa: A002 - the command line's word
    batch_size: int = 32,
    loaded: Callable[[ServedModel], None] = _tell_nobody,
) -> Submission:
    """A model's answers to a leaderboard's test sets, in the files that it wants handed in; `write` writes them.

    options: of the engine; without a policy and a speed-up every answer is that of the last exit that was trained
    exit: answers of this exit alone; batch_size: examples at once; loaded: called once the model is there
    Raises InputError for a task without such test sets, for an exit that was not trained, and as `engine` does.
    """
    require()
    from greenexp.tasks.unlabelled import unlabelled_splits  # loads scikit-learn

    options = _with_exit(options, exit)
    found = find_model(source, options.trial)
    splits = unlabelled_splits(recorded_settings(found).task)
    model = load_found(found, choose_policy(found, options), options)
    if exit is not None and model.engine.consulted != (exit,):
        serving = model.engine.serving
        trained = model.engine.model.exits if serving is None else serving.trained_exits
        raise InputError(f"exit {exit} of this model was not trained; those that were: {', '.join(map(str, trained))}")
    loaded(model)
    from greenexp.inference.submission import Submission, submission_files  # loads torch

    files = submission_files(model.engine, splits, batch_size)
    return Submission(files, (found.sweep or found.folder) / "submission", model.dev)


def bench(
    source: str | Path,
    options: EngineOptions = EngineOptions(),  # noqa: B008 - it is frozen
    *,
    examples: int = 256,
    batch_sizes: Sequence[int] = (1, 16, 64),
    repeats: int = 5,
    device: str = "cpu",
    compiled: bool = False,
    latency: str | Path | None = None,
    tell: Callable[[str], None] = _tell_nobody,
) -> BenchReport:
    """How fast a trained model answers texts of its own task, and what early exits save.

    options: of the engine; examples: texts that are timed, evenly over test, or over dev without a test split
    batch_sizes: examples per request; repeats: of all requests; device: `cpu` or `cuda`
    compiled: through `torch.compile`; latency: a file for seconds by exit and length; tell: takes a line per step
    Raises InputError for a model without its sweep, a device that is not there, a file that cannot be written, and as
    `engine` does.
    """
    found = find_model(source, options.trial)
    policy, table = choose_policy(found, options), _writable(latency)
    require()
    # Here and not above: it loads torch.
    from greenexp.inference.bench.measurement import BenchOptions, measure, usable_device

    usable_device(device)
    graphs, why_not = _graphs(found, options, device)
    how = BenchOptions(
        batch_sizes=tuple(sorted(set(batch_sizes))),
        repeats=repeats,
        device=device,
        compiled=compiled,
        check_every=options.check_every,
        precision=options.precision,
        threads=options.threads,
        latency=table,
        graphs=graphs,
        why_no_graphs=why_not,
        backend=options.backend,
    )
    return measure(found.folder, found.trial, policy, examples_of_task(found, examples), how, tell)


def _graphs(found: FoundModel, options: EngineOptions, device: str) -> tuple[GraphFolder | None, str]:
    """The graphs of a model, or why there are none; the engine that is to run on them is refused without."""
    try:
        if device != "cpu":
            raise InputError("graphs are computed on the CPU")
        return found_graphs(found), ""
    except GreenexpError as error:
        if options.backend == "onnxruntime":
            raise
        return None, str(error)


def _writable(file: str | Path | None) -> Path | None:
    """The path of a file that will be written. InputError if its folder is not there."""
    path = None if file is None else Path(file)
    if path is not None and not path.absolute().parent.is_dir():
        raise InputError(f"--latency {path}: there is no folder {path.parent}")
    return path


def examples_of_task(found: FoundModel, count: int) -> BenchExamples:
    """`count` examples of what a model was tested on, or of dev without a test split, as its trial read them.

    Raises InputError for a model that does not lie in its sweep, and where its task cannot be read any more.
    """
    # Here and not above: they load torch.
    from greenexp.inference.bench.examples import bench_examples
    from greenexp.plan.data import prepare_data

    settings = recorded_settings(found)
    return bench_examples(prepare_data(settings), settings.task.plugin().load(), count)


def _with_exit(options: EngineOptions, exit_number: int | None) -> EngineOptions:
    """The options with a policy under which one exit answers all: `exit_number`, or the last where none is asked."""
    if options.policy is None and options.speed_up is None:
        one_exit = LAST_EXIT if exit_number is None else {**LAST_EXIT, "exit": exit_number}
        return dataclasses.replace(options, policy=one_exit)
    if exit_number is not None:
        raise InputError("--exit is a policy of its own: give it without --policy and --speed-up")
    return options
