"""The reproducibility list of EMNLP 2020 and NAACL 2021, after Dodge et al. (2019); ids are its parts, in order."""

from greenexp.report.checklists import record
from greenexp.report.checklists.filled import Checklist, Item

EMNLP = Checklist(
    "emnlp",
    "Reproducibility list of EMNLP 2020 and NAACL 2021",
    "https://2021.naacl.org/calls/reproducibility-checklist/",
    (
        Item("results 1", "Mathematical setting, algorithm, model", left="The description; greenexp names the method."),
        Item("results 2", "Code and its dependencies", (record.versions,), ("appendix",), "A link to your code."),
        Item("results 3", "Computing infrastructure", (record.infrastructure,), ("price-tag", "appendix")),
        Item(
            "results 4",
            "Average run time, or energy",
            (record.run_time, record.compute_budget),
            ("trials", "price-tag", "costs"),
        ),
        Item("results 5", "Number of parameters", (record.parameters,), ("price-tag",)),
        Item(
            "results 6",
            "Validation score of every test score",
            (record.dev_score, record.score_on_test),
            ("held-out",),
        ),
        Item("results 7", "Definition of the metrics", (record.metric_definition,), ("assumptions",)),
        Item("search 1", "Number of training and evaluation runs", (record.number_of_runs,), ("headline", "failures")),
        Item("search 2", "Bounds of every hyperparameter", (record.search_bounds,), ("search-space", "appendix")),
        Item("search 3", "Best configurations", (record.best_values,), ("configurations",)),
        Item("search 4", "How values were sampled, and by which score chosen", (record.search_bounds, record.selection),
             ("search", "assumptions")),
        Item("search 5", "Mean, variance or error bars, expected validation performance",
             (record.dev_score, record.expected_performance), ("search", "seeds")),
        Item("data 1", "Statistics: number of examples", (record.split_sizes,), ("appendix",), "Label distributions."),
        Item("data 2", "Details of the splits", (record.split_sizes,), ("appendix",), "How the splits were made."),
        Item("data 3", "What was excluded, and preprocessing", left="Preprocessing outside greenexp."),
        Item("data 4", "Where the data can be had", left="A link, or the data."),
        Item("data 5", "How new data were collected", left="Collection, annotation and its quality control."),
    ),
)  # fmt: skip
