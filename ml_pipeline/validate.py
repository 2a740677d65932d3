"""Validate models on bars they have not seen: backtests, live results, ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.symbols import parse_symbol
from market.timeframes import utc
from ml_pipeline.errors import ValidationError
from ml_pipeline.examiner import Examiner, Judged, raw_of, trained_through_ms, whole
from ml_pipeline.export import score
from ml_pipeline.live import live_figures
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import novel_share
from models.common.model import Model
from models.common.predictor import EnsemblePredictor, load_model

Floats = NDArray[np.float64]
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


class ValidationPipeline(Examiner):
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
        panel = self.unseen(model, symbols, days_back)
        raw, baseline = raw_of(model, panel), self.baseline_of(model)
        figures = self.figures(model, panel, raw, baseline)
        figures |= novel_share(model.novelty(panel.columns(model.features)))
        return Examined(figures, panel, raw, score(baseline.onnx, panel))

    def backtest_ensemble(
        self, name: str, symbols: str | Sequence[str], days_back: float = 7
    ) -> dict[str, Any]:
        """Score a saved ensemble as `backtest_model` does a model.

        Bars count that lie after the training of every member, those of other kinds that a stack
        reads included. The baseline, and what counts as an event, are those of the member of its
        kind that was trained last. The results are kept beside the configuration too.

        Returns
        -------
        dict
            What `backtest_model` returns, and

            * ``members``: by name, each member's own figures on the same bars;
            * ``best_member``: the most skilled of them, chosen with hindsight, and ``z_best``, the
              ensemble's paired z against it;
            * ``missing``: by name, why members are left out.

        Raises
        ------
        ValidationError
            If `name` is no ensemble of one kind.
        """
        ensemble = load_model(name, home=self.home)
        if not isinstance(ensemble, EnsemblePredictor) or ensemble.kind == "mixed":
            raise ValidationError(f"{name!r} is no ensemble of models of one kind; name one")
        members = {member: self._member(member) for member in ensemble.serving}
        own = {member: model for member, model in members.items() if model.kind == ensemble.kind}
        if not own:
            raise ValidationError(f"no {ensemble.kind} member of {name!r} can be loaded")
        last = max(own.values(), key=trained_through_ms)
        seen = max(trained_through_ms(model) for model in members.values())
        panel = self.unseen(last, symbols, days_back, ensemble.features, seen)
        baseline, rows = self.baseline_of(last), dict(zip(panel.names, panel.X.T, strict=True))
        raws = {member: raw_of(model, panel) for member, model in own.items()}
        figures = {
            member: self.figures(last, panel, raw, baseline) | {"baseline": _is_naive(own[member])}
            for member, raw in raws.items()
        }
        best = max(figures, key=lambda member: figures[member]["skill"])
        raw = ensemble.raw(rows)
        results = {
            **self.figures(last, panel, raw, baseline),
            **novel_share(ensemble.novelty(rows)),
            "baseline": False,
            "members": figures,
            "best_member": best,
            "z_best": self.against(last, panel, raw, raws[best]),
            "missing": dict(ensemble.missing),
        }
        ensemble.save_results({**ensemble.results, "backtest": results})
        return results

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
        return {**whole(figures), "since": utc(since).isoformat(), "until": utc(until).isoformat()}

    def _member(self, name: str) -> Model:
        model = load_model(name, home=self.home)
        if not isinstance(model, Model):
            raise ValidationError(f"{name!r} is no single model; ensembles do not nest")
        return model


def _is_naive(model: Model) -> bool:
    return bool(model.info["baseline"])
