"""Operating points of a trained model on a test set: who leaves where, with which answer, and which modules ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from greenexp.exits.policies.base import ExitOutput, Policy
from greenexp.inference.answers import Tokens
from greenexp.inference.consulting import consulted_exits
from greenexp.inference.elue.families import NORM, family_of
from greenexp.inference.elue.model_file import pool_name
from greenexp.inference.engine import EarlyExitEngine
from greenexp.inference.segments import Said, Segments
from greenexp.model import MultiExitModel
from greenexp.records.module_calls import ModuleCall


@dataclass(frozen=True, eq=False, slots=True)
class PointAnswers:
    """One operating point on the test set.

    consulted: exits that its policy asks, ascending; exits: [example], where each leaves; answers: [example], classes
    or values; flops: [example], as `MultiExitModel.exit_costs` counts them
    """

    consulted: tuple[int, ...]
    exits: np.ndarray[tuple[int], np.dtype[np.int64]]
    answers: list[int] | list[float]
    flops: np.ndarray[tuple[int], np.dtype[np.int64]]


def answer_points(
    engine: EarlyExitEngine, tokens: Sequence[Tokens], policies: Mapping[str, Policy], batch_size: int
) -> dict[str, PointAnswers]:
    """Each policy's answers, from one pass through all trained exits; the same as an engine with that policy gives.

    engine: of the model; which policy it has does not matter. Raises InputError as the engine does.
    """
    serving = engine.serving
    trained = engine.model.exits if serving is None else serving.trained_exits
    said, lengths = _everything(engine, trained, tokens, batch_size)
    return {name: _answers(engine.model, trained, policy, said, lengths) for name, policy in policies.items()}


def _everything(
    engine: EarlyExitEngine, trained: Sequence[int], tokens: Sequence[Tokens], batch_size: int
) -> tuple[dict[int, Said], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Exit -> what it says of every example, in their order; and their lengths in tokens."""
    rows = [engine.checked(one) for one in tokens]
    lengths = np.array([row.length for row in rows], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    segments = Segments(engine.model, trained)
    parts: dict[int, list[Said]] = {number: [] for number in trained}
    with segments.computing():
        for start in range(0, len(order), batch_size):
            climbers = segments.embed([rows[place] for place in order[start : start + batch_size]], engine.pad_id)
            for index, number in enumerate(trained):
                climbers, said = segments.run(index, climbers)
                parts[number].append(said)
    back = torch.from_numpy(np.argsort(order, kind="stable"))
    return {number: _joined(each, back) for number, each in parts.items()}, lengths


def _joined(parts: Sequence[Said], back: Tensor) -> Said:
    logits = torch.cat([said.logits for said in parts]).cpu()[back]
    learned = [said.learned for said in parts if said.learned is not None]
    return Said(logits, torch.cat(learned).cpu()[back] if learned else None)


def _answers(
    model: MultiExitModel,
    trained: Sequence[int],
    policy: Policy,
    said: Mapping[int, Said],
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> PointAnswers:
    consulted = consulted_exits(trained, 1, policy)
    inside, stream = torch.arange(len(lengths)), policy.stream()
    exits, answers = torch.zeros(len(lengths), dtype=torch.long), torch.zeros(len(lengths), dtype=torch.float64)
    for number in consulted:
        logits, learned = said[number]
        seen = ExitOutput(number, logits[inside], None if learned is None else learned[inside])
        leaves, given = stream.decide(seen)
        leaves = torch.ones_like(leaves) if number == consulted[-1] else leaves
        exits[inside[leaves]], answers[inside[leaves]] = number, given[leaves].double()
        stay = torch.nonzero(~leaves)[:, 0]
        inside = inside[stay]
        if not len(inside):
            break
        stream.keep(stay)
    costs = model.exit_costs(lengths, consulted)
    place = {number: index for index, number in enumerate(consulted)}
    flops = costs.dynamic_flops[[place[number] for number in exits.tolist()], np.searchsorted(costs.lengths, lengths)]
    values = answers.tolist() if model.num_labels == 1 else [int(answer) for answer in answers.tolist()]
    return PointAnswers(consulted, exits.numpy(), values, flops)


def row_calls(model: MultiExitModel, length: int, consulted: Sequence[int], number: int) -> tuple[ModuleCall, ...]:
    """What runs for an example of `length` tokens that leaves at exit `number`, exits below among `consulted` asked."""
    width, pool, asked = model.backbone.hidden_size, pool_name(model), {n for n in consulted if n <= number}
    layer_of = {n: model.exit_layers[n - 1] for n in asked}
    poolings, normed = model.costs(1, length).pooled_layers(sorted(asked)), family_of(model).norm != "None"
    calls = [ModuleCall("emb", (length,))]
    for layer in range(1, model.exit_layers[number - 1] + 1):
        calls.append(ModuleCall(f"layer_{layer}", (length, width)))
        if normed and (layer in poolings or layer in layer_of.values()):
            calls.append(ModuleCall(NORM, (length, width)))
        if layer in poolings and pool in {"pooler", "mean_pool"}:
            calls.append(ModuleCall(str(pool), (length, width)))
        for exit_number in sorted(n for n, at in layer_of.items() if at == layer):
            head = model.head(exit_number)
            if model.learned is not None:
                calls.append(ModuleCall("lte", (width,)))
            shape = (layer, width) if head.reads_earlier else (width,) if head.reads_pooled else (length, width)
            calls.append(ModuleCall(f"exit_{exit_number}", shape))
    return tuple(calls)
