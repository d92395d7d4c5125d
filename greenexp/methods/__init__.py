"""Training methods: one file per published method, named after it.

In here: which exits and parts of the model a method trains at each epoch, its loss, its steps and the passes they make
(for FLOPs). Not in here: optimisers, schedules, devices, data (training/), loss terms (objectives/).
To add one: a file with a frozen dataclass that follows `base.Method` (its docstring is the method's card), a line
below, and a row in the case table of tests/methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.registry import Registry

if TYPE_CHECKING:
    from greenexp.methods.base import Method

METHODS: Registry[type[Method]] = Registry(
    "method",
    {
        "berxit": "greenexp.methods.berxit:Berxit",
        "branchynet": "greenexp.methods.branchynet:BranchyNet",
        "dbt": "greenexp.methods.dbt:Dbt",
        "elasticbert": "greenexp.methods.elasticbert:ElasticBertFineTuning",
        "elasticbert_pretraining": "greenexp.methods.elasticbert_pretraining:ElasticBertPretraining",
        "deebert": "greenexp.methods.deebert:DeeBert",
        "distillation": "greenexp.methods.distillation:Distillation",
        "ensemble": "greenexp.methods.ensemble:Ensemble",
        "fastbert": "greenexp.methods.fastbert:FastBert",
        "finetune": "greenexp.methods.finetune:FineTune",
        "layerdrop": "greenexp.methods.layerdrop:LayerDrop",
        "leebert": "greenexp.methods.leebert:LeeBert",
        "pabee": "greenexp.methods.pabee:Pabee",
        "pkd": "greenexp.methods.pkd:Pkd",
        "shallow_deep": "greenexp.methods.shallow_deep:ShallowDeep",
        "righttool": "greenexp.methods.righttool:RightTool",
        "romebert": "greenexp.methods.romebert:RomeBert",
        "theseus": "greenexp.methods.theseus:Theseus",
        "tinybert": "greenexp.methods.tinybert:TinyBert",
    },
    "greenexp.methods",
)

__all__ = ["METHODS"]
