"""Validate models on bars they have not seen: backtests, live results, ensembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.source import CandleSource
from market.symbols import parse_symbol, parse_symbols
from market.timeframes import DAY_MS, Instant, instant_ms, timeframe_ms, utc
from ml_pipeline.errors import ValidationError
from ml_pipeline.export import score
from ml_pipeline.fit import Fitted, fit_baseline
from ml_pipeline.history import History
from ml_pipeline.live import LedgerReader, live_figures
from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.scoring import metrics, novel_share, row_losses
from ml_pipeline.skill import judge
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from models.common.blending import blend_raw
from models.common.model import Model
from models.common.predictor import EnsemblePredictor, load_model

Floats = NDArray[np.float64]
Judged = TrainedModel | Model
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Examined:
    """A backtest with what it was computed from.

    Attributes
    ----------
    figures
        As `ValidationPipeline.backtest_model` returns them.
    panel
        The rows, all unseen.
    raw, naive
        Outputs [n, K] of the model and of its baseline on them.
    """

    figures: dict[str, Any]
    panel: Panel
    raw: Floats
    naive: Floats


class ValidationPipeline:
    """Scores models on bars after their training's end, never on what they were fitted on.

    Parameters
    ----------
    ledger
        For live results: a reader of stored predictions.
    source, home, end
        Where candles come from, where they are kept, and what counts as now; see `History.open`.
    history
        Instead of these three.
    seed
        Of the bootstrap behind the interval.
    """

    def __init__(
        self,
        ledger: LedgerReader | None = None,
        *,
        source: str | CandleSource | None = None,
        home: str | Path | None = None,
        end: Instant | None = None,
        history: History | None = None,
        seed: int = 0,
    ) -> None:
        self.ledger = ledger
        self.history = history or History.open(source, home=home, end=end)
        self.home = home
        self.seed = seed

    def backtest_model(
        self, model: Judged, symbols: str | Sequence[str], days_back: float = 7
    ) -> dict[str, Any]:
        """Score the bars of the last `days_back` days that lie after the model's training.

        Parameters
        ----------
        model
            As trained, or as `load_model` returns it.
        symbols
            Which markets.
        days_back
            How far back to look. Bars whose labels the training may have used are left out.

        Returns
        -------
        dict
            * ``n``, ``since``, ``until``, ``symbols``: how many bars, and which;
            * the kind's figures, see `ml_pipeline.scoring.metrics`: accuracy, precision, recall,
              f1, and rmse, mae, r2 for price and volatility;
            * ``skill`` over the baseline fitted on the same rows, its 95 % interval ``lower`` …
              ``upper``, ``z``, ``times``, ``effective_n``, ``base_loss``, ``beats_baseline``;
            * ``baseline``: whether the model itself is a baseline;
            * ``novel_share``: the part of the bars that lay outside of what it knows.

        Raises
        ------
        ValidationError
            No bar with a known outcome lies after the training.
        TooFewOutcomes
            Fewer than an honest verdict needs.
        """
        return self.examine(model, symbols, days_back).figures

    def examine(
        self, model: Judged, symbols: str | Sequence[str], days_back: float = 7
    ) -> Examined:
        """Return the figures of `backtest_model` with the rows and outputs they come from."""
        panel = self._unseen(model, symbols, days_back)
        raw, baseline = _raw(model, panel), self._baseline_of(model)
        figures = self._figures(model, panel, raw, baseline)
        figures |= novel_share(model.novelty(panel.columns(model.features)))
        return Examined(figures, panel, raw, score(baseline.onnx, panel))

    def backtest_ensemble(
        self, name: str, symbols: str | Sequence[str], days_back: float = 7
    ) -> dict[str, Any]:
        """Score a saved ensemble as `backtest_model` does a model.

        Bars count that lie after the training of every member; the baseline is that of the member
        trained last. ``members`` holds each member's skill on the same bars.

        Raises
        ------
        ValidationError
            If `name` is no ensemble of one kind.
        """
        ensemble = load_model(name, home=self.home)
        if not isinstance(ensemble, EnsemblePredictor) or ensemble.kind == "mixed":
            raise ValidationError(f"{name!r} is no ensemble of models of one kind; name one")
        members = {member: self._member(member) for member in ensemble.info["serving"]}
        last = max(members.values(), key=_trained_through_ms)
        panel = self._unseen(last, symbols, days_back, ensemble.features)
        baseline = self._baseline_of(last)
        raws = {member: _raw(model, panel) for member, model in members.items()}
        result = self._figures(last, panel, _blended(ensemble, raws), baseline)
        skills = {
            member: self._figures(last, panel, raw, baseline)["skill"]
            for member, raw in raws.items()
        }
        return {**result, "members": skills}

    def validate_on_live_data(
        self, model: Judged, symbol: str, hours_back: float = 24
    ) -> dict[str, Any]:
        """Return the figures of what the model really predicted, from the ledger.

        Parameters
        ----------
        model
            A version that has been in service or in shadow.
        symbol
            Which market.
        hours_back
            How far back.

        Returns
        -------
        dict
            ``n`` resolved predictions and the kind's figures over them (NaN where n is 0); beside
            them the baseline's, see `ml_pipeline.live.live_figures`: ``skill`` with its interval,
            ``z``, ``naive``. What was filled in afterwards is no live result.

        Raises
        ------
        ValidationError
            If the pipeline was made without a ledger.
        """
        if self.ledger is None:
            raise ValidationError(
                "live results come from stored predictions: make the pipeline with "
                "ValidationPipeline(ledger=store)"
            )
        info, timeframe = model.info, str(model.info["timeframe"])
        until = self.history.now_ms(timeframe)
        since = until - int(hours_back * HOUR_MS)
        figures = live_figures(self.ledger, info, parse_symbol(symbol), since, until, self.seed)
        return {**_whole(figures), "since": utc(since).isoformat(), "until": utc(until).isoformat()}

    # ------------------------------------------------------------------ parts

    def _unseen(
        self,
        model: Judged,
        symbols: str | Sequence[str],
        days_back: float,
        features: Sequence[str] | None = None,
    ) -> Panel:
        task, timeframe = TASKS[model.kind], str(model.info["timeframe"])
        self._check_market(model)
        end = self.history.now_ms(timeframe)
        seen = _trained_through_ms(model)
        start = max(end - int(days_back * DAY_MS), seen)
        columns = tuple(dict.fromkeys([*(features or model.features), *task.columns(timeframe)]))
        if end - start > task.horizon_bars(timeframe) * timeframe_ms(timeframe):
            panel = self.history.panel(parse_symbols(symbols), timeframe, columns, start, end)
            known = all_finite(task.y(panel, model.info["head"]))
            if known.any():
                return panel.rows(known)
        raise ValidationError(
            f"no {model.kind} outcome is known after {utc(seen).isoformat()}, up to where "
            f"{model.info['version_name']} was fitted; ask again later, or for more days than "
            f"{days_back:g}"
        )

    def _check_market(self, model: Judged) -> None:
        source = self.history.source
        if bool(model.info["simulated"]) != source.simulated:
            raise ValidationError(
                f"{model.info['version_name']} was trained on {model.info['source']}, these "
                f"candles come from {source.name}: a simulated market says nothing about a real "
                "one; make the pipeline with ValidationPipeline(source=…)"
            )

    def _figures(
        self, model: Judged, panel: Panel, raw: Floats, baseline: Fitted
    ) -> dict[str, Any]:
        task, head = TASKS[model.kind], model.info["head"]
        naive = score(baseline.onnx, panel)
        verdict = judge(
            panel.ts,
            panel.symbol,
            row_losses(task, head, raw, panel),
            row_losses(task, head, naive, panel),
            task.horizon_bars(panel.timeframe),
            self.seed,
        )
        return {
            **_whole(metrics(task, head, raw, panel)),
            **verdict.as_dict(),
            "beats_baseline": verdict.lower > 0,
            "baseline": bool(model.info["baseline"]),
            "symbols": list(panel.symbols),
            "since": utc(int(panel.ts[0])).isoformat(),
            "until": utc(int(panel.ts[-1])).isoformat(),
        }

    def _baseline_of(self, model: Judged) -> Fitted:
        """Return the baseline of the model's own training rows, fitted again where it is lost."""
        if isinstance(model, TrainedModel):
            return model.baseline
        info, timeframe = model.info, str(model.info["timeframe"])
        split = TurnSplit.from_dict(info["window"])
        columns = TASKS[model.kind].columns(timeframe)
        panel = self.history.panel(
            info["training"]["symbols"],
            timeframe,
            columns,
            split.train.start_ms,
            split.trained_through_ms,
        )
        return fit_baseline(model.kind, panel, split)

    def _member(self, name: str) -> Model:
        model = load_model(name, home=self.home)
        if not isinstance(model, Model):
            raise ValidationError(f"{name!r} is no single model; ensembles do not nest")
        return model


def _trained_through_ms(model: Judged) -> int:
    return instant_ms(model.info["trained_through"])


def _raw(model: Judged, panel: Panel) -> Floats:
    return np.asarray(model.raw(panel.columns(model.features)), dtype=np.float64)


def _blended(ensemble: EnsemblePredictor, raws: Mapping[str, Floats]) -> Floats:
    shares = ensemble.shares(ensemble.kind, list(raws))
    return blend_raw(ensemble.kind, ensemble.info["method"], np.stack(list(raws.values())), shares)


def _whole(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {**figures, "n": int(figures["n"])}
