"""K-fold cross-validation on the training set: which examples a fold leaves out, and the task that is left.

The folds depend on the texts and labels of the training set alone, so they are the same for every configuration, every
tokeniser and every machine.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.records.trial import Fold
from greenexp.tasks.data import Labels
from greenexp.tasks.prepared import PreparedTask, changed, part


def fold_numbers(positions: npt.NDArray[np.float64], labels: Labels, folds: int) -> npt.NDArray[np.int64]:
    """The fold of each example, 0 .. folds - 1: classes are dealt out one after the other, each in the order of hashes.

    positions: [example], of the texts by hash (`partition.positions`); labels: [example], classes or values, which are
    not stratified. Examples with one position, texts that are the same but for case, punctuation and spacing, are in
    one fold, as one of the lowest class among them. Sizes differ by at most one, over all and within a class, but for
    such doubles. Raises InputError if there are fewer different texts than folds.
    """
    _, group = np.unique(positions, return_inverse=True)
    groups = int(group.max(initial=-1)) + 1
    if groups < folds:
        raise InputError(f"seeds.folds is {folds}, but the training set has {groups} different texts")
    strata = np.zeros(groups, dtype=np.int64)
    if labels.dtype == np.int64:
        strata[:] = np.iinfo(np.int64).max
        np.minimum.at(strata, group, labels)
    number = np.empty(groups, dtype=np.int64)
    # Groups are numbered in the order of their positions, which a stable sort keeps within a class.
    number[np.argsort(strata, kind="stable")] = np.arange(groups) % folds
    return number[group]


def on_fold(data: PreparedTask, fold: Fold | None) -> PreparedTask:
    """`data` with one fold of its training set in the place of dev, and the rest of it as training set.

    The ids are not copied. The task's own dev set is not in it; the test set is as it was. None: `data` itself.
    Raises InputError if that number of folds cannot be made.
    """
    if fold is None:
        return data
    if data.positions is None:
        raise ValueError("folds need the positions of the training texts: `tokenise` finds them")
    numbers = fold_numbers(data.positions, data.train.labels, fold.of)
    name = f"fold {fold.number} of {fold.of}, counted from 0"
    return changed(
        data,
        train=part(data.train, np.flatnonzero(numbers != fold.number)),
        dev=part(data.train, np.flatnonzero(numbers == fold.number)),
        positions=None,
        fingerprint=hashlib.sha256(f"{data.fingerprint} {fold.number}/{fold.of}".encode()).hexdigest(),
        description=f"{data.description}; {name}, in the place of dev",
    )
