"""The knobs of a simulated market, its symbols, and how strong its planted signal is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

DIGESTION = 0.9
"""φ: the share of an undigested shock that is still undigested a minute later."""


class Asset(NamedTuple):
    """What a symbol looks like.

    Level in quote units, long-run volatility a year, base volume a minute, steps of price and
    volume.
    """

    price: float
    volatility: float
    volume: float
    tick: float
    lot: float


ASSETS: Mapping[str, Asset] = MappingProxyType(
    {
        "BTC-USDT": Asset(60_000.0, 0.60, 30.0, 0.01, 1e-5),
        "ETH-USDT": Asset(3_000.0, 0.75, 400.0, 0.01, 1e-4),
        "XRP-USDT": Asset(0.5, 0.80, 250_000.0, 1e-4, 1.0),
        "SOL-USDT": Asset(150.0, 0.90, 4_000.0, 0.01, 1e-3),
        "BNB-USDT": Asset(600.0, 0.65, 250.0, 0.1, 1e-3),
        "DOGE-USDT": Asset(0.12, 0.95, 900_000.0, 1e-5, 1.0),
        "ADA-USDT": Asset(0.45, 0.85, 150_000.0, 1e-4, 0.1),
        "LTC-USDT": Asset(80.0, 0.70, 400.0, 0.01, 1e-3),
    }
)
"""The symbols that are listed on the simulated market."""


@dataclass(frozen=True)
class Recipe:
    """The knobs of a simulated market.

    Parameters
    ----------
    seed : int
        Another seed is another market.
    signal : float
        Strength of the planted predictability, 0 to 5. An ideal predictor of the direction of the
        next 5 one-minute bars is right in .50 + .06·signal of the cases (see `underreaction`).
    flips : int
        Day (days since 1970, 0 for never) from whose first shock on the signal is turned round: an
        equally strong predictability of the other sign. What was learnt before it is then wrong
        more often than right. Before that day the market is the one without the knob. Overreaction
        is the noisier of the two: at signal 1 minutes then move 2.6 times as far, hours 1.2 times.
    drift : float
        Log return a year.
    clusters, seasons : float
        Multiply the random part and the season of ln σ; 0 is none.
    tails : float
        Degrees of freedom of the shocks' Student-t, above 2; 0 is normal.
    jumps : float
        Jumps a day and symbol, 0 to 1; half of them hit all symbols at once.
    correlation : float
        Between the shocks of any two symbols, 0 to 1.
    quiet : float
        Share of bars in which the price stands still and hardly anything trades.
    outages : float
        Share of days with 3 to 25 dead minutes: flat bars without volume.
    tether : float
        Half-life in days of the pull back to the symbol's usual level; 0 is none. It keeps BTC near
        60,000 over the years and is far too weak to be seen within days.
    ticks : bool
        Prices and volumes on the exchange's grid, and opens that are off the last close by a tick.
    """

    seed: int = 7
    signal: float = 1.0
    flips: int = 0
    drift: float = 0.0
    clusters: float = 1.0
    seasons: float = 1.0
    tails: float = 8.0
    jumps: float = 0.3
    correlation: float = 0.7
    quiet: float = 0.001
    outages: float = 0.02
    tether: float = 230.0
    ticks: bool = True


RANDOM_WALK = Recipe(
    signal=0.0,
    clusters=0.0,
    seasons=0.0,
    tails=0.0,
    jumps=0.0,
    quiet=0.0,
    outages=0.0,
    tether=0.0,
    ticks=False,
)
"""Independent normal log returns of constant volatility: only their variance can be learnt."""


def underreaction(signal: float, flipped: bool = False) -> float:
    """Return θ such that the ideal predictor of the 5-bar direction is right in .5 + .06·signal.

    The best forecast of the next h returns is −(1−φʰ)·X. For normal shocks, the sign of a forecast
    with correlation ρ to its target is right with probability 1/2 + arcsin(ρ)/π, and

        ρ² = θ²A / (θ²A + Σⱼ(1−θφʲ)²),   A = (1−φʰ)²/(1−φ²),   j = 0 … h−1,

    which is a quadratic equation in θ. Signal 1 means .56 (θ = .33), 2 means .62 (.53) and
    3 means .68 (.68). Its other root is negative: the market overreacts, and returns turn back.

    Parameters
    ----------
    signal : float
        0 to 5.
    flipped : bool
        Whether the negative root is asked for.
    """
    horizon = 5
    rho = np.sin(np.pi * 0.06 * signal)
    odds = rho**2 / (1 - rho**2)
    powers = DIGESTION ** np.arange(horizon)
    a = (1 - DIGESTION**horizon) ** 2 / (1 - DIGESTION**2) - odds * (powers**2).sum()
    b, c = 2 * odds * powers.sum(), -odds * horizon
    root = np.sqrt(b * b - 4 * a * c)
    return float((-b - root if flipped else -b + root) / (2 * a))
