"""Runs: one for each turn, one below it for each model, found again by their tags."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import (
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunOutputs,
    RunTag,
)

from models.common.bundle import Bundle, read_documents
from orchestration.tracking.backend import Backend, translated
from orchestration.tracking.packing import pack

TURN_TAG = "tidewheel.turn"
MODEL_TAG = "tidewheel.model"
PARENT_TAG = "mlflow.parentRunId"
PICTURES = "pictures"
MEMBERS = "members.json"
NOTE_TAG = "mlflow.note.content"
PARAM_LENGTH = 6000
TAG_LENGTH = 5000
# MLflow refuses more in one request: a hundred of each but metrics, a thousand in all.
PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 800


class Runs(Backend):
    """The part of tracking that knows runs.

    Every method can be repeated: what is there is found by its tags and completed.
    """

    @translated
    def turn_run(
        self, turn_id: str, params: Mapping[str, Any], tags: Mapping[str, Any] | None = None
    ) -> str:
        """Return the id of a turn's run, begun now unless it was before.

        Parameters
        ----------
        turn_id : str
            Names the run.
        params : mapping
            Logged as MLflow parameters; one that is logged already keeps its value.
        tags : mapping, optional
            Written over those that are there.
        """
        run = self._find({TURN_TAG: turn_id}) or self._begin(turn_id, {TURN_TAG: turn_id})
        self._log(run, params=params, tags=tags or {})
        return str(run.info.run_id)

    @translated
    def model_run(
        self,
        parent_run_id: str,
        version: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, Any],
        pictures: Iterable[Path],
        bundle: Path,
        *,
        slot: object = None,
        tags: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the id of a model's run below its turn's, complete with figures and bundle.

        Parameters
        ----------
        parent_run_id : str
            The turn's run.
        version : str
            Name of the version; kind and version name the run, its card describes it.
        params, metrics : mapping
            Parameters, and figures of which the finite numbers are kept.
        pictures : iterable of Path
            Image files, shown in the run's artifacts.
        bundle : Path
            The version's bundle; logged as an MLflow model, so that the UI shows it.
        slot : Slot or str, optional
            Its slot; the bundle's own if not given.
        tags : mapping, optional
            Further tags of the run.

        Raises
        ------
        BundleError
            The bundle is damaged.
        """
        contents = read_documents(bundle)
        key = f"{slot or contents.slot}/{version}"
        known = {MODEL_TAG: key, PARENT_TAG: parent_run_id}
        run = self._find(known) or self._begin(
            _shown(contents), {**known, NOTE_TAG: _card(contents), **(tags or {})}
        )
        run_id = str(run.info.run_id)
        if run.info.status == "FINISHED":
            return run_id
        model = self._logged_model(run, contents, params)
        self._log(run, params=params, tags=tags or {}, metrics=metrics, model_id=model.model_id)
        self._add_pictures(run_id, pictures)
        self._client.set_terminated(run_id)
        return run_id

    @translated
    def log_members(self, run_id: str, members: Mapping[str, Mapping[str, Any]]) -> None:
        """Add what an ensemble is composed of to its run: its members as inputs, and a table.

        Parameters
        ----------
        run_id : str
            The ensemble's run.
        members : mapping
            By the member's run, what the table ``members.json`` shows of it.
        """
        run = self._client.get_run(run_id)
        known = {one.model_id for one in run.inputs.model_inputs} if run.inputs else set()
        models = [model for member in members if (model := self._find_model(member))]
        new = [model.model_id for model in models if model.model_id not in known]
        if new:
            self._client.log_inputs(run_id, models=[LoggedModelInput(one) for one in new])
        rows = list(members.values())
        columns = list(rows[0]) if rows else []
        table = {"columns": columns, "data": [[row[name] for name in columns] for row in rows]}
        self._client.log_text(run_id, json.dumps(table, indent=1), MEMBERS)

    @translated
    def finish_run(self, run_id: str, status: str = "FINISHED") -> None:
        """End a run as ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self._client.set_terminated(run_id, status)

    @translated
    def log_metrics(self, run_id: str, metrics: Mapping[str, Any]) -> None:
        """Add figures to a run; what is not a finite number is left out."""
        self._log(self._client.get_run(run_id), metrics=metrics)

    @translated
    def log_figure(self, run_id: str, picture: Path, folder: str = PICTURES) -> None:
        """Add an image file to a run's artifacts, in place of one of the same name."""
        self._client.log_artifact(run_id, str(picture), folder)

    @translated
    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Add a text, such as ``leaderboard.md``, to a run's artifacts."""
        self._client.log_text(run_id, text, file)

    def _find(self, tags: Mapping[str, str]) -> Run | None:
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        # The oldest: should two ever have been begun, all go on with the same one.
        found = self._client.search_runs(
            [self.experiment_id], query, max_results=1, order_by=["attributes.start_time ASC"]
        )
        return found[0] if found else None

    def _begin(self, name: str, tags: Mapping[str, Any]) -> Run:
        named = {**tags, "mlflow.runName": name, "mlflow.source.name": "tidewheel"}
        texts = {tag: _text(value) for tag, value in named.items()}
        return self._client.create_run(self.experiment_id, tags=texts, run_name=name)

    def _log(
        self,
        run: Run,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Write what the run does not have yet, in as few requests as MLflow allows."""
        new = [
            Param(name, _text(value)[:PARAM_LENGTH])
            for name, value in (params or {}).items()
            if value is not None and name not in run.data.params
        ]
        # Stamped with the run's start, so that logging them again adds no second point.
        figures = [
            Metric(name, number, run.info.start_time, 0, model_id=model_id)
            for name, value in (metrics or {}).items()
            if (number := _finite(value)) is not None
        ]
        texts = [
            RunTag(name, text)
            for name, value in (tags or {}).items()
            if run.data.tags.get(name) != (text := _text(value))
        ]
        some, other = METRICS_AT_ONCE, PARAMS_AT_ONCE
        requests = max(-(-len(figures) // some), -(-len(new) // other), int(bool(texts)))
        for i in range(requests):
            self._client.log_batch(
                run.info.run_id,
                figures[i * some : (i + 1) * some],
                new[i * other : (i + 1) * other],
                texts if i == 0 else [],
            )

    def _add_pictures(self, run_id: str, pictures: Iterable[Path]) -> None:
        found = list(pictures)
        if not found:
            return
        with tempfile.TemporaryDirectory(prefix="tidewheel-") as folder:
            for picture in found:
                shutil.copyfile(picture, Path(folder) / picture.name)
            self._client.log_artifacts(run_id, folder, PICTURES)

    def _logged_model(self, run: Run, bundle: Bundle, params: Mapping[str, Any]) -> LoggedModel:
        """Return the MLflow model of a run, with the bundle in it."""
        run_id = run.info.run_id
        model = self._find_model(run_id) or self._client.create_logged_model(
            self.experiment_id,
            # MLflow allows no dots in this name.
            name=_shown(bundle).replace(".", "_"),
            source_run_id=run_id,
            tags={"slot": bundle.slot.key, "bundle_version": bundle.version_id},
            params={name: _text(value)[:PARAM_LENGTH] for name, value in params.items()},
            model_type=bundle.kind,
        )
        if model.status == LoggedModelStatus.READY:
            return model
        with tempfile.TemporaryDirectory(prefix="tidewheel-") as folder:
            pack(bundle, Path(folder), run_id=run_id, model_id=model.model_id,
                 location=model.artifact_location)  # fmt: skip
            self._client.log_model_artifacts(model.model_id, folder)
        recorded: RunOutputs | None = run.outputs
        if recorded is None or not recorded.model_outputs:
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        return self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)

    def _find_model(self, run_id: str) -> LoggedModel | None:
        found = self._client.search_logged_models(
            [self.experiment_id], filter_string=f"source_run_id = '{run_id}'", max_results=1
        )
        return found[0] if found else None


def _shown(bundle: Bundle) -> str:
    """Return the name people read; a version alone may be in several slots."""
    return f"{bundle.kind} {bundle.version_id}"


def _card(bundle: Bundle) -> str:
    """Return the model card, which the UI shows as the run's description.

    Its pictures are left out: the description cannot show files, the run's artifacts do.
    """
    lines = (bundle.folder / "README.md").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("!["))[:TAG_LENGTH]


def _finite(value: object) -> float | None:
    """Return `value` as a float if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: Any) -> str:
    """Return `value` as MLflow shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
