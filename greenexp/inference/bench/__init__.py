"""How fast the engine is: who is timed, by which protocol, and what the numbers mean. Pure library code.

In here: the contestants (the engine with its policy, without exits, with every exit asked and nobody leaving; the plain
transformers model), the interleaved protocol, ratios over repeats, energy where it can be told from idle power, the
table of latencies by exit and length. Not in here: printing, choosing a threshold, finding examples. To add a
contestant: a row in `contestants.py` that answers the same requests with the same weights.
"""

from greenexp.inference.bench.contest import BatchResult, contest, requests_of
from greenexp.inference.bench.contestants import Contestants, EngineSettings, leaving_at
from greenexp.inference.bench.energy import Energy, measure_energy
from greenexp.inference.bench.latency import measure_latency
from greenexp.inference.bench.protocol import Contestant, Protocol, Stopwatch, fixed_threads, interleave
from greenexp.inference.bench.summary import Ratio, Speed, ratio, speeds
from greenexp.inference.bench.tokenisation import Tokenisation, time_tokenisation

__all__ = [
    "BatchResult",
    "Contestant",
    "Contestants",
    "Energy",
    "EngineSettings",
    "Protocol",
    "Ratio",
    "Speed",
    "Stopwatch",
    "Tokenisation",
    "contest",
    "fixed_threads",
    "interleave",
    "leaving_at",
    "measure_energy",
    "measure_latency",
    "ratio",
    "requests_of",
    "speeds",
    "time_tokenisation",
]
