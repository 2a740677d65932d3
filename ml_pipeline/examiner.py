"""What every backtest is made of: unseen rows, a baseline of the same training, a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.source import CandleSource
from market.symbols import parse_symbols
from market.timeframes import DAY_MS, Instant, instant_ms, timeframe_ms, utc
from ml_pipeline.errors import ValidationError
from ml_pipeline.export import score
from ml_pipeline.fit import Fitted, fit_baseline
from ml_pipeline.history import History
from ml_pipeline.live import LedgerReader
from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.scoring import metrics, row_losses
from ml_pipeline.skill import judge
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from models.common.model import Model

Floats = NDArray[np.float64]
Judged = TrainedModel | Model


class Examiner:
    """Scores outputs on bars after a model's training; parameters as `ValidationPipeline`."""

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

    def unseen(
        self,
        model: Judged,
        symbols: str | Sequence[str],
        days_back: float,
        features: Sequence[str] | None = None,
        seen: int | None = None,
    ) -> Panel:
        """Return the rows of the last `days_back` days with known outcomes, after `seen`.

        Parameters
        ----------
        model
            Whose kind, timeframe and market it is about.
        symbols, days_back
            Which markets, and how far back to look.
        features
            Columns beside the baseline's; by default the model's.
        seen
            Epoch ms up to where bars are known to somebody; by default the end of its training.

        Raises
        ------
        ValidationError
            There is none, or the candles are of another market than the model's.
        """
        task, timeframe = TASKS[model.kind], str(model.info["timeframe"])
        self._check_market(model)
        end = self.history.now_ms(timeframe)
        seen = trained_through_ms(model) if seen is None else seen
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

    def figures(self, model: Judged, panel: Panel, raw: Floats, baseline: Fitted) -> dict[str, Any]:
        """Return the figures of outputs `raw` of the model's kind beside those of `baseline`."""
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
            **whole(metrics(task, head, raw, panel)),
            **verdict.as_dict(),
            "beats_baseline": verdict.lower > 0,
            "baseline": bool(model.info["baseline"]),
            "symbols": list(panel.symbols),
            "since": utc(int(panel.ts[0])).isoformat(),
            "until": utc(int(panel.ts[-1])).isoformat(),
        }

    def against(self, model: Judged, panel: Panel, raw: Floats, rival: Floats) -> float:
        """Return the paired z of one output against another; 0 where they are the same."""
        task, head = TASKS[model.kind], model.info["head"]
        ours, theirs = (row_losses(task, head, one, panel) for one in (raw, rival))
        if np.array_equal(ours, theirs, equal_nan=True):
            return 0.0
        bars = task.horizon_bars(panel.timeframe)
        return float(judge(panel.ts, panel.symbol, ours, theirs, bars, self.seed).z)

    def baseline_of(self, model: Judged) -> Fitted:
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


def trained_through_ms(model: Judged) -> int:
    """Return when the last label that `model` was fitted on was known, epoch ms."""
    return instant_ms(model.info["trained_through"])


def raw_of(model: Judged, panel: Panel) -> Floats:
    """Return the model's outputs [n, K] on the rows of `panel`."""
    return np.asarray(model.raw(panel.columns(model.features)), dtype=np.float64)


def whole(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with their number of rows as the whole number that it is."""
    return {**figures, "n": int(figures["n"])}
