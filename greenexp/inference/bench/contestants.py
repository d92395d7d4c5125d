"""Who is timed: the engine three ways, and the plain model, over the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenexp.exits.policies.static import Static
from greenexp.inference.bench.forced import Forced
from greenexp.inference.bench.plain import plain_variants
from greenexp.inference.bench.protocol import Contestant, Request
from greenexp.inference.engine import EarlyExitEngine

if TYPE_CHECKING:
    from greenexp.inference.answers import Answer
    from greenexp.inference.graphs.folder import GraphFolder
    from greenexp.inference.segments import Precision
    from greenexp.model import MultiExitModel, Serving

ENGINE = "engine"
NO_EXITS = "engine without exits"
EVERY_EXIT = "engine, nobody leaves early"
STATIC = {"onnxruntime, whole model, fp32": "fp32", "onnxruntime, whole model, int8": "int8"}


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engines of one benchmark share; see `EarlyExitEngine`."""

    serving: Serving | None = None
    check_every: int = 1
    temperatures: Mapping[int, float] | None = None
    compiled: bool = False
    precision: Precision = "fp32"
    graphs: GraphFolder | None = None

    def engine(self, model: MultiExitModel, policy: Any) -> EarlyExitEngine:
        """An engine with this policy."""
        return EarlyExitEngine(
            model,
            policy,
            text=self.serving,
            check_every=self.check_every,
            temperatures=self.temperatures,
            compile=self.compiled,
            precision=self.precision,
            graphs=self.graphs,
        )


@dataclass(frozen=True, slots=True)
class Contestants:
    """The engine three ways, and models that nobody leaves early.

    engines: the three of them, by name; plain: ways of calling the plain model, by their settings
    static: the whole model as ONNX Runtime computes it, in each precision; nothing without graphs

    `engine`: leaves where its policy says. `engine without exits`: the same code, answering at the last exit with no
    other head evaluated. `engine, nobody leaves early`: evaluates and asks every consulted exit, and climbs on.
    """

    engines: dict[str, EarlyExitEngine]
    plain: dict[str, Contestant] = field(default_factory=dict)
    static: tuple[Contestant, ...] = ()

    @classmethod
    def of(
        cls, model: MultiExitModel, policy: Any, settings: EngineSettings, graphs: GraphFolder | None = None
    ) -> Contestants:
        """All of them, over the weights of `model`; graphs: of the static models, whoever computes for the engines.

        Raises InputError as `EarlyExitEngine` and `PlainModel` do.
        """
        engine = settings.engine(model, policy)
        engines = {
            ENGINE: engine,
            NO_EXITS: settings.engine(model, Static()),
            EVERY_EXIT: settings.engine(model, Forced(engine.policy)),
        }
        last = engines[NO_EXITS].consulted[-1]
        plain = plain_variants(
            model,
            last,
            precision="bf16" if settings.precision == "bf16" else "fp32",
            pad_id=engine.pad_id,
            compiled=settings.compiled,
        )
        return cls(engines, plain, () if graphs is None else static_models(graphs, model, engine.pad_id))

    @property
    def timed(self) -> tuple[Contestant, ...]:
        """The engines, ready to be timed."""
        return tuple(Contestant(name, answering(engine)) for name, engine in self.engines.items())


def static_models(graphs: GraphFolder, model: MultiExitModel, pad_id: int) -> tuple[Contestant, ...]:
    """ONNX Runtime's whole model in each precision."""
    from greenexp.inference.graphs.running import FullGraph  # its packages are an extra

    return tuple(
        Contestant(name, FullGraph(graphs, model, precision, pad_id).answer) for name, precision in STATIC.items()
    )


def leaving_at(model: MultiExitModel, policy: Any, settings: EngineSettings) -> dict[int, Contestant]:
    """Consulted exit -> the engine whose policy is asked at every exit and made to leave there."""
    asked = settings.engine(model, policy)
    return {
        number: Contestant(str(number), answering(settings.engine(model, Forced(asked.policy, number))))
        for number in asked.consulted
    }


def answering(engine: EarlyExitEngine) -> Callable[[Request], Sequence[Answer]]:
    """How an engine answers a request: one by one what is one, else as one batch."""
    return lambda request: [engine.one(request[0])] if len(request) == 1 else engine.batch(request)
