"""Trained models of other sweeps that a trial begins with: its teacher, the encoder that it goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from greenexp.assets import ASSETS
from greenexp.errors import InputError, about_field
from greenexp.journal.chosen_model import chosen_model, means_model
from greenexp.records.manifests import MODEL_MANIFEST
from greenexp.records.sections import BackboneChoice
from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSpec

TEACHER, ENCODER = "method.teacher", "backbone.source"


def origins_of(settings: Settings) -> dict[str, str]:
    """Field of the sweep file -> the folder of a sweep or a model that it names; whether or not there is one."""
    found = {}
    if isinstance(teacher := settings.method.options.get("teacher"), str):
        found[TEACHER] = teacher
    if (encoder := encoder_source(settings.backbone)) is not None:
        found[ENCODER] = encoder
    return found


def encoder_source(backbone: BackboneChoice) -> str | None:
    """The source of a backbone that names a sweep or a model that was trained in one; None: it names something else."""
    source = backbone.options.get("source")
    return source if isinstance(source, str) and source not in ASSETS and means_model(Path(source)) else None


def identity(source: str) -> str:
    """sha256 (hex) of the manifest of the model that `source` means, which has the hash of each of its files.

    Raises InputError where there is none.
    """
    return hashlib.sha256((chosen_model(Path(source)) / MODEL_MANIFEST).read_bytes()).hexdigest()


def identities(settings: Settings) -> dict[str, str]:
    """Field -> identity of the model that it names now, of those that are there."""
    found = {}
    for field, source in origins_of(settings).items():
        try:
            found[field] = identity(source)
        except (InputError, OSError):  # whoever needs the model says that it is not there
            continue
    return found


def changed_origins(before: TrialSpec, now: Mapping[str, str]) -> list[str]:
    """What a trial was planned with and is no longer there as it was, in words."""
    sources = origins_of(before.settings)
    return [
        f"{field}: the model of {sources.get(field, 'another sweep')}"
        for field in sorted({*before.origins, *now})
        if before.origins.get(field) != now.get(field)
    ]


def check_origins(trial: TrialSpec) -> None:
    """Refuse to train with other models than the trial was planned with. InputError at the field of the sweep file."""
    for field, source in origins_of(trial.settings).items():
        planned = trial.origins.get(field)
        with about_field(field):
            if planned is not None and identity(source) != planned:
                raise InputError(
                    f"{source} holds another model than when the trial was planned: bring the old one back, or begin "
                    "the sweep anew with --fresh"
                )
