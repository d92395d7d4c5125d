"""A trained model as a service over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.api.engines import EngineOptions, ServedModel, load_served
from greenexp.api.watching import ServiceWatcher
from greenexp.extras import require
from greenexp.inference.service.limits import Limits


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How requests are taken.

    port: 0 takes a free one; batch_size: examples at once; max_wait_s: how long an example may wait for a batch to fill
    access_log: a line per request on stderr

    Raises InputError for limits that exclude each other.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    batch_size: int = 32
    max_wait_s: float = 0.005
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen
    access_log: bool = False


def serve(
    source: str | Path,
    options: EngineOptions = EngineOptions(),  # noqa: B008 - it is frozen
    service: ServiceOptions = ServiceOptions(),
    watch: ServiceWatcher | None = None,
) -> None:
    """Serve a trained model over HTTP until SIGTERM or SIGINT; see `inference.service.app` for its endpoints.

    source, options: as of `engine`; watch: told when the address is taken, the model loaded, the service ready
    Raises InputError for an address that cannot be had, before the model is loaded, and as `engine` does.
    """
    require()
    from greenexp.inference.service import server  # loads uvicorn

    watch = watch or ServiceWatcher()
    with server.bind(service.host, service.port) as bound:
        address = server.address_of(bound)
        watch.bound(address, loopback=server.is_loopback(bound))
        model = load_served(source, options)
        watch.loaded(model)
        # Here and not above: they load torch.
        from greenexp.inference import Rebatcher
        from greenexp.inference.consulting import refuse_images
        from greenexp.inference.service.app import build_app
        from greenexp.inference.service.inputs import sample_fields

        refuse_images(model.engine.model, "the service answers texts; greenexp.api.models.engine answers")
        queue = Rebatcher(model.engine, service.batch_size, service.max_wait_s)
        sample = sample_fields(model.engine)
        app = build_app(model.engine, queue, service.limits, _facts(model), ready=lambda: watch.ready(address, sample))
        limits = service.limits
        server.serve(app, bound, limits.shutdown_s, head_s=limits.timeout_s, access_log=service.access_log)


def _facts(model: ServedModel) -> dict[str, Any]:
    """What GET /health says."""
    engine = model.engine
    return {
        "model": model.found.trial,
        "policy": model.policy.text,
        "exits": list(engine.consulted),
        "labels": None if engine.label_names is None else list(engine.label_names),
        "pairs": None if engine.serving is None else engine.serving.pairs,
    }
