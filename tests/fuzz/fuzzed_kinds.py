"""The kinds of input that people, programs and accidents give to greenexp, each with what reads it.

A kind has one whole example, made once, and a way to give a changed one to the public entry point. What may come of it
is an answer or a GreenexpError.
"""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from edited_journals import checked, lines_of
from mutations import Draw, changed_bytes, changed_value
from stand_ins import Sweep, Workers
from tiny_served_models import dev_logits, save_tiny

from greenexp.api import cleaning, comparisons, planning, statistics
from greenexp.api.models import replay
from greenexp.api.sweeps import load
from greenexp.inference import EarlyExitEngine
from greenexp.journal.file import NAME
from greenexp.plan.fields import check_plugin
from greenexp.replay.latency import LatencyTable, read_latency, write_latency
from greenexp.replay.logits import read_logits, write_logits
from greenexp.tasks import TASKS
from greenexp.training.checkpoint import read_checkpoint, write_checkpoint

Attempt = Callable[[], object]
Make = Callable[[Draw], Attempt]
SWEEP: dict[str, Any] = {
    "name": "fuzz",
    "task": {"name": "clauses", "train": 40, "dev": 20, "test": 20},
    "backbone": {"name": "bert", "layers": 2, "hidden": 8, "heads": 2, "max_positions": 40},
    "exits": {"layers": [1, 2], "head": {"name": "linear"}},
    "method": {"name": "branchynet"},
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "max_length": 16},
    "metric": {"name": "accuracy", "exit": "mean"},
    "space": {
        "training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2, "steps": 3},
        "method.weights": {"dist": "choice", "values": ["uniform", "linear"]},
    },
    "search": {"name": "random", "samples": 3},
    "seeds": {"initialisation": 2},
    "scheduler": {"name": "asha", "reduction_factor": 2},
    "budget": {"wall_s": "2h", "train_flops": "1 TFLOP"},
    "replay": {"policies": [{"name": "entropy"}]},
    "resources": {"workers": 2},
}


def kinds(folder: Path) -> Mapping[str, Make]:
    """Name -> what makes an attempt; folder: for the files of the examples and their changes."""
    makers = {
        "sweep files": _sweep_files,
        "tables of scores": _score_tables,
        "task files": _task_files,
        "journals": _journals,
        "models": _models,
        "logits": _logits,
        "checkpoints": _checkpoints,
        "latency tables": _latency_tables,
    }
    made = {}
    for name, maker in makers.items():
        own = folder / name.replace(" ", "-")
        own.mkdir(parents=True, exist_ok=True)
        made[name] = maker(own)
    return made


def _sweep_files(folder: Path) -> Make:
    text = yaml.safe_dump(SWEEP, sort_keys=False).encode()

    def make(draw: Draw) -> Attempt:
        if draw.random() < 0.6:
            content = yaml.safe_dump(changed_value(SWEEP, draw), allow_unicode=True, sort_keys=False)
            (folder / "s.yaml").write_bytes(content.encode("utf-8", "backslashreplace"))
        else:
            (folder / "s.yaml").write_bytes(changed_bytes(text, draw))
        return lambda: planning.plan(folder / "s.yaml")

    return make


def _score_tables(folder: Path) -> Make:
    def make(draw: Draw) -> Attempt:
        path = folder / draw.choice(("t.csv", "t.tsv"))
        content = _score_table(draw).to_csv(index=False, sep="\t" if path.suffix == ".tsv" else ",").encode()
        path.write_bytes(changed_bytes(content, draw) if draw.random() < 0.6 else content)
        return _study(path, draw)

    return make


def _study(path: Path, draw: Draw) -> Attempt:
    by, cost = draw.choice((None, "g")), draw.choice((None, "cost"))
    target = draw.choice((None, None, 0.0, 1.5, 1e60))
    estimator = draw.choice(("median", "unbiased", "biased", 0.9))
    difference = draw.choice((None, None, 1e-9, 0.5, 1e9))
    return draw.choice(
        (
            lambda: statistics.curve(path, score="score", by=by, cost=cost, estimator=estimator),
            lambda: statistics.compare(path, score="score", by="g", cost=cost, target=target, estimator=estimator),
            lambda: comparisons.seeds(
                path, score="score", configuration="c", seed_columns=["s"], by=by, difference=difference
            ),
            lambda: comparisons.front(path, score="score", cost="cost", by=by),
            lambda: comparisons.simulate(path, score="score", run="c", resource="s", repeats=10),
        )
    )


def _score_table(draw: Draw) -> pd.DataFrame:
    rng = np.random.default_rng(draw.randrange(2**32))
    rows, groups = draw.choice((1, 2, 5, 20, 20, 60, 300)), draw.choice((1, 2, 3, 20))
    scores = np.round(rng.normal(size=rows), draw.choice((0, 1, 15)))
    scores *= 10.0 ** draw.choice((0, 0, 0, -12, 12, 100))
    costs = rng.lognormal(sigma=draw.choice((0.0, 1.0, 10.0)), size=rows)
    place = np.arange(rows)
    seeds = draw.choice((1, 3, 50))
    return pd.DataFrame({"score": scores, "cost": costs, "g": place % groups, "c": place // seeds, "s": place % seeds})


def _task_files(folder: Path) -> Make:
    rows = [{"text": f"a {'good' if n % 2 else 'bad'} film {n}", "label": n % 2} for n in range(12)]
    contents = {
        "jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "csv": pd.DataFrame(rows).to_csv(index=False).encode(),
        "tsv": pd.DataFrame(rows).to_csv(index=False, sep="\t").encode(),
    }

    def make(draw: Draw) -> Attempt:
        kind = draw.choice(sorted(contents))
        path = folder / f"train.{kind}"
        content = contents[kind]
        if kind == "jsonl" and draw.random() < 0.5:
            content = "\n".join(json.dumps(changed_value(row, draw)) for row in rows).encode()
        path.write_bytes(changed_bytes(content, draw))
        fields = {"train": str(path), "dev": 0.25, **draw.choice(({}, {"header": False}, {"text": "label"}))}
        return lambda: _load_task(kind, fields)

    return make


def _load_task(kind: str, fields: Mapping[str, Any]) -> object:
    found = check_plugin("task", {"name": kind, **fields}, TASKS)
    if found.settings is None:
        return None
    settings = dict(found.settings)
    return TASKS[settings.pop("name")](**settings).load()


def _journals(folder: Path) -> Make:
    conductor = Sweep(folder).open()
    Workers(conductor, fail={"c000-i0-o0": 2}).play()
    conductor.close()
    conductor.journal.close()
    path = folder / NAME
    whole, lines = path.read_bytes(), lines_of(path)

    def make(draw: Draw) -> Attempt:
        if draw.random() < 0.3:
            path.write_bytes(changed_bytes(whole, draw))
        else:
            changed = copy.deepcopy(lines)
            kind = draw.choice(sorted({line["kind"] for line in lines}))
            at = draw.choice([at for at, line in enumerate(lines) if line["kind"] == kind])
            value = changed_value(changed[at], draw)
            changed[at : at + 1] = [value] if isinstance(value, dict) else []
            path.write_bytes(checked([{**line, "n": number} for number, line in enumerate(changed)]))
        sweep = load(folder)
        return draw.choice(
            (
                lambda: sweep.status,
                sweep.frame,
                lambda: cleaning.clean([folder], dry_run=True),
                lambda: replay(folder),
            )
        )

    return make


def _models(folder: Path) -> Make:
    model = save_tiny(folder / "model")
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    manifest = json.loads(files["greenexp.json"])

    def make(draw: Draw) -> Attempt:
        for name, content in files.items():
            (model / name).write_bytes(content)
        name = draw.choice(sorted(files))
        content = _changed_file(name, files[name], draw)
        (model / name).write_bytes(content)
        if name != "greenexp.json" and draw.random() < 0.9:
            hashes = {**manifest["files"], name: hashlib.sha256(content).hexdigest()}
            (model / "greenexp.json").write_text(json.dumps({**manifest, "files": hashes}))
        return lambda: _answers(model)

    return make


def _answers(model: Path) -> object:
    engine = EarlyExitEngine.load(model, "max_probability:0.8")
    return engine.answer(engine.encode(["a good film", "bad"]), 2)


def _changed_file(name: str, content: bytes, draw: Draw) -> bytes:
    """JSON as values most of the time, and safetensors in their header."""
    if draw.random() < 0.3:
        return changed_bytes(content, draw)
    if name.endswith(".safetensors"):
        (length,) = struct.unpack("<Q", content[:8])
        header = json.dumps(changed_value(json.loads(content[8 : 8 + length]), draw)).encode()
        return struct.pack("<Q", len(header)) + header + content[8 + length :]
    try:
        return json.dumps(changed_value(json.loads(content), draw)).encode()
    except ValueError:
        return changed_bytes(content, draw)


def _logits(folder: Path) -> Make:
    whole = (folder / f"{write_logits(folder, dev_logits(save_tiny(folder / 'model'), 20))}.npz").read_bytes()
    with np.load(folder / next(folder.glob("*.npz")).name) as file:
        arrays = {name: file[name] for name in file}

    def make(draw: Draw) -> Attempt:
        if draw.random() < 0.5:
            content = changed_bytes(whole, draw)
        else:
            changed = dict(arrays)
            name = draw.choice(sorted(changed))
            was = np.atleast_1d(changed[name])
            changed[name] = draw.choice(
                (was, was.T, was[:-1], np.zeros(3), np.array("x"), np.full(20, np.nan), was + 1, -was)
            )
            np.savez(folder / "made.tmp.npz", allow_pickle=False, **changed)
            content = (folder / "made.tmp.npz").read_bytes()
        name = hashlib.sha256(content).hexdigest()
        (folder / "stored").mkdir(exist_ok=True)
        (folder / "stored" / f"{name}.npz").write_bytes(content)
        return lambda: read_logits(folder / "stored", name)

    return make


def _checkpoints(folder: Path) -> Make:
    write_checkpoint(folder, {"a": torch.arange(6.0).view(2, 3)}, {"epoch": 2, "best": [0.5], "trial": "c000"})
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def make(draw: Draw) -> Attempt:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        name = draw.choice(sorted(files))
        content = _changed_file(name, files[name], draw)
        (folder / name).write_bytes(content)
        manifest = json.loads(files["manifest.json"])
        if name in manifest["files"] and draw.random() < 0.9:
            manifest["files"][name] = hashlib.sha256(content).hexdigest()
            (folder / "manifest.json").write_text(json.dumps(manifest))
        return lambda: read_checkpoint(folder)

    return make


def _latency_tables(folder: Path) -> Make:
    path = folder / "latency.json"
    write_latency(path, LatencyTable("a CPU", 2, "fp32", [1, 3], [8, 16], [[1.0, 2.0], [3.0, 5.0]]))
    whole = path.read_bytes()

    def make(draw: Draw) -> Attempt:
        path.write_bytes(_changed_file(path.name, whole, draw))
        return lambda: read_latency(path).at([8, 12])

    return make
