"""Early exit beside every static model that a user could run instead: `python benchmarks/static_on_cpu.py RUN`.

RUN is a trained sweep's folder, after `greenexp export RUN --format onnx`. In one run for each number of threads and
each batch size, taking turns: the engine that leaves early and the same without exits, in PyTorch and in ONNX Runtime
in fp32 and int8; ONNX Runtime's whole model, and the model cut at the exits `--cut`, as one graph each, in fp32 and
int8; and plain transformers. Printed are tables in Markdown: seconds over those of the fastest engine that leaves
early, medians over the repeats, (range), [ratio of shortest times]; and the accuracy of each on the same texts of the
task. A cut model is the trained model's own exit used alone, not one that was trained by itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from greenexp.api.engines import EngineOptions, choose_policy, found_graphs
from greenexp.inference import EarlyExitEngine, Tokens
from greenexp.inference.bench import (
    Contestant,
    EngineSettings,
    Protocol,
    Stopwatch,
    fixed_threads,
    interleave,
    ratio,
    requests_of,
)
from greenexp.inference.bench.contestants import answering
from greenexp.inference.bench.plain import plain_variants
from greenexp.inference.graphs.folder import GRAPH_PRECISIONS, GraphFolder
from greenexp.inference.graphs.pieces import whole_piece
from greenexp.inference.graphs.running import FullGraph
from greenexp.inference.graphs.writing import write_piece
from greenexp.model import MultiExitModel, Serving, load_model, load_serving
from greenexp.plan.data import prepare_data
from greenexp.sources.checkpoints import FoundModel, find_model, recorded_settings

TOGETHER = 32
"""Texts of a batch where accuracy is measured."""
LEAVES_EARLY = "leaves early"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model with its policy, its graphs, and static graphs cut at some exits."""

    model: MultiExitModel
    serving: Serving | None
    policy: Any
    graphs: GraphFolder
    cut: dict[int, GraphFolder]
    pad_id: int

    def contestants(self) -> list[Contestant]:
        """All of them, on as many threads as torch has now."""
        found: list[Contestant] = []
        for backend, precision in (("PyTorch", "fp32"), *(("ONNX Runtime", one) for one in GRAPH_PRECISIONS)):
            graphs = None if backend == "PyTorch" else self.graphs
            settings = EngineSettings(serving=self.serving, precision=precision, graphs=graphs)  # type: ignore[arg-type]
            for how, policy in ((LEAVES_EARLY, self.policy), ("without exits", "static")):
                engine = settings.engine(self.model, policy)
                found.append(Contestant(f"engine, {backend}, {precision}, {how}", predicting(engine)))
        for precision in GRAPH_PRECISIONS:
            for number, graphs in ((None, self.graphs), *self.cut.items()):
                name = "whole" if number is None else f"cut at exit {number} of {self.model.num_exits}"
                one = FullGraph(graphs, self.model, precision, self.pad_id)
                found.append(Contestant(f"static, ONNX Runtime, {precision}, {name}", one.answer))
        plain = plain_variants(self.model, self.model.num_exits, precision="fp32", pad_id=self.pad_id, compiled=False)
        found += [Contestant(f"plain transformers, fp32, {name}", one.answer) for name, one in plain.items()]
        return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", help="a trained sweep's folder, or a model's in it")
    arguments.add_argument(
        "--speed-up", type=float, default=2.0, help="in layers, of the threshold that is best on dev"
    )
    arguments.add_argument("--policy", help="NAME:VALUE instead")
    arguments.add_argument("--threads", default="1,2")
    arguments.add_argument("--batch", default="1,32")
    arguments.add_argument("--cut", default="", help="exits at which static models end, such as 2,3")
    arguments.add_argument("--examples", type=int, default=64, help="that are timed")
    arguments.add_argument("--scored", type=int, default=1000, help="on which accuracy is measured")
    arguments.add_argument("--repeats", type=int, default=3)
    given = arguments.parse_args()
    began = time.monotonic()
    found = find_model(given.run)
    tokens, labels, split = labelled(found, given.scored)
    timed = [tokens[place] for place in np.linspace(0, len(tokens) - 1, given.examples).round().astype(int)]
    protocol = Protocol(repeats=given.repeats, warm_ups=3, least_warm_ups=1, warm_up_limit_s=0.1)
    with tempfile.TemporaryDirectory(prefix="greenexp-cut-") as folder:
        trained = trained_model(found, given, Path(folder))
        print(f"{found.trial}, policy {given.policy or f'at a speed-up of {given.speed_up:g} on dev'}; load "
              f"{' '.join(Path('/proc/loadavg').read_text(encoding='utf-8').split()[:3])}")  # fmt: skip
        for threads in map(int, given.threads.split(",")):
            with fixed_threads(threads):
                contestants = trained.contestants()
                for size in map(int, given.batch.split(",")):
                    print(f"\n{threads} thread(s), batch {size}, {len(timed)} texts, {given.repeats} repeats\n")
                    print("\n".join(timed_rows(contestants, timed, size, protocol)), flush=True)
        print(f"\nAccuracy on {len(tokens)} texts of {split}\n")
        print("\n".join(scored_rows(trained.contestants(), tokens, labels)))
    print(f"\n{time.monotonic() - began:.0f} s in all")


def labelled(found: FoundModel, count: int) -> tuple[list[Tokens], list[int], str]:
    """Texts of the test set, or of dev without one, evenly over it, with their classes; and which it is."""
    data = prepare_data(recorded_settings(found))
    name, split = ("dev", data.dev) if data.test is None else ("test", data.test)
    places = np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(int))
    tokens = []
    for place in places.tolist():
        part = slice(split.offsets[place], split.offsets[place + 1])
        types = None if split.type_ids is None else split.type_ids[part].tolist()
        tokens.append(Tokens(split.ids[part].tolist(), types))
    return tokens, split.labels[places].tolist(), name


def trained_model(found: FoundModel, given: argparse.Namespace, folder: Path) -> Trained:
    """Loaded, with graphs cut at the exits asked for, written below `folder`."""
    options = EngineOptions(policy=given.policy, speed_up=None if given.policy else given.speed_up)
    model, serving = load_model(found.folder), load_serving(found.folder)
    graphs, cut = found_graphs(found), {}
    for number in map(int, filter(None, given.cut.split(","))):
        cut[number] = replace(graphs, folder=folder / str(number))
        cut[number].folder.mkdir()
        write_piece(whole_piece(model, number), cut[number].folder, model)
    pad_id = 0 if serving is None else serving.pad_id
    return Trained(model, serving, choose_policy(found, options).policy, graphs, cut, pad_id)


def predicting(engine: EarlyExitEngine) -> Callable[[Sequence[Tokens]], list[Any]]:
    """How an engine answers a request, as predictions alone."""
    answer = answering(engine)
    return lambda request: [one.prediction for one in answer(tuple(request))]


def timed_rows(
    contestants: Sequence[Contestant], examples: Sequence[Tokens], size: int, protocol: Protocol
) -> Iterator[str]:
    """A row per contestant: its seconds over those of the fastest engine that leaves early."""
    requests = requests_of(examples, size)
    timings = interleave(
        contestants, requests, replace(protocol, turn=max(1, 16 // size)), Stopwatch.of(torch.device("cpu"))
    )
    medians = dict(zip(timings.contestants, np.median(timings.seconds.sum(axis=2), axis=1), strict=True))
    fastest = min((name for name in medians if name.endswith(LEAVES_EARLY)), key=lambda name: medians[name])
    yield f"| model | seconds over those of `{fastest}` | ms per text |\n|---|---|---|"
    for name in sorted(medians, key=lambda name: medians[name]):
        one = ratio(timings, name, fastest)
        numbers = f"{one.median:.2f} ({one.low:.2f}-{one.high:.2f}) [{one.of_minima:.2f}]"
        yield f"| {name} | {numbers} | {1e3 * medians[name] / timings.examples.sum():.2f} |"


def scored_rows(contestants: Sequence[Contestant], examples: Sequence[Tokens], labels: Sequence[int]) -> Iterator[str]:
    """A row per contestant: its accuracy, and the share of texts on which it answers as plain transformers."""
    order = np.argsort([len(one.ids) for one in examples], kind="stable").tolist()
    said: dict[str, list[Any]] = {}
    for one in contestants:
        parts = [order[start : start + TOGETHER] for start in range(0, len(order), TOGETHER)]
        said[one.name] = [answer for part in parts for answer in one.answer(tuple(examples[place] for place in part))]
    right = [labels[place] for place in order]
    plain = said[contestants[-1].name]
    yield "| model | accuracy | same class as plain transformers |\n|---|---|---|"
    for name, answers in said.items():
        yield f"| {name} | {np.mean(np.equal(answers, right)):.4f} | {np.mean(np.equal(answers, plain)):.1%} |"


if __name__ == "__main__":
    main()
