"""A trained model as an ElasticBERT checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path

from greenexp.errors import InputError
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
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{place} holds something already: name another folder, or remove it")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".greenexp-", dir=place.parent) as draft:
            written = Path(draft) / place.name
            written.mkdir()
            write_elasticbert(model, serving, written)
            if place.exists():
                place.rmdir()
            written.rename(place)
    except OSError as error:
        raise InputError(f"cannot write the model to {place}: {error.strerror or error}") from error
    return place
