"""What the service counts, in the text format of Prometheus.

Kept by the event loop alone, so nothing is locked. The format: `records.exposition_text`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from greenexp.inference.answers import Answer
from greenexp.inference.rebatching import Statistics
from greenexp.records.exposition_text import head

PATHS = ("/predict", "/health", "/metrics")
OTHER = "other"
"""A label must not grow with what clients ask for."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters since the service began, and how many examples wait now."""

    def __init__(self) -> None:
        self.waiting = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._exits: Counter[tuple[int, int]] = Counter()
        self._flops = 0
        self._latency = [0] * (len(BUCKETS_S) + 1)
        self._latency_s = 0.0
        self._gone = 0

    @property
    def requests(self) -> int:
        """Responses so far."""
        return self._requests.total()

    def request(self, path: str, status: int, seconds: float) -> None:
        """A response has been sent. What the latency of /predict is made of: requests that were answered, whole."""
        known = path if path in PATHS else OTHER
        self._requests[known, status] += 1
        if known == "/predict" and status == 200:
            self._latency[bisect_left(BUCKETS_S, seconds)] += 1
            self._latency_s += seconds

    def answers(self, answers: Iterable[Answer]) -> None:
        """Examples have been answered."""
        for answer in answers:
            self._exits[answer.exit, answer.layer] += 1
            self._flops += answer.inference_flops

    def gone(self) -> None:
        """A client went away before its answer."""
        self._gone += 1

    def text(self, statistics: Statistics) -> str:
        """All of it, and what has run, for GET /metrics."""
        return "\n".join((*self._lines(), *self._cost_lines(), *_segment_lines(statistics))) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Responses by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'greenexp_requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _head("clients_gone_total", "counter", "Clients that went away before their answer.")
        yield f"greenexp_clients_gone_total {self._gone}"
        yield from _head("queue_examples", "gauge", "Examples waiting for an answer.")
        yield f"greenexp_queue_examples {self.waiting}"
        yield from _head("predict_seconds", "histogram", "Seconds from a request to /predict to its answer.")
        cumulative = list(accumulate(self._latency))
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), cumulative, strict=True):
            yield f'greenexp_predict_seconds_bucket{{le="{bound}"}} {count}'
        yield f"greenexp_predict_seconds_sum {self._latency_s!r}"
        yield f"greenexp_predict_seconds_count {cumulative[-1]}"

    def _cost_lines(self) -> Iterator[str]:
        yield from _head("examples_total", "counter", "Answered examples by the exit they left at.")
        for (number, layer), count in sorted(self._exits.items()):
            yield f'greenexp_examples_total{{exit="{number}",layer="{layer}"}} {count}'
        examples = self._exits.total()
        layers = sum(layer * count for (_, layer), count in self._exits.items())
        yield from _head("layers_total", "counter", "Encoder layers run, summed over answered examples.")
        yield f"greenexp_layers_total {layers}"
        yield from _head("mean_layers", "gauge", "Mean encoder layers per answered example; NaN before the first.")
        yield f"greenexp_mean_layers {layers / examples if examples else 'NaN'}"
        yield from _head("inference_flops_total", "counter", "Analytic FLOPs of the answered examples, unpadded.")
        yield f"greenexp_inference_flops_total {self._flops}"


def _segment_lines(statistics: Statistics) -> Iterator[str]:
    told = {
        "segment_batches": ("Batches run, by segment between consulted exits.", statistics.batches),
        "segment_examples": ("Examples in them, by segment.", statistics.rows),
    }
    for name, (explained, counts) in told.items():
        yield from _head(f"{name}_total", "counter", explained)
        for number, count in enumerate(counts, start=1):
            yield f'greenexp_{name}_total{{segment="{number}"}} {count}'


def _head(name: str, kind: str, explained: str) -> tuple[str, str]:
    return head(f"greenexp_{name}", kind, explained)
