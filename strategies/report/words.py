"""Words: what a run came to, as people read it. One way to say it on every face."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from strategies.report.figures import Figures, at, rows_of
from strategies.report.forms import bps, chance, cost_bps, percent
from strategies.run import Run

CONVINCING = 0.95
"""Probability from which on a Sharpe ratio is said to be more than luck."""


def title(run: Run) -> str:
    """Return strategy, symbols, bars and days in one line."""
    return (
        f"{run.strategy or 'strategy'} · {', '.join(run.symbols)} · {run.timeframe} · {span(run)}"
    )


def span(run: Run) -> str:
    """Return the first and the last day of a run."""
    if not len(run.equity):
        return "no bars"
    first, last = (pd.Timestamp(run.equity.index[k]) for k in (0, -1))
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def market(run: Run) -> str:
    """Return whose candles these are; what is simulated says so first."""
    if run.simulated:
        return f"SIMULATED market{f' ({run.source})' if run.source else ''}"
    return f"candles of {run.source}" if run.source else "candles that do not say whose they are"


def verdict(run: Run, figures: Figures) -> str:
    """Return in two or three sentences what a person must know before all else."""
    performance, trading = figures["performance"], figures["trading"]
    parts = [f"{percent(performance['total_return'])} after costs"]
    if run.bankrupt:
        ruined = pd.Timestamp(run.equity.index[int((run.equity <= 0).to_numpy().argmax())])
        parts = [f"The account was ruined at {ruined:%Y-%m-%d %H:%M} UTC"]
    hold = at(figures, "baselines", "buy_and_hold", "total_return")
    if hold is not None:
        parts.append(f"buying and holding {percent(hold)}")
    said = f"{'; '.join(parts)}. "
    trades = trading.get("total_trades")
    if not trades:
        return said + "It closed no trade."
    said += (
        f"{trades:,} round trip{'s' if trades > 1 else ''} made {bps(trading['gross_edge_bps'])} "
        f"before costs{_interval(trading)} and paid {cost_bps(trading['cost_bps'])}. "
    )
    deflated, trials = performance.get("deflated_sharpe"), performance.get("trials", 1)
    if deflated is None or not math.isfinite(deflated):
        return said.rstrip()
    tries = f" as the best of {trials} tries" if trials > 1 else ""
    skill = f"P(Sharpe > 0){tries} is {chance(deflated)}"
    if deflated >= CONVINCING:
        return f"{said}Luck alone would seldom do that: {skill}."
    return f"{said}That proves no skill: {skill}, and {CONVINCING} would be some proof."


def _interval(trading: Mapping[str, Any]) -> str:
    low, high = trading.get("gross_edge_interval_bps", (math.nan, math.nan))
    if not math.isfinite(low + high):
        return " (too few for an interval)"
    return f" (95 %: {' … '.join(bps(end).removesuffix(' bp') for end in (low, high))})"


def terms(run: Run) -> str:
    """Return on which terms orders were filled."""
    costs, sides = run.costs, "long and short" if run.costs.allow_short else "long only"
    late = "the next bar's open" if costs.latency_bars == 1 else f"{costs.latency_bars} opens later"
    return (
        f"Decided at a bar's close, filled at {late}; fee {costs.fee_bps:g} bp and slippage "
        f"{costs.slippage_bps:g} bp a side ({costs.round_trip_bps:g} bp a round trip), at most "
        f"{costs.max_leverage:g} × equity, {sides}. "
        "Funding, interest and market impact are not modelled."
    )


def asked(run: Run) -> str:
    """Return how many bars there were, and how many had no answer."""
    said = f"{run.bars:,} bars were looked at"
    if run.unanswered:
        said += f"; at {run.unanswered:,} of them a model had no answer, and nothing was begun"
    if run.unsettled:
        said += f"; at {run.unsettled:,} history was too short for a feature"
    return said + "."


def table_of(run: Run, figures: Figures, notes: Sequence[str] = ()) -> str:
    """Return a result as text for a terminal."""
    lines = [title(run), market(run), "", verdict(run, figures), ""]
    sections = rows_of(figures)
    width = max((len(label) for rows in sections.values() for label, _, _ in rows), default=0)
    for section, rows in sections.items():
        lines += [section, *(f"  {label:<{width}}  {words}" for label, words, _ in rows), ""]
    return "\n".join([*lines, terms(run), asked(run), *notes])


def as_json(run: Run, figures: Figures, notes: Sequence[str]) -> dict[str, Any]:
    """Return a result as plain JSON values."""
    first, last = (run.equity.index[k] for k in (0, -1)) if len(run.equity) else (None, None)
    return {
        "strategy": run.strategy,
        "symbols": list(run.symbols),
        "timeframe": run.timeframe,
        "simulated": run.simulated,
        "source": run.source,
        "from": None if first is None else pd.Timestamp(first).isoformat(),
        "to": None if last is None else pd.Timestamp(last).isoformat(),
        "initial_cash": run.initial_cash,
        "costs": run.costs.to_dict(),
        "bars": run.bars,
        "unanswered": run.unanswered,
        "unsettled": run.unsettled,
        "verdict": verdict(run, figures),
        "notes": list(notes),
        **_plain(figures),
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
