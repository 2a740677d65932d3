"""The simulated market as a candle source: seeded, endless, and always labelled *simulated*."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import date
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pandas as pd

from market.candles import candle_frame, empty_candles
from market.errors import BadSpec, NoCandles, UnknownSymbol, UnsupportedTimeframe
from market.resample import resample
from market.simulation.bars import FIRST_BAR_DAY, minute_bars
from market.simulation.recipe import ASSETS, RANDOM_WALK, Recipe
from market.symbols import parse_symbol
from market.timeframes import DAY_MS, Instant, instant_ms, timeframe_ms, utc

_OPENING = FIRST_BAR_DAY * DAY_MS
_PRESETS = {"random-walk": RANDOM_WALK}
_LIMITS = {
    "seed": (0, 2**32 - 1), "signal": (0, 5), "flips": (0, 99_999), "drift": (-5, 5),
    "clusters": (0, 3), "seasons": (0, 3), "tails": (0, 1000), "jumps": (0, 1),
    "correlation": (0, 1), "quiet": (0, 0.9), "outages": (0, 1), "tether": (0, 1e6),
    "ticks": (0, 1),
}  # fmt: skip


class SimulatedSource:
    """Candles of a market that does not exist.

    It has no clock: it answers for any window from 2015-01-05 on, and the same bar is the same in
    every window. Two adjoining windows join up.

    Parameters
    ----------
    recipe : Recipe
        Seed and knobs; the default looks like the large pairs of a crypto exchange and has a
        planted signal (see `market.simulation.recipe.underreaction`).
    preset : str
        Name of the recipe that the knobs were changed from, for `name`.
    """

    simulated: ClassVar[bool] = True

    def __init__(self, recipe: Recipe | None = None, *, preset: str = "") -> None:
        self.recipe = recipe or Recipe()
        self.name = _name(self.recipe, preset)

    @classmethod
    def parse(cls, options: str) -> SimulatedSource:
        """Return the market that a text describes.

        Parameters
        ----------
        options : str
            Comma-separated ``knob=value`` of `Recipe`, after an optional preset (``random-walk``).
            The value of ``flips`` may be a date.

        Raises
        ------
        BadSpec
            An unknown knob, or a value outside its range.

        Examples
        --------
        >>> SimulatedSource.parse("random-walk,seed=3").name
        'simulated-random-walk-seed3'
        """
        words = [word.strip() for word in options.split(",") if word.strip()]
        preset = words.pop(0) if words and "=" not in words[0] else ""
        if preset and preset not in _PRESETS:
            raise BadSpec(f"no simulated market {preset!r}; there is: {', '.join(_PRESETS)}")
        changes = dict(_knob(word) for word in words)
        base = _PRESETS.get(preset, Recipe())
        return cls(replace(base, **changes), preset=preset)  # type: ignore[arg-type]

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        """Return the candles that open at or after `start` and close by `end`.

        Raises
        ------
        UnknownSymbol, UnsupportedTimeframe, NoCandles
            Not listed; shorter than a minute; before 2015-01-05.
        """
        symbol, step = parse_symbol(symbol), timeframe_ms(timeframe)
        asset = ASSETS.get(symbol)
        if asset is None:
            raise UnknownSymbol(
                f"the simulated market does not list {symbol}; it lists {', '.join(ASSETS)}"
            )
        if step % 60_000:
            raise UnsupportedTimeframe(
                f"the simulated market has bars of whole minutes, not {timeframe}"
            )
        low = max(-(-instant_ms(start) // step) * step, _OPENING)
        high = instant_ms(end) // step * step
        if high <= _OPENING:
            raise NoCandles(
                f"the simulated market opens at {utc(_OPENING):%Y-%m-%d}, "
                f"and {utc(high):%Y-%m-%d %H:%M} is not after that; choose a later window"
            )
        if high <= low:
            return empty_candles()
        first, last = low // DAY_MS, (high - 1) // DAY_MS
        rows = minute_bars(self.recipe, symbol, asset, first, last)
        times = first * DAY_MS + 60_000 * np.arange(len(rows))
        asked = (times >= low) & (times < high)
        return resample(candle_frame(times[asked], rows[asked]), "1m", timeframe)


def _knob(word: str) -> tuple[str, float | int | bool]:
    name, _, text = word.partition("=")
    known = {field.name: type(getattr(RANDOM_WALK, field.name)) for field in fields(Recipe)}
    if name not in known:
        raise BadSpec(f"no knob {name!r} in a simulated market; there are: {', '.join(known)}")
    low, high = _LIMITS[name]
    try:
        value = _READ[name](text) if name in _READ else known[name](float(text))
    except ValueError as error:
        day = " or a date as 2025-06-10" if name == "flips" else ""
        raise BadSpec(f"{word!r}: the value must be a number from {low} to {high}{day}") from error
    if not low <= value <= high or (name == "tails" and 0 < value <= 2):
        raise BadSpec(f"{word!r} is outside {low} to {high} (and tails are 0 or above 2)")
    return name, value


def _day(text: str) -> int:
    """Read a day: ``2025-06-10``, or days since 1970."""
    if "-" not in text:
        return int(text)
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


_READ: Mapping[str, Callable[[str], int]] = MappingProxyType({"seed": int, "flips": _day})


def _name(recipe: Recipe, preset: str) -> str:
    """Return a folder name that no other market has."""
    base = _PRESETS.get(preset, Recipe())
    words = ["simulated", *([preset] if preset else []), f"seed{recipe.seed}"]
    for field in fields(Recipe):
        value = getattr(recipe, field.name)
        if field.name != "seed" and value != getattr(base, field.name):
            shown = utc(value * DAY_MS).date() if field.name == "flips" else f"{float(value):g}"
            words.append(f"{field.name}{shown}")
    return "-".join(words)
