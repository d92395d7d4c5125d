"""NeurIPS: the items of its paper checklist on experiments."""

from greenexp.report.checklists import record
from greenexp.report.checklists.filled import Checklist, Item

NEURIPS = Checklist(
    "neurips",
    "NeurIPS paper checklist, items 4 to 8",
    "https://neurips.cc/public/guides/PaperChecklist",
    (
        Item(
            "4",
            "Whether the main results can be reproduced from what is disclosed",
            (record.setup, record.search_bounds, record.selection, record.command),
            ("search-space", "assumptions", "appendix"),
            "Whether what you add to it, such as a plug-in or your own data, is disclosed too.",
        ),
        Item(
            "5",
            "Access to data and code, with exact command and environment",
            (record.command, record.versions),
            ("appendix",),
            "Where code, data and the sweep file can be had.",
        ),
        Item(
            "6",
            "Training and test details: splits, hyperparameters, how they were chosen",
            (record.split_sizes, record.setup, record.search_bounds, record.best_values, record.selection),
            ("search-space", "configurations", "appendix"),
        ),
        Item(
            "7",
            "Statistical significance: what varies, which error is given, how it is computed",
            (record.variability, record.dev_score, record.score_on_test),
            ("headline", "held-out", "seeds", "assumptions"),
        ),
        Item(
            "8",
            "Compute resources: kind of worker, memory, time per run and in total",
            (record.infrastructure, record.run_time, record.compute_budget),
            ("trials", "price-tag", "costs", "appendix"),
            "Whether the project took more compute than this sweep, such as failed attempts and earlier sweeps.",
        ),
    ),
)
