"""Charts: the account over time, prices with entries, and where the money went, as HTML."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from html import escape

import numpy as np
import pandas as pd

from strategies.report.curves import Curves, curves_of, epoch_ms, marks_of, thinned
from strategies.report.forms import money, number, percent
from strategies.report.panel import Curve, Mark, panel
from strategies.report.scale import Scale, moments, numbers
from strategies.run import Run

MOST_SYMBOLS = 6


def account(run: Run) -> str:
    """Return equity beside buy and hold, drawdown and exposure, on one time axis."""
    curves = curves_of(run)
    time = moments(int(curves.at[0]), int(curves.at[-1]))
    parts = [_growth(curves, time), _drawdown(curves, time), _exposure(curves, time)]
    return f'<div class="timed">{"".join(parts)}</div>{_data(curves)}'


def _growth(curves: Curves, time: Scale) -> str:
    equity, hold = 100 * (curves.equity - 1), 100 * (curves.hold - 1)
    return _legend(("account", "the account, after costs"), ("hold", "bought and held")) + panel(
        [Curve("hold", curves.at, hold), Curve("account", curves.at, equity)],
        time,
        _around(np.concatenate([equity, hold])),
        _percents,
        height=270,
        says=f"Growth of the account, at the end {percent(curves.equity[-1] - 1)}; "
        f"bought and held {percent(curves.hold[-1] - 1)}.",
        dates=False,
    )


def _drawdown(curves: Curves, time: Scale) -> str:
    drawdown = 100 * curves.drawdown
    return _legend(("drawdown", "drawdown")) + panel(
        [Curve("drawdown", curves.at, drawdown, area=True)],
        time,
        _around(drawdown, count=2),
        _percents,
        height=90,
        says=f"Drawdown, at worst {percent(curves.drawdown.min())}.",
        dates=False,
    )


def _exposure(curves: Curves, time: Scale) -> str:
    held, sold = 100 * curves.long, 100 * curves.short
    return _legend(("long", "long, share of equity"), ("short", "short")) + panel(
        [
            Curve("long", curves.at, held, area=True, step=True),
            Curve("short", curves.at, sold, area=True, step=True),
        ],
        time,
        _around(np.concatenate([held, sold]), count=2),
        _percents,
        height=80,
        says="Exposure over time.",
    )


def prices(run: Run) -> str:
    """Return the close of each symbol with the entries of its trades."""
    parts = [_prices(run, symbol) for symbol in run.symbols[:MOST_SYMBOLS]]
    rest = run.symbols[MOST_SYMBOLS:]
    left = f'<p class="soft">Not drawn: {escape(", ".join(rest))}.</p>' if rest else ""
    return "".join(parts) + left


def flows(run: Run) -> str:
    """Return bars from what prices gave to what was left: gross, fees, slippage, net."""
    fees, slippage = (float(run.fills[name].sum()) for name in ("fee", "slippage"))
    net = float(run.equity.iloc[-1]) - run.initial_cash if len(run.equity) else 0.0
    gross = net + fees + slippage
    steps = [
        ("What prices gave", 0.0, gross),
        ("Fees", gross, gross - fees),
        ("Slippage", gross - fees, net),
        ("What was left", 0.0, net),
    ]
    ends = [end for _, *both in steps for end in both]
    low, high = min(ends), max(ends)
    width = (high - low) or 1.0
    return f'<div class="bars">{"".join(_bar(*step, low, width) for step in steps)}</div>'


def _bar(word: str, begin: float, end: float, low: float, width: float) -> str:
    left, size = 100 * (min(begin, end) - low) / width, 100 * abs(end - begin) / width
    kind = "long" if end >= begin else "short"
    sign = "+" if end > begin else ""
    return (
        f'<span>{word}</span><span class="track {kind}"><i style="left:{left:.2f}%;'
        f'width:{size:.2f}%"></i></span><span class="num">{sign}{money(end - begin)}</span>'
    )


def _prices(run: Run, symbol: str) -> str:
    close = run.close[symbol].to_numpy(np.float64)
    kept = thinned(np.nan_to_num(close, nan=float(np.nanmean(close))))
    at = epoch_ms(pd.DatetimeIndex(run.close.index))[kept]
    entries = marks_of(run.trades, symbol)
    marks = [
        Mark(int(when), float(price), side == "LONG", _said(side, gain, reason))
        for when, price, side, gain, reason in zip(
            epoch_ms(pd.DatetimeIndex(entries["entry_time"])),
            entries["entry_price"],
            entries["side"],
            entries["return"],
            entries["reason"],
            strict=True,
        )
    ]
    known = close[np.isfinite(close)]
    level = numbers(float(known.min()), float(known.max()))
    total = int((run.trades["symbol"] == symbol).sum())
    shown = f"{len(marks)} of {total:,} entries drawn" if total > len(marks) else f"{total} entries"
    chart = panel(
        [Curve("price", at, close[kept])],
        moments(int(at[0]), int(at[-1])),
        level,
        _price_form(level),
        height=190,
        says=f"Close of {symbol} with {shown}.",
        marks=marks,
    )
    legend = (
        f'<p class="legend"><b>{escape(symbol)}</b><span><span class="good">▲</span> long</span>'
        f'<span><span class="bad">▼</span> short</span><span>{shown}</span></p>'
    )
    return legend + chart


def _said(side: str, gain: float, reason: str) -> str:
    return f"{side}, {percent(gain)}, ended by {reason}"


def _around(values: np.ndarray, count: int = 6) -> Scale:
    """Return a scale that holds the values and nought."""
    known = values[np.isfinite(values)]
    return numbers(min(0.0, float(known.min())), max(0.0, float(known.max())), count)


def _percents(value: float) -> str:
    return number(value, "+g" if value else "g", " %")


def _price_form(level: Scale) -> Callable[[float], str]:
    step = level.ticks[1] - level.ticks[0]
    digits = max(0, -math.floor(math.log10(step)) + (1 if step * 10 % 10 else 0))
    return lambda value: number(value, f",.{min(digits, 8)}f")


def _legend(*curves: tuple[str, str]) -> str:
    words = "".join(f'<span class="{name}"><i></i>{escape(says)}</span>' for name, says in curves)
    return f'<p class="legend">{words}</p>'


def _data(curves: Curves) -> str:
    """Return the numbers that the pointer reads, in per cent."""
    content = {
        "at": curves.at.tolist(),
        "equity": _rounded(curves.equity - 1),
        "hold": _rounded(curves.hold - 1),
        "drawdown": _rounded(curves.drawdown),
        "long": _rounded(curves.long),
        "short": _rounded(curves.short),
        "says": [
            ["account", "equity"],
            ["held", "hold"],
            ["drawdown", "drawdown"],
            ["long", "long"],
            ["short", "short"],
        ],
    }
    text = json.dumps(content, separators=(",", ":"))
    return f'<script type="application/json" id="curves">{text}</script>'


def _rounded(values: np.ndarray) -> list[float]:
    return [round(100 * float(value), 3) for value in np.nan_to_num(values)]
