"""Write a trained forecaster as a version of the registry: graph, boosters, card, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from features.program import FeatureProgram
from market.candles import as_candles
from market.timeframes import utc
from ml_pipeline.bundling import library_versions, schema_of
from ml_pipeline.errors import ParityError
from ml_pipeline.export import session
from ml_pipeline.forecasters.graph import graph_columns, to_onnx
from ml_pipeline.forecasters.judging import Horizon
from ml_pipeline.forecasters.predictor import ForecasterPredictor
from ml_pipeline.onnx_graph import INPUT, OUTPUT
from models.common.bundle_writing import write_bundle
from models.common.registry import PredictionModelRegistry
from models.common.slot import FORECAST_NAMES, Slot, version_name
from models.forecasters.bundled import extras_of
from models.forecasters.forecaster import MULTI_OHLC, Forecaster

PARITY = 1e-5
"""Largest difference between graph and forecaster one bar ahead, logs of prices."""

_PROBE_ROWS = 8
_NORMAL_AS_LOGISTIC = 1.702  # the logistic slope that is nearest to the normal distribution
_SENTENCES = {
    "autoregressive": "Forecasts closes bar by bar, each fed back; the graph answers the next one.",
    "multi_ohlc": "Forecasts candles bar by bar, each fed back; the graph answers the next one.",
}


@dataclass(frozen=True)
class Source:
    """Where a forecaster's candles came from, and when it was made.

    Attributes
    ----------
    name
        The candle source's name.
    simulated
        Whether its prices are made up.
    created_ms
        Moment of training, epoch milliseconds.
    """

    name: str
    simulated: bool
    created_ms: int


def write_forecaster(
    registry: PredictionModelRegistry,
    scope: str,
    predictor: ForecasterPredictor,
    data: pd.DataFrame,
    source: Source,
    judged: Sequence[Horizon] = (),
) -> Path:
    """Write a trained forecaster as a version of its slot, and return the version's folder.

    `registry.promote` puts it into service; ``load_model("autoregressive")`` then answers the next
    bar, and its ``forecaster`` all of them.

    Parameters
    ----------
    registry
        Where to.
    scope
        Such as ``"BTC-USDT"``.
    data
        Candles whose latest rows become the probe.
    judged
        Verdicts on candles later than training, by horizon; that of one bar is the version's.

    Raises
    ------
    ParityError
        The graph differs from the forecaster.
    BundleError
        The parts do not make a valid bundle.
    """
    one, candles = predictor.forecaster, as_candles(data)
    slot = Slot(scope, one.type, one.timeframe)
    version = version_name(utc(source.created_ms).to_pydatetime(), one.timeframe, _word(one))
    onnx = to_onnx(one, predictor.boosters)
    starts = np.arange(len(candles) - _PROBE_ROWS, len(candles))
    rows = FeatureProgram(graph_columns(one), one.timeframe).run(candles)[starts]
    parity = _parity(one, onnx, candles, starts, rows)
    about = _about(one, slot, version, source, parity)
    return write_bundle(
        registry.folder(slot, version),
        onnx=onnx,
        metadata=about,
        schema=schema_of(graph_columns(one)),
        metrics=_metrics(judged),
        readme=_card(about, judged),
        probe=rows,
        extras=extras_of(one),
    )


def _word(one: Forecaster) -> str:
    return one.type.replace("_", "-")


def _parity(one: Forecaster, onnx: bytes, candles: pd.DataFrame, starts: Any, rows: Any) -> float:
    """Return the largest difference of logs one bar ahead between graph and forecaster."""
    answers = session(onnx).run([OUTPUT], {INPUT: rows})[0].astype(np.float64)
    told = one.forecast(candles, starts)
    expected = told.log_return[:, :1]
    if told.candle is not None:
        expected = np.log(told.candle[:, 0] / told.price[:, None])
    difference = float(np.abs(answers[:, :-1] - expected).max())
    if not difference <= PARITY:
        raise ParityError(
            f"the graph of the {one.type} forecaster differs from it by {difference:.3g} (limit "
            f"{PARITY:g}) on {len(rows)} rows; it was not written"
        )
    return difference


def _about(
    one: Forecaster, slot: Slot, version: str, source: Source, parity: float
) -> dict[str, Any]:
    quantile = float(one.cone.quantile[0])
    normal = NormalDist().inv_cdf((1 + one.cone.level) / 2)
    about = one.about
    return {
        "name": f"{FORECAST_NAMES[one.type]}_001",
        "type": "gradient_boosting",
        "description": _SENTENCES[one.type],
        "created_ts": utc(source.created_ms).isoformat(),
        "version": 1,
        "status": "candidate",
        "hyperparams": dict(about.get("model_params", {})),
        "training": {"symbols": [slot.scope], "data_points": about.get("bars", 0)},
        "kind": one.type,
        "scope": slot.scope,
        "timeframe": slot.timeframe,
        "slot": slot.key,
        "version_name": version,
        "recipe": _word(one),
        "baseline": False,
        "simulated": source.simulated,
        "source": source.name,
        "trained_through": str(about["trained_through"]),
        "horizon_bars": 1,
        "n_steps_ahead": one.steps,
        "parity_max_abs": parity,
        "library_versions": library_versions(),
        "seed": about.get("seed", 0),
        "head": {
            "interval_q": quantile,
            "sign_slope": _NORMAL_AS_LOGISTIC * normal / quantile,
        },
        "performance": dict(about.get("training_metrics", {})),
    }


def _metrics(judged: Sequence[Horizon]) -> dict[str, Any]:
    first: Mapping[str, Any] = {}
    for one in judged:
        if one.bars == 1:
            first = asdict(one.returns)
    return {**first, "horizons": [asdict(one) for one in judged]}


def _card(about: Mapping[str, Any], judged: Sequence[Horizon]) -> str:
    simulated = " **The market is simulated.**" if about["simulated"] else ""
    lines = [
        f"# {about['version_name']}",
        f"{about['description']} Slot `{about['slot']}`, {about['n_steps_ahead']} steps, trained "
        f"through {about['trained_through']}.{simulated}",
        f'```python\nload_model("{about["slot"]}").forecaster.predict(candles)\n```',
    ]
    if not judged:
        return "\n\n".join([*lines, "Not judged yet."]) + "\n"
    candles = about["kind"] == MULTI_OHLC
    head = "| bars ahead | R²_OS against no change, % [95 %] | coverage |"
    rule = "|--:|--:|--:|"
    rows = []
    for one in judged:
        r = one.returns
        told = f"{100 * r.skill:+.3f} [{100 * r.lower:+.3f}, {100 * r.upper:+.3f}]"
        spread = f" {100 * one.range.skill:+.1f} |" if candles and one.range else ""
        rows.append(f"| {one.bars} | {told} | {one.coverage:.3f} |{spread}")
    if candles:
        head, rule = head + " range skill, % |", rule + "--:|"
    return "\n\n".join([*lines, "\n".join([head, rule, *rows])]) + "\n"
