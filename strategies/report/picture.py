"""The picture: equity beside buy and hold, drawdown, exposure, and prices with entries, as a PNG.

The one module of the strategies that knows Matplotlib, which is imported when a picture is drawn:
a strategy that trades carries none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from strategies.report.curves import curves_of, marks_of, thinned
from strategies.report.forms import bps, cost_bps, percent, ratio
from strategies.report.words import market, span
from strategies.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACCOUNT, _HOLD, _LOSS, _GAIN, _GREY = "#1f6f8b", "#9a8f7d", "#c8553d", "#4d7f3a", "#8a8f98"
_DPI = 110
MOST_SYMBOLS = 3


def picture(run: Run, figures: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Draw a run and return the PNG.

    Parameters
    ----------
    run : Run
        What happened.
    figures : mapping
        Of `strategies.metrics.summarise`; some stand in the title.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    symbols = run.symbols[:MOST_SYMBOLS]
    heights = [3.0, 1.0, 0.9, *(1.6 for _ in symbols)]
    figure = Figure(figsize=(10, 1.1 + 0.92 * sum(heights)), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    _account(rows[:3], run)
    for axes, symbol in zip(rows[3:], symbols, strict=True):
        _prices(axes, run, symbol)
    for axes in rows:
        _plain(axes)
    _title(figure, run, figures)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _title(figure: Figure, run: Run, figures: Mapping[str, Mapping[str, Any]]) -> None:
    performance, trading = figures["performance"], figures["trading"]
    said = (
        f"{percent(performance['total_return'])} after costs, Sharpe "
        f"{ratio(performance['sharpe_ratio'])}; a round trip made "
        f"{bps(trading.get('gross_edge_bps'))} before costs and paid "
        f"{cost_bps(trading.get('cost_bps'))}"
    )
    figure.suptitle(
        f"{market(run)} · {run.strategy} · {', '.join(run.symbols)} · {run.timeframe}\n"
        f"{span(run)}\n{said}",
        fontsize=10,
    )


def _account(rows: Any, run: Run) -> None:
    curves = curves_of(run)
    at = curves.at.view("M8[ms]")
    growth, drawdown, exposure = rows
    growth.plot(at, 100 * (curves.hold - 1), color=_HOLD, linewidth=1, label="bought and held")
    growth.plot(at, 100 * (curves.equity - 1), color=_ACCOUNT, linewidth=1.6, label="the account")
    growth.axhline(0, color=_GREY, linewidth=0.8)
    growth.set_ylabel("growth, %")
    growth.legend(frameon=False, fontsize=8, loc="best")
    drawdown.fill_between(at, 100 * curves.drawdown, 0, color=_LOSS, alpha=0.45, linewidth=0)
    drawdown.set_ylabel("drawdown, %")
    for part, colour in ((curves.long, _GAIN), (curves.short, _LOSS)):
        exposure.fill_between(at, 100 * part, 0, color=colour, alpha=0.5, linewidth=0, step="post")
    exposure.set_ylabel("exposure, %")


def _prices(axes: Axes, run: Run, symbol: str) -> None:
    close = run.close[symbol].to_numpy(np.float64)
    kept = thinned(np.nan_to_num(close))
    index = pd.DatetimeIndex(run.close.index).tz_localize(None).to_numpy()
    axes.plot(index[kept], close[kept], color=_GREY, linewidth=0.8)
    entries = marks_of(run.trades, symbol)
    for side, shape, colour in (("LONG", "^", _GAIN), ("SHORT", "v", _LOSS)):
        own = entries[(entries["side"] == side).to_numpy(bool)]
        when = pd.DatetimeIndex(own["entry_time"]).tz_localize(None).to_numpy()
        axes.plot(when, own["entry_price"], shape, color=colour, markersize=3.5, alpha=0.8,
                  markeredgewidth=0)  # fmt: skip
    axes.set_ylabel(symbol)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.yaxis.label.set_fontsize(8)
    axes.margins(x=0.01)
