"""A pre-training text in files against one in memory: `python benchmarks/streaming.py --megabytes 300`.

Makes a text of that size, then, each in a process of its own: the peak of the memory while it is prepared (with a
tokeniser, and a cache, of its own), and of a process that is handed the prepared data and trains with it. At last both
are trained in one process by turns, 6 steps each, of 64 examples, with 4 layers of width 128: seconds per step. All
three parts check that both have equal fingerprints.

Memory is that of the process alone: what the system keeps of files while nobody needs the room is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WORDS, DOCUMENTS_PER_FILE, STEPS = 20_000, 5_000, 6


def write_text(folder: Path, megabytes: float) -> int:
    """Documents of 10 to 60 sentences of words by Zipf's law, in files of 5,000; returns the number of bytes."""
    rng = np.random.default_rng(0)
    alphabet = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(alphabet, rng.integers(2, 12))) for _ in range(WORDS)])
    chance = 1 / np.arange(1, WORDS + 1)
    chance /= chance.sum()
    written = number = 0
    while written < megabytes * 1e6:
        with (folder / f"part{number:03}.txt").open("w", encoding="utf-8") as file:
            for _ in range(DOCUMENTS_PER_FILE):
                lengths = rng.integers(8, 25, rng.integers(10, 60))
                drawn = words[rng.choice(WORDS, lengths.sum(), p=chance)]
                sentences = np.split(drawn, np.cumsum(lengths)[:-1])
                written += file.write(" ".join(" ".join(one) + "." for one in sentences) + "\n\n")
                if written >= megabytes * 1e6:
                    break
        number += 1
    return written


def trial(folder: Path, *, stream: bool) -> Any:
    """Pre-training of an encoder of four layers on the text."""
    from greenexp.records.settings import Settings
    from greenexp.records.trial import TrialSeeds, TrialSpec

    sections = {
        "task": {"name": "corpus", "files": str(folder / "text" / "*.txt"), "stream": stream},
        "backbone": {"name": "elasticbert", "layers": 4, "hidden": 128, "heads": 2, "max_positions": 128},
        "exits": {"layers": "all", "head": {"name": "pretraining"}},
        "method": {"name": "elasticbert_pretraining", "groups": 2},
        "training": {"epochs": 1, "batch_size": 64, "max_length": 128, "precision": "fp32"},
        "metric": {"name": "mlm_accuracy", "exit": "last", "mode": "max"},
        "compression": {"name": "none"},
    }
    return TrialSpec("c000-i0-o0", "c000", 0, Settings.from_json(sections), {}, TrialSeeds(0, 0))


def peak_mb() -> float:
    """The largest memory of this process so far, of its own and of files that it has mapped."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def prepare(folder: Path, *, stream: bool) -> dict[str, Any]:
    """Prepare the text and leave it, pickled, for the others."""
    from greenexp.plan.data import prepare_data
    from greenexp.training import TrialRun  # noqa: F401 - what is imported is in the memory before

    settings = trial(folder, stream=stream).settings
    settings.backbone.plugin().tokenizer()
    before, begun = peak_mb(), time.monotonic()
    data: Any = prepare_data(settings)
    wall_s, peak = time.monotonic() - begun, peak_mb()
    (folder / f"data-{stream}").write_bytes(pickle.dumps(data, protocol=5))
    facts = {"examples": len(data.train), "tokens": int(data.train.offsets[-1]), "fingerprint": data.fingerprint}
    return {"before_mb": before, "peak_mb": peak, "wall_s": wall_s, **facts}


def train(folder: Path, *, stream: bool) -> dict[str, Any]:
    """Train some steps from what was prepared."""
    import greenexp.training  # noqa: F401 - as above

    before = peak_mb()
    run = opened(folder, stream=stream)
    steps(run, 3 * STEPS)
    return {"before_mb": before, "peak_mb": peak_mb(), "fingerprint": run._data.fingerprint}  # noqa: SLF001


def pairs(folder: Path, rounds: int = 6) -> dict[str, Any]:
    """Medians of seconds per step, and of the quotients of the rounds."""
    runs = {stream: opened(folder, stream=stream) for stream in (False, True)}
    found = []
    for number in range(rounds):
        order = (False, True) if number % 2 else (True, False)
        found.append({stream: statistics.median(steps(runs[stream], STEPS)) for stream in order})
    held, streamed = ([one[stream] for one in found] for stream in (False, True))
    quotients = [one[True] / one[False] for one in found]
    return {
        "memory_step_s": statistics.median(held),
        "streamed_step_s": statistics.median(streamed),
        "quotient": statistics.median(quotients),
        "quotients": [round(one, 3) for one in sorted(quotients)],
    }


def opened(folder: Path, *, stream: bool) -> Any:
    """A run over the prepared text."""
    from greenexp.training import TrialRun

    data = pickle.loads((folder / f"data-{stream}").read_bytes())  # noqa: S301 - written above
    return TrialRun(trial(folder, stream=stream), data)


def steps(run: Any, count: int) -> list[float]:
    """Seconds of each step but the first one."""
    at: list[float] = []

    def is_enough() -> bool:
        at.append(time.perf_counter())
        return len(at) > count

    run.train_on(is_enough)
    return [float(one) for one in np.diff(at)]


PARTS = {"prepare": prepare, "train": train}


def asked_of_a_process(folder: Path, part: str, *, stream: bool = False) -> dict[str, Any]:
    """The answer of a fresh process, whose cache is in `folder`."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), *(["--stream"] if stream else [])]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def report(folder: Path, megabytes: float) -> None:
    """Make everything and print it."""
    (folder / "text").mkdir(parents=True, exist_ok=True)
    size_b = sum(path.stat().st_size for path in (folder / "text").iterdir()) or write_text(folder / "text", megabytes)
    print(f"text: {size_b / 1e6:.0f} MB", flush=True)
    prints = set()
    for part in PARTS:
        for stream in (False, True):
            found = asked_of_a_process(folder, part, stream=stream)
            prints.add(found.pop("fingerprint"))
            shown = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
            print(f"{part}, {'streamed' if stream else 'in memory'}: {shown}", flush=True)
    print(f"equal fingerprints: {len(prints) == 1}")
    print(f"steps by turns: {asked_of_a_process(folder, 'pairs')}")
    files_b = sum(path.stat().st_size for path in (folder / "cache" / "greenexp" / "tokens").rglob("*"))
    print(f"files of the cache: {files_b / 1e6:.0f} MB")


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--folder", type=Path, help="where text and tokens are made and stay")
    parser.add_argument("--part", choices=[*PARTS, "pairs"], help=argparse.SUPPRESS)
    parser.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part is not None:
        answer = pairs(asked.folder) if asked.part == "pairs" else PARTS[asked.part](asked.folder, stream=asked.stream)
        print(json.dumps(answer))
    elif asked.folder is not None:
        report(asked.folder, asked.megabytes)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            report(Path(scratch), asked.megabytes)


if __name__ == "__main__":
    main()
