"""`training.compile`: an encoder's layers computed by compiled code while it trains, to numbers of its own.

What a compiler makes of a layer may depend on the first sizes that it sees, and it keeps what it has made. So every
stage of a trial begins with nothing compiled, shows the compiler examples of one size for all trials, with padding and
without, and compiles nothing from there on: sizes are symbols, and what the compiled code does not fit, such as a batch
of one example, is computed as it would be without it. A trial that was paused thus goes on with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError, abridged
from greenexp.extras import missing_compiler
from greenexp.model import MultiExitModel
from greenexp.training.memory import shortage
from greenexp.training.precision import Precision, autocast

FIELD = "training.compile"
BACKEND = "inductor"
NOTE = "its layers were computed by torch.compile"
_BORDER = 4096
"""Tokens of a batch from which torch's compiler makes other code, on a CPU."""
_MORE_EXAMPLES, _MORE_TOKENS = 71, 113
_EXAMPLES, _TOKENS = 29, 23
"""The size that the compiler is shown. It takes equal sizes, and a size that is also a width, for the same."""


def check_compiler(device: str) -> None:
    """Raises InputError where this machine has not what `torch.compile` needs. device: `cpu` or `cuda`."""
    if (compiler := missing_compiler()) is not None:
        raise InputError(
            f"{FIELD}: torch.compile needs a C++ compiler, and there is no '{compiler}' here: install g++, or name "
            "another one in the environment variable CXX"
        )
    if device == "cuda" and find_spec("triton") is None:
        raise InputError(f"{FIELD}: torch.compile needs the package triton on a GPU, which is not installed here")


@contextmanager
def _said_of_compiler() -> Iterator[None]:
    """InputError with one line of what the compiler said, where the machine's compiler or its headers are at fault."""
    from torch._dynamo.exc import BackendCompilerFailed

    try:
        yield
    except BackendCompilerFailed as error:
        lines = [line.strip() for line in str(error).partition("Output:")[2].splitlines()]
        said = next((line for line in lines if "error" in line.lower()), str(error).strip().partition("\n")[0])
        raise InputError(
            f"{FIELD}: torch's compiler failed here ({abridged(said, 300)}): it needs a working C++ compiler and the "
            "header files of Python; or leave it out"
        ) from error


class CompiledLayers:
    """The layers of a model's encoder, to be computed by compiled code.

    precision: of training; largest: examples and tokens of its largest batches
    Raises InputError as `check_compiler` does.
    """

    def __init__(
        self, model: MultiExitModel, device: torch.device, precision: Precision, largest: tuple[int, int]
    ) -> None:
        check_compiler(device.type)
        self._model, self._device, self._precision, self._largest = model, device, precision, largest
        self._compiled: dict[nn.Module, Any] = {}

    def begin_stage(self) -> None:
        """Compile for the parameters that train now. Random number generators stand afterwards where they stood."""
        torch.compiler.reset()
        for part in self._model.backbone.compiled_parts():
            part.compile(dynamic=True, backend=BACKEND)
            self._compiled[part] = part._compiled_call_impl  # noqa: SLF001 - as below
            part._compiled_call_impl = None  # noqa: SLF001
        was_training = self._model.training
        self._model.train()
        gpus = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(gpus), self._calls(), autocast(self._precision, self._device):
            with _said_of_compiler():
                for examples, tokens in self._sizes():
                    for is_padded in (True, False):
                        self._show(examples, tokens, is_padded=is_padded)
            self._check_fit()
        self._model.zero_grad(set_to_none=True)
        self._model.train(was_training)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Meanwhile the layers are computed by what was compiled."""
        with torch.compiler.set_stance("eager_on_recompile"), self._calls():
            yield

    def _sizes(self) -> Iterator[tuple[int, int]]:
        """Examples and tokens of what the compiler is shown."""
        yield _EXAMPLES, self._tokens(_TOKENS)
        examples, tokens = self._largest
        if examples * tokens > _BORDER:
            shown = self._tokens(_MORE_TOKENS)
            yield max(_MORE_EXAMPLES, _BORDER // shown + 3), shown

    def _tokens(self, at_most: int) -> int:
        """A number that the model has positions for, and that is not its width."""
        backbone = self._model.backbone
        found = min(at_most, backbone.max_length)
        return found - 1 if found == backbone.hidden_size else found

    def _check_fit(self) -> None:
        """Raises InputError where batches of other sizes would be computed without what was compiled."""
        examples, tokens = self._largest
        try:
            with torch.compiler.set_stance("fail_on_recompile"):
                self._show(_EXAMPLES - 2, self._tokens(_TOKENS) - 1, is_padded=True)
                for is_padded in (True, False):
                    self._show(examples, tokens, is_padded=is_padded)
        except RuntimeError as error:
            if shortage(error) is not None:  # these are the largest batches
                raise
            raise InputError(
                f"{FIELD}: what torch.compile makes of the layers does not fit batches of {examples} examples of up to "
                f"{tokens} tokens: leave it out ({abridged(str(error))})"
            ) from error

    def _show(self, examples: int, tokens: int, *, is_padded: bool) -> None:
        backbone = self._model.backbone
        ids = torch.zeros(examples, tokens, dtype=torch.int64, device=self._device)
        mask = torch.ones_like(ids)
        mask[1:, -1] = 0
        state = backbone.embed(TokenBatch(ids, mask if is_padded else None, torch.zeros_like(ids)))
        for index in range(backbone.num_layers):
            state = backbone.layer(index, state)
        if state.hidden.requires_grad:
            torch.autograd.backward(state.hidden.float().sum())

    @contextmanager
    def _calls(self) -> Iterator[None]:
        """The layers' own calls are compiled ones; their parameters keep their names, and copies are not compiled."""
        with ExitStack() as after:
            for part, call in self._compiled.items():
                part._compiled_call_impl = call  # noqa: SLF001 - what `Module.compile` sets, and nothing takes back
                after.callback(setattr, part, "_compiled_call_impl", None)
            yield
