"""A trained model as an ElasticBERT checkpoint."""

from __future__ import annotations

from pathlib import Path

from greenexp.api.folders import new_folder
from greenexp.extras import require
from greenexp.sources.checkpoints import find_model

ELASTICBERT = "elasticbert"


def export_elasticbert(source: str | Path, *, trial: str | None = None, out: str | Path | None = None) -> Path:
    """Write a trained model in the layout of the published ElasticBERT checkpoints: encoder and a pooler per layer.

    Parameters
    ----------
    source, trial :
        As of `engine`.
    out : path, optional
        The folder, which must not hold anything yet; by default `elasticbert/TRIAL` in the sweep's folder.

    Returns
    -------
    path
        The folder: `backbone: {name: elasticbert, source: FOLDER}` starts from it, and so does other code for these
        checkpoints.

    Raises
    ------
    InputError
        For a model of another form: it takes a BERT, and exits with poolers of their own after all layers.
    CheckpointError
        If the model's folder cannot be trusted.

    """
    found = find_model(source, trial)
    require()
    from greenexp.model import load_model, load_serving
    from greenexp.model.elasticbert_layout import write_elasticbert

    model, serving = load_model(found.folder), load_serving(found.folder)
    place = Path(out) if out is not None else (found.sweep or found.folder) / ELASTICBERT / found.trial
    with new_folder(place) as draft:
        write_elasticbert(model, serving, draft)
    return place
