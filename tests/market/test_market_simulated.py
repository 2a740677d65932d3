"""The simulated market is what it says: reproducible, lifelike, learnable where it was planted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2, kurtosis

from market.candles import repair
from market.errors import BadSpec, NoCandles, UnknownSymbol, UnsupportedTimeframe
from market.resample import resample
from market.simulated import SimulatedSource
from market.simulation.daily import FIRST_DAY, daily_path
from market.simulation.decay import decaying_sum
from market.simulation.minutes import minute_path
from market.simulation.recipe import ASSETS, DIGESTION, RANDOM_WALK, Recipe, underreaction
from market.source import CandleSource, open_source

MAJORS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
START, END = "2025-04-01T00:00Z", "2025-05-31T00:00Z"
YEAR = 365 * 1440


@cache
def candles(options: str, symbol: str = "BTC-USDT") -> pd.DataFrame:
    return SimulatedSource.parse(options).fetch(symbol, "1m", START, END)


def returns(options: str, symbol: str = "BTC-USDT") -> np.ndarray:
    return np.diff(np.log(candles(options, symbol).close.to_numpy()))


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    x = x - x.mean()
    return np.array([(x[k:] * x[:-k]).sum() for k in range(1, lags + 1)]) / (x * x).sum()


def portmanteau(x: np.ndarray, lags: int = 20) -> float:
    """Return the p-value of Ljung and Box's test of no autocorrelation."""
    rho = autocorrelation(x, lags)
    q = len(x) * (len(x) + 2) * (rho**2 / (len(x) - np.arange(1, lags + 1))).sum()
    return float(chi2.sf(q, lags))


# ---------------------------------------------------------------- one market, every window


@pytest.mark.parametrize(
    "options", ["", "random-walk,seed=3", "seed=5,quiet=0.05,outages=1", "flips=2025-05-10"]
)
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-05-10T00:00Z", "2025-05-11T00:00Z"),
        ("2025-05-10T23:58Z", "2025-05-11T00:03Z"),
        ("2025-04-30T07:13Z", "2025-05-09T20:01Z"),
    ],
)
def test_a_bar_is_the_same_in_every_window(options, start, end):
    whole = candles(options)
    part = SimulatedSource.parse(options).fetch("BTC-USDT", "1m", start, end)
    pd.testing.assert_frame_equal(part, whole.loc[start:end].iloc[:-1], check_exact=True)


def test_windows_join_up():
    source = SimulatedSource()
    edges = ["2025-05-01T00:00Z", "2025-05-03T11:11Z", "2025-05-04T00:00Z", "2025-05-06T00:00Z"]
    parts = [source.fetch("ETH-USDT", "1m", a, b) for a, b in pairwise(edges)]
    whole = source.fetch("ETH-USDT", "1m", edges[0], edges[-1])
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True)


def test_another_process_sees_the_same_market():
    """Also a guard: whoever changes the market must change this line, and everyone's baselines."""
    code = (
        "from market.simulated import SimulatedSource as S\n"
        "c = S().fetch('BTC-USDT', '1m', '2025-05-28T00:00Z', '2025-05-28T00:01Z')\n"
        "print(*c.iloc[0])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    here = SimulatedSource().fetch("BTC-USDT", "1m", "2025-05-28T00:00Z", "2025-05-28T00:01Z")
    assert [float(x) for x in answer.stdout.split()] == here.iloc[0].tolist()
    assert here.iloc[0].tolist() == GOLDEN


GOLDEN = [49918.07, 49977.32, 49882.3, 49957.59, 125.30697]


def test_opens_follow_closes():
    """Without ticks exactly; with ticks at most a tick beside it."""
    walk = candles("random-walk,seed=3")
    np.testing.assert_array_equal(walk.open[1:], walk.close[:-1])
    real = candles("")
    step = (real.open.to_numpy()[1:] - real.close.to_numpy()[:-1]) / ASSETS["BTC-USDT"].tick
    assert np.abs(step).max() <= 1.001
    assert 0.3 < (np.abs(step) > 0.5).mean() < 0.7


def test_all_candles_are_true():
    for symbol in MAJORS:
        table = candles("", symbol)
        _, report = repair(table, "1m", END)
        assert report.clean
        assert report.rows_out == 60 * 1440


def test_seeds_and_symbols_are_different_markets():
    one, two = returns("seed=1"), returns("seed=2")
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02


def test_longer_timeframes_are_resampled():
    source = SimulatedSource()
    got = source.fetch("BTC-USDT", "15m", "2025-05-01T00:07Z", "2025-05-02T00:07Z")
    assert (got.index[0].hour, got.index[0].minute, len(got)) == (0, 15, 95)
    oracle = resample(candles(""), "1m", "15m").loc[got.index]
    pd.testing.assert_frame_equal(got, oracle, check_exact=True)


def test_decaying_sums_are_the_recursion_and_do_not_see_what_follows():
    x = np.random.default_rng(0).normal(size=(3, 1000))
    for phi in (0.0, 0.5, 0.99, 1.0):
        np.testing.assert_allclose(decaying_sum(x, phi), lfilter([1], [1, -phi], x), rtol=1e-9)
        np.testing.assert_array_equal(decaying_sum(x, phi)[:, :77], decaying_sum(x[:, :77], phi))


# ---------------------------------------------------------------- the random walk


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_random_walk_holds_nothing_to_learn(seed):
    """No autocorrelation of returns, of their size, or of highs and lows with what follows."""
    for symbol in MAJORS:
        table, r = (
            candles(f"random-walk,seed={seed}", symbol),
            returns(f"random-walk,seed={seed}", symbol),
        )
        assert portmanteau(r) > 1e-3
        assert portmanteau(np.abs(r)) > 1e-3
        place = ((table.close - table.low) / (table.high - table.low)).to_numpy()[1:-1]
        volume = np.log(table.volume.to_numpy()[1:-1])
        for known in (place, volume):
            assert abs(np.corrcoef(known, r[1:])[0, 1]) * np.sqrt(len(r)) < 4


def test_the_random_walk_is_normal_and_has_its_stated_volatility():
    for symbol in MAJORS:
        r = returns("random-walk,seed=1", symbol)
        assert abs(kurtosis(r)) < 5 * np.sqrt(24 / len(r))
        assert r.std() * np.sqrt(YEAR) == pytest.approx(ASSETS[symbol].volatility, rel=0.015)
        assert abs(r.mean()) < 4 * r.std() / np.sqrt(len(r))


def test_days_of_the_random_walk_are_as_wide_as_its_minutes_make_them():
    """The bridge between midnights neither adds nor takes variance, and midnight is no seam."""
    ratios, seams = [], []
    for seed in range(8):
        source = SimulatedSource.parse(f"random-walk,seed={seed}")
        table = source.fetch("BTC-USDT", "5m", "2025-01-01T00:00Z", "2025-03-02T00:00Z")
        r = np.diff(np.log(table.close.to_numpy()))
        level = np.log(table.close.to_numpy()[287::288])
        ratios.append(np.diff(level).var() / (288 * r.var()))
        seams.append(r[287::288].std() / r.std())
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.sqrt(2 / 59 / 8))
    assert np.mean(seams) == pytest.approx(1, abs=4 * np.sqrt(1 / 2 / 59 / 8))


def test_the_walk_over_days_has_the_stated_volatility_and_keeps_jumps_for_good():
    asset, last = ASSETS["BTC-USDT"], FIRST_DAY + 4000
    plain = daily_path(RANDOM_WALK, "BTC-USDT", asset, last)
    assert np.diff(plain.level).std() * np.sqrt(365) == pytest.approx(asset.volatility, rel=0.04)
    jumpy = daily_path(replace(RANDOM_WALK, jumps=1.0), "BTC-USDT", asset, last)
    assert 0.8 < (jumpy.jump != 0).sum() / 4000 < 1.2
    moved = np.cumsum(jumpy.jump.sum(axis=1))
    np.testing.assert_allclose(jumpy.level[1:] - plain.level[1:], moved, atol=1e-9)


@pytest.mark.parametrize("recipe", [RANDOM_WALK, replace(RANDOM_WALK, signal=3.0), Recipe()])
def test_the_minutes_of_a_day_add_up_to_its_move_and_midnight_is_no_seam(recipe):
    asset, first, last = ASSETS["BTC-USDT"], 20_000, 20_400
    path = minute_path(recipe, "BTC-USDT", asset, first, last)
    if not recipe.signal:
        level = daily_path(recipe, "BTC-USDT", asset, last).level[first - FIRST_DAY + 1 :]
        np.testing.assert_allclose(path.log_close[:, -1], level, atol=1e-9)
    r = np.diff(path.log_close.ravel()) / path.sigma.ravel()[1:]
    assert r[1439::1440].std() / r.std() == pytest.approx(1, abs=0.15)


# ---------------------------------------------------------------- the planted signal


def ideal_forecast(closes: np.ndarray, signal: float, flipped: bool = False) -> np.ndarray:
    """Return a number with the sign of the best forecast, from closes alone.

    Returns are an ARMA(1,1) in the shocks: (1−φL) r = (1−θ) ε − (φ−θ) Lε. Undo it, then sum what
    is still undigested.
    """
    theta = underreaction(signal, flipped)
    r = np.diff(np.log(closes))
    shocks = lfilter([1, -DIGESTION], [1 - theta, -(DIGESTION - theta)], r)
    return lfilter([theta], [1.0, -DIGESTION], shocks)


def accuracy(forecast: np.ndarray, closes: np.ndarray, horizon: int = 5) -> float:
    ahead = np.log(closes[1 + horizon :] / closes[1:-horizon])
    moved = ahead != 0
    return float((np.sign(forecast[:-horizon]) == np.sign(ahead))[moved].mean())


@pytest.mark.parametrize(
    ("signal", "promised"), [(0.3, 0.518), (1.0, 0.56), (2.0, 0.62), (3.0, 0.68)]
)
@pytest.mark.parametrize("market", ["random-walk", ""])
def test_the_ideal_predictor_is_as_good_as_promised(signal, promised, market):
    """The formula is exact for normal shocks; changing volatility and fat tails do little to it."""
    got = np.mean(
        [
            accuracy(ideal_forecast(closes, signal), closes)
            for closes in (candles(f"{market},signal={signal}", s).close.to_numpy() for s in MAJORS)
        ]
    )
    assert got == pytest.approx(promised, abs=0.01)


@pytest.mark.parametrize(("signal", "promised"), [(1.0, 0.56), (2.0, 0.62)])
def test_after_the_flip_the_signal_is_as_strong_and_the_other_way_round(signal, promised):
    options = f"signal={signal},flips=2025-05-01"
    after = [candles(options, s).close.loc["2025-05-01":].to_numpy() for s in MAJORS]
    right = np.mean([accuracy(ideal_forecast(closes, signal, True), closes) for closes in after])
    assert right == pytest.approx(promised, abs=0.01)
    misled = [accuracy(ideal_forecast(closes, signal), closes) for closes in after]
    assert np.mean(misled) < 0.5 - 0.6 * (promised - 0.5)


def test_before_the_flip_nothing_is_changed_and_the_turn_is_no_seam():
    flipped, plain = candles("flips=2025-05-01"), candles("")
    before = slice(None, "2025-04-30")
    pd.testing.assert_frame_equal(flipped.loc[before], plain.loc[before], check_exact=True)
    assert not flipped.loc["2025-05-01"].equals(plain.loc["2025-05-01"])
    r = np.log(flipped.close).diff().abs()
    turn = r.loc["2025-05-01T00:00Z":"2025-05-01T00:30Z"]
    assert turn.iloc[0] < 4 * turn.iloc[1:].mean()


@pytest.mark.parametrize(("signal", "low", "high"), [(0.0, 0.485, 0.515), (1.0, 0.545, 0.575)])
def test_recent_returns_find_the_signal_and_nothing_else(signal, low, high):
    """A linear fit on five windows of past returns, judged on the later half."""
    x, y = [], []
    for symbol in MAJORS:
        level = np.log(candles(f"signal={signal}", symbol).close.to_numpy())
        now = np.arange(20, len(level) - 5)
        x.append(np.column_stack([level[now] - level[now - n] for n in (1, 2, 5, 10, 20)]))
        y.append(level[now + 5] - level[now])
    half = len(y[0]) // 2
    train_x, train_y = np.concatenate([a[:half] for a in x]), np.concatenate([a[:half] for a in y])
    weights = np.linalg.lstsq(train_x, np.sign(train_y), rcond=None)[0]
    hits = [
        (np.sign(a[half:] @ weights) == np.sign(b[half:]))[b[half:] != 0]
        for a, b in zip(x, y, strict=True)
    ]
    assert low < np.concatenate(hits).mean() < high


def test_without_a_signal_the_lifelike_market_has_no_direction_to_learn():
    """Clusters, seasons, jumps and quiet bars tell the size of moves and nothing of their sign."""
    r = returns("signal=0")
    signs = np.sign(r)[r != 0]
    assert np.abs(autocorrelation(signs, 20)).max() * np.sqrt(len(signs)) < 4


def test_drift_is_what_it_says():
    base, up = returns("signal=0,tether=0"), returns("signal=0,tether=0,drift=2")
    assert (up.sum() - base.sum()) / (60 / 365) == pytest.approx(2, rel=0.01)


# ---------------------------------------------------------------- lifelike


def test_levels_ticks_and_volatility_are_those_of_crypto_majors():
    for symbol, (low, high) in {
        "BTC-USDT": (25_000, 150_000),
        "ETH-USDT": (1_200, 8_000),
        "XRP-USDT": (0.2, 1.3),
    }.items():
        table, asset = candles("", symbol), ASSETS[symbol]
        assert low < table.low.min() < table.high.max() < high
        for column in ("open", "high", "low", "close"):
            ticks = table[column].to_numpy() / asset.tick
            assert np.abs(ticks - np.rint(ticks)).max() < 1e-4
        hourly = np.diff(np.log(table.close.to_numpy()[::60]))
        assert 0.5 < hourly.std() * np.sqrt(365 * 24) < 1.0


def test_the_level_stays_in_the_neighbourhood_for_years():
    weeks = pd.date_range("2016-01-04", "2026-01-04", freq="60D", tz="UTC")
    source = SimulatedSource()
    levels = [
        source.fetch("BTC-USDT", "1m", day, day + pd.Timedelta(minutes=1)).close.iloc[0]
        for day in weeks
    ]
    assert 15_000 < min(levels) < max(levels) < 240_000


def test_volatility_clusters_and_tails_are_fat():
    for symbol in MAJORS:
        r = returns("", symbol)
        size = autocorrelation(np.abs(r), 60)
        assert size[0] > 0.12
        assert size[59] > 0.05
        assert kurtosis(r) > 5
    calm = np.abs(returns("clusters=0,seasons=0,jumps=0,signal=0,quiet=0,outages=0"))
    assert autocorrelation(calm, 10).max() < 0.02


def test_the_day_and_the_week_have_seasons():
    table = candles("")
    size = np.log(table.close).diff().abs()
    by_hour = size.groupby(table.index.hour).mean()
    assert by_hour.idxmax() in range(12, 18)
    assert by_hour.max() / by_hour.min() > 1.4
    weekend = table.index.day_of_week >= 5
    assert size[weekend].mean() < 0.9 * size[~weekend].mean()
    plain = candles("seasons=0,clusters=0")
    evenly = np.log(plain.close).diff().abs().groupby(plain.index.hour).mean()
    assert evenly.max() / evenly.min() < 1.15


def test_symbols_move_together():
    frame = np.array([returns("", symbol) for symbol in MAJORS])
    together = np.corrcoef(frame)[np.triu_indices(3, 1)]
    assert ((together > 0.55) & (together < 0.75)).all()
    apart = np.array([returns("correlation=0,jumps=0", symbol) for symbol in MAJORS])
    assert np.abs(np.corrcoef(apart)[np.triu_indices(3, 1)]).max() < 0.03


def test_jumps_stand_out():
    with_jumps, without = returns("jumps=1,tails=0,signal=0"), returns("jumps=0,tails=0,signal=0")
    assert kurtosis(with_jumps) > kurtosis(without) + 1


def test_volume_knows_volatility_and_outages_are_dead():
    table = candles("")
    size = np.log(table.close).diff().abs()
    moving = size > 0
    together = np.corrcoef(np.log(size[moving]), np.log(table.volume[moving]))[0, 1]
    assert 0.3 < together < 0.7
    dead = table[table.volume == 0]
    assert 0 < len(dead) < 0.01 * len(table)
    assert (dead.high == dead.low).all()
    quiet = candles("quiet=0.1,outages=0")
    flat = (quiet.high == quiet.low).mean()
    assert 0.09 < flat < 0.12
    assert (quiet.volume > 0).all()


# ---------------------------------------------------------------- names and refusals


def test_specs_and_names():
    for spec, name in {
        "simulated": "simulated-seed7",
        "simulated:seed=3": "simulated-seed3",
        "simulated:seed=7,signal=0.3,drift=0": "simulated-seed7-signal0.3",
        "simulated:flips=2025-06-10": "simulated-seed7-flips2025-06-10",
        "simulated:flips=20249": "simulated-seed7-flips2025-06-10",
        "simulated:random-walk,seed=3": "simulated-random-walk-seed3",
        "simulated:random-walk, seed=3, ticks=1": "simulated-random-walk-seed3-ticks1",
    }.items():
        source = open_source(spec)
        assert isinstance(source, CandleSource)
        assert (source.name, source.simulated) == (name, True)
    assert SimulatedSource(Recipe(seed=1)).name == "simulated-seed1"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("simulated:volume=3", "no knob 'volume'"),
        ("simulated:signal=9", "outside 0 to 5"),
        ("simulated:signal=strong", "must be a number"),
        ("simulated:seed=1.5", "must be a number"),
        ("simulated:flips=2025-13-01", "must be a number"),
        ("simulated:flips=1969-01-01", "outside 0 to"),
        ("simulated:tails=1", "tails are 0 or above 2"),
        ("simulated:bull-market", "no simulated market 'bull-market'"),
        ("paper", "is not a source"),
        ("files:", "is not a source"),
        ("files:/no/such/folder", "no folder"),
    ],
)
def test_what_cannot_be_opened(spec, words):
    with pytest.raises(BadSpec, match=words):
        open_source(spec)


def test_what_the_market_does_not_have():
    source = SimulatedSource()
    with pytest.raises(UnknownSymbol, match="does not list LUNA-USDT; it lists BTC-USDT"):
        source.fetch("LUNA-USDT", "1m", START, END)
    with pytest.raises(UnsupportedTimeframe, match="30s"):
        source.fetch("BTC-USDT", "30s", START, END)
    with pytest.raises(NoCandles, match="opens at 2015-01-05"):
        source.fetch("BTC-USDT", "1m", "2014-01-01T00:00Z", "2014-02-01T00:00Z")
    assert source.fetch("BTC-USDT", "1m", END, START).empty
    first = source.fetch("BTC-USDT", "1m", "2014-01-01T00:00Z", "2015-01-05T00:05Z")
    assert len(first) == 5
