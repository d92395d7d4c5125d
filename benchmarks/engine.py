"""What early exit saves in seconds, beside what it should: `python benchmarks/engine.py [--threads 1,2] [--run RUN]`.

A BERT encoder of MiniLM-L12's shape (12 layers, hidden 384, random weights) with exits after layers 3, 6, 9 and 12. Its
policy is `max_probability` with a threshold per exit, and the examples are chosen so that a quarter of every batch
leaves at each exit: decisions are made as in service, and their outcome is known. Contestants alternate in one run, see
`greenexp.inference.bench`. Printed are medians of ratios over the repeats, and in brackets ratios of shortest times,
which other processes disturb least. With `--run`, the same for a trained model and a real threshold, and, where
`greenexp export --format onnx` wrote its graphs, ONNX Runtime's whole model in fp32 and int8 beside the plain one.
`--clock cpu` counts the process's CPU time instead of seconds: on a busy machine, and with 1 thread, that is closer to
the truth.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.inference import EarlyExitEngine, Rebatcher, Tokens
from greenexp.inference.bench import (
    BatchResult,
    Contestant,
    Contestants,
    EngineSettings,
    Protocol,
    Ratio,
    Stopwatch,
    contest,
    fixed_threads,
    interleave,
    ratio,
    requests_of,
)
from greenexp.inference.bench.contestants import NO_EXITS, answering
from greenexp.inference.bench.forced import Forced
from greenexp.inference.graphs.folder import GraphFolder
from greenexp.model import MultiExitModel, build_model
from greenexp.records.settings import ModelSettings

LAYERS, EXITS, VOCABULARY = 12, (3, 6, 9, 12), 2_000
LENGTHS = {1: (16, 24, 32, 48, 64, 128), 16: (16, 20, 24, 28, 60, 64, 68, 72), 64: tuple(range(16, 32))}
"""By batch size: the lengths of the examples, one example of each per exit (64: one batch; 16: a short and a long one).
Batch 1 has lengths from 16 to 128 as people time them; with all of them in one batch most of it would be padding."""
MARGIN = 0.02
"""Between the probability of a chosen first token's example and the threshold: the rest of the example moves it."""
CANDIDATES = 400


@dataclass(frozen=True)
class Case:
    """A model, its policy, and examples by batch size."""

    name: str
    model: MultiExitModel
    policy: object
    examples: dict[int, list[Tokens]]
    settings: EngineSettings = field(default_factory=EngineSettings)
    graphs: GraphFolder | None = None


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", default="1,2")
    arguments.add_argument("--batch", default="1,16,64")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments.add_argument("--compile", action="store_true", help="the engine and the plain model compiled, too")
    arguments.add_argument("--run", type=Path, help="a trained model's or a sweep's folder")
    arguments.add_argument("--policy", default="max_probability:0.9", help="of the trained model")
    arguments.add_argument("--examples", type=int, default=128, help="of the trained model")
    arguments.add_argument("--backend", choices=("torch", "onnxruntime"), default="torch", help="of the trained model")
    arguments.add_argument("--precision", default="fp32", help="of the trained model")
    given = arguments.parse_args()
    sizes = [int(size) for size in given.batch.split(",")]
    stopwatch = Stopwatch(time.perf_counter if given.clock == "wall" else time.process_time, lambda: None)
    protocol = Protocol(repeats=given.repeats)
    began = time.monotonic()
    case = random_case(compiled=given.compile) if given.run is None else trained_case(given, sizes)
    print(case.name)
    for threads in map(int, given.threads.split(",")):
        with fixed_threads(threads):
            print(f"\n{threads} thread(s), {given.clock} clock, {given.repeats} repeats")
            contestants = Contestants.of(case.model, case.policy, case.settings, case.graphs)
            print_table(contest(contestants, case.examples[size], size, protocol, stopwatch) for size in sizes)
            if given.run is None:
                print_checks(case, protocol, stopwatch)
                print_stream(case, stopwatch, given.repeats)
    print(f"\n{time.monotonic() - began:.0f} s in all")


def print_table(results: Iterator[BatchResult]) -> None:
    """Every target, with what was reached: median, (range), [ratio of shortest times]."""
    print(f"{'':58}{'target':>9}  {'reached':26}")
    for result in results:
        saved, size = result.saved, result.batch_size
        shares = " ".join(f"{share:.0%}" for share in result.exit_shares.values())
        mean = next(1e3 * speed.mean_s for speed in result.speeds if speed.contestant == NO_EXITS)
        print(
            f"batch {size}: layers {saved.layers:.3f}, FLOPs {saved.flops:.3f}; leaving {shares}; {mean:.1f} ms without"
        )
        counted, share = (saved.layers, 0.95) if size == 1 else (saved.flops, 0.9)
        what = "layers" if size == 1 else "FLOPs"
        row(f"speed-up in seconds, {what} {counted:.3f}", saved.wall_clock, least=share * counted)
        row("  the same over the speed-up counted", scaled(saved.wall_clock, 1 / counted), least=share)
        row("every exit asked / without exits", result.exits_cost, most=1.03)
        row(f"plain ({result.plain_setting}) / without exits", result.plain_over_no_exits, least=1.0)
        row(f"plain ({result.plain_setting}) / engine", result.plain_over_engine)
        for name, static in result.static_over_engine.items():
            row(f"{name} / engine", static, least=1.0)


def row(name: str, reached: Ratio, least: float | None = None, most: float | None = None) -> None:
    """One line; a target is held against the median and, in brackets, against the shortest times."""
    target = f">= {least:.3f}" if least is not None else f"<= {most:.3f}" if most is not None else ""
    marks = [
        "" if not target else "yes" if (least is None or x >= least) and (most is None or x <= most) else "NO"
        for x in (reached.median, reached.of_minima)
    ]
    numbers = f"{reached.median:.3f} ({reached.low:.3f}-{reached.high:.3f}) [{reached.of_minima:.3f}]"
    print(f"  {name:56}{target:>9}  {numbers:30}{marks[0]:>4}{f' [{marks[1]}]' if target else ''}")


def scaled(one: Ratio, by: float) -> Ratio:
    return Ratio(one.median * by, one.low * by, one.high * by, one.of_minima * by)


def print_checks(case: Case, protocol: Protocol, stopwatch: Stopwatch) -> None:
    """An exit after every layer, every k-th asked and nobody leaving, against no exits: one by one, 32 tokens."""
    model = a_model(tuple(range(1, LAYERS + 1)))
    examples = [one for one in case.examples[1] if len(one.ids) == 32]
    every = {
        k: EngineSettings(check_every=k).engine(model, Forced(EngineSettings().engine(model, case.policy).policy))
        for k in (1, 2, 4)
    }
    entrants = [Contestant(f"check_every {k}", answering(engine)) for k, engine in every.items()]
    entrants.append(Contestant(NO_EXITS, answering(EngineSettings().engine(model, "static"))))
    timings = interleave(entrants, requests_of(examples, 1) * 2, protocol, stopwatch)
    print("an exit after each of the 12 layers, 32 tokens one by one, nobody leaving early, / without exits")
    for k, engine in every.items():
        row(f"check_every {k}: {len(engine.consulted)} exits asked", ratio(timings, f"check_every {k}", NO_EXITS))


def print_stream(case: Case, stopwatch: Stopwatch, repeats: int, size: int = 16) -> None:
    """Examples/s of a stream in random order: fixed batches as they come, and pools that refill; alternating."""
    rng = np.random.default_rng(1)
    stream = [case.examples[16][i] for i in rng.permutation(len(case.examples[16]) * 2) % len(case.examples[16])]
    engine = case.settings.engine(case.model, case.policy)
    ways: dict[str, Callable[[], object]] = {
        "fixed batches in order of arrival": lambda: [engine.batch(part) for part in requests_in_order(stream, size)],
        "fixed batches of like lengths": lambda: engine.answer(stream, size),
        "Rebatcher": lambda: rebatched(engine, stream, size),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(min(repeats, 3) + 1):
        for name, way in ways.items():
            took = stopwatch.seconds(way)
            if repeat:  # the first is the warm-up
                seconds[name].append(took)
    print(f"a stream of {len(stream)} examples, batches of {size}: examples/s, median of {min(repeats, 3)}, [best]")
    for name, times in seconds.items():
        print(f"  {name:56}{len(stream) / statistics.median(times):>10.1f} [{len(stream) / min(times):.1f}]")


def requests_in_order(stream: Sequence[Tokens], size: int) -> Iterator[Sequence[Tokens]]:
    return (stream[start : start + size] for start in range(0, len(stream), size))


def rebatched(engine: EarlyExitEngine, stream: Sequence[Tokens], size: int) -> list[object]:
    with Rebatcher(engine, size, max_wait_s=1.0) as pools:
        return [future.result() for future in [pools.submit(one) for one in stream]]


def a_model(layers: Sequence[int]) -> MultiExitModel:
    """Random weights; classifiers with enough spread that their probabilities tell examples apart."""
    settings = {
        "backbone": {"name": "bert", "layers": LAYERS, "hidden": 384, "heads": 12, "pooling": "pooler"},
        "exits": {"layers": list(layers), "head": {"name": "linear"}},
    }
    model = build_model(ModelSettings.from_json(settings), num_labels=2, vocab_size=VOCABULARY, pad_id=0, seed=0).eval()
    with torch.no_grad():
        for head in model.heads:
            head.classifier.weight *= 5
    return model


def random_case(*, compiled: bool) -> Case:
    """The model, thresholds that let a quarter leave at each exit, and examples that do."""
    model = a_model(EXITS)
    thresholds, first_tokens = quarters(model)
    policy = {
        "name": "max_probability",
        "threshold": dict(zip(range(1, len(EXITS)), thresholds, strict=False)) | {4: 2.0},
    }
    engine = EngineSettings().engine(model, policy)
    rng = np.random.default_rng(0)
    examples: dict[int, list[Tokens]] = {}
    for size, lengths in LENGTHS.items():
        examples[size] = []
        for length in lengths:
            for number, tokens in first_tokens.items():
                examples[size].append(leaving(engine, number, tokens, length, rng))
    name = f"{LAYERS} layers, hidden 384, random weights; exits after layers {', '.join(map(str, EXITS))}"
    return Case(name, model, policy, examples, EngineSettings(compiled=compiled))


def leaving(
    engine: EarlyExitEngine, number: int, first_tokens: Sequence[int], length: int, rng: np.random.Generator
) -> Tokens:
    """An example that leaves at exit `number`: its first token nearly decides that, and the engine is asked."""
    for _ in range(20):
        ids = rng.integers(1, VOCABULARY, length)
        ids[0] = rng.choice(first_tokens)
        tokens = Tokens(ids.tolist())
        if engine.one(tokens).exit == number:
            return tokens
    raise SystemExit(f"no example of {length} tokens leaves at exit {number}")


def quarters(model: MultiExitModel) -> tuple[list[float], dict[int, list[int]]]:
    """A threshold per exit but the last, and for each exit first tokens whose examples leave there by some margin."""
    candidates = np.arange(1, CANDIDATES)
    rng = np.random.default_rng(2)
    ids = rng.integers(1, VOCABULARY, (len(candidates), 16))
    ids[:, 0] = candidates
    with torch.inference_mode():
        logits = torch.cat([model(TokenBatch(torch.from_numpy(part))) for part in np.array_split(ids, 4)], dim=1)
    sure = logits.softmax(dim=-1).amax(dim=-1).numpy()
    thresholds: list[float] = []
    first_tokens: dict[int, list[int]] = {}
    inside = np.ones(len(candidates), dtype=bool)
    for place in range(len(EXITS) - 1):
        thresholds.append(float(np.quantile(sure[place, inside], 1 - 1 / (len(EXITS) - place))))
        above = sure[place] - thresholds[-1]
        first_tokens[place + 1] = candidates[inside & (above > MARGIN)].tolist()
        inside &= above < -MARGIN
    first_tokens[len(EXITS)] = candidates[inside].tolist()
    return thresholds, first_tokens


def trained_case(given: argparse.Namespace, sizes: Sequence[int]) -> Case:
    """A trained model, and examples of its own test or dev split."""
    from greenexp.api.engines import found_graphs
    from greenexp.api.models import examples_of_task
    from greenexp.errors import InputError
    from greenexp.model import load_model, load_serving
    from greenexp.sources.checkpoints import find_model

    found = find_model(str(given.run))
    examples = examples_of_task(found, given.examples)
    model, serving = load_model(found.folder), load_serving(found.folder)
    how = f"{given.backend}, {given.precision}, policy {given.policy}"
    name = f"{found.trial}, {how}, {len(examples.tokens)} of its {examples.split} examples"
    try:
        graphs = found_graphs(found)
    except InputError as error:
        print(f"without ONNX Runtime: {error}")
        graphs = None
    own = graphs if given.backend == "onnxruntime" else None
    settings = EngineSettings(serving=serving, precision=given.precision, graphs=own)
    return Case(name, model, given.policy, dict.fromkeys(sizes, examples.tokens), settings, graphs)


if __name__ == "__main__":
    main()
