"""What a training step of each method costs, in steps of plain fine-tuning: `python benchmarks/method_cost.py`.

Everyone trains the same backbone on the same full batches of random tokens with the product's own models, methods,
optimiser and number format, one thread; steps alternate, in a new random order every round. Printed: the ratio of
medians to `finetune` (the last exit only) in CPU time, quartiles of the ratio within a round, the ratio of shortest
times, which other processes disturb least, and the analytic FLOPs ratio. `finetune, again` shows the noise.
Embeddings are frozen, as in sweeps/methods.yaml: training them adds the same to every row and makes all ratios smaller.

What a step is: one update of the encoder from one batch of the same size. A method whose steps differ (berxit, clo-v2)
counts with the mean over its cycle. LeeBERT's blo and clo draw that batch from half of the training set (D1), and look
at a second one from the other half (D2) for their loss weights alone: a step moves the encoder by as many examples as
finetune's, but an epoch has half as many steps. So at equal steps, equal also in the examples the encoder learned from,
the printed cost is that of a whole training; at equal epochs it is half of it. Methods in two stages have a row for
each, and beside them what a whole trial with as many epochs in both costs against finetune with those of the first.

`--sweep OUT` adds what the trials of a sweep's folder needed to reach their best checkpoint (LeeBERT, table 2).
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from method_steps import BATCHES, CLASSES, Case, Lane, LoopTerms, Setting, looping, naive, stages_of

from greenexp.journal.tables import read_tables
from greenexp.methods import METHODS
from greenexp.objectives import MutualTerms
from greenexp.records.costs import Part
from greenexp.training.precision import choose_precision

LINEAR = {"exits.head": {"name": "linear"}}
JOINT, SLO, CLO_V1, CLO_V2 = 1.05, 1.03, 1.8, 1.25


def leebert(weights: str, teachers: str = "all", **others: object) -> dict[str, object]:
    return {"name": "leebert", "weights": weights, "teachers": teachers, **others}


PLAIN = Case("finetune", {"name": "finetune"})
CASES = (
    Case("finetune, again", {"name": "finetune"}),
    Case("leebert uniform", leebert("uniform"), most=JOINT),
    Case("leebert slo", leebert("slo"), most=SLO),
    Case("leebert clo-v1", leebert("clo-v1"), most=CLO_V1),
    Case("leebert clo-v2, C = 4", leebert("clo-v2"), most=CLO_V2),
    Case("leebert blo", leebert("blo")),
    Case("leebert clo-v1, look_dropout off", leebert("clo-v1", look_dropout=False), most=CLO_V1),
    Case("leebert clo-v2, look_dropout off", leebert("clo-v2", look_dropout=False), most=CLO_V2),
    Case("clo-v1, naive autograd", leebert("clo-v1"), change=naive),
    Case("leebert uniform, loop over pairs", leebert("uniform"), change=looping),
    Case("leebert random", leebert("random"), most=JOINT),
    Case("leebert uniform, teachers later", leebert("uniform", "later"), most=JOINT),
    Case("leebert uniform, teachers last", leebert("uniform", "last"), most=JOINT),
    Case("leebert clo-v2, C = 2", leebert("clo-v2", cycle=2)),
    Case("leebert clo-v2, C = 8", leebert("clo-v2", cycle=8)),
    Case("fastbert-clo-v2", leebert("clo-v2", "last"), most=CLO_V2),
    Case("branchynet", {"name": "branchynet"}, most=JOINT),
    Case("pabee", {"name": "pabee"}, most=JOINT),
    Case("dbt", {"name": "dbt"}, most=JOINT),
    Case("ensemble", {"name": "ensemble"}, most=JOINT),
    Case("berxit", {"name": "berxit"}),
    Case("berxit weighted", {"name": "berxit", "schedule": "weighted"}, most=JOINT),
    Case("righttool", {"name": "righttool"}),
    Case("shallow_deep joint", {"name": "shallow_deep"}),
    Case("shallow_deep joint, linear", {"name": "shallow_deep"}, LINEAR, most=JOINT),
    Case("elasticbert", {"name": "elasticbert"}),
    Case("elasticbert, linear", {"name": "elasticbert"}, LINEAR, most=JOINT),
    Case("romebert", {"name": "romebert"}),
    Case("romebert, one backward, linear", {"name": "romebert", "project": "none"}, LINEAR, most=JOINT),
    Case("deebert", {"name": "deebert"}),
    Case("fastbert", {"name": "fastbert"}),
    Case("fastbert, nothing kept", {"name": "fastbert", "cache_bytes": 0}),
    Case("shallow_deep ic_only", {"name": "shallow_deep", "mode": "ic_only"}),
)


@dataclass(frozen=True)
class Clock:
    """now: seconds of whatever is counted; settle: waits until what was begun is done."""

    now: Callable[[], float]
    settle: Callable[[], None]

    @classmethod
    def of(cls, device: torch.device) -> Clock:
        """CPU time of this process, or on a GPU time on the clock, waiting for it."""
        if device.type == "cuda":
            return cls(time.perf_counter, torch.cuda.synchronize)
        return cls(time.process_time, lambda: None)

    def seconds(self, call: Callable[[], object]) -> float:
        """What a call takes."""
        self.settle()
        began = self.now()
        call()
        self.settle()
        return self.now() - began


@dataclass
class Row:
    """What one stage of a method took.

    shares: per kind of step; times: per kind, a number per round; plain: finetune's of the same rounds
    prepared_s, prepared_flops: before the stage's first step, over all batches
    """

    case: Case
    stage: int
    of_stages: int
    added: int
    flops: float
    shares: list[float]
    times: list[list[float]]
    prepared_s: float = 0.0
    prepared_flops: float = 0.0
    plain: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the method, and of the stage where there are several."""
        return self.case.name if self.of_stages == 1 else f"{self.case.name}, stage {self.stage}"

    def mean(self, of: Callable[[Sequence[float]], float]) -> float:
        """Over the kinds of step, of a statistic of each."""
        return sum(share * of(times) for share, times in zip(self.shares, self.times, strict=True))

    @property
    def cost(self) -> float:
        """Ratio of medians."""
        return self.mean(statistics.median) / statistics.median(self.plain)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Of the ratio within a round."""
        each = np.average(np.array(self.times), axis=0, weights=self.shares) / np.array(self.plain)
        low, high = np.quantile(each, (0.25, 0.75))
        return float(low), float(high)

    @property
    def of_shortest(self) -> float:
        """Ratio of shortest times."""
        return self.mean(min) / min(self.plain)

    @property
    def preparation(self) -> float:
        """Per batch, in steps of finetune."""
        return self.prepared_s / (2 * BATCHES) / statistics.median(self.plain)


def main() -> None:
    given = arguments().parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    setting = the_setting(given)
    load, wall, used = os.getloadavg()[0], time.monotonic(), time.process_time()
    cases = [case for case in CASES if given.only is None or any(part in case.name for part in given.only.split(","))]
    rows: list[Row] = []
    entrants = [(case, stage.number) for case in cases for stage in stages_of(case, setting)]
    plain_flops = math.nan
    print_setting(given, setting)
    for start in range(0, len(entrants), given.together):
        plain, found = heat(entrants[start : start + given.together], setting, given.steps)
        rows += found
        plain_flops = plain.flops
        print_rows(found, plain_flops)
    print_remarks(rows)
    wall, used = time.monotonic() - wall, time.process_time() - used
    step = statistics.median([seconds for row in rows for seconds in row.plain])
    print(
        f"finetune: {1e3 * step:.1f} ms per step (median); load average {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end, on {os.cpu_count()} cores; this process got "
        f"{used / wall:.0%} of one for {wall:.0f} s"
    )
    print_trials(rows, plain_flops)
    print_pairs(setting)
    if given.sweep is not None:
        print_sweep(given.sweep)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="minilm-l6", help="of a BERT; `random` for new weights of --hidden")
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--layers", type=int, help="the first so many; of a random BERT 12 unless given")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--steps", type=int, default=15, help="rounds; two more warm up")
    parser.add_argument("--together", type=int, default=8, help="stages that alternate with one finetune")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--train-embeddings", action="store_true")
    parser.add_argument("--only", help="rows whose names contain one of these, comma between them")
    parser.add_argument("--sweep", type=Path, metavar="OUT", help="a sweep's folder")
    return parser


def the_setting(given: argparse.Namespace) -> Setting:
    device = torch.device(given.device)
    if given.source == "random":
        heads = max(1, given.hidden // 64)
        backbone = {"name": "bert", "layers": given.layers or 12, "hidden": given.hidden, "heads": heads}
        backbone["pooling"] = "mean"
    else:
        backbone = {"name": "bert", "source": given.source, "layers": given.layers}
    frozen = frozenset() if given.train_embeddings else frozenset({Part.EMBEDDINGS})
    setting = Setting(backbone, given.batch, given.length, "fp32", device, frozen)
    width = Lane(PLAIN, setting, 1, setting.batches()).model.backbone.hidden_size
    precision = choose_precision(given.precision, device, width)
    return Setting(backbone, given.batch, given.length, precision, device, frozen)


def heat(entrants: Sequence[tuple[Case, int]], setting: Setting, rounds: int) -> tuple[Row, list[Row]]:
    """Some stages and a finetune of their own, step by step in turns; two rounds of warming up are not counted."""
    clock, batches, rng = Clock.of(setting.device), setting.batches(), np.random.default_rng(1)
    lanes = [Lane(case, setting, number, batches) for case, number in ((PLAIN, 1), *entrants)]
    rows = []
    for lane in lanes:
        seconds = clock.seconds(lane.prepare)
        flops = 2 * BATCHES * lane.flops_of(lane.prepared)
        shares = [share for _, share in lane.turns]
        of_stages = len(stages_of(lane.case, setting))
        row = Row(lane.case, lane.stage.number, of_stages, lane.added, lane.flops(), shares, [[] for _ in shares])
        row.prepared_s, row.prepared_flops = (seconds, flops) if lane.prepared else (0.0, 0.0)
        rows.append(row)
    order = [(place, kind) for place, lane in enumerate(lanes) for kind in range(len(lane.turns))]
    for number in range(-2, rounds):
        for index in rng.permutation(len(order)):
            place, kind = order[index]
            took = clock.seconds(lanes[place].step(lanes[place].turns[kind][0], number))
            if number >= 0:
                rows[place].times[kind].append(took)
    for row in rows:
        row.plain = rows[0].times[0]
    return rows[0], rows[1:]


def print_setting(given: argparse.Namespace, setting: Setting) -> None:
    layers = len(setting.model(setting.settings(PLAIN)).exits)
    embeddings = "trained" if given.train_embeddings else "frozen"
    clock = "CPU time" if setting.device.type == "cpu" else "time on the clock"
    print(
        f"{given.source}, {layers} layers, an exit after each, {CLASSES} classes; batch {setting.batch} of "
        f"{setting.length} tokens; {setting.precision}, {setting.device}; embeddings {embeddings}; "
        f"{given.steps} rounds\n"
        f"{clock}; {setting.least_parameters():,} parameters with one linear exit\n"
    )
    titles = f"{'cost':>7}  {'quartiles':13}{'[shortest]':>11}{'FLOPs':>7}{'added':>11}"
    print(f"{'per step, finetune = 1':34}{titles}  may be", flush=True)


def print_rows(rows: Sequence[Row], plain_flops: float) -> None:
    """`most` is held against the ratio of medians and, in brackets, against that of the shortest times."""
    for row in rows:
        low, high = row.quartiles
        most = row.case.most
        mark = "" if math.isnan(most) else f"  <= {most:.2f} {'yes' if row.cost <= most else 'NO'}"
        mark += "" if math.isnan(most) else f" [{'yes' if row.of_shortest <= most else 'NO'}]"
        spread = f"{low:.3f}-{high:.3f}"
        print(
            f"{row.name:34}{row.cost:>7.3f}  {spread:13}{f'[{row.of_shortest:.3f}]':>11}"
            f"{row.flops / plain_flops:>7.3f}{row.added:>+11,}{mark}",
            flush=True,
        )


def print_remarks(rows: Sequence[Row]) -> None:
    missing = sorted(set(METHODS) - {str(row.case.method["name"]) for row in rows} - {"finetune"})
    print("added: parameters, against the backbone with one linear exit; loss weights, M + pairs numbers, not counted")
    if missing:
        print(f"without a row: {', '.join(missing)}")


def print_trials(rows: Sequence[Row], plain_flops: float) -> None:
    """With E epochs in each stage, the preparation once, per E epochs of finetune."""
    pairs = [(one, two) for one, two in itertools.pairwise(rows) if one.case is two.case]
    if not pairs:
        return
    print(
        "\na whole trial, 3 + 3 epochs, against 3 of finetune (the first stage trains the encoder, the second does not)"
    )
    for one, two in pairs:
        cost = one.cost + two.cost + two.preparation / 3
        flops = (one.flops + two.flops + two.prepared_flops / (2 * BATCHES) / 3) / plain_flops
        kept = f"; states kept once for {two.preparation:.3f} per batch" if two.prepared_s else ""
        print(f"{one.case.name:34}{cost:>7.3f}  FLOPs {flops:.3f}{kept}")


def print_pairs(setting: Setting) -> None:
    """LeeBERT's terms from logits and back, without the model."""
    clock = Clock.of(setting.device)
    print(f"\nall pairs of exits, forward and backward from the logits, {setting.batch} examples, median of 100")
    for exits in (6, 12, 24):
        logits = torch.randn(exits, setting.batch, CLASSES, device=setting.device, requires_grad=True)
        labels = torch.zeros(setting.batch, dtype=torch.int64, device=setting.device)
        einsum, loop = (terms_ms(kind(exits), logits, labels, clock) for kind in (MutualTerms, LoopTerms))
        print(f"{exits:>4} exits, {exits * (exits - 1):>3} pairs: einsum {einsum:.2f} ms, loop {loop:.2f} ms")


def terms_ms(terms: MutualTerms, logits: torch.Tensor, labels: torch.Tensor, clock: Clock) -> float:
    """Median milliseconds of one forward and one backward."""

    def both() -> None:
        terms.of(logits, labels).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated

    took = [clock.seconds(both) for _ in range(110)]
    return 1e3 * statistics.median(took[10:])


def print_sweep(folder: Path) -> None:
    """Means over the seeds of the finished trials. Both costs are those of the epochs up to the best."""
    table = to_best(folder)
    print(f"\nto the best checkpoint, {folder.name}: mean ± standard deviation over seeds; CPU time with evaluation")
    if table.empty:
        print("no trial is finished")
        return
    first = table[table["configuration"] == "finetune"][["cpu_s", "train_flops"]].mean()
    print(f"{'':44}{'seeds':>5}{'epoch':>7}{'CPU min':>15}{'ratio':>7}{'PFLOP':>18}{'ratio':>7}")
    for name, group in table.groupby("configuration", sort=False):
        cells = f"{name!s:44}{len(group):>5}{group['best_epoch'].mean():>7.1f}"
        for cost, unit, width, digits in (("cpu_s", 60, 15, 2), ("train_flops", 1e15, 18, 4)):
            values = group[cost] / unit
            spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells += f"{f'{values.mean():.{digits}f}{spread}':>{width}}{group[cost].mean() / first[cost]:>7.2f}"
        print(cells)


def to_best(folder: Path) -> pd.DataFrame:
    """A row per finished trial: what its epochs up to the best one cost."""
    tables = read_tables(folder)
    epochs = tables.epochs[~tables.epochs["repeated"]]
    found = []
    for _, trial in tables.trials[tables.trials["status"] == "finished"].iterrows():
        own = epochs[(epochs["trial"] == trial["trial"]) & (epochs["epoch"] <= trial["best_epoch"])]
        searched = {path.rpartition(".")[2]: trial[f"params.{path}"] for path in tables.parameters}
        known = {field: value for field, value in searched.items() if field != "epochs" and not pd.isna(value)}
        words = [str(known.pop("name", "")), *(f"{field} {value}" for field, value in known.items())]
        costs = {cost: own[cost].sum(min_count=len(own)) for cost in ("cpu_s", "train_flops")}
        found.append({"configuration": ", ".join(words), "best_epoch": trial["best_epoch"], **costs})
    return pd.DataFrame(found)


if __name__ == "__main__":
    main()
