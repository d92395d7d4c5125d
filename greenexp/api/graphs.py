"""A trained model as ONNX graphs, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from greenexp.api.engines import graphs_place
from greenexp.errors import GreenexpError
from greenexp.extras import require, require_onnx
from greenexp.sources.checkpoints import find_model

CHECKED_TEXTS = 64


@dataclass(frozen=True, slots=True)
class ExportedGraphs:
    """folder: where the graphs lie; notes: how they were checked, a sentence each."""

    folder: Path
    notes: tuple[str, ...]


def export_onnx(
    source: str | Path,
    *,
    trial: str | None = None,
    out: str | Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> ExportedGraphs:
    """Write a trained model as ONNX graphs, in fp32 and int8: one per segment between exits, one per exit, one of all.

    Parameters
    ----------
    source, trial :
        As of `engine`.
    out : path, optional
        The folder; by default `onnx/TRIAL` in the sweep's folder, where `engine(..., backend="onnxruntime")` looks.
        Older graphs there are replaced.
    tell : callable, optional
        Takes a line per step.

    Raises
    ------
    MissingExtraError
        Without `greenexp[onnx]`.
    InputError
        Where a part of the model cannot be exported, or the graphs do not give its logits to 1e-4.
    CheckpointError
        If the model's folder cannot be trusted.

    """
    found = find_model(source, trial)
    require()
    require_onnx()
    # Here and not above: they load torch and ONNX Runtime.
    from greenexp.api.models import examples_of_task
    from greenexp.inference.graphs.writing import TOLERANCE, write_graphs

    notes = []
    try:
        examples = examples_of_task(found, CHECKED_TEXTS).tokens
    except GreenexpError as error:  # the check by random ids does not depend on it
        examples, notes = [], [f"checked on random token ids alone, as the texts of its task cannot be read: {error}"]
    graphs = write_graphs(found.folder, Path(out) if out is not None else graphs_place(found), examples, tell)
    for precision, one in graphs.checked.items():
        bound = f" (at most {TOLERANCE:.0e})" if precision == "fp32" else ", which is not bounded"
        same = "" if one.agreement is None else f", the same class in {one.agreement:.1%}"
        notes.append(
            f"{precision}: logits of all exits over {one.examples} examples differ by {one.difference:.1e} at most"
            f"{bound}{same}"
        )
    notes.append(
        "int8: ONNX Runtime scales the states of a whole batch at once, so that an answer depends, slightly, on the "
        "examples beside it; with batches of one example it does not"
    )
    return ExportedGraphs(graphs.folder, tuple(notes))
