"""The packages that `pip install greenexp` leaves out, and how a user learns that one of them is needed."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

from greenexp.errors import MissingExtraError

TRAIN = (
    "torch", "ray", "mlflow", "transformers", "datasets", "h11", "huggingface_hub", "optuna", "PIL", "platformdirs",
    "psutil", "pynvml", "safetensors", "sklearn", "starlette", "tokenizers", "uvicorn",
)  # fmt: skip
"""Modules that come with `greenexp[train]`. Statistics of tables and reports of a sweep's folder need none of them."""


ONNX = ("onnx", "onnxruntime", "onnxscript")
"""Modules that come with `greenexp[onnx]`: graphs of a trained model, and what computes them."""


def require(*modules: str) -> None:
    """Raise MissingExtraError if one of these modules, all of TRAIN by default, is not installed. Loads none."""
    for module in modules or TRAIN:
        if not _is_installed(module):
            raise missing(module)


def require_onnx() -> None:
    """As `require`, of ONNX."""
    for module in ONNX:
        if not _is_installed(module):
            raise missing(module, "train,onnx")


def missing(module: str, extra: str = "train") -> MissingExtraError:
    """The error that says which command installs the module."""
    return MissingExtraError(f"this needs {module}, which is not installed: pip install 'greenexp[{extra}]'")


def missing_compiler() -> str | None:
    """The name of the C++ compiler that `torch.compile` would call and that is not on this machine; else None."""
    compiler = os.environ.get("CXX", "g++")
    return None if shutil.which(compiler) else compiler


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
