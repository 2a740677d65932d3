"""Oscillators: how fast, and how far from where it was."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import (
    body,
    gain,
    loss,
    middle,
    move,
    rsi,
    spread,
    true_range,
    typical,
)
from features.expression import Expr
from features.inputs import c, h, l, v
from features.language import (
    change,
    ema,
    highest,
    lag,
    lowest,
    magnitude,
    mean,
    mean_deviation,
    ratio,
    rma,
    smaller,
    total,
    where,
)

momentum = Group("momentum")
add, family = momentum.add, momentum.family


def _place(x: Expr, low: Expr, high: Expr) -> Expr:
    return ratio(x - low, high - low, 0.5)


family(
    "rsi",
    (7, 14, 28),
    rsi,
    "Wilder's relative strength index over {n} bars, 50 where nothing moved",
)
add("rsi_14_slope_5", change(rsi(14), 5), "Change of rsi_14 over 5 bars")

stochastic = _place(c, lowest(l, 14), highest(h, 14)) * 100
add("stoch_k_14", stochastic, "Place of the close in the range of 14 bars, in percent")
add("stoch_d_14", mean(stochastic, 3), "Mean of stoch_k_14 over 3 bars")
add(
    "willr_14",
    ratio(highest(h, 14) - c, highest(h, 14) - lowest(l, 14), 0.5) * -100,
    "Williams' %R over 14 bars",
)

# In an outage rsi stands still but for rounding; a range below a millionth of a point is none.
rsi_low, rsi_high = lowest(rsi(14), 14), highest(rsi(14), 14)
stochastic_rsi = where(rsi_high - rsi_low > 1e-6, _place(rsi(14), rsi_low, rsi_high), 0.5) * 100
add("stochrsi_14", stochastic_rsi, "Place of rsi_14 in its own range of 14 bars, in percent")
add("stochrsi_d_14", mean(stochastic_rsi, 3), "Mean of stochrsi_14 over 3 bars")

family(
    "roc",
    (10,),
    lambda n: (c / lag(c, n) - 1) * 100,
    "Change of the close over {n} bars in percent",
)
up, down = rma(gain, 14), rma(loss, 14)
add(
    "cmo_14",
    ratio(up - down, up + down) * 100,
    "Chande's momentum oscillator over 14 bars, Wilder-smoothed",
)

rising, falling = change(typical, 1) > 0, change(typical, 1) < 0
inflow, outflow = (
    total(where(rising, typical * v, 0), 14),
    total(where(falling, typical * v, 0), 14),
)
add(
    "mfi_14",
    ratio(inflow, inflow + outflow, 0.5) * 100,
    "Money flow index over 14 bars, 50 where nothing flowed",
)

pressure = c - smaller(l, lag(c, 1))
parts = [ratio(total(pressure, n), total(true_range, n), 0.5) for n in (7, 14, 28)]
add(
    "ultosc",
    (parts[0] * 4 + parts[1] * 2 + parts[2]) / 7 * 100,
    "Ultimate oscillator over 7, 14 and 28 bars",
)
add(
    "tsi_25_13",
    ratio(ema(ema(move, 25), 13), ema(ema(magnitude(move), 25), 13)) * 100,
    "True strength index",
)
ppo = add("ppo", (ema(c, 12) / ema(c, 26) - 1) * 100, "macd in percent of the slow average")
add("ppo_hist", ppo - ema(ppo, 9), "ppo minus its average over 9 bars")
add("ao_pct", (mean(middle, 5) - mean(middle, 34)) / c, "Awesome oscillator, relative to the close")
add("bop_14", mean(ratio(body, spread), 14), "Balance of power, mean over 14 bars")
add(
    "cci_20",
    ratio(typical - mean(typical, 20), mean_deviation(typical, 20)) / 0.015,
    "Commodity channel index over 20 bars",
)
