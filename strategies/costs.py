"""Costs: what trading takes, how late it happens and what the account may do.

The rules of a fill, the same for events, for columns of signals, and for paper trading:

* price: open of bar ``t + latency_bars`` × (1 + slippage) when buying, × (1 − slippage) selling;
* fee: rate × notional of the fill, on each side;
* what opens may not make the gross exposure exceed `max_leverage` × equity, both at the fill's
  price and after its fee; it is cut to what may, `room`;
* what opens less than `min_notional` is refused; what reduces a position never is;
* at one open, what reduces comes first, then what opens, symbols in alphabetical order; late orders
  of several moments that meet after a gap come moment by moment.

Not modelled: funding, interest, market impact beyond slippage, lot sizes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from strategies.errors import BadTerms

BPS = 1e-4
ROUNDING = 1e-12
"""Room smaller than this share of equity is what rounding left, and none."""


@dataclass(frozen=True)
class Costs:
    """Terms on which orders are filled.

    Parameters
    ----------
    fee_bps : float
        Taker's fee on notional, each side, in basis points.
    slippage_bps : float
        How much worse than the open, or the stop, an order is filled, in basis points.
    latency_bars : int
        Whole bars from the bar decided on to the one at whose open it is filled; 1 or more.
    min_notional : float
        Least notional that opens a position, quote currency.
    allow_short : bool
        Without, SHORT closes what is long and opens nothing.
    max_leverage : float
        Most gross exposure, in units of equity.
    maker_fee_bps : float, optional
        Fee of a resting limit that is filled at its price; by default `fee_bps`. Such a fill has
        no slippage.

    Raises
    ------
    BadTerms
        A number that cannot be.

    Examples
    --------
    >>> Costs().round_trip_bps
    12.0
    """

    fee_bps: float = 5.0
    slippage_bps: float = 1.0
    latency_bars: int = 1
    min_notional: float = 10.0
    allow_short: bool = True
    max_leverage: float = 1.0
    maker_fee_bps: float | None = None

    def __post_init__(self) -> None:
        for name in ("fee_bps", "slippage_bps", "min_notional"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadTerms(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.slippage_bps >= 1 / BPS:
            raise BadTerms(f"slippage of {self.slippage_bps} bps leaves no price; 10000 is all")
        if self.maker_fee_bps is not None and not -self.fee_bps <= self.maker_fee_bps < math.inf:
            raise BadTerms(f"maker_fee_bps is {self.maker_fee_bps}, fee_bps {self.fee_bps}")
        if isinstance(self.latency_bars, bool) or int(self.latency_bars) != self.latency_bars:
            raise BadTerms(f"latency_bars is {self.latency_bars!r}; it counts whole bars")
        if self.latency_bars < 1:
            raise BadTerms(
                f"latency_bars is {self.latency_bars}; a bar is decided on when it has closed, so "
                "the earliest fill is the next one's open, 1"
            )
        if not 0 < self.max_leverage < math.inf:
            raise BadTerms(f"max_leverage is {self.max_leverage}; 1 trades the account's own money")

    @classmethod
    def none(cls, **terms: float) -> Costs:
        """Return terms without fee, slippage and least notional, for comparisons."""
        free = {"fee_bps": 0.0, "slippage_bps": 0.0, "min_notional": 0.0}
        return cls(**(free | terms))  # type: ignore[arg-type]

    @property
    def fee_rate(self) -> float:
        """Taker's fee as a fraction of notional."""
        return self.fee_bps * BPS

    @property
    def slippage_rate(self) -> float:
        """Slippage as a fraction of the price."""
        return self.slippage_bps * BPS

    @property
    def maker_rate(self) -> float:
        """Maker's fee as a fraction of notional."""
        return self.fee_rate if self.maker_fee_bps is None else self.maker_fee_bps * BPS

    @property
    def round_trip_bps(self) -> float:
        """What it costs to open and close: both fees, both slippages, in basis points."""
        return 2.0 * (self.fee_bps + self.slippage_bps)

    def price(self, reference: float, quantity: float) -> float:
        """Return the price of a market fill: ``reference · (1 ± slippage)``."""
        rate = self.slippage_rate
        return reference * (1.0 + rate if quantity > 0 else 1.0 - rate)

    def room(self, equity: float, gross: float, price: float) -> float:
        """Return the most that may be opened at a price, in base currency; not negative.

        Parameters
        ----------
        equity : float
            Before the fill, the symbol's own position valued at the fill's price.
        gross : float
            Sum of the absolute notionals held, valued likewise.
        price : float
            Of the fill.

        Notes
        -----
        After opening q at p, ``gross + q·p <= max_leverage · (equity - fee_rate·q·p)``. An account
        that is only long and not levered is left with cash of 0 by it, never with less.
        """
        spare = self.max_leverage * equity - gross
        if spare <= ROUNDING * equity:
            return 0.0
        return spare / (1.0 + self.max_leverage * self.fee_rate) / price

    def to_dict(self) -> dict[str, float | int | bool | None]:
        """Return the terms as plain JSON values."""
        return asdict(self)
