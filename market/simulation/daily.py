"""The coarse market, one step a day: levels, slow volatility and jumps since the first day."""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from market.simulation.decay import Floats, autoregression, decaying_sum
from market.simulation.recipe import Asset, Recipe

FIRST_DAY = 16_436
"""The day all levels start from, in days since 1970: 2015-01-01."""
MINUTES = 1_440
MARKET = "market"
"""The stream of randomness that all symbols share."""
VOL_COMMON = 0.8
"""Share of the variance of ln σ that all symbols share."""

_SLOW_HALF_LIFE, _SLOW_STD = 5.0, 0.20  # days; of ln σ
_JUMP = (5.0, 8.0)  # smallest jump, and what may come on top, in minutes' standard deviations

Ints = npt.NDArray[np.int64]


class Daily(NamedTuple):
    """Arrays over the days from `FIRST_DAY`.

    ``level`` [n+1] is the log price at each midnight without its transitory part, ``slow`` [n+1]
    the slow part of ln σ there, ``jump`` and ``jump_minute`` [n, 2] size and minute of the common
    and the own jump of each day (size 0: none).
    """

    level: Floats
    slow: Floats
    jump: Floats
    jump_minute: Ints


def generator(recipe: Recipe, *labels: str | int) -> np.random.Generator:
    """Return the generator of one stream; the same labels always give the same numbers."""
    words = [x if isinstance(x, int) else crc32(x.encode()) for x in labels]
    return np.random.default_rng([recipe.seed, *words])


def minute_sigma(asset: Asset) -> float:
    """Return the long-run standard deviation of one minute's log return."""
    return float(asset.volatility / np.sqrt(365 * MINUTES))


def share(common: Floats, own: Floats, part: float) -> Floats:
    """Mix two unit-variance arrays so that `part` of the variance is the common one's."""
    return np.asarray(np.sqrt(part) * common + np.sqrt(1 - part) * own)


def daily_path(recipe: Recipe, symbol: str, asset: Asset, last: int) -> Daily:
    """Return the coarse market up to the end of day `last` (days since 1970).

    A longer path starts with exactly the shorter one.
    """
    n = last + 1 - FIRST_DAY
    draws = {
        label: generator(recipe, label, "days").standard_normal((n + 1, 2))
        for label in (MARKET, symbol)
    }
    moves = share(draws[MARKET][:n, 0], draws[symbol][:n, 0], recipe.correlation)
    std = recipe.clusters * _SLOW_STD
    innovations = share(draws[MARKET][:, 1], draws[symbol][:, 1], VOL_COMMON)
    slow = autoregression(innovations, _SLOW_HALF_LIFE, std) - std**2
    sigma = minute_sigma(asset) * np.exp((slow[:-1] + slow[1:]) / 2)
    jump, jump_minute = _jumps(recipe, symbol, sigma)
    steps = moves * sigma * np.sqrt(MINUTES) + jump.sum(axis=1) + recipe.drift / 365
    pull = 1 - 0.5 ** (1 / recipe.tether) if recipe.tether else 0.0
    walk = decaying_sum(steps, 1 - pull)
    return Daily(np.log(asset.price) + np.append(0.0, walk), slow, jump, jump_minute)


def _jumps(recipe: Recipe, symbol: str, sigma: Floats) -> tuple[Floats, Ints]:
    sizes, minutes = [], []
    for label in (MARKET, symbol):
        happens, minute, size = generator(recipe, label, "jumps").random((len(sigma), 3)).T
        signed = np.sign(size - 0.5) * (_JUMP[0] + _JUMP[1] * np.abs(2 * size - 1))
        sizes.append(np.where(happens < recipe.jumps / 2, signed * sigma, 0.0))
        minutes.append((minute * MINUTES).astype(np.int64))
    return np.stack(sizes, axis=1), np.stack(minutes, axis=1)
