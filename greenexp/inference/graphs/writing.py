"""Writes the graphs of a trained model, and their int8 copies, and checks both against the model."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor

from greenexp.errors import InputError, abridged
from greenexp.inference.answers import Tokens, checked
from greenexp.inference.consulting import refuse_images
from greenexp.inference.graphs.folder import (
    GRAPH_PRECISIONS,
    MANIFEST,
    Agreement,
    GraphFolder,
    graph_file,
    model_digest,
)
from greenexp.inference.graphs.pieces import Piece, pieces_of, reads_types, remembers
from greenexp.inference.graphs.running import GraphSegments
from greenexp.inference.segments import padded_batch
from greenexp.model import load_model, load_serving
from greenexp.model.multi_exit import MultiExitModel
from greenexp.records.manifests import TOKENIZER

TOLERANCE = 1e-4
"""Of a logit, in units of the greatest logit if that is above 1."""
_CHECKED_TOGETHER = 8


def write_graphs(
    model_folder: Path, place: Path, examples: Sequence[Tokens], tell: Callable[[str], None] = lambda _: None
) -> GraphFolder:
    """The graphs of the model saved in `model_folder`, in the folder `place`, over older graphs of its if need be.

    examples: texts of the task; examples of random ids, up to the greatest length, are checked besides
    tell: takes a line per step. Nothing is left of an attempt that failed.

    Raises InputError if a piece cannot be exported, if its logits are not the model's to 1e-4, and for a folder that
    holds anything else; CheckpointError if the model cannot be trusted.
    """
    model, serving = load_model(model_folder), load_serving(model_folder)
    refuse_images(model, "ONNX graphs are written of models of texts alone")
    exits = model.exits if serving is None else serving.trained_exits
    if model.settings.form is not None and model.settings.form.int8:
        raise InputError(
            f"{model_folder} holds weights in 8 bits, whose products ONNX does not know: export a model without "
            "compression int8; its graphs come with int8 copies of their own"
        )
    try:
        if place.exists() and any(place.iterdir()) and not (place / MANIFEST).is_file():
            raise InputError(f"{place} holds something else than graphs: name another folder, or remove it")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".greenexp-", dir=place.parent) as draft:
            folder = Path(draft) / place.name
            folder.mkdir()
            for piece in pieces_of(model, exits):
                tell(f"writing {piece.name}: {piece.about}")
                write_piece(piece, folder, model)
            if serving is not None and serving.tokenizer:
                (folder / TOKENIZER).write_text(serving.tokenizer, encoding="utf-8")
            digest, types = model_digest(model_folder), reads_types(model)
            graphs = GraphFolder(folder, digest, exits, remembers(model, exits), types, {})
            tell("checking against the model")
            every = (*examples, *random_examples(model, pairs=serving is not None and serving.pairs))
            graphs = replace(graphs, checked=_checked(graphs, model, every))
            graphs.write_manifest()
            shutil.rmtree(place, ignore_errors=True)
            folder.rename(place)
    except OSError as error:
        raise InputError(f"cannot write graphs to {place}: {error.strerror or error}") from error
    return replace(graphs, folder=place)


def random_examples(model: MultiExitModel, *, pairs: bool, count: int = 16) -> list[Tokens]:
    """Examples of random ids (seed 0), from one token to the longest that the model takes, at most 256."""
    rng = np.random.default_rng(0)
    lengths = np.unique(np.linspace(1, min(256, model.backbone.max_length), count).astype(int)).tolist()
    return [
        Tokens(
            rng.integers(0, model.backbone.vocab_size, length).tolist(),
            [int(place > length // 2) for place in range(length)] if pairs else None,
        )
        for length in lengths
    ]


def write_piece(piece: Piece, folder: Path, model: MultiExitModel) -> None:
    """One graph and its int8 copy. InputError where it cannot be exported."""
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=model.backbone.max_length)
    shapes = tuple({0: batch} if name == "earlier" else {0: batch, 1: length} for name in piece.inputs)
    file = graph_file(folder, piece.name, "fp32")
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                piece.module.eval(),
                tuple(piece.inputs.values()),
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=list(piece.inputs),
                output_names=list(piece.outputs),
                verbose=False,
            )
            if program is None:
                raise InputError("the exporter gave no graph")
            program.save(str(file), external_data=False)
            quantize_dynamic(str(file), str(graph_file(folder, piece.name, "int8")), weight_type=QuantType.QInt8)
    except Exception as error:  # exporter and quantiser raise what they like
        raise InputError(
            f"{piece.about} of this {type(model.backbone).__name__} cannot be exported to ONNX: {abridged(str(error))}"
        ) from error


def _checked(graphs: GraphFolder, model: MultiExitModel, examples: Sequence[Tokens]) -> dict[str, Agreement]:
    """Both precisions against the model. InputError if those of fp32 are not within the tolerance."""
    wanted = logits_of(model, graphs.exits, examples)
    found: dict[str, Agreement] = {}
    for precision in GRAPH_PRECISIONS:
        segments = GraphSegments(graphs, model, graphs.exits, precision)
        found[precision] = _agreement(wanted, graph_logits(segments, examples, model))
    if not found["fp32"].difference <= TOLERANCE:  # NaN is not
        raise InputError(
            f"the graphs' logits differ from the model's by {found['fp32'].difference:.1e}, more than {TOLERANCE:.0e}: "
            "nothing was written"
        )
    return found


def logits_of(model: MultiExitModel, exits: Sequence[int], examples: Sequence[Tokens]) -> Tensor:
    """[exit, example, class] of a model in torch, padded as the graphs' batches are."""
    backbone = model.backbone
    with torch.inference_mode():
        rows = [checked(one, backbone.vocab_size, backbone.max_length, None) for one in examples]
        parts = (rows[start : start + _CHECKED_TOGETHER] for start in range(0, len(rows), _CHECKED_TOGETHER))
        return torch.cat([model(padded_batch(part, 0), exits) for part in parts], dim=1)


def graph_logits(segments: GraphSegments, examples: Sequence[Tokens], model: MultiExitModel) -> Tensor:
    """[exit, example, class] of graphs, every exit consulted."""
    backbone = model.backbone
    rows = [checked(one, backbone.vocab_size, backbone.max_length, None) for one in examples]
    batches = []
    with segments.computing():
        for start in range(0, len(rows), _CHECKED_TOGETHER):
            climbers = segments.embed(rows[start : start + _CHECKED_TOGETHER], 0)
            said = []
            for index in range(len(segments)):
                climbers, one = segments.run(index, climbers)
                said.append(one.logits)
            batches.append(torch.stack(said))
    return torch.cat(batches, dim=1)


def _agreement(wanted: Tensor, found: Tensor) -> Agreement:
    difference = float((wanted - found).abs().max()) / max(1.0, float(wanted.abs().max()))
    classes = wanted.shape[2]
    same = None if classes == 1 else float((wanted.argmax(dim=2) == found.argmax(dim=2)).float().mean())
    return Agreement(wanted.shape[1], difference, same)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's and the quantiser's notes to their developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
