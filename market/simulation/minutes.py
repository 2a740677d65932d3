"""The fine market: shocks, volatility and log prices by the minute, bridged between midnights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from market.simulation.daily import (
    FIRST_DAY,
    MARKET,
    MINUTES,
    VOL_COMMON,
    Daily,
    Ints,
    daily_path,
    generator,
    minute_sigma,
    share,
)
from market.simulation.decay import Floats, autoregression, decaying_sum
from market.simulation.recipe import DIGESTION, Asset, Recipe, underreaction

_FAST = ((20.0, 0.25), (180.0, 0.28))  # half-life in minutes and standard deviation, of ln σ
_WEEKEND = -0.25  # of ln σ, Saturdays and Sundays


class Minutes(NamedTuple):
    """Arrays [days, 1440]: log close, σ of the minute's shock, ln(σ/long-run σ), |e|."""

    log_close: Floats
    sigma: Floats
    log_vol: Floats
    surprise: Floats


def minute_path(recipe: Recipe, symbol: str, asset: Asset, first: int, last: int) -> Minutes:
    """Return the fine market over whole days (days since 1970, both ends included).

    Each day's numbers are the same whatever `first` and `last` are.
    """
    daily = daily_path(recipe, symbol, asset, last)
    days = np.arange(first - 1, last + 1)  # the transitory part needs the shocks of the day before
    shocks, fast = _noise(recipe, symbol, np.arange(first - 2, last + 1))
    log_vol = _log_vol(recipe, daily, days, fast)
    sigma = minute_sigma(asset) * np.exp(log_vol)
    jumps, totals, levels = _day_steps(daily, days)
    epsilon = _bridge(sigma * shocks[1:], sigma**2, totals - jumps.sum(axis=1))
    late = -decaying_sum(with_day_before(_share(recipe, days) * epsilon), DIGESTION)[:, MINUTES:]
    walk = levels[1:, None] + np.cumsum(epsilon[1:] + jumps[1:], axis=1)
    return Minutes(walk + late, sigma[1:], log_vol[1:], np.abs(shocks[2:]))


def _share(recipe: Recipe, days: Ints) -> Floats:
    """Return the share θ of a shock that is digested late, [days, 1]: each by its own day's rule.

    So the price has no seam at the turn: what came before it is digested as it began.
    """
    flipped = (days >= recipe.flips) & bool(recipe.flips)
    before, after = (underreaction(recipe.signal, way) for way in (False, True))
    return np.where(flipped, after, before)[:, None]


def with_day_before(rows: Floats) -> Floats:
    """Return [n, m] as [n−1, 2m]: each row behind the one of the day before."""
    return np.concatenate([rows[:-1], rows[1:]], axis=1)


def _noise(recipe: Recipe, symbol: str, days: Ints) -> tuple[Floats, Floats]:
    """Return unit-variance shocks [days, 1440] and volatility noise [2, days, 1440]."""
    shocks, fast = [], []
    for label in (MARKET, symbol):
        streams = [generator(recipe, label, "minutes", int(day)) for day in days]
        fast.append(np.stack([rng.standard_normal((2, MINUTES)) for rng in streams], axis=1))
        if recipe.tails:
            unit = np.sqrt((recipe.tails - 2) / recipe.tails)
            shocks.append(np.stack([unit * g.standard_t(recipe.tails, MINUTES) for g in streams]))
        else:
            shocks.append(np.stack([rng.standard_normal(MINUTES) for rng in streams]))
    return (
        share(shocks[0], shocks[1], recipe.correlation),
        share(fast[0], fast[1], VOL_COMMON),
    )


def _log_vol(recipe: Recipe, daily: Daily, days: Ints, fast: Floats) -> Floats:
    """Return ln(σ/σ̄) [days, 1440] such that E[σ²] = σ̄²; `fast` starts a day earlier."""
    parts = _season(days) * recipe.seasons
    for (half_life, std), noise in zip(_FAST, fast, strict=True):
        scale = std * recipe.clusters
        parts += autoregression(with_day_before(noise), half_life, scale)[:, MINUTES:] - scale**2
    here = daily.slow[days - FIRST_DAY, None]
    there = daily.slow[days - FIRST_DAY + 1, None]
    return np.asarray(parts + here + (there - here) * (np.arange(MINUTES) / MINUTES))


def _season(days: Ints) -> Floats:
    """Return the season of ln σ: busiest when Europe and America overlap, quiet at weekends."""
    hour = np.arange(MINUTES) / 60
    curve = 0.18 * np.cos(2 * np.pi * (hour - 17) / 24) + 0.20 * np.cos(np.pi * (hour - 1.8) / 6)
    curve -= 0.5 * np.log(np.mean(np.exp(2 * curve)))
    weekend = (days + 3) % 7 >= 5  # day 0 of 1970 was a Thursday
    level = 0.5 * np.log((5 + 2 * np.exp(2 * _WEEKEND)) / 7)
    return np.asarray(curve[None, :] + np.where(weekend, _WEEKEND, 0.0)[:, None] - level)


def _day_steps(daily: Daily, days: Ints) -> tuple[Floats, Floats, Floats]:
    """Return jumps [days, 1440], total move [days] and level at the start [days] of each day."""
    index = days - FIRST_DAY
    jumps = np.zeros((len(days), MINUTES))
    for kind in (0, 1):
        jumps[np.arange(len(days)), daily.jump_minute[index, kind]] += daily.jump[index, kind]
    return jumps, daily.level[index + 1] - daily.level[index], daily.level[index]


def _bridge(raw: Floats, variance: Floats, totals: Floats) -> Floats:
    """Spread over each day, in proportion to variance, what its shocks miss of its total."""
    missing = totals - raw.sum(axis=1)
    spread = missing[:, None] * variance / variance.sum(axis=1, keepdims=True)
    return np.asarray(raw + spread)
