"""The page: a backtest as one HTML file without anything from outside, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from strategies.report import charts
from strategies.report.figures import at, rows_of
from strategies.report.forms import (
    UNKNOWN,
    between,
    bps,
    chance,
    cost_bps,
    count,
    money,
    percent,
    ratio,
    share,
)
from strategies.report.words import asked, market, span, terms, verdict
from strategies.run import Run

Figures = Mapping[str, Mapping[str, Any]]

MOST_TRADES = 200
MOST_REFUSED = 50


def page(run: Run, figures: Figures, notes: Sequence[str] = ()) -> str:
    """Return a run as a page.

    Parameters
    ----------
    run : Run
        What happened.
    figures : mapping
        Of `strategies.metrics.summarise`.
    notes : sequence of str
        What else must be known; shown below the verdict.
    """
    parts = [_head(run, figures, notes), _tiles(figures)]
    if len(run.equity):
        parts += [
            _section("The account", charts.account(run)),
            '<div class="cards">',
            _section("Where the money went", charts.flows(run)),
            _section("How trades ended", _endings(run.trades)),
            "</div>",
            _section("Prices and entries", charts.prices(run)),
        ]
    parts += [_figures(figures), _trades(run), _refused(run), _foot(run)]
    return _whole(run, "".join(parts))


def _whole(run: Run, body: str) -> str:
    own = files("strategies.report")
    css, js = (own.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    name = escape(f"{run.strategy}: {market(run)}")
    script = f"<script>{js}</script>" if len(run.equity) else ""
    for unit in ("%", "bp"):  # a number and its unit stay on one line
        body = body.replace(f" {unit}", f"\N{NO-BREAK SPACE}{unit}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{css}</style></head><body><main>{body}</main>{script}"
        "</body></html>\n"
    )


def _head(run: Run, figures: Figures, notes: Sequence[str]) -> str:
    source = (
        f'<div class="badge">{escape(market(run))}</div>'
        if run.simulated
        else f'<p class="soft">{escape(market(run))}</p>'
    )
    said = "".join(f'<p class="soft">{escape(note)}</p>' for note in notes)
    return (
        f"<header><h1>{escape(run.strategy or 'strategy')}</h1>"
        f'<p class="soft">{escape(", ".join(run.symbols))} · {escape(run.timeframe)} bars · '
        f"{escape(span(run))}</p>{source}"
        f'<p class="lead">{escape(verdict(run, figures))}</p>{said}</header>'
    )


def _tiles(figures: Figures) -> str:
    performance, trading = figures["performance"], figures["trading"]
    trials = performance.get("trials", 1)
    tries = f"of {trials} tries" if trials > 1 else "one try"
    tiles = [
        _tile("Return", performance["total_return"], percent, _held(figures), signed=True),
        _tile(
            "Sharpe ratio",
            performance["sharpe_ratio"],
            ratio,
            f"95 %: {between(ratio)(performance['sharpe_interval'])}"
            if "sharpe_interval" in performance
            else "",
        ),
        _tile("P(Sharpe > 0)", performance.get("deflated_sharpe"), chance, f"best {tries}"
              if trials > 1 else tries),
        _tile("Largest drawdown", performance.get("max_drawdown"), percent, "of the account"),
        _tile("Gross edge", trading.get("gross_edge_bps"), bps,
              f"a round trip, which cost {cost_bps(trading.get('cost_bps'))}"),
        _tile("Trades", trading.get("total_trades"), count,
              f"{share(trading.get('win_rate'))} won"),
    ]  # fmt: skip
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _held(figures: Figures) -> str:
    hold = at(figures, "baselines", "buy_and_hold", "total_return")
    return "after costs" if hold is None else f"bought and held {percent(hold)}"


def _tile(name: str, value: Any, form: Any, below: str, *, signed: bool = False) -> str:
    kind = ""
    if signed and value is not None and np.isfinite(value) and value:
        kind = ' class="good"' if value > 0 else ' class="bad"'
    return (
        f'<div class="tile"><span>{escape(name)}</span><b{kind}>{escape(form(value))}</b>'
        f"<span>{escape(below)}</span></div>"
    )


def _section(name: str, content: str) -> str:
    return f'<section><h2>{escape(name)}</h2><div class="card">{content}</div></section>'


def _endings(trades: pd.DataFrame) -> str:
    rows = []
    for reason, own in trades.groupby("reason", sort=False):
        won = float((own["pnl"] > 0).mean())
        rows.append(
            (len(own), str(reason), share(won), percent(own["return"].mean()), own["pnl"].sum())
        )
    rows.sort(reverse=True)
    cells = [(name, count(n), won, mean, money(pnl)) for n, name, won, mean, pnl in rows]
    if not cells:
        return '<p class="soft">There was no trade.</p>'
    return _table(("ended by", "trades", "won", "mean return", "money"), cells)


def _figures(figures: Figures) -> str:
    cards = "".join(
        f'<div class="card figures"><h3>{escape(section)}</h3><table>'
        + "".join(
            f"<tr><td>{escape(label)}{f'<small>{escape(means)}</small>' if means else ''}</td>"
            f'<td class="num">{escape(words)}</td></tr>'
            for label, words, means in rows
        )
        + "</table></div>"
        for section, rows in rows_of(figures).items()
    )
    return f'<section><h2>Figures</h2><div class="columns">{cards}</div></section>'


def _trades(run: Run) -> str:
    if not len(run.trades):
        return ""
    last = run.trades.iloc[-MOST_TRADES:].iloc[::-1]
    rows = [
        (
            row["symbol"],
            row["side"],
            f"{row['entry_time']:%Y-%m-%d %H:%M}",
            f"{row['entry_price']:,.6g}",
            f"{row['exit_time']:%Y-%m-%d %H:%M}",
            f"{row['exit_price']:,.6g}",
            percent(row["return"]),
            money(row["pnl"]),
            count(row["bars"]),
            row["reason"],
        )
        for row in last.to_dict("records")
    ]
    names = ("symbol", "side", "entry", "price", "exit", "price", "return", "money", "bars", "by")
    which = f"the last {len(rows)} of {len(run.trades):,}" if len(run.trades) > len(rows) else "all"
    return (
        f"<details><summary>Trades ({which})</summary>"
        f'<div class="card scroll">{_table(names, rows, left=(0, 1, 2, 4, 9))}</div></details>'
    )


def _refused(run: Run) -> str:
    if not run.refused:
        return ""
    rows = [
        (f"{pd.Timestamp(one.ts_ms, unit='ms'):%Y-%m-%d %H:%M}", one.order.symbol,
         f"{one.quantity:,.6g}", one.reason)
        for one in run.refused[:MOST_REFUSED]
    ]  # fmt: skip
    table = _table(("bar", "symbol", "quantity", "why"), rows, left=(0, 1, 3))
    which = f"the first {len(rows)} of {len(run.refused):,}" if len(run.refused) > len(rows) else ""
    return (
        f"<details><summary>Orders refused or cut ({which or len(rows)})</summary>"
        f'<div class="card scroll">{table}</div></details>'
    )


def _foot(run: Run) -> str:
    return (
        f"<footer><p>{escape(terms(run))} {escape(asked(run))}</p>"
        "<p>A Sharpe ratio is mean over standard deviation of a bar's returns (ddof 1), times the "
        "root of the bars in a year of 365 days. Made by Tidewheel. Not financial advice.</p>"
        "</footer>"
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]], left: Sequence[int] = (0,)) -> str:
    def cell(tag: str, place: int, word: Any) -> str:
        kind = "" if place in left else ' class="num"'
        return f"<{tag}{kind}>{escape(str(word)) or UNKNOWN}</{tag}>"

    head = "".join(cell("th", k, name) for k, name in enumerate(names))
    body = "".join(
        f"<tr>{''.join(cell('td', k, word) for k, word in enumerate(row))}</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
