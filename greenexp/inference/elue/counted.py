"""The process in which a submission's `model.py` runs: every module once per shape, on tensors without memory.

Started by `trusted.py` as a script with limits, in an empty folder, where possible without a network. It reads one
request as JSON from stdin and writes one answer as JSON to the file descriptor in its first argument. It imports
torch and what the file imports, nothing of greenexp, so that the code it runs finds none of its state.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import runpy
import sys
from collections.abc import Iterator, Mapping
from typing import Any

REASON = 300
"""Characters of an error that are told."""


def main() -> None:
    """Read the request, run the file, answer."""
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as answer:
        request = json.load(sys.stdin)
        for name, limit in request["limits"].items():
            resource.setrlimit(getattr(resource, name), (limit, limit))
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
            try:
                told = _counted(request)
            except (Exception, SystemExit, MemoryError) as error:
                told = {"problem": _reason(error)}
        json.dump(told, answer)


def _counted(request: Mapping[str, Any]) -> dict[str, Any]:
    """macs: name and shape -> two counts, or why there is none; parameters: of the whole model."""
    import torch

    with torch.device("meta"):
        names = runpy.run_path(request["file"], run_name="submitted_model")
        modules, entire = names.get("module_list"), names.get("entire_model")
        if not isinstance(modules, Mapping | torch.nn.ModuleDict):
            return {"problem": "it defines no `module_list`, a dictionary from names to modules"}
        if not isinstance(entire, torch.nn.Module):
            return {"problem": "it defines no `entire_model`, a torch module"}
        macs = [_of_call(modules, name, shape) for name, shape in request["calls"]]
    parameters = {id(parameter): parameter.numel() for parameter in entire.parameters()}
    return {"macs": macs, "parameters": sum(parameters.values()), "modules": [str(name) for name in modules]}


def _of_call(modules: Any, name: str, shape: list[int]) -> dict[str, Any]:
    import torch

    if name not in modules:
        return {"problem": "it is not in `module_list`"}
    module = modules[name]
    if not isinstance(module, torch.nn.Module):
        return {"problem": f"in `module_list` it is a {type(module).__name__}, not a torch module"}
    looks_up = any(isinstance(part, torch.nn.Embedding) for part in module.modules())
    kinds = (torch.long, torch.float32) if looks_up else (torch.float32,)
    problem = ""
    for kind in kinds:  # a layer may have a table of positions, and yet take vectors
        with _counting() as counts:
            try:
                module.eval()(torch.zeros(1, *shape, dtype=kind))
            except Exception as error:
                problem = problem or _reason(error)
                continue
        if counts.unpriced:
            return {"problem": f"it calls {', '.join(sorted(counts.unpriced))}, whose multiply-adds are not known"}
        return {"products": counts.products, "counter": counts.products + counts.beside}
    return {"problem": problem}


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:REASON] if text else type(error).__name__


def _size(shape: Any) -> int:
    total = 1
    for size in shape:
        total *= int(size)
    return total


@contextlib.contextmanager
def _counting() -> Iterator[Any]:
    """Counts what torch is asked for at its lowest level.

    products: multiply-adds of matrix products; beside: of what ELUE's counter adds, 2 per number that a layer norm
    normalises, and 2 per attention probability, one for its softmax and one for its scaling
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counts(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.products, self.beside, self.unpriced = 0, 0, set[str]()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            out = func(*args, **kwargs)
            packet, name = func.overloadpacket, func.name().removeprefix("aten::").partition(".")[0]
            if "scaled_dot_product" in name:
                query, key, value = (tensor.shape for tensor in args[:3])
                probabilities = _size(query[:-1]) * key[-2]
                self.products += probabilities * (query[-1] + value[-1])
                self.beside += 2 * probabilities
            elif packet in flop_registry:
                self.products += int(flop_registry[packet](*args, **kwargs, out_val=out)) // 2
            elif name in {"mv", "dot", "vdot"}:
                self.products += _size(args[0].shape)
            elif name == "addmv":
                self.products += _size(args[1].shape)
            elif name in {"native_layer_norm", "_fused_rms_norm"} or name in {"_softmax", "_safe_softmax"}:
                self.beside += 2 * _size(args[0].shape)
            elif any(part in name for part in ("mm", "linear", "conv", "_attention", "lstm", "gru", "rnn")):
                self.unpriced.add(name)
            return out

    with Counts() as counts:
        yield counts


if __name__ == "__main__":
    main()
