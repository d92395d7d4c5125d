"""Recorded sweeps: open one, whole or in progress."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from greenexp.analysis.fronts.objectives import objective_front
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.api.exports import EXPORTS
from greenexp.errors import InputError, UnknownNameError
from greenexp.extras import require
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.sources.status import SweepStatus, read_state, status_of_tables, sweep_status
from greenexp.sources.tables import read_tables, read_unreplayed

if TYPE_CHECKING:
    from greenexp.analysis.findings import Findings
    from greenexp.api.views import Answer
    from greenexp.inference import EarlyExitEngine
    from greenexp.report.section import Section
    from greenexp.tracking.sync import SyncResult


def load(source: str | Path, *, sweep: str | None = None) -> Sweep:
    """A recorded sweep, whole or in progress.

    >>> import greenexp
    >>> sweep = greenexp.load(folder)
    >>> sweep.best["configuration"] in set(sweep.configurations["configuration"])
    True

    Parameters
    ----------
    source : path or str, required
        A sweep's folder, or an MLflow address: `sqlite:///...`, `http://...`, `ADDRESS#EXPERIMENT`.
    sweep : str, optional
        One of several sweeps at an MLflow address, by name or id.

    Raises
    ------
    InputError
        For a folder without a sweep, with the sweeps that lie below it.
    TrackingError
        For what MLflow does not have.

    """
    opened = Sweep(source, sweep=sweep)
    if opened.folder is None:
        _ = opened.tables  # an address is read at once, so that what is wrong with it is said here
    return opened


class Sweep:
    """A recorded sweep: its status, its tables, its report, and the models it chose.

    >>> import greenexp
    >>> sweep = greenexp.load(folder)
    >>> sweep.status.trials
    {'finished': 4}
    >>> sweep.tables.trials.shape[0]
    4

    source: its folder, or an MLflow address; sweep: one of several at an address, by name or id
    What is read is kept: `refresh()` reads a sweep in progress again.
    """

    def __init__(self, source: str | Path, *, sweep: str | None = None) -> None:
        self.source = str(source)
        self.folder = _folder(source)
        self._sweep = sweep

    def refresh(self) -> Sweep:
        """Forget what was read, so that the next look is at the sweep as it is then."""
        for name in ("tables", "unreplayed", "configurations"):
            self.__dict__.pop(name, None)
        return self

    @property
    def status(self) -> SweepStatus:
        """Where the sweep stands now. Of one in a folder it is read from the journal each time."""
        if self.folder is not None:
            return sweep_status(read_state(self.folder), self.folder)
        return status_of_tables(self.tables, self.source)

    @cached_property
    def tables(self) -> SweepTables:
        """Everything on record as data frames: `tables.trials`, `.epochs`, `.exits`, `.operating_points`, and so on."""
        return read_tables(self.source, self._sweep).tables

    @cached_property
    def unreplayed(self) -> SweepTables:
        """`tables` without what is replayed from stored logits, which takes longest to read."""
        if self.folder is None or "tables" in self.__dict__:
            return self.tables
        return read_unreplayed(self.folder)

    @cached_property
    def configurations(self) -> pd.DataFrame:
        """One row per configuration, the best mean dev score over seeds first; those without a mean last.

        Columns as of `analysis.sweeps.configurations.configuration_table`.
        """
        return configuration_table(self.tables)

    @property
    def best(self) -> pd.Series[Any]:
        """The row of `configurations` with the best mean dev score. InputError if no configuration has ended whole."""
        first = self.configurations.iloc[0] if len(self.configurations) else None
        if first is None or pd.isna(first["score_mean"]):
            raise InputError(f"{self.source} has no best configuration yet: the seeds of none have ended at one epoch")
        return first

    @property
    def objectives(self) -> pd.DataFrame:
        """One row per configuration in the order in which they ended: its objectives, and whether it is `on_front`.

        Columns as of `analysis.fronts.objectives.ObjectiveFront.table`.
        """
        return objective_front(self.tables).table

    def price_tag(self) -> Findings:
        """What the whole search, the chosen configuration and its model cost, and what one more point costs.

        >>> import greenexp
        >>> tag = greenexp.load(folder).price_tag()
        >>> price = tag["price"].set_index("quantity")
        >>> bool(price.loc["train_flops", "search"] > price.loc["train_flops", "model"])
        True

        Tables as of `analysis.search.price_tag.price_tag`; what was not measured is NaN, with the reason.
        """
        from greenexp.analysis.search.price_tag import price_tag

        return price_tag(self.tables)

    def frame(self) -> pd.DataFrame:
        """One row per trial: names, seeds, searched values, status, dev score, test score and costs.

        `test_score` is of the trial's last evaluation on the test set, NaN without one; costs are in base units.
        """
        trials = self.tables.trials.rename(columns=lambda name: str(name).removeprefix(PARAMS))
        return trials.assign(test_score=trials["trial"].map(_scores_on_test(self.tables)))

    def view(
        self,
        name: str = "overview",
        *,
        others: Iterable[str | Path | Sweep] | Mapping[str, str | Path | Sweep] = (),
        called: str = "",
        **options: Any,
    ) -> Answer:
        """One look at the sweep, as the dashboard gives it; it shows itself in a notebook.

        >>> import greenexp
        >>> greenexp.load(folder).view("curves", axis="train_flops").verdict
        ('4 trials have reported: 4 finished.',)

        name: one of `api.views.VIEWS`; options: of the view
        others: sweeps beside this one, of the view `compare`, or what they are called there -> sweep; called: what this
        one is called there; by default each has the name of its sweep file
        Raises UnknownNameError for another view or option, InputError for what the sweep does not have.
        """
        from greenexp.api.views import view_of

        wanted = view_of(name)
        tables = self.tables if wanted.replayed else self.unreplayed
        if called:
            tables = replace(tables, history=replace(tables.history, name=called))
        return wanted.answer(tables, options, _beside(others) or None)

    def sections(self, *names: str) -> list[Section]:
        """The sections of the report, or those named; each shows itself in a notebook. UnknownNameError for others."""
        from greenexp.report import report_sections

        return report_sections(self.tables, names)

    def report(
        self,
        formats: str | Iterable[str] = "html",
        *,
        out: str | Path | None = None,
        sections: str | Iterable[str] = (),
        baseline: str | Path | SweepTables | None = None,
        outside: Any = "refuse",
    ) -> list[Path]:
        """Write the report, and return its files.

        formats: some of `html`, `md`, `tex`, `csv`, `pdf`; out: folder, by default the sweep's own or the current one;
        sections: names of the only ones to be written, to `report-NAME.html` and so on
        baseline, outside: what its lines are set against, and what of points beyond its range; as of `api.elue.score`
        Raises UnknownNameError for another format or section, InputError where the folder cannot be written.
        """
        from greenexp.report import render_report

        wanted = (formats,) if isinstance(formats, str) else tuple(formats)
        place = Path(out) if out is not None else self.folder or Path.cwd()
        try:
            named = (sections,) if isinstance(sections, str) else sections
            return render_report(self.tables, wanted, place, named, self._compared(baseline, outside))
        except OSError as error:
            raise InputError(f"cannot write the report to {place}: {error.strerror or error}") from error

    def _compared(self, baseline: str | Path | SweepTables | None, outside: Any) -> Findings | None:
        from greenexp.api.elue import score

        return None if baseline is None else score(self.tables, baseline=baseline, outside=outside)

    def checklist(self, format: str = "md", *, lists: Iterable[str] = ()) -> str:  # noqa: A002
        """Checklists of conferences, filled as far as the record goes, as `md` or `tex`.

        lists: some of `arr`, `neurips` and `emnlp`, by default all
        Raises UnknownNameError for another format or list.
        """
        from greenexp.report.checklists.section import checklist_document

        return checklist_document(self.tables, format, tuple(lists))

    def export(self, format: str = "parquet", *, out: str | Path | None = None) -> Iterator[Path]:  # noqa: A002
        """Write every table as a file of its own, and yield its path once it is there.

        format: `parquet` or `csv`; out: folder, by default `tables` in the sweep's own or in the current one
        Raises UnknownNameError for another format, InputError where the folder cannot be written.
        """
        if format not in EXPORTS:
            raise UnknownNameError("format of tables", format, list(EXPORTS))
        place = Path(out) if out is not None else (self.folder or Path.cwd()) / "tables"
        try:
            place.mkdir(parents=True, exist_ok=True)
            for name, frame in self.tables.frames.items():
                path = place / f"{name}.{format}"
                EXPORTS[format](frame, path)
                yield path
        except OSError as error:
            raise InputError(f"cannot write the tables to {place}: {error.strerror or error}") from error

    def energy_report(self, *, out: str | Path | None = None) -> Path:
        """Write the energy report of the sweep in BoAmps, Boavizta's data model, and return the file.

        out: the file, by default `boamps.json` in the sweep's folder or in the current one
        Raises InputError where energy was not measured, or the file cannot be written.
        """
        from greenexp.report.boamps import boamps_report

        place = Path(out) if out is not None else (self.folder or Path.cwd()) / "boamps.json"
        text = json.dumps(boamps_report(self.tables), indent=2, allow_nan=False, ensure_ascii=False)
        try:
            place.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {place}: {error.strerror or error}") from error
        return place

    def replay(self, policy: str | Iterable[str] = (), **options: Any) -> Findings:
        """What exit policies would do with the sweep's recorded logits, chosen on dev; see `api.models.replay`.

        >>> import greenexp
        >>> sweep = greenexp.load(folder)
        >>> found = sweep.replay("max_probability")
        >>> bool((found["chosen"]["dev_speed_up"] >= found["chosen"]["target"]).all())
        True

        policy: `NAME`, `NAME:VALUE`, `NAME:option=value`, one or several; by default those of the sweep's record
        """
        from greenexp.api.models import replay

        policies = (policy,) if isinstance(policy, str) else tuple(policy)
        return replay(self.source, policies=policies, sweep=self._sweep, **options)

    def engine(
        self, policy: str | None = None, *, speed_up: float | None = None, trial: str | None = None, **options: Any
    ) -> EarlyExitEngine:
        """The chosen model, ready to answer with early exits; see `api.models.engine`.

        >>> import greenexp
        >>> engine = greenexp.load(folder).engine(speed_up=1)
        >>> answers = engine.answer(engine.encode(["a good film"]), batch_size=8)
        >>> answers[0].exit in engine.consulted
        True

        policy: `NAME:VALUE`; speed_up: instead, the threshold that is best on dev among those with at least it
        trial: another trial than the chosen one that is best on dev
        """
        from greenexp.api.models import engine

        return engine(self._own_folder(), policy=policy, speed_up=speed_up, trial=trial, **options)

    def sync(self, uri: str | None = None) -> SyncResult:
        """Bring MLflow level with the sweep's journal; doing it again changes nothing.

        uri: MLflow's address, by default the one that the sweep was run with
        Raises InputError for a sweep that was read from MLflow, TrackingError where MLflow does not answer.
        """
        require("mlflow")
        from greenexp.tracking.sync import sync

        return sync(self._own_folder(), uri=uri)

    def log(self, trial: str) -> str:
        """What a trial logged: attempts, epochs, and the traceback where it failed; "" if it has logged nothing."""
        state = read_state(self._own_folder())
        if trial not in state.trials:
            raise UnknownNameError("trial", trial, list(state.trials))
        path = self._own_folder() / "logs" / f"{trial}.log"
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n") if path.is_file() else ""

    def _own_folder(self) -> Path:
        if self.folder is None:
            raise InputError(f"{self.source} is an MLflow address: this needs the folder of the sweep")
        return self.folder

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"Sweep({self.source!r})"

    def _repr_html_(self) -> str:
        """The sweep as a notebook shows it: where it stands, and its configurations."""
        status = self.status
        trials = ", ".join(f"{count} {name}" for name, count in status.trials.items())
        head = f"<p><strong>{escape(status.name or self.source)}</strong>: {escape(status.state)}; trials: {trials}</p>"
        if not status.trials:
            return head
        columns = ["configuration", *(PARAMS + path for path in self.tables.parameters), "state", "seeds", "ended"]
        shown = self.configurations[[*columns, "score_mean", "score_std", "wall_s", "train_flops"]]
        shown = shown.rename(columns=lambda name: str(name).removeprefix(PARAMS))
        return head + shown.to_html(index=False, na_rep="–", float_format="{:.5g}".format, border=0)


def _beside(others: Iterable[str | Path | Sweep] | Mapping[str, str | Path | Sweep]) -> dict[str, SweepTables]:
    """Name -> tables of the sweeps beside one."""
    if isinstance(others, Mapping):
        return {name: (each if isinstance(each, Sweep) else load(each)).unreplayed for name, each in others.items()}
    named: dict[str, SweepTables] = {}
    for given in others:
        each = given if isinstance(given, Sweep) else load(given)
        name = each.status.name or each.source
        named[name if name not in named else each.source] = each.unreplayed  # two may have one name
    return named


def _folder(source: str | Path) -> Path | None:
    """The folder of a sweep, None for an MLflow address. InputError for a folder that holds no sweep."""
    from greenexp.sources.folders import sweep_folder

    is_address = isinstance(source, str) and ("://" in source or "#" in source) and not Path(source).is_dir()
    return None if is_address else sweep_folder(source)


def _scores_on_test(tables: SweepTables) -> dict[str, float]:
    """Trial -> test score of its last evaluation."""
    if tables.held_out.empty:
        return {}
    last = tables.held_out.sort_values("evaluation").drop_duplicates("trial", keep="last")
    return dict(zip(last["trial"], last["score"], strict=True)) if "score" in last else {}
