"""ACL Rolling Review: the items of its Responsible NLP checklist on data splits and computational experiments."""

from greenexp.report.checklists import record
from greenexp.report.checklists.filled import Checklist, Item

ARR = Checklist(
    "arr",
    "ARR Responsible NLP checklist, items B6 and C1 to C4",
    "https://aclrollingreview.org/responsibleNLPresearch/",
    (
        Item(
            "B6",
            "Statistics of the data: sizes of train, dev and test",
            (record.split_sizes,),
            ("appendix",),
            "Anything else of the data that matters, and why these splits.",
        ),
        Item(
            "C1",
            "Size of the models, compute of all experiments, infrastructure",
            (record.parameters, record.compute_budget, record.infrastructure),
            ("price-tag", "costs", "appendix"),
            "Compute of experiments outside this sweep.",
        ),
        Item(
            "C2",
            "Set-up, hyperparameter search, best values, how they were chosen",
            (record.setup, record.search_bounds, record.number_of_runs, record.best_values, record.selection),
            ("search", "search-space", "configurations", "failures", "appendix"),
        ),
        Item(
            "C3",
            "Descriptive statistics: of how many runs, and whether mean, maximum or single",
            (record.dev_score, record.score_on_test, record.expected_performance),
            ("headline", "held-out", "search", "seeds"),
        ),
        Item(
            "C4",
            "Packages used, their versions and settings",
            (record.versions,),
            ("appendix",),
            "Packages for preparing data and evaluating outside greenexp.",
        ),
    ),
)
