"""Figures: which of them are shown, in what order, in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strategies.report.forms import (
    UNKNOWN,
    Form,
    between,
    bps,
    chance,
    cost_bps,
    count,
    days,
    money,
    percent,
    ratio,
    share,
)

Figures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """One figure of a table: its words, where it lies, how it is written, what it means."""

    label: str
    path: tuple[str, ...]
    form: Form
    means: str = ""
    interval: tuple[str, ...] = ()


LINES: Mapping[str, tuple[Line, ...]] = {
    "Performance": (
        Line("Total return", ("performance", "total_return"), percent, "after all costs"),
        Line("A year of it", ("performance", "annual_return"), percent,
             "compounded; of a short run it means little"),
        Line("Volatility a year", ("performance", "annual_volatility"), share),
        Line("Sharpe ratio", ("performance", "sharpe_ratio"), ratio,
             "a year of 365 days; 95 % interval by stationary bootstrap",
             ("performance", "sharpe_interval")),
        Line("Sortino ratio", ("performance", "sortino_ratio"), ratio),
        Line("Calmar ratio", ("performance", "calmar_ratio"), ratio),
        Line("Largest drawdown", ("performance", "max_drawdown"), percent),
        Line("Longest drawdown", ("performance", "longest_drawdown_bars"), count, "in bars"),
        Line("Expected shortfall", ("performance", "expected_shortfall"), percent,
             "mean of the worst 5 % of bars"),
    ),
    "Is it luck?": (
        Line("P(Sharpe > 0)", ("performance", "probabilistic_sharpe"), chance,
             "probabilistic Sharpe ratio: length, skew and fat tails taken in"),
        Line("… of the best of all trials", ("performance", "deflated_sharpe"), chance,
             "deflated Sharpe ratio: a best one of many looks good by luck"),
        Line("Trials", ("performance", "trials"), count,
             "ideas tried on this market, with this one"),
        Line("Days to prove it", ("performance", "days_to_prove"), days,
             "at this Sharpe ratio, until P(Sharpe > 0) is 95 %"),
    ),
    "Trading": (
        Line("Trades", ("trading", "total_trades"), count, "closed ones"),
        Line("Won", ("trading", "win_rate"), share, "net of fees"),
        Line("Profit factor", ("trading", "profit_factor"), ratio, "money won over money lost"),
        Line("Return a trade", ("trading", "average_return"), percent),
        Line("Bars a trade", ("trading", "average_bars"), ratio),
        Line("Turnover a day", ("trading", "turnover_a_day"), ratio, "times equity"),
        Line("Exposure", ("trading", "exposure"), share, "mean gross notional over equity"),
        Line("Time in the market", ("trading", "time_in_market"), share),
        Line("Orders refused", ("trading", "refused"), count),
        Line("Orders cut", ("trading", "cut"), count, "to what the money allows"),
    ),
    "Edge beside cost": (
        Line("Gross edge a round trip", ("trading", "gross_edge_bps"), bps,
             "what prices gave, before fees and slippage; 95 % interval",
             ("trading", "gross_edge_interval_bps")),
        Line("Cost of a round trip", ("trading", "cost_bps"), cost_bps,
             "fees and slippage, both sides"),
        Line("Net", ("trading", "net_edge_bps"), bps),
        Line("Fees", ("trading", "fees"), money, "quote currency"),
        Line("Slippage", ("trading", "slippage"), money, "quote currency"),
        Line("Cost drag", ("trading", "cost_drag"), share, "fees and slippage over opening cash"),
    ),
}  # fmt: skip


def told(figures: Figures, line: Line) -> str | None:
    """Return a figure in words, with its interval; None where the figures have no such thing."""
    value = at(figures, *line.path)
    if value is None and line.path[-1] not in figures.get(line.path[0], {}):
        return None
    words = line.form(value)
    ends = at(figures, *line.interval) if line.interval else None
    if ends is None or words == UNKNOWN:
        return words
    low, high = (line.form(end).removesuffix(" bp").removesuffix(" %") for end in ends)
    return words if UNKNOWN in (low, high) else f"{words}  [{low} … {high}]"


def rows_of(figures: Figures) -> dict[str, list[tuple[str, str, str]]]:
    """Return label, words and meaning of every figure there is, by section; baselines last."""
    found = {
        section: [
            (line.label, words, line.means)
            for line in lines
            if (words := told(figures, line)) is not None
        ]
        for section, lines in LINES.items()
    }
    found["Baselines"] = _baselines(figures)
    return {section: rows for section, rows in found.items() if rows}


def _baselines(figures: Figures) -> list[tuple[str, str, str]]:
    rows = []
    for name, meaning in _BASELINES.items():
        one = figures.get("baselines", {}).get(name)
        if isinstance(one, Mapping):
            own = [
                (f"{name.replace('_', ' ').capitalize()}: {label}", form(one[key]), "")
                for key, label, form in _OF_BASELINE
                if key in one
            ]
            rows += [(*own[0][:2], meaning), *own[1:]] if own else []
    return rows


_BASELINES = {
    "buy_and_hold": "all symbols in equal parts, from the first bar to the last",
    "random_entries": "the same orders at random times: the same costs, and no timing",
}
_OF_BASELINE: Sequence[tuple[str, str, Form]] = (
    ("total_return", "return", percent),
    ("total_return_interval", "95 % of them", between(percent)),
    ("sharpe_ratio", "Sharpe ratio", ratio),
    ("max_drawdown", "largest drawdown", percent),
    ("beaten", "share that did worse", share),
    ("p_value", "P of timing that good by chance", chance),
)


def at(figures: Any, *path: str) -> Any:
    """Return the figure at a path; None where there is none."""
    for name in path:
        if not isinstance(figures, Mapping) or name not in figures:
            return None
        figures = figures[name]
    return figures
