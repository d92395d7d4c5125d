"""The multi-exit model: a backbone with exit heads on some of its layers; how it is built, saved and loaded.

In here: what is the same for every backbone, head and training method. Not in here: losses, optimisers, data. There is
nothing to plug in: what varies lives in `backbones/`, `exits/` and `methods/`.
"""

from greenexp.model.build import build_model
from greenexp.model.files import load_model, load_serving, save_model
from greenexp.model.multi_exit import ExitOutputs, MultiExitModel
from greenexp.model.serving import Serving

__all__ = ["ExitOutputs", "MultiExitModel", "Serving", "build_model", "load_model", "load_serving", "save_model"]
