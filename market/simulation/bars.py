"""From log prices to candles: a path inside each bar, ticks, quiet and dead bars, volume."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.simulation.daily import FIRST_DAY, MINUTES, Ints, generator
from market.simulation.decay import Floats, autoregression
from market.simulation.minutes import Minutes, minute_path, with_day_before
from market.simulation.recipe import Asset, Recipe

FIRST_BAR_DAY = FIRST_DAY + 4
"""The first day that has bars: 2015-01-05; the days before it are what it needs to start."""

_STEPS = 8  # of the path inside a bar
_BUSY_HALF_LIFE = 30.0  # minutes, of the part of volume that volatility does not explain


class _Draws(NamedTuple):
    """Randomness of whole days, [days, …] each.

    The path inside each bar [1440, 8], uniforms that decide on quiet bars and on opens beside the
    last close [1440], volume noise [2, 1440], outages [3].
    """

    steps: Floats
    quiet: Floats
    beside: Floats
    busy: Floats
    outage: Floats


def minute_bars(recipe: Recipe, symbol: str, asset: Asset, first: int, last: int) -> Floats:
    """Return the one-minute candles of whole days.

    Parameters
    ----------
    first, last : int
        Days since 1970, both included, from `FIRST_BAR_DAY`.

    Returns
    -------
    float64 [days × 1440, 5]
        Open, high, low, close, volume. A row is the same in every window it is asked in.
    """
    # One day in front, because the first open is the close before it; dropped at the end.
    path = minute_path(recipe, symbol, asset, first - 1, last)
    draws = _draw(recipe, symbol, np.arange(first - 2, last + 1))
    dead = _dead(recipe, draws.outage[1:])
    still = (dead | (draws.quiet[1:] < recipe.quiet)).ravel()
    close = _closes(recipe, asset, path, still)
    opens = _opens(recipe, asset, close, draws.beside[1:].ravel())
    steps = (path.sigma[..., None] * draws.steps[1:]).reshape(-1, _STEPS) / np.sqrt(_STEPS)
    high, low = _extremes(opens, close, steps)
    if recipe.ticks:
        high, low = _on_grid(high, asset.tick), _on_grid(low, asset.tick)
    high = np.maximum(high, np.maximum(opens, close))
    low = np.minimum(low, np.minimum(opens, close))
    last_close = np.append(close[:1], close[:-1])
    prices = [np.where(still, last_close, x) for x in (opens, high, low, close)]
    volume = _volume(recipe, asset, path, draws.busy).ravel()
    volume = np.where(dead.ravel(), 0.0, np.where(still, asset.lot + volume * 0.01, volume))
    if recipe.ticks:
        volume = _on_grid(volume, asset.lot)
    return np.stack([*prices, volume], axis=1)[MINUTES:]


def _draw(recipe: Recipe, symbol: str, days: Ints) -> _Draws:
    rows = []
    for day in days:
        rng = generator(recipe, symbol, "bars", int(day))
        steps, uniform = rng.standard_normal((MINUTES, _STEPS)), rng.random((2, MINUTES))
        rows.append((steps, *uniform, rng.standard_normal((2, MINUTES)), rng.random(3)))
    return _Draws(*(np.stack(column) for column in zip(*rows, strict=True)))


def _dead(recipe: Recipe, outage: Floats) -> npt.NDArray[np.bool_]:
    """Return which minutes [days, 1440] fall into an outage."""
    happens, start, length = outage.T[:, :, None]
    begin = np.floor(start * (MINUTES - 25))
    minute = np.arange(MINUTES)[None, :]
    inside = (minute >= begin) & (minute < begin + 3 + np.floor(length * 23))
    return np.asarray((happens < recipe.outages) & inside)


def _closes(recipe: Recipe, asset: Asset, path: Minutes, still: npt.NDArray[np.bool_]) -> Floats:
    """Return closes [n]; where the price stands still, the last one that moved."""
    prices = np.exp(path.log_close).ravel()
    if recipe.ticks:
        prices = np.maximum(_on_grid(prices, asset.tick), asset.tick)
    moving: Ints = np.where(still, 0, np.arange(len(still)))
    return np.asarray(prices[np.maximum.accumulate(moving)])


def _opens(recipe: Recipe, asset: Asset, close: Floats, uniform: Floats) -> Floats:
    """Return opens [n]: the close before; with ticks, half of them a tick beside it."""
    opens = np.append(close[:1], close[:-1])
    if not recipe.ticks:
        return opens
    beside = np.select([uniform < 0.25, uniform > 0.75], [-1.0, 1.0], 0.0)
    return np.maximum(_on_grid(opens + beside * asset.tick, asset.tick), asset.tick)


def _extremes(opens: Floats, close: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Return highest and lowest price [n] of a random path bridged from open to close."""
    part = np.arange(1, _STEPS + 1) / _STEPS
    walk = np.cumsum(steps, axis=1)
    walk -= walk[:, -1:] * part
    start, move = np.log(opens)[:, None], np.log(close / opens)[:, None]
    path = start + move * part + walk
    return np.exp(path.max(axis=1)), np.exp(path.min(axis=1))


def _volume(recipe: Recipe, asset: Asset, path: Minutes, busy: Floats) -> Floats:
    """Return volumes [days, 1440]: volatility and surprise raise them, noise on top."""
    lasting = autoregression(with_day_before(busy[:, 0]), _BUSY_HALF_LIFE, 1.0)[:, MINUTES:]
    noise = 0.45 * lasting + 0.45 * busy[1:, 1]
    level = np.log(asset.volume) + 1.2 * path.log_vol + 0.45 * (path.surprise - 0.8)
    return np.asarray(np.exp(np.minimum(level, np.log(asset.volume) + 5) + noise))


def _on_grid(values: Floats, step: float) -> Floats:
    """Return values rounded to multiples of `step`, as the nearest short decimal."""
    return np.asarray(np.round(np.rint(values / step) * step, 8))
